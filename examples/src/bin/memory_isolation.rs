//! A static that a child changes stays as it is here; one that a thread changes does not (004-P5).
//!
//! `cargo run --bin memory_isolation`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use phalanx::prelude::*;

static NUMBER: AtomicU64 = AtomicU64::new(100);

/// Adds one to the static of the process it runs in.
#[task]
fn add() -> u64 {
    NUMBER.fetch_add(1, Ordering::SeqCst) + 1
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let in_child = add::spawn()?.join()?;
    println!("a child says {in_child}, main says {}", NUMBER.load(Ordering::SeqCst));

    // The same function, called here: a task still is a function.
    let in_thread = thread::spawn(add).join().expect("it adds two numbers");
    println!("a thread says {in_thread}, main says {}", NUMBER.load(Ordering::SeqCst));
    Ok(())
}
