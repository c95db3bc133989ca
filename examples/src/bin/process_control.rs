//! From outside: is it alive, end it, what was its exit code (000-P7).
//!
//! `cargo run --bin process_control`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::thread;
use std::time::Duration;

use phalanx::prelude::*;

#[task]
fn sleep(time: Duration) {
    thread::sleep(time);
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let unit = phalanx_examples::unit();

    // A builder is no process yet, so it cannot be asked whether it is alive.
    let builder = sleep::builder(1000 * unit).name("sleeper");
    let child = builder.spawn()?;
    println!("started: alive {}, exit code {:?}", child.is_alive(), child.exit_code());

    // A `join` with a limit ends the wait, and nothing else.
    let joined = child.join_timeout(unit);
    println!("not joined within a unit: {}; alive {}", joined.is_none(), child.is_alive());

    child.terminate()?;
    // SIGTERM is on its way: alive until its supervisor has collected its status, a moment later.
    println!("terminated: alive or not yet, {}", child.is_alive());

    println!("joined: {}", reason(child.join()));
    println!("joined again: {}", reason(child.join()));
    println!("ended: alive {}, exit code {:?}", child.is_alive(), child.exit_code());
    Ok(())
}

fn reason(joined: Result<(), CallError>) -> String {
    match joined {
        Ok(()) => "it returned".to_owned(),
        Err(CallError::Died(reason, _)) => reason.to_string(),
        Err(other) => other.to_string(),
    }
}
