//! A pool that grows with its work, shrinks when idle, and refuses what is too much (001-T4).
//!
//! `cargo run --bin pool_elastic`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::thread;
use std::time::Duration;

use phalanx::Pool;

fn work(time: Duration) {
    thread::sleep(time);
}

/// How many workers the pool has now.
fn workers<W>(pool: &Pool<W>) -> usize {
    pool.insights().workers.iter().filter(|worker| worker.pid.is_some()).count()
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let unit = phalanx_examples::unit();
    let pool = Pool::builder().workers(1..=3).idle_timeout(unit).queue(4).start(work)?;
    println!("at first: {} worker", workers(&pool));

    // As many tasks as it takes: with three workers, and the queue.
    let (mut taken, mut most) = (Vec::new(), 0);
    let refused = loop {
        match pool.try_submit(4 * unit) {
            Ok(task) => taken.push(task),
            Err(refused) => break refused,
        }
        most = most.max(workers(&pool));
    };
    println!("refused: {refused}");

    // A plain `submit` waits for room instead.
    taken.push(pool.submit(unit));
    for task in taken {
        most = most.max(workers(&pool));
        task.wait()?;
    }
    println!("when there was work: {most} workers");

    while workers(&pool) > 1 {
        thread::sleep(unit / 10);
    }
    println!("idle: {} worker", workers(&pool));
    Ok(())
}
