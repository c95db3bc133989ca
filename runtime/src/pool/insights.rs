//! How a pool has spent its time, as a value and as a table.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::dispatcher::Dispatcher;
use super::job::Outcome;
use super::shared_slots::Status;
use super::times::Times;
use super::worker_handle::WorkerHandle;
use crate::types::escape::one_line;

/// How many unread task errors are kept as text.
const KEPT: usize = 16;

/// What is known of one seat of a pool, over all processes that have had it.
#[derive(Clone, Default)]
pub(crate) struct Record {
    pub(crate) starts: u64,
    pub(crate) crashes: u64,
    pub(crate) recycled: u64,
    startup: Duration,
    alive: Duration,
    times: Times,
}

impl Record {
    /// A process has taken the seat.
    pub(crate) fn start(&mut self, handle: &WorkerHandle) {
        self.startup += handle.startup;
    }

    /// A process has left the seat.
    pub(crate) fn leave(&mut self, handle: &WorkerHandle) {
        self.alive += handle.started.elapsed();
        self.times.add(&handle.shared_slots.times());
    }
}

/// Counters over the life of a pool.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) submitted: AtomicU64,
    pub(crate) succeeded: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) cancelled: AtomicU64,
    pub(crate) crashes: AtomicU64,
    pub(crate) recycled: AtomicU64,
    /// Unread errors of single tasks, by the number of the task.
    unread: Mutex<BTreeMap<u64, String>>,
    unread_count: AtomicU64,
}

impl Tally {
    /// The counter of an outcome.
    pub(crate) fn counter(&self, outcome: &Outcome) -> &AtomicU64 {
        match outcome {
            Outcome::Answer(Status::Value, ..) => &self.succeeded,
            Outcome::Answer(..) | Outcome::Codec(..) | Outcome::Unreachable(_) => &self.failed,
            Outcome::Died(..) | Outcome::Broken(_) => &self.lost,
            Outcome::Cancelled(_) | Outcome::Closed => &self.cancelled,
        }
    }

    /// How many tasks are done, one way or another.
    pub(crate) fn done(&self) -> u64 {
        [&self.succeeded, &self.failed, &self.lost, &self.cancelled]
            .iter()
            .map(|counter| counter.load(Ordering::Relaxed))
            .sum()
    }

    /// A task has an error that no caller has read yet.
    pub(crate) fn note_error(&self, number: u64, text: impl FnOnce() -> String) {
        self.unread_count.fetch_add(1, Ordering::Relaxed);
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        if unread.len() < KEPT {
            unread.insert(number, text());
        }
    }

    /// A caller has read the error of a task.
    pub(crate) fn note_read(&self, number: u64) {
        self.unread_count.fetch_sub(1, Ordering::Relaxed);
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }

    pub(crate) fn unread(&self) -> (u64, Vec<String>) {
        let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        (self.unread_count.load(Ordering::Relaxed), unread.values().cloned().collect())
    }
}

/// What a pool has done, as [`Pool::join`](crate::Pool::join) returns it. Its `Display` is a short text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The pool.
    pub pool: String,
    /// How many tasks (items of maps and streams included) it has taken.
    pub submitted: u64,
    /// How many of them have a value.
    pub succeeded: u64,
    /// How many have an error: their own, or one of encoding.
    pub failed: u64,
    /// How many were lost with their worker, or with the pool.
    pub lost: u64,
    /// How many were cancelled.
    pub cancelled: u64,
    /// How many errors of single tasks were not read.
    pub unread_errors: u64,
    /// The first of these, as texts.
    pub unread: Vec<String>,
    /// How often a worker ended unexpectedly.
    pub crashes: u64,
    /// How often a worker was replaced on purpose.
    pub recycled: u64,
    /// How the workers have spent their time.
    pub insights: Insights,
}

/// How the workers of a pool have spent their time. Its `Display` is a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Insights {
    /// One for each worker's place in the pool, by its index.
    pub workers: Vec<WorkerInsights>,
    /// All of them together.
    pub total: WorkerInsights,
}

