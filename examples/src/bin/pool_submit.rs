//! More jobs than workers, and the end of a pool (000-P11, 003-P4).
//!
//! `cargo run --bin pool_submit`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use phalanx::Pool;
use phalanx::pool::{PoolError, TaskError};
use phalanx_examples::in_units;

fn job(number: u32, time: Duration) -> u32 {
    println!("job {number} starts in process {}", phalanx::current().pid());
    thread::sleep(time);
    println!("job {number} ends");
    number
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let unit = phalanx_examples::unit();

    // Twelve jobs for eight workers: two waves.
    let pool = Pool::builder().workers(8).build()?;
    let start = Instant::now();
    for number in 1..=12 {
        // No caller waits for this one: the report counts its outcome.
        drop(pool.submit(job, (number, 3 * unit)));
    }
    pool.close();
    let report = pool.join()?;
    println!(
        "{} of {} jobs are done after {} units",
        report.succeeded,
        report.submitted,
        in_units(start.elapsed(), unit)
    );

    // Jobs of any length: each free worker takes the next one.
    let pool = Pool::builder().workers(3).build()?;
    let start = Instant::now();
    let mut lengths = 0;
    for number in 1..=10 {
        let units = 1 + RandomState::new().hash_one(number) as u32 % 3;
        drop(pool.submit(job, (number, units * unit)));
        lengths += units;
    }
    let refused = matches!(pool.join(), Err(PoolError::Open { .. }));
    println!("a pool that is open cannot be joined: {refused}");
    pool.close();
    let late = pool.submit(job, (11, unit)).wait();
    println!("a pool that is closed takes no more: {}", matches!(late, Err(TaskError::Closed(_))));
    pool.join()?;
    println!("{lengths} units of work by three, in {} units", in_units(start.elapsed(), unit));
    Ok(())
}
