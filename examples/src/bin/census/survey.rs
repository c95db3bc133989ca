//! Hands the files to a pool of parsers. When a file has killed its parser, the pool starts another one.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use phalanx::pool::TaskError;
use phalanx::prelude::*;

use crate::count::Counts;
use crate::output::Failed;
use crate::parser::{self, Source};
use crate::poison::Poison;
use crate::progress::Progress;
use crate::totals::Totals;
use crate::walk::SourceFile;

/// One file to survey.
pub(crate) struct Job {
    source: Source,
    /// As it appears in the report.
    name: String,
    /// Folder of the crate that it counts for.
    krate: Arc<Path>,
}

impl From<SourceFile> for Job {
    fn from(file: SourceFile) -> Job {
        let name = file.path.display().to_string();
        Job { name, krate: file.krate, source: Source::File(file.path.into_os_string()) }
    }
}

impl From<Poison> for Job {
    fn from(poison: Poison) -> Job {
        let krate = Path::new("poison").into();
        Job { name: poison.file_name().to_owned(), krate, source: Source::Poison(poison) }
    }
}

/// The outcome of the survey; the counts are in [`Totals`].
#[derive(Default)]
pub(crate) struct Outcome {
    /// In the order of the jobs.
    pub(crate) failed: Vec<Failed>,
    /// Parsers that died of a file, each of which was replaced.
    pub(crate) restarts: usize,
}

type Surveyed = (usize, Result<Counts, TaskError<String>>);

/// Surveys all `jobs` with `workers` parsers; blocks until every one has been counted or has failed.
///
/// # Errors
/// If the survey cannot go on: the totals are lost, or no parser can be started, or started anew.
pub(crate) fn run(
    jobs: &[Job],
    workers: usize,
    deadline: Duration,
    totals: &ActorRef<Totals>,
    progress: &Progress,
) -> Result<Outcome, String> {
    let parsers = parser::pool(workers.max(1), deadline).start(parser::survey::task());
    let parsers = parsers.map_err(|error| error.to_string())?;
    let (sender, surveyed) = mpsc::channel::<Surveyed>();
    let done = thread::scope(|scope| {
        // The pool's queue is bounded, so submitting may block.
        let parsers = &parsers;
        scope.spawn(move || {
            for (index, job) in jobs.iter().enumerate() {
                let sender = sender.clone();
                let task = parsers.submit(job.source.clone());
                // The receiver has gone if the totals are lost; then this file does not matter either.
                drop(task.on_done(move |result| drop(sender.send((index, result)))));
            }
        });
        collect(jobs, surveyed, totals, progress, || parsers.report().crashes as usize)
    });
    progress.finish();
    let mut failed = done.inspect_err(|_| parsers.abort())?;
    parsers.close();
    let report = parsers.join().map_err(|error| error.to_string())?;
    failed.sort_by_key(|(index, _)| *index);
    let failed = failed.into_iter().map(|(_, failed)| failed).collect();
    Ok(Outcome { failed, restarts: report.crashes as usize })
}

/// Takes the results as they come; returns the failed files, with their indices.
///
/// # Errors
/// If the totals do not take a result: the survey would be incomplete.
fn collect(
    jobs: &[Job],
    surveyed: mpsc::Receiver<Surveyed>,
    totals: &ActorRef<Totals>,
    progress: &Progress,
    crashes: impl Fn() -> usize,
) -> Result<Vec<(usize, Failed)>, String> {
    let mut failed = Vec::new();
    for (index, result) in surveyed {
        let job = &jobs[index];
        match result {
            Ok(counts) => {
                let krate = job.krate.to_string_lossy().into_owned();
                let taken = totals.add(krate, counts);
                taken.map_err(|error| format!("the totals did not take it: {error}"))?;
            }
            Err(error) => {
                if matches!(error, TaskError::Died(..)) {
                    progress.restarted(crashes());
                }
                failed.push((index, Failed { file: job.name.clone(), reason: reason(error) }));
            }
        }
        progress.file_done();
    }
    Ok(failed)
}

/// Why a file was not surveyed, without the words that all lines share.
fn reason(error: TaskError<String>) -> String {
    match error {
        TaskError::App(reason, _) => reason,
        TaskError::Died(reason, _) => reason.to_string(),
        error => error.to_string(),
    }
}
