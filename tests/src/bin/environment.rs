//! A small program of everything that starts processes, for environments in which something is missing:
//! `environment [REPORT]`.
//!
//! It says in one line whether all went well (`works`) or what did not (`missing: ..`), on standard output or
//! at the end of the file REPORT. A second line means that `main` has run twice. Exits with 0 or 1.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::fs::OpenOptions;
use std::io::Write;

use phalanx::pool::Stop;
use phalanx::prelude::*;
use phalanx::{Pool, Restart};
use phalanx_tests::PROGRAM_TIMEOUT;

#[actor]
struct Worker;

#[actor]
impl Worker {
    fn double(&self, number: u32) -> u32 {
        2 * number
    }

    /// Starts one below this one, and asks it.
    fn delegate(&self, number: u32) -> phalanx::Result<u32> {
        Ok(Worker.spawn()?.double(number).wait()?)
    }

    fn crash(&self) {
        std::process::abort();
    }
}

#[task]
fn sum(numbers: Vec<u32>) -> u32 {
    numbers.iter().sum()
}

/// Spawns, asks, has an actor spawn, crash and come back, runs a task and a pool.
fn all() -> phalanx::Result<()> {
    let worker = Worker.builder().restart(Restart::Permanent).start_timeout(PROGRAM_TIMEOUT).spawn()?;
    expect("an answer", worker.double(21).wait()?, 42)?;
    expect("an answer of an actor below it", worker.delegate(21).wait()?, 42)?;
    if worker.crash().wait().is_ok() {
        return Err(phalanx::Error::new("an actor that crashes answers"));
    }
    expect("an answer after a crash", worker.double(4).wait()?, 8)?;
    // More than fits into a packet.
    expect("the result of a task", sum::spawn(vec![1; 100_000])?.join()?, 100_000)?;
    let pool = Pool::builder().workers(2).build()?;
    let doubled = pool.map(|number: u32| 2 * number, 0..10)?;
    expect("the sum of a pool's results", doubled.iter().sum(), 90)?;
    pool.stop(Stop::Drain)?;
    phalanx::shutdown();
    Ok(())
}

fn expect(what: &str, is: u32, should_be: u32) -> phalanx::Result<()> {
    let told = || phalanx::Error::new(format!("{what} is {is} and not {should_be}"));
    (is == should_be).then_some(()).ok_or_else(told)
}

fn main() {
    let done = all();
    let line = match &done {
        Ok(()) => "works\n".to_owned(),
        Err(error) => format!("missing: {}\n", error.to_string().escape_debug()),
    };
    let report = std::env::args().nth(1).map(|path| OpenOptions::new().create(true).append(true).open(path));
    match report {
        Some(file) => {
            file.and_then(|mut file| file.write_all(line.as_bytes())).expect("there is room for a report")
        }
        None => print!("{line}"),
    }
    std::process::exit(i32::from(done.is_err()));
}
