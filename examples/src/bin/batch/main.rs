//! Many files through a pool of processes, whatever each of them does to the C library that decodes it.
//!
//! `cargo run --bin batch -- [--workers 4] [--deadline 2s] [FILE|FOLDER..]`; without files, a demonstration
//! makes some, with broken and poisonous ones among them.
//!
//! A broken file costs itself only, one that kills its worker or hangs too. Ctrl-C ends the batch with the
//! sums so far; a second one ends it at once.

mod args;
mod demo;
mod interrupts;
mod measure;
mod report;
mod run;

use std::env;
use std::process::ExitCode;

use args::Options;

/// What a shell expects of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

#[phalanx::main]
fn main() -> ExitCode {
    let done = args::parse(env::args_os().skip(1))
        .map_err(|error| (2, error))
        .and_then(|options| batch(options).map_err(|error| (1, error.to_string())));
    match done {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::from(INTERRUPTED),
        Err((code, error)) => {
            eprintln!("batch: {error}");
            ExitCode::from(code)
        }
    }
}

/// Measures all files and prints the report; returns whether it was interrupted.
fn batch(options: Options) -> phalanx::Result<bool> {
    let demo = options.paths.is_empty().then(demo::Demo::make).transpose()?;
    let paths = demo.as_ref().map_or(options.paths, |demo| vec![demo.folder().to_owned()]);
    let files = run::files(&paths)?;
    let report = run::run(&files, options.workers, options.deadline)?;
    report::print(&report, files.len());
    Ok(report.interrupted)
}
