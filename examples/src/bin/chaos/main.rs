//! Kills processes of phalanx at random, and checks whether its promises hold.
//!
//! `cargo run --release --bin chaos -- [--seconds 60] [--seed N] [--json]`
//!
//! A tree of supervisors, three levels deep, with 30 actors, is under load from 4 clients. Every 20 ms one of
//! its processes, actor or supervisor, is killed, crashed, stopped, terminated, or blunders. The promises: no
//! caller hung past its deadline; every call ended in exactly one reply or typed error; no message queued at
//! a mailbox was lost, except those that a process died of; messages of one client came in their order; and
//! no process was left.
//!
//! Some of the blows are dealt by the actors themselves, as careless C libraries do: they close one of their
//! descriptors or all, and fork in a handler that both processes return from. Blunders with worse
//! consequences are left to actors and clients apart from those: a socket that is shut down, a full table of
//! descriptors, a wiped page. Calls to these end in a reply or in a typed error by their deadline, and an
//! actor of the same supervisor notices nothing.
//!
//! `--crashes 1000` instead crashes one actor that many times, under load, and counts the lost calls on both
//! sides.
//!
//! `--pool` kills a worker of a pool every 50 ms while it does 100,000 tasks. Each task has exactly one
//! outcome. The lost tasks are those that the killed workers were at, by their own notes in shared memory,
//! and no others; with `--idempotent` all succeed.
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
    // A failure to write to stderr cannot be reported.
    let _ = writeln!(io::stderr(), "chaos: {message}");
}
