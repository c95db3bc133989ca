//! A census of Rust source code that no file can stop.
//!
//! `syn` overflows the stack on deeply nested input, and a stack overflow cannot be caught: a program that
//! parses strangers' files in its own process dies of one of them sooner or later. Here the parsers are the
//! workers of a pool, each in a process of its own. The file that kills one is named, with the cause; the pool
//! replaces the worker, and goes on with the next file.
//!
//! `cargo run --release --bin census -- --demo-poison` shows five ways for a file to kill its parser.

mod args;
mod count;
mod output;
mod parser;
mod poison;
mod progress;
mod survey;
mod totals;
mod walk;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs};

use args::{Command, Options};
use output::Summary;
use poison::Poison;
use progress::Progress;
use survey::Job;
use totals::{Report, Totals};

#[phalanx::main]
fn main() -> ExitCode {
    let command = args::parse(env::args_os().skip(1)).map_err(Failure::Usage);
    let done = command.and_then(|command| match command {
        Command::Help => print(|out| out.write_all(args::HELP.as_bytes())),
        Command::Survey(options) => census(&options),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Survey(message)) => {
            progress::say(&message);
            ExitCode::from(1)
        }
        Err(Failure::Usage(message)) => {
            progress::say(&message);
            ExitCode::from(2)
        }
    }
}

/// Why the survey failed, for the user; the kinds are the exit codes that `--help` lists.
enum Failure {
    Survey(String),
    Usage(String),
}

/// Surveys the directories, and prints the result.
fn census(options: &Options) -> Result<(), Failure> {
    let start = Instant::now();
    let dirs = directories(options)?;
    let found = walk::walk(&dirs);
    let mut jobs: Vec<Job> = Vec::new();
    if options.demo_poison {
        // First, so that the main process waits for the slow one while the other parsers work.
        jobs.extend(Poison::ALL.map(Job::from));
    }
    jobs.extend(found.files.into_iter().map(Job::from));
    if jobs.is_empty() && found.failed.is_empty() {
        let dirs: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        return Err(Failure::Survey(format!("there is no Rust source file (.rs) in {}", dirs.join(", "))));
    }
    let (report, outcome) = survey(&jobs, options).map_err(Failure::Survey)?;
    let mut failed = found.failed;
    failed.extend(outcome.failed);
    let summary = Summary::new(&report.total, failed, start.elapsed(), outcome.restarts);
    print(|out| if options.json { output::json(out, &summary) } else { output::text(out, &report, &summary) })
}

/// Runs an actor that adds up, and a pool of parsers.
fn survey(jobs: &[Job], options: &Options) -> Result<(Report, survey::Outcome), String> {
    let totals = Totals::empty().builder().name("totals").spawn().map_err(|error| error.to_string())?;
    let workers = options.workers.unwrap_or_else(phalanx::parallelism).min(jobs.len());
    let outcome = survey::run(jobs, workers, options.deadline, &totals, &Progress::new(jobs.len()))?;
    // All counts were sent to the totals before; messages are handled in order.
    let report = totals.report().wait().map_err(|error| format!("the totals are lost: {error}"))?;
    Ok((report, outcome))
}

/// The directories to survey; each exists and is readable.
fn directories(options: &Options) -> Result<Vec<PathBuf>, Failure> {
    if options.dirs.is_empty() {
        return Ok(vec![default_directory()]);
    }
    for dir in &options.dirs {
        fs::read_dir(dir)
            .map_err(|error| Failure::Usage(format!("cannot survey {}: {error}", dir.display())))?;
    }
    Ok(options.dirs.clone())
}

/// The sources that cargo has unpacked, or else the repository of `cargo run`, or else the current directory.
fn default_directory() -> PathBuf {
    let cargo_home = env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let registry = cargo_home.map(|home| home.join("registry/src")).filter(|dir| dir.is_dir());
    // Set by `cargo run`, to the folder of this package.
    let repository =
        || env::var_os("CARGO_MANIFEST_DIR").and_then(|dir| Some(Path::new(&dir).parent()?.to_owned()));
    registry.or_else(repository).unwrap_or_else(|| PathBuf::from("."))
}

/// Writes to stdout, and ends quietly if its reader has gone.
fn print(
    write: impl FnOnce(&mut io::BufWriter<io::StdoutLock<'_>>) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Survey(format!("cannot write the report: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