/// How one worker has spent its time, over all processes that have had its place.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerInsights {
    /// Its place in the pool, from 0.
    pub index: usize,
    /// Its process, if it has one at the moment.
    pub pid: Option<u32>,
    /// How many tasks it has done.
    pub tasks: u64,
    /// How long it has run tasks.
    pub busy: Duration,
    /// How long it had nothing to do.
    pub idle: Duration,
    /// How long all its starts took in total, its `init` included.
    pub startup: Duration,
    /// Half of its tasks took no longer than this.
    pub p50: Duration,
    /// 99 in 100 tasks took no longer than this.
    pub p99: Duration,
    /// Its longest task.
    pub max: Duration,
    /// How often it was started again after the first time.
    pub restarts: u64,
    /// How many of these after a crash.
    pub crashes: u64,
}

impl Dispatcher {
    pub(crate) fn insights(&self) -> Insights {
        let schedule = self.lock();
        let mut all = Record::default();
        let mut workers = Vec::new();
        for (index, record, pid) in schedule.records() {
            all.starts += record.starts - 1;
            all.crashes += record.crashes;
            all.startup += record.startup;
            all.alive += record.alive;
            all.times.add(&record.times);
            workers.push(record.insights(index, pid));
        }
        all.starts += 1;
        Insights { workers, total: all.insights(0, None) }
    }

    pub(crate) fn report(&self) -> Report {
        let tally = &self.tally;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (unread_errors, unread) = tally.unread();
        Report {
            pool: self.options.name.clone(),
            submitted: load(&tally.submitted),
            succeeded: load(&tally.succeeded),
            failed: load(&tally.failed),
            lost: load(&tally.lost),
            cancelled: load(&tally.cancelled),
            unread_errors,
            unread,
            crashes: load(&tally.crashes),
            recycled: load(&tally.recycled),
            insights: self.insights(),
        }
    }
}

impl Record {
    fn insights(&self, index: usize, pid: Option<u32>) -> WorkerInsights {
        let busy = Duration::from_nanos(self.times.busy);
        WorkerInsights {
            index,
            pid,
            tasks: self.times.tasks,
            busy,
            idle: self.alive.saturating_sub(busy),
            startup: self.startup,
            p50: self.times.percentile(50),
            p99: self.times.percentile(99),
            max: Duration::from_nanos(self.times.longest),
            restarts: self.starts.saturating_sub(1),
            crashes: self.crashes,
        }
    }
}

impl fmt::Display for Insights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>6} {:>8} {:>9} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>8}",
            "worker", "pid", "tasks", "busy", "idle", "start-up", "p50", "p99", "max", "restarts"
        )?;
        for worker in &self.workers {
            let pid = worker.pid.map_or("-".to_owned(), |pid| pid.to_string());
            worker.row(f, &worker.index.to_string(), &pid)?;
        }
        self.total.row(f, "all", "")
    }
}

impl WorkerInsights {
    fn row(&self, f: &mut fmt::Formatter<'_>, name: &str, pid: &str) -> fmt::Result {
        let time = |time: Duration| format!("{time:.1?}");
        writeln!(
            f,
            "{name:>6} {pid:>8} {:>9} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>8}",
            self.tasks,
            time(self.busy),
            time(self.idle),
            time(self.startup),
            time(self.p50),
            time(self.p99),
            time(self.max),
            self.restarts
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { pool, submitted, succeeded, failed, lost, cancelled, crashes, recycled, .. } = self;
        let pool = one_line(pool);
        writeln!(
            f,
            "pool `{pool}`: {submitted} tasks, {succeeded} done, {failed} failed, {lost} lost, \
             {cancelled} cancelled; workers crashed {crashes} times and were recycled {recycled} times"
        )?;
        if self.unread_errors > 0 {
            writeln!(f, "{} unread task errors, such as:", self.unread_errors)?;
            self.unread.iter().try_for_each(|text| writeln!(f, "  {}", one_line(text)))?;
        }
        self.insights.fmt(f)
    }
}
