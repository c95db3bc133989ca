//! A pool whose workers are killed while it works.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use phalanx::pool::{self, OnLoss, PoolError, TaskError};
use phalanx::prelude::*;
use phalanx::{Pool, Shared, pool::TaskHandle};

use crate::args::{Load, Options};
use crate::client::Account;
use crate::killer;
use crate::random::Random;
use crate::report::{Pooled, Report};
use crate::storm::leftovers;
use crate::traces::Traces;

/// How often a worker is killed.
const PAUSE: Duration = Duration::from_millis(50);

/// A pool without progress for this long hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// The workers' notes on each task, in memory that outlives them: how often it was begun, and above that how
/// often it was finished.
type Marks = Shared<[AtomicU32]>;
const BEGUN: u32 = 1;
const FINISHED: u32 = 1 << 16;

/// Some work, and its result. One in 64 takes a while.
fn work(number: u64) -> u64 {
    let mark = |what: u32| pool::state(|marks: &mut Marks| marks[number as usize].fetch_add(what, Relaxed));
    mark(BEGUN);
    let time = Duration::from_micros(if number.is_multiple_of(64) { 2000 } else { 30 });
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
    mark(FINISHED);
    answer(number)
}

/// [`work`], declared as repeatable.
#[task(idempotent = 100)]
fn repeatable(number: u64) -> u64 {
    work(number)
}

