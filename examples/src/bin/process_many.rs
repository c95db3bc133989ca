//! Ten processes at once, a handle in words, and why not to join in the starting loop (004-P6, 004-P8).
//!
//! `cargo run --bin process_many`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx_examples::in_units;

#[task]
fn sleep(number: u32, time: Duration) {
    let me = phalanx::current();
    println!("child {number}: process {}, spawned by {}", me.pid(), me.parent().unwrap_or_default());
    thread::sleep(time);
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let unit = phalanx_examples::unit();

    let start = Instant::now();
    let children = (1..=10).map(|number| sleep::spawn(number, unit)).collect::<Result<Vec<_>, _>>()?;
    for child in &children {
        println!("{child}");
    }
    for child in &children {
        child.join()?;
        println!("{child}");
    }
    let together = start.elapsed();
    println!("together: {} units", in_units(together, unit));

    // Each waits for the one before: ten processes, and one at a time.
    let start = Instant::now();
    for number in 1..=10 {
        sleep::spawn(number, unit)?.join()?;
    }
    let in_turn = start.elapsed();
    println!("one after the other: {} units", in_units(in_turn, unit));
    println!("main ends");
    Ok(())
    // Without that join, the end of main would wait for all of them: no zombies are left.
}
