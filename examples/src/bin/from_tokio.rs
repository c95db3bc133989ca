//! Calls from async code: a reply is a future, for any executor.
//!
//! `cargo run --bin from_tokio`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Stands for a library that blocks: it would stall async code, but does no harm in a process of its own.
#[actor]
struct Blocking;

#[actor]
impl Blocking {
    fn double(&self, number: u64) -> u64 {
        number * 2
    }

    fn sleep(&self, time: Duration) -> String {
        thread::sleep(time);
        format!("slept for {time:?}")
    }
}

#[phalanx::main]
#[tokio::main(worker_threads = 2)]
async fn main() -> phalanx::Result<()> {
    let (left, right) = tokio::try_join!(Blocking.spawn_async(), Blocking.spawn_async())?;

    // Two processes work at the same time; no thread of this one waits for them.
    let start = Instant::now();
    let second = Duration::from_secs(1);
    let (one, two) = tokio::join!(left.sleep(second), right.sleep(second));
    println!("both {} and {}; one after the other: {}", one?, two?, start.elapsed() >= 2 * second);

    // Many calls under way at once, each in a task.
    let mut tasks = JoinSet::new();
    for number in 1..=100 {
        let actor = if number % 2 == 0 { left.clone() } else { right.clone() };
        tasks.spawn(async move { actor.double(number).await });
    }
    let mut sum = 0;
    while let Some(answer) = tasks.join_next().await {
        sum += answer??;
    }
    println!("100 answers, their sum is {sum}");

    // Giving up a call is safe: its reply is dropped when it comes, and the actor serves on.
    let late = timeout(Duration::from_millis(50), left.sleep(second)).await;
    println!("given up: {}", late.is_err());
    println!("and the next answer is {}", left.double(21).await?);
    Ok(())
}
