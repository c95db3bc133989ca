//! How a consumer ends: by a timeout, which is a guess, or by a close, which is none (001-P2).
//!
//! `cargo run --bin queue_timeout`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::thread;
use std::time::{Duration, Instant};

use phalanx::Queue;
use phalanx::prelude::*;
use phalanx_examples::in_units;

/// Puts five items, with a pause before the fourth.
#[task]
fn write(queue: Queue<u32>, unit: Duration, pause: Duration) -> phalanx::Result<()> {
    for item in 1..=5 {
        thread::sleep(if item == 4 { pause } else { unit / 2 });
        queue.put(item)?;
    }
    Ok(())
}

/// Ends when no item has come for two units.
#[task]
fn read_until_timeout(queue: Queue<u32>, unit: Duration) -> Vec<u32> {
    let mut items = Vec::new();
    loop {
        let start = Instant::now();
        match queue.get_timeout(2 * unit) {
            Ok(item) => items.push(item),
            Err(error) => {
                println!("after {} units: {error}", in_units(start.elapsed(), unit));
                return items;
            }
        }
        println!("{items:?}");
    }
}

/// Ends when the queue is closed and empty.
#[task]
fn read_until_closed(queue: Queue<u32>) -> phalanx::Result<Vec<u32>> {
    Ok(queue.iter().collect::<Result<_, _>>()?)
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let unit = phalanx_examples::unit();
    for pause in [unit / 2, 3 * unit] {
        println!("a pause of {} units", in_units(pause, unit));
        let (guessed, closed) = (Queue::bounded(10)?, Queue::bounded(10)?);
        let writers =
            [write::spawn(guessed.clone(), unit, pause)?, write::spawn(closed.clone(), unit, pause)?];
        let by_timeout = read_until_timeout::spawn(guessed, unit)?;
        let by_close = read_until_closed::spawn(closed.clone())?;
        for writer in &writers {
            writer.join()?;
        }
        closed.close()?;
        println!("until the timeout: {:?}", by_timeout.join()?);
        println!("until the close: {:?}", by_close.join()?);
    }
    Ok(())
}
