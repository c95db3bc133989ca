//! One process fills a queue, another one empties it, and both come to an end (000-P8, 003-P5).
//!
//! `cargo run --bin queue_producer_consumer`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::thread;
use std::time::Duration;

use phalanx::Queue;
use phalanx::prelude::*;

/// After the last item the producer closes the queue.
#[task]
fn produce(queue: Queue<u32>, items: u32) -> phalanx::Result<()> {
    for item in 1..=items {
        // Waits while the queue is full.
        queue.put(item)?;
    }
    Ok(queue.close()?)
}

/// Slower than the producer. Ends when the queue is closed and empty.
#[task]
fn consume(queue: Queue<u32>, pause: Duration) -> phalanx::Result<u32> {
    let mut items = 0;
    for item in &queue {
        println!("item {}", item?);
        items += 1;
        thread::sleep(pause);
    }
    Ok(items)
}

#[task]
fn write(queue: Queue<String>) -> phalanx::Result<()> {
    for text in ["A", "B", "C"] {
        queue.put(text.to_owned())?;
    }
    // No process reads yet, and none need be waited for: the items are stored.
    queue.put("x".repeat(1 << 20))?;
    Ok(queue.close()?)
}

#[task]
fn read(queue: Queue<String>) -> phalanx::Result<()> {
    for text in &queue {
        let text = text?;
        if text.len() == 1 { println!("read {text}") } else { println!("read {} bytes", text.len()) }
    }
    Ok(())
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let unit = phalanx_examples::unit();

    let queue = Queue::bounded(10)?;
    let producer = produce::spawn(queue.clone(), 100)?;
    let consumer = consume::spawn(queue, unit / 50)?;
    producer.join()?;
    println!("all {} items have been consumed", consumer.join()?);

    // The writer has ended before the reader begins.
    let queue = Queue::bounded(10)?;
    write::spawn(queue.clone())?.join()?;
    println!("the writer has ended");
    read::spawn(queue)?.join()?;
    Ok(())
}
