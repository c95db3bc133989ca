//! A daemon beats beside a worker, also over the worker's death (004-P13).
//!
//! `cargo run --bin daemon_heartbeat`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{Restart, command::Command};

#[task(daemon)]
fn beat(unit: Duration) {
    loop {
        println!("beat");
        thread::sleep(unit);
    }
}

#[task]
fn work(time: Duration) {
    println!("work begins");
    thread::sleep(time);
    println!("work ends");
}

/// The heart as an actor: it can be asked, and it comes back after a crash.
#[actor]
struct Worker;

#[actor]
impl Worker {
    fn work(&self, time: Duration) -> u64 {
        thread::sleep(time);
        phalanx::current().incarnation()
    }
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let unit = phalanx_examples::unit();
    beat::spawn(unit)?;
    // The sixth beat would come at the moment of its end.
    work::spawn(unit * 11 / 2)?.join()?;

    let worker = Worker.builder().restart(Restart::Permanent).spawn()?;
    println!("worked, in process {} of the worker", worker.work(2 * unit).wait()?);
    let mut monitor = worker.monitor();
    // Another process kills it. (`worker.kill()` would be an order, and an actor stopped on purpose is not
    // started again.)
    Command::shell(format!("kill -KILL {}", worker.pid()?)).spawn()?.join();
    println!("the worker was {}", monitor.recv().reason);
    println!("worked, in process {} of the worker", worker.work(2 * unit).wait()?);
    println!("main ends");
    Ok(())
}
