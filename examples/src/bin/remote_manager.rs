//! Serves a queue of tasks to other hosts, and collects their results (000-P9).
//!
//! `PHALANX_SECRET=.. cargo run --bin remote_manager [UNIT [ADDRESS]]`, and `remote_worker` on any number of
//! hosts
//!
//! Without an address it listens on this machine only, at a free port.

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::collections::BTreeMap;
use std::env;
use std::thread;
use std::time::Instant;

use phalanx::remote::Node;
use phalanx::{Queue, Secret};

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let unit = phalanx_examples::unit();
    let address = env::args().nth(2).unwrap_or_else(|| "127.0.0.1:0".to_owned());

    let tasks = Queue::<u64>::bounded(100)?;
    let results = Queue::<(u64, u64)>::bounded(100)?;
    // The secret is no part of the source: it comes from the environment, or from a file.
    let manager = Node::serve(address, &Secret::from_env("PHALANX_SECRET")?)?;
    manager.queue("tasks", &tasks)?;
    manager.queue("results", &results)?;
    println!("serving at {}", manager.addr());

    for task in 1..=100 {
        tasks.put(task)?;
    }
    // A worker takes tasks on lease: if its host dies, another one gets them. So a result may come twice, and
    // counts once.
    let mut squares = BTreeMap::new();
    while squares.len() < 100 {
        let (task, square) = results.get()?;
        if squares.insert(task, square).is_none() {
            println!("{task} squared is {square}");
        }
    }
    println!("the sum of all squares is {}", squares.values().sum::<u64>());

    // The workers learn that the queue is closed and empty, and leave.
    tasks.close()?;
    let closed = Instant::now();
    while manager.clients()? > 0 && closed.elapsed() < 10 * unit {
        thread::sleep(unit / 20);
    }
    for refusal in manager.refusals()? {
        println!("refused: {refusal}");
    }
    manager.stop(unit)?;
    Ok(())
}
