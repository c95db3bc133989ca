//! Pools and queues, in the units in which `beside_python.py` measures those of Python: run by that script, which compares.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{Pool, Queue};

#[task]
fn increment(n: u64) -> u64 {
    n + 1
}

#[task]
fn produce(queue: Queue<u64>, count: u64) {
    for number in 0..count {
        queue.put(number).expect("a queue that is open");
    }
}

#[actor]
struct Echo;

#[actor]
impl Echo {
    fn echo(&self, number: u64) -> u64 {
        number
    }
}

fn main() -> phalanx::Result<()> {
    // Everything under `cargo bench`, else just enough to see that it works.
    let full = std::env::args().any(|argument| argument == "--bench");
    let scale = if full { 1 } else { 100 };
    pools(scale)?;
    one_task(2_000 / scale)?;
    queues(20_000 / scale)?;
    phalanx::shutdown();
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
    pool.join()?;
    Ok(())
}

/// One task at a time, beside a call of an actor: what a pool adds to it.
fn one_task(times: u64) -> phalanx::Result<()> {
    let pool = Pool::builder().workers(2).start(increment)?;
    let echo = Echo.spawn()?;
    let task = median(times, || assert_eq!(pool.run(1), Ok(2)));
    let ask = median(times, || assert_eq!(echo.echo(1).wait(), Ok(1)));
    println!("pool of 2, one task, latency\t{:.1}\tus", task.as_secs_f64() * 1e6);
    println!("ask, latency\t{:.1}\tus", ask.as_secs_f64() * 1e6);
    pool.join()?;
    Ok(())
}

fn queues(count: u64) -> phalanx::Result<()> {
    let queue = Queue::<u64>::bounded(1000)?;
    let start = Instant::now();
    let producer = produce::spawn(queue.clone(), count)?;
    for expected in 0..count {
        assert_eq!(queue.get().map_err(phalanx::Error::new)?, expected);
    }
    rate("queue, one producer, one consumer", count, start.elapsed(), "items/s");
    producer.join()?;
    Ok(())
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
