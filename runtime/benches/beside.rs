//! Pools and queues, in the units of `beside_python.py`, which measures those of Python, runs this benchmark
//! and compares.
//!
//! The words `pools`, `task`, `queues` and `memory` as arguments choose parts of it: `cargo bench -p phalanx
//! --bench beside queues`.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::time::{Duration, Instant};

use phalanx::pool::Stop;
use phalanx::prelude::*;
use phalanx::{Pool, Queue};

#[task]
fn increment(n: u64) -> u64 {
    n + 1
}

#[task]
fn produce(queue: Queue<u64>, count: u64, per_call: u64) -> phalanx::Result<()> {
    for first in (0..count).step_by(per_call as usize) {
        if per_call == 1 {
            queue.put(first)?;
        } else {
            queue.put_all(first..count.min(first + per_call))?;
        }
    }
    Ok(())
}

#[actor]
struct Echo;

#[actor]
impl Echo {
    fn echo(&self, number: u64) -> u64 {
        number
    }
}

/// A part of the benchmark, with its name.
type Part = (&'static str, fn(u64) -> phalanx::Result<()>);

const PARTS: [Part; 4] = [("pools", pools), ("task", one_task), ("queues", queues), ("memory", memory)];

fn main() -> phalanx::Result<()> {
    // Everything under `cargo bench`, else just enough to show that it works.
    let full = std::env::args().any(|argument| argument == "--bench");
    let only: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for (name, part) in PARTS {
        if only.is_empty() || only.iter().any(|wanted| wanted == name) {
            part(if full { 1 } else { 100 })?;
        }
    }
    Ok(())
}

fn pools(scale: u64) -> phalanx::Result<()> {
    let pool = Pool::builder().workers(2).start(increment)?;
    let warm = pool.map(0..1000)?;
    assert_eq!(warm.len(), 1000);
    let (small, large) = (20_000 / scale, 1_000_000 / scale);
    let taken = time(|| assert_eq!(pool.stream(0..small).chunk(1).count() as u64, small));
    rate("pool of 2, trivial task, chunk of 1", small, taken, "tasks/s");
    let taken = time(|| assert_eq!(pool.map(0..large).map(|all| all.len() as u64), Ok(large)));
    rate("pool of 2, trivial task, default chunk", large, taken, "tasks/s");
    finish(pool)
}

/// One task at a time, beside a call of an actor: the pool's share of the cost.
fn one_task(scale: u64) -> phalanx::Result<()> {
    let pool = Pool::builder().workers(2).start(increment)?;
    let echo = Echo.spawn()?;
    let times = 2_000 / scale;
    let task = median(times, || assert_eq!(pool.run(1), Ok(2)));
    let ask = median(times, || assert_eq!(echo.echo(1).wait(), Ok(1)));
    println!("pool of 2, one task, latency\t{:.1}\tus", task.as_secs_f64() * 1e6);
    println!("ask, latency\t{:.1}\tus", ask.as_secs_f64() * 1e6);
    finish(pool)
}

fn finish<F>(pool: Pool<F>) -> phalanx::Result<()> {
    pool.stop(Stop::Drain)?;
    Ok(())
}

fn queues(scale: u64) -> phalanx::Result<()> {
    let count = 20_000 / scale;
    queue("queue, one producer, one consumer", count, 1)?;
    queue("queue, the same, 100 items a call", 10 * count, 100)
}

/// Items that another process sends to this one through a queue, `per_call` at a time.
fn queue(what: &str, count: u64, per_call: u64) -> phalanx::Result<()> {
    let queue = Queue::<u64>::bounded(1000)?;
    let start = Instant::now();
    let producer = produce::spawn(queue.clone(), count, per_call)?;
    let mut expected = 0;
    while expected < count {
        let got = queue.get_up_to(per_call as usize)?;
        assert!(got.iter().copied().eq(expected..expected + got.len() as u64), "their order");
        expected += got.len() as u64;
    }
    rate(what, count, start.elapsed(), "items/s");
    producer.join()?;
    Ok(())
}

/// A stream of many items, made on demand: how much this process and the workers grow from the first tenth to
/// the end.
fn memory(scale: u64) -> phalanx::Result<()> {
    let items = 1_000_000 / scale;
    for (what, ordered) in [("in order", true), ("as they come", false)] {
        let pool = Pool::builder().workers(2).start(|n: u64| (n, std::process::id()))?;
        let stream = pool.stream(0..items);
        let stream: Box<dyn Iterator<Item = _>> =
            if ordered { Box::new(stream) } else { Box::new(stream.unordered().map(|(_, result)| result)) };
        let (start, mut sizes, mut pids) = (Instant::now(), Vec::new(), vec![std::process::id()]);
        for (number, result) in (1..).zip(stream) {
            let (_, pid) = result?;
            if !pids.contains(&pid) {
                pids.push(pid);
            }
            if number == items / 10 || number == items {
                sizes.push(pids.iter().map(|&pid| resident(pid)).collect::<Vec<_>>());
            }
        }
        rate(&format!("stream {what}, trivial task"), items, start.elapsed(), "items/s");
        println!("stream {what}, resident after a tenth and at the end\t{sizes:?}\tKiB");
        finish(pool)?;
    }
    Ok(())
}

fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn time(act: impl FnOnce()) -> Duration {
    let start = Instant::now();
    act();
    start.elapsed()
}

fn median(times: u64, mut act: impl FnMut()) -> Duration {
    let mut taken: Vec<Duration> = (0..times).map(|_| time(&mut act)).collect();
    taken.sort_unstable();
    taken[taken.len() / 2]
}

fn rate(what: &str, count: u64, taken: Duration, unit: &str) {
    println!("{what}\t{:.0}\t{unit}", count as f64 / taken.as_secs_f64());
}
