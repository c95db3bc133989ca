//! Hands the files to the parsers, one at a time each. When a file has killed its parser, a supervisor starts the parser anew.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use phalanx::prelude::*;

use crate::count::Counts;
use crate::output::Failed;
use crate::parser::{self, Parser, Source};
use crate::poison::Poison;
use crate::progress::{self, Progress};
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

/// How long a restart counts: longer than any survey takes.
const WHOLE_SURVEY: Duration = Duration::from_secs(30 * 86_400);

/// Restarts that files are not to blame for: somebody kills parsers by hand.
const SPARE: usize = 100;

/// How the survey went; what was counted is in [`Totals`].
#[derive(Default)]
pub(crate) struct Outcome {
    /// In the order of the jobs.
    pub(crate) failed: Vec<Failed>,
    /// Parsers that died of a file, each of which was started anew.
    pub(crate) restarts: usize,
}

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
    let survey = Survey {
        jobs,
        deadline,
        parsers: &supervisor(jobs.len())?,
        totals,
        progress,
        next: AtomicUsize::new(0),
        restarts: AtomicUsize::new(0),
        failed: Mutex::default(),
    };
    let survey = &survey;
    let ends: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (1..=workers).map(|n| scope.spawn(move || survey.work(n))).collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    progress.finish();
    for end in ends {
        let reason = match end {
            Ok(Ok(())) => continue,
            Ok(Err(reason)) => reason,
            Err(_) => return Err("a thread of the census panicked".to_owned()),
        };
        if !survey.all_taken() {
            return Err(reason);
        }
        // The other workers have done what this one could not.
        progress::say(&reason);
    }
    survey.outcome()
}

/// The parent of the parsers: one that dies comes back behind the same ref. A file can kill a parser once, so restarts for as many files as there
/// are do not mean that anything is wrong; many more mean that parsers do not start.
fn supervisor(files: usize) -> Result<SupervisorRef, String> {
    let bearable = u32::try_from(files + SPARE).unwrap_or(u32::MAX);
    let parsers = Supervisor::dynamic().name("parsers").intensity(bearable, WHOLE_SURVEY);
    parsers.start().map_err(|error| error.to_string())
}

/// What the threads of the survey share. Each of them drives one parser process.
struct Survey<'a> {
    jobs: &'a [Job],
    deadline: Duration,
    parsers: &'a SupervisorRef,
    totals: &'a ActorRef<Totals>,
    progress: &'a Progress,
    /// Index of the first job that nobody has taken.
    next: AtomicUsize,
    restarts: AtomicUsize,
    /// With the index of the job.
    failed: Mutex<Vec<(usize, Failed)>>,
}

impl Survey<'_> {
    /// One thread: asks its parser for one file after the other. Only one is on its way at any time, so it is
    /// always clear which file killed a parser. The next file waits in the mailbox until the parser is back.
    fn work(&self, number: usize) -> Result<(), String> {
        let name = format!("parser-{number}");
        let parser = self.parsers.start_child(&name, parser::builder(&name, self.deadline));
        let parser = parser.map_err(|error| error.to_string())?;
        while let Some((index, job)) = self.take() {
            match ask(&parser, job) {
                Asked::Counted(counts) => self.count(index, job, counts)?,
                Asked::Refused(reason) => self.fail(index, job, &reason),
                Asked::Killed(reason) => {
                    self.fail(index, job, &reason);
                    self.progress.restarted(self.restarts.fetch_add(1, Ordering::Relaxed) + 1);
                }
                Asked::NotSeen(reason) => {
                    self.fail(index, job, &reason);
                    return Err(reason);
                }
            }
            self.progress.file_done();
        }
        Ok(())
    }

    fn take(&self) -> Option<(usize, &Job)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        Some((index, self.jobs.get(index)?))
    }

    fn all_taken(&self) -> bool {
        self.next.load(Ordering::Relaxed) >= self.jobs.len()
    }

    /// Tells the totals. If they do not take it the file has failed, and this worker has nowhere to go.
    fn count(&self, index: usize, job: &Job, counts: Counts) -> Result<(), String> {
        let krate = job.krate.to_string_lossy().into_owned();
        self.totals.add(krate, counts).map_err(|error| {
            let reason = format!("the totals did not take it: {error}");
            self.fail(index, job, &reason);
            reason
        })
    }

    fn fail(&self, index: usize, job: &Job, reason: &str) {
        let failed = Failed { file: job.name.clone(), reason: reason.to_owned() };
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).push((index, failed));
    }

    fn outcome(&self) -> Result<Outcome, String> {
        let mut failed = std::mem::take(&mut *self.failed.lock().unwrap_or_else(PoisonError::into_inner));
        failed.sort_by_key(|(index, _)| *index);
        let failed = failed.into_iter().map(|(_, failed)| failed).collect();
        Ok(Outcome { failed, restarts: self.restarts.load(Ordering::Relaxed) })
    }
}

/// What became of one file.
enum Asked {
    Counted(Counts),
    /// With the reason; the parser is as good as before.
    Refused(String),
    /// With the reason; the parser is no more, and there will be another.
    Killed(String),
    /// With the reason; there is no parser any more.
    NotSeen(String),
}

/// Blocks until the file is surveyed or the parser is dead, which its deadline sees to.
fn ask(parser: &ActorRef<Parser>, job: &Job) -> Asked {
    match parser.survey(job.source.clone()).wait() {
        Ok(counts) => Asked::Counted(counts),
        Err(CallError::App(reason)) => Asked::Refused(reason),
        Err(CallError::Died(reason, _)) => Asked::Killed(reason.to_string()),
        Err(error @ (CallError::Stopped(_) | CallError::Gone(_))) => Asked::NotSeen(error.to_string()),
        Err(error) => Asked::Refused(error.to_string()),
    }
}
