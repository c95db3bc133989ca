//! Sums, computed one after the other, by threads, by processes, and by the workers of a pool.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use phalanx::Pool;
use phalanx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::figures::short;

/// The work of one worker.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// How long it waits before it has its numbers.
    pub(crate) wait: Duration,
}

/// The work: wait, as for a disk or a server, and add.
pub(crate) fn sum(part: Part) -> u64 {
    thread::sleep(part.wait);
    (part.from..part.to).fold(0, |sum, number| black_box(sum + number * number % 7))
}

/// How long it took to start all, and from then on until all had ended.
struct Times {
    start: Duration,
    compute: Duration,
    result: u64,
}

/// For work that computes, and for work that waits.
pub(crate) fn compare(unit: Duration) -> phalanx::Result<()> {
    let workers = phalanx::parallelism().max(2) as u64;
    let many = unit.as_micros() as u64 * 100;
    for (kind, numbers, wait) in [("CPU-bound", many, Duration::ZERO), ("I/O-bound", 1000, unit)] {
        let part = |worker| Part { from: worker * numbers, to: (worker + 1) * numbers, wait };
        let parts: Vec<_> = (0..workers).map(part).collect();
        println!("{kind}, {workers} workers");
        print("one by one", &one_by_one(&parts));
        print("threads", &by_threads(&parts));
        print("processes", &by_processes(&parts)?);
        print("pool", &by_pool(&parts)?);
    }
    Ok(())
}

fn one_by_one(parts: &[Part]) -> Times {
    let begin = Instant::now();
    let result = parts.iter().copied().map(sum).sum();
    Times { start: Duration::ZERO, compute: begin.elapsed(), result }
}

fn by_threads(parts: &[Part]) -> Times {
    let begin = Instant::now();
    let workers: Vec<_> = parts.iter().map(|&part| thread::spawn(move || sum(part))).collect();
    let start = begin.elapsed();
    let result = workers.into_iter().map(|worker| worker.join().expect("it only adds")).sum();
    Times { start, compute: begin.elapsed() - start, result }
}

fn by_processes(parts: &[Part]) -> phalanx::Result<Times> {
    let begin = Instant::now();
    let workers = parts.iter().map(|&part| Process::spawn(sum, part)).collect::<Result<Vec<_>, _>>()?;
    let start = begin.elapsed();
    let result = workers.iter().map(Process::join).sum::<Result<u64, _>>()?;
    Ok(Times { start, compute: begin.elapsed() - start, result })
}

fn by_pool(parts: &[Part]) -> phalanx::Result<Times> {
    let begin = Instant::now();
    let pool = Pool::builder().workers(parts.len()).build()?;
    let start = begin.elapsed();
    // One part for each worker.
    let sums = pool.stream(sum, parts.iter().copied()).chunk(1).collect::<Result<Vec<_>, _>>()?;
    Ok(Times { start, compute: begin.elapsed() - start, result: sums.into_iter().sum() })
}

fn print(who: &str, times: &Times) {
    let Times { start, compute, result } = times;
    let total = short(*start + *compute);
    println!(
        "{who:>10}: start {}, compute {}, total {total}; the sum is {result}",
        short(*start),
        short(*compute)
    );
}
