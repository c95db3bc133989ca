//! A function as a process: start it, go on, wait for its end (000-P2, 002-P1, 003-P2, 004-P7).
//!
//! `cargo run --bin process_join`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use phalanx::prelude::*;

#[task]
fn greet(name: String) {
    println!("child `{name}`: process {}", phalanx::current().pid());
}

#[task]
fn send(mail: String) {
    println!("mail: {mail}");
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    println!("main: process {}", phalanx::current().pid());

    println!("main: about to start two children");
    let children = [greet::spawn("one".into())?, greet::spawn("two".into())?];
    for child in &children {
        child.join()?;
    }
    println!("main: both children have ended");

    println!("main: about to start a child");
    let child = greet::spawn("test".into())?;
    child.join()?;
    println!("main: the child has ended");

    // A joined process has ended: no output of it comes later.
    for _ in 0..100 {
        send::spawn("the first".into())?.join()?;
        send::spawn("the second".into())?.join()?;
    }
    Ok(())
}
