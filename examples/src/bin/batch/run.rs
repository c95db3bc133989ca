//! Hands the files to the pool, and adds up what comes back.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use std::{fs, io, thread};

use phalanx::pool::TaskError;

use crate::interrupts;
use crate::measure::{self, Measured};
use crate::report::{Failed, Progress, Report};

enum Event {
    Done(usize, Result<Measured, TaskError<String>>),
    Interrupted,
}

/// The files that are named, and those in the folders that are named, in order.
///
/// # Errors
/// If a path does not exist or cannot be read, with its name.
pub(crate) fn files(paths: &[PathBuf]) -> phalanx::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let named = |error: io::Error| phalanx::Error::new(format!("{}: {error}", path.display()));
        if fs::metadata(path).map_err(named)?.is_dir() {
            let entries: Result<Vec<_>, _> = fs::read_dir(path).map_err(named)?.collect();
            let mut inside: Vec<_> = entries.map_err(named)?.iter().map(|entry| entry.path()).collect();
            inside.sort();
            files.append(&mut inside);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// Measures the files; blocks until all are done, or until a Ctrl-C.
///
/// # Errors
/// If no worker can be started, or the pool ends by itself.
pub(crate) fn run(files: &[PathBuf], workers: usize, deadline: Duration) -> phalanx::Result<Report> {
    let (sender, events) = mpsc::channel();
    let interrupt = sender.clone();
    // The receiver has gone if all is done.
    interrupts::on_first(move || drop(interrupt.send(Event::Interrupted)))?;
    let pool = measure::pool(workers, deadline).start(measure::measure::task())?;
    let interrupted = AtomicBool::new(false);
    let report = thread::scope(|scope| {
        // The queue of the pool is bounded, so that submitting may block.
        scope.spawn(|| {
            for (index, file) in files.iter().enumerate() {
                if interrupted.load(Ordering::Relaxed) {
                    return;
                }
                let sender = sender.clone();
                let task = pool.submit(file.clone().into_os_string());
                drop(task.on_done(move |result| drop(sender.send(Event::Done(index, result)))));
            }
        });
        let report = collect(files, &events);
        if report.interrupted {
            interrupted.store(true, Ordering::Relaxed);
            // Does not wait for the workers. The end of the program does, which is 100 ms away at most.
            pool.abort();
        }
        report
    });
    if !report.interrupted {
        pool.close();
        pool.join()?;
    }
    Ok(report)
}

/// Adds up until all is done, or the batch is interrupted.
fn collect(files: &[PathBuf], events: &Receiver<Event>) -> Report {
    let mut report = Report::default();
    let progress = Progress::of(files.len());
    while report.done() < files.len() {
        match events.recv() {
            Ok(Event::Done(index, result)) => {
                add(&mut report, index, &files[index], result);
                progress.done(report.done());
            }
            Ok(Event::Interrupted) | Err(_) => {
                report.interrupted = true;
                break;
            }
        }
    }
    progress.end();
    report.failed.sort_by_key(|failed| failed.index);
    report
}

fn add(report: &mut Report, index: usize, file: &Path, result: Result<Measured, TaskError<String>>) {
    let reason = match result {
        Ok(measured) => {
            report.measured += 1;
            report.sums.pixels += measured.pixels;
            report.sums.light += measured.light;
            return;
        }
        Err(TaskError::App(reason, _)) => reason,
        Err(TaskError::Died(reason, _)) => reason.to_string(),
        Err(other) => other.to_string(),
    };
    report.failed.push(Failed { index, file: file.display().to_string(), reason });
}
