//! What the end of main means for children, daemons and others (000-P5, 000-P6, 004-P11, 004-P12).
//!
//! `cargo run --bin daemon_exit [UNIT [normal|daemon|both]]`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::env;
use std::thread;
use std::time::Duration;

use phalanx::prelude::*;

/// A star each unit, and a word at its end.
#[task]
fn shine(name: String, stars: u32, unit: Duration) {
    println!("{name} starts: process {}", phalanx::current().pid());
    for _ in 0..stars {
        println!("* {name}");
        thread::sleep(unit);
    }
    println!("{name} ends");
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let unit = phalanx_examples::unit();
    let which = env::args().nth(2).unwrap_or_else(|| "both".to_owned());
    if which != "normal" {
        // Whether it is a daemon is said before it starts; a running process cannot become one.
        shine::builder("daemon".into(), 1000, unit).daemon(true).spawn()?;
    }
    if which != "daemon" {
        shine::spawn("normal".into(), 3, unit)?;
    }
    // Long enough to see something, and not at the moment of a star.
    thread::sleep(unit / 2);
    println!("main ends");
    Ok(())
    // Daemons are terminated here. Then the others are waited for.
}
