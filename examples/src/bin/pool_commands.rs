//! Shell commands, three at a time, and a log of which worker ran what for how long (002-P2).
//!
//! `cargo run --bin pool_commands`
//!
//! The log goes to standard error. It is one log for all processes: whole lines with time, level, name and
//! pid, however a process is started.

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

use phalanx::Pool;
use phalanx::prelude::*;
use phalanx_examples::in_units;
use serde::{Deserialize, Serialize};

/// A command that failed.
#[derive(Debug, Serialize, Deserialize)]
struct Failed {
    code: Option<i32>,
    stderr: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "code {:?}, {}", self.code, self.stderr)
    }
}

#[task]
fn shell(line: String) -> Result<String, Failed> {
    let start = Instant::now();
    tracing::info!(line, "begins");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
    let ended = Command::new("/bin/sh").args(["-c", &line]).output();
    let output = ended.map_err(|error| Failed { code: None, stderr: error.to_string() })?;
    tracing::info!(line, took = ?start.elapsed(), status = %output.status, "ends");
    match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(Failed { code: output.status.code(), stderr: text(output.stderr) }),
    }
}

fn sleep(time: Duration) -> String {
    format!("sleep {}", time.as_secs_f64())
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    phalanx::logging::init();
    let unit = phalanx_examples::unit();
    let pool = Pool::builder().name("shells").workers(3).build()?;

    let start = Instant::now();
    let lines = [
        format!("{}; echo slow", sleep(4 * unit)),
        format!("{}; echo quick", sleep(2 * unit)),
        format!("{}; echo 'no such luck' >&2; exit 3", sleep(unit)),
    ];
    let tasks = lines.map(|line| pool.submit(shell::task(), line));
    for task in tasks {
        match task.wait() {
            Ok(output) => println!("said: {output}"),
            Err(error) => println!("failed: {error}"),
        }
    }
    println!("three commands took {} units", in_units(start.elapsed(), unit));
    Ok(())
}
