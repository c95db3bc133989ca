//! A pool whose workers are killed while it works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use phalanx::pool::{PoolError, TaskError};
use phalanx::prelude::*;
use phalanx::{Pool, Task};

use crate::args::{Load, Options};
use crate::client::Account;
use crate::killer;
use crate::random::Random;
use crate::report::{Pooled, Report};
use crate::storm::leftovers;

const WORKERS: usize = 4;

/// How often one of them is killed.
const PAUSE: Duration = Duration::from_millis(50);

/// Some work, and its result. One in 64 takes a while.
fn work(number: u64) -> u64 {
    let time = Duration::from_micros(if number.is_multiple_of(64) { 2000 } else { 30 });
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
    answer(number)
}

/// The same, and it says that it may be repeated.
#[task(idempotent = 100)]
fn repeatable(number: u64) -> u64 {
    work(number)
}

fn answer(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

pub(crate) fn run(load: Load, options: &Options) -> phalanx::Result<Report> {
    let pool = Pool::builder().name("chaos").workers(WORKERS).build()?;
    let going = AtomicBool::new(true);
    let mut account = Account::default();
    let outcomes: Arc<Vec<AtomicU8>> = Arc::new((0..load.tasks).map(|_| AtomicU8::new(0)).collect());
    let kills = std::thread::scope(|scope| {
        let killer = scope.spawn(|| rage(&pool, options.seed, &going));
        let tasks: Vec<_> = (0..load.tasks).map(|number| submit(&pool, load, number, &outcomes)).collect();
        for (number, task) in (0..).zip(tasks) {
            note(&mut account, number, task.wait());
        }
        going.store(false, Ordering::Relaxed);
        killer.join().unwrap_or_default()
    });
    let recovered = (0..64).all(|number| pool.run(work, number).is_ok());
    pool.close();
    let report = pool.join().map_err(|error: PoolError| phalanx::Error::new(error))?;
    drop(pool);
    phalanx::shutdown();
    let count = |test: fn(u8) -> bool| {
        outcomes.iter().filter(|outcome| test(outcome.load(Ordering::Relaxed))).count() as u64
    };
    let pooled = Pooled {
        tasks: load.tasks,
        idempotent: load.idempotent,
        missing: count(|times| times == 0),
        twice: count(|times| times > 1),
    };
    let (interrupted, leftovers, options) = (report.lost, leftovers(), *options);
    let (cut, crashes, pool) = (0, None, Some(pooled));
    Ok(Report { options, kills, account, interrupted, cut, recovered, leftovers, crashes, pool })
}

/// Each outcome is counted where it comes, and looked at where it is waited for.
fn submit(pool: &Pool, load: Load, number: u64, outcomes: &Arc<Vec<AtomicU8>>) -> Task<u64> {
    let outcomes = Arc::clone(outcomes);
    let task = if load.idempotent { pool.submit(repeatable, number) } else { pool.submit(work, number) };
    task.on_done(move |_| {
        outcomes[number as usize].fetch_add(1, Ordering::Relaxed);
    })
}

fn note(account: &mut Account, number: u64, result: Result<u64, TaskError>) {
    account.calls += 1;
    match result {
        Ok(value) => {
            account.replies += 1;
            account.order_violations += u64::from(value != answer(number));
        }
        Err(error) => {
            let died = matches!(error, TaskError::Died(..));
            account.died += u64::from(died);
            let kind = if died { "died" } else { "other" };
            *account.errors.entry(kind.to_owned()).or_default() += 1;
        }
    }
}

/// Kills one worker after the other, as long as there is work; answers how many.
fn rage(pool: &Pool, seed: u64, going: &AtomicBool) -> u64 {
    let (mut random, mut kills) = (Random::new(seed), 0);
    while going.load(Ordering::Relaxed) {
        std::thread::sleep(PAUSE);
        let victims: Vec<u32> = pool.insights().workers.iter().filter_map(|worker| worker.pid).collect();
        if !victims.is_empty() {
            kills += u64::from(killer::send("KILL", victims[random.below(victims.len())]));
        }
    }
    kills
}
