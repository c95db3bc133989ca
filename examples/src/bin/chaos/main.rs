//! Kills what phalanx runs, at random, and looks whether its promises hold.
//!
//! `cargo run --release --bin chaos -- [--seconds 60] [--seed N] [--json]`
//!
//! A tree of supervisors, three levels deep, with 30 actors, under load from 4 clients. Every 20 ms one of its processes, actor or
//! supervisor, is killed, crashed, stopped or told to end, or blunders. Then: no caller hung past its deadline; every call ended in exactly one answer or
//! typed error; no message that was queued at a mailbox was lost, but those that a process died of; what one client sent came in its order; and nothing was left.
//!
//! Some of the blows are dealt by the actors themselves, as careless C libraries do it: they close one of their descriptors or all, and fork in a handler that
//! both processes return from. What has worse consequences by its nature is left to actors and clients apart from those: a socket that is shut down, a full table
//! of descriptors, a wiped page. Calls to these end in an answer or in a typed error by their deadline, and an actor of the same supervisor notices nothing.
//!
//! `--crashes 1000` instead crashes one actor so often, under load, and counts the lost calls on both sides.
//!
//! `--pool` kills a worker of a pool every 50 ms while that does 100,000 tasks. Each of them has exactly one outcome; lost are those that the killed
//! workers were at, by what the workers have noted in shared memory, and no other; with `--idempotent` all succeed.
//!
//! The exit code is 1 if a promise broke.

mod args;
mod bunglers;
mod client;
mod crashes;
mod killer;
mod pool;
mod random;
mod report;
mod storm;
mod traces;
mod worker;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use args::Command;

#[phalanx::main]
fn main() -> ExitCode {
    let done = match args::parse(env::args().skip(1)) {
        Ok(Command::Help) => {
            io::stdout().write_all(args::HELP.as_bytes()).map(|()| true).map_err(phalanx::Error::from)
        }
        Ok(Command::Storm(options)) => storm::run(&options).and_then(|report| report.print(options.json)),
        Ok(Command::Crashes(times, options)) => {
            crashes::run(times, &options).and_then(|report| report.print(options.json))
        }
        Ok(Command::Pool(load, options)) => {
            pool::run(load, &options).and_then(|report| report.print(options.json))
        }
        Err(message) => {
            complain(&message);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(1)
        }
    }
}

fn complain(message: &str) {
    // Nowhere to complain about that.
    let _ = writeln!(io::stderr(), "chaos: {message}");
}
