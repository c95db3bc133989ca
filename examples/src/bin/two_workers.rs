//! Two loops at different pace, at the same time (001-P1).
//!
//! `cargo run --bin two_workers`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx_examples::in_units;

#[task]
fn work(what: String, pause: Duration) {
    for time in 1..=5 {
        println!("{what} {time}");
        thread::sleep(pause);
    }
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let unit = phalanx_examples::unit();
    let start = Instant::now();
    let reading = work::spawn("reads".into(), unit)?;
    let writing = work::spawn("writes".into(), unit * 3 / 2)?;
    reading.join()?;
    writing.join()?;
    println!("{} units in all, of which 5 reading and 7.5 writing", in_units(start.elapsed(), unit));
    Ok(())
}
