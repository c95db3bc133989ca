//! A queue as an argument of a pool's tasks: one writes, then another one reads (003-P6).
//!
//! `cargo run --bin pool_queue`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use phalanx::prelude::*;
use phalanx::{Pool, Queue};

#[task]
fn write(queue: Queue<char>) -> phalanx::Result<Option<u32>> {
    for letter in 'A'..='F' {
        queue.put(letter)?;
    }
    Ok(phalanx::current().parent())
}

#[task]
fn read(queue: Queue<char>) -> phalanx::Result<Option<u32>> {
    println!("{} letters", queue.len()?);
    while let Ok(letter) = queue.try_get() {
        println!("{letter}");
    }
    Ok(phalanx::current().parent())
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let queue = Queue::bounded(10)?;
    let pool = Pool::builder().workers(3).build()?;

    // `run` blocks until it is done.
    let writer = pool.run(write::task(), queue.clone())?;
    println!("written");
    let reader = pool.run(read::task(), queue)?;
    println!("both were spawned by main: {}", [writer, reader] == [Some(phalanx::current().pid()); 2]);
    Ok(())
}