fn answer(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

pub(crate) fn run(load: Load, options: &Options) -> phalanx::Result<Report> {
    // Leftovers that every program with a pool keeps must not count.
    drop(Pool::builder().workers(1).build()?);
    phalanx::shutdown();
    let (start, before) = (Instant::now(), Traces::take());
    let mut tallied = storm(load, options.seed)?;
    phalanx::shutdown();
    let options = Options { time: start.elapsed(), ..*options };
    tallied.leftovers = leftovers() + before.left();
    Ok(Report { options, ..tallied })
}

/// Everything that it started is gone when it returns.
fn storm(load: Load, seed: u64) -> phalanx::Result<Report> {
    let marks = Marks::zeroed(load.tasks as usize)?;
    let outcomes: Arc<[AtomicU8]> = (0..load.tasks).map(|_| AtomicU8::new(0)).collect();
    // The first task of a worker is known to be repeatable only once it has begun (docs/limitations.md, "Pools"). The
    // pool knows of all tasks from the start.
    let on_loss = if load.idempotent { OnLoss::Retry(100) } else { OnLoss::Fail };
    let builder = Pool::builder().name("chaos").workers(load.workers).on_loss(on_loss);
    let pool = builder.init(|marks: Marks| marks, marks.clone()).build()?;
    let going = AtomicBool::new(true);
    let mut ledger = Ledger::default();
    let killed = std::thread::scope(|scope| {
        let killer = scope.spawn(|| rage(&pool, seed, &going));
        let tasks: Vec<_> = (0..load.tasks).map(|number| submit(&pool, load, number, &outcomes)).collect();
        for ((number, task), mark) in (0..).zip(tasks).zip(marks.iter()) {
            ledger.note(number, load, task, mark);
        }
        going.store(false, Relaxed);
        killer.join().unwrap_or_default()
    });
    let recovered = ledger.account.hangs == 0 && recover(&pool, killed.len() as u64);
    if recovered {
        pool.close()
    } else {
        pool.abort()
    }
    let report = pool.join().map_err(|error: PoolError| phalanx::Error::new(error))?;
    let count = |wanted: fn(u8) -> bool| {
        outcomes.iter().filter(|outcome| wanted(outcome.load(Relaxed))).count() as u64
    };
    let pooled = Pooled {
        tasks: load.tasks,
        idempotent: load.idempotent,
        missing: count(|times| times == 0),
        twice: count(|times| times > 1),
        untrue: ledger.untrue,
        repeated: ledger.repeated,
        unexplained: ledger.victims.difference(&killed).count() as u64 + ledger.unexplained,
        miscounted: report.lost.abs_diff(ledger.account.died) + report.crashes.abs_diff(killed.len() as u64),
    };
    Ok(Report {
        options: Options { time: Duration::ZERO, seed, json: false },
        kills: killed.len() as u64,
        account: ledger.account,
        interrupted: ledger.interrupted,
        cut: ledger.cut,
        recovered,
        leftovers: 0,
        crashes: None,
        pool: Some(pooled),
        bungled: None,
    })
}

/// Each outcome is counted where it comes, and checked where it is waited for.
fn submit(pool: &Pool, load: Load, number: u64, outcomes: &Arc<[AtomicU8]>) -> TaskHandle<u64> {
    let outcomes = Arc::clone(outcomes);
    let task = if load.idempotent { pool.submit(repeatable, number) } else { pool.submit(work, number) };
    task.on_done(move |_| {
        outcomes[number as usize].fetch_add(1, Relaxed);
    })
}

/// The caller's account of the tasks, beside the workers' notes.
#[derive(Default)]
struct Ledger {
    account: Account,
    /// Tasks that were begun and never finished, by the workers' notes.
    interrupted: u64,
    /// Deaths in tasks whose own code had not begun, or was over.
    cut: u64,
    /// How many repetitions there were.
    repeated: u64,
    /// Tasks whose outcome contradicts the notes.
    untrue: u64,
    /// The workers that died of tasks.
    victims: BTreeSet<u32>,
    /// Deaths from other causes than a kill, or several for one kill.
    unexplained: u64,
}

impl Ledger {
    fn note(&mut self, number: u64, load: Load, mut task: TaskHandle<u64>, mark: &AtomicU32) {
        self.account.calls += 1;
        let patience = if self.account.hangs == 0 { PATIENCE } else { Duration::ZERO };
        let result = task.wait_timeout(patience);
        // No worker is at this task any more.
        let mark = mark.load(Relaxed);
        let (begun, finished) = (mark % FINISHED, mark / FINISHED);
        self.repeated += u64::from(begun.saturating_sub(1));
        self.interrupted += u64::from(begun > 0 && finished == 0);
        let most = if load.idempotent { u32::MAX } else { 1 };
        let is_true = match result {
            Ok(value) => {
                self.account.replies += 1;
                self.account.order_violations += u64::from(value != answer(number));
                finished >= 1
            }
            Err(error) => {
                self.fail(&error, finished > 0 || begun == 0);
                matches!(error, TaskError::Died(..)) || begun == 0
            }
        };
        self.untrue += u64::from(!is_true || begun > most || finished > begun);
    }

    fn fail(&mut self, error: &TaskError, is_cut: bool) {
        *self.account.errors.entry(kind(error).to_owned()).or_default() += 1;
        self.account.hangs += u64::from(matches!(error, TaskError::Timeout(_)));
        let TaskError::Died(reason, at) = error else { return };
        self.account.died += 1;
        self.cut += u64::from(is_cut);
        let is_first = at.worker().is_some_and(|worker| self.victims.insert(worker.pid));
        self.unexplained += u64::from(!is_first || reason.signal() != Some(9));
    }
}

fn kind(error: &TaskError) -> &'static str {
    match error {
        TaskError::App(never, _) => match *never {},
        TaskError::Died(..) => "died",
        TaskError::Cancelled(_) => "cancelled",
        TaskError::Timeout(_) => "timeout",
        TaskError::Codec(..) => "codec",
        TaskError::Closed(_) => "closed",
        TaskError::Broken(..) => "broken",
        TaskError::Refused(..) => "refused",
        TaskError::Unreachable(..) => "unreachable",
        _ => "other",
    }
}

/// Kills one worker after the other, while there is work; returns their pids.
fn rage(pool: &Pool, seed: u64, going: &AtomicBool) -> BTreeSet<u32> {
    let (mut random, mut killed) = (Random::new(seed), BTreeSet::new());
    while going.load(Relaxed) {
        std::thread::sleep(PAUSE);
        let workers = pool.insights().workers;
        let victims: Vec<u32> =
            workers.iter().filter_map(|worker| worker.pid).filter(|pid| !killed.contains(pid)).collect();
        if !victims.is_empty() {
            let victim = victims[random.below(victims.len())];
            if killer::send("KILL", victim) {
                killed.insert(victim);
            }
        }
    }
    killed
}

/// Whether the pool is as before: all deaths noticed, all workers there, and all tasks succeed.
fn recover(pool: &Pool, killed: u64) -> bool {
    let end = Instant::now() + PATIENCE;
    while pool.report().crashes < killed || pool.insights().workers.iter().any(|worker| worker.pid.is_none())
    {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    (0..64).all(|number| pool.run(answer, number).is_ok_and(|value| value == answer(number)))
}
