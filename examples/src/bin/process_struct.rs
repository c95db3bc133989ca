//! A struct as a process: its fields travel, its methods run there (000-P3, 003-P3, 004-P9, 004-P10).
//!
//! `cargo run --bin process_struct`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx_examples::in_units;

/// The smallest one.
#[actor]
struct Hello;

#[actor]
impl Hello {
    fn run(&self) -> u32 {
        println!("hello from another process");
        phalanx::current().pid()
    }
}

/// One with a field, set here and read there.
#[actor]
struct Worker {
    number: u32,
}

#[actor]
impl Worker {
    fn run(&self) -> u32 {
        println!("worker {}", self.number);
        self.number
    }
}

#[actor]
struct Sleeper {
    time: Duration,
}

#[actor]
impl Sleeper {
    /// Returns how long it took.
    fn run(&self) -> Duration {
        let start = Instant::now();
        thread::sleep(self.time);
        start.elapsed()
    }
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let unit = phalanx_examples::unit();

    println!("not in main: {}", Hello.spawn()?.run().wait()? != phalanx::current().pid());

    // All ten are asked before the first reply is waited for: the scheduler decides in which order they run.
    let workers = (1..=10).map(|number| Worker { number }.spawn()).collect::<Result<Vec<_>, _>>()?;
    let runs: Vec<_> = workers.iter().map(|worker| worker.run()).collect();
    let mut sum = 0;
    for run in runs {
        sum += run.wait()?;
    }
    println!("all workers have run, and answered numbers with the sum {sum}");

    let start = Instant::now();
    let slept = Sleeper { time: 2 * unit }.spawn()?.run().wait()?;
    println!("the child took {} units", in_units(slept, unit));
    println!("main took {} units", in_units(start.elapsed(), unit));
    Ok(())
}
