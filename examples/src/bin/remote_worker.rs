//! A worker host: takes tasks from a manager elsewhere until there are no more (000-P10).
//!
//! `PHALANX_SECRET=.. cargo run --bin remote_worker UNIT ADDRESS`, where `remote_manager` prints ADDRESS

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::env;
use std::thread;

use phalanx::Secret;
use phalanx::remote::Node;

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let unit = phalanx_examples::unit();
    let address =
        env::args().nth(2).ok_or(phalanx::Error::new("the second argument is the address of the manager"))?;
    let node = Node::connect(address, &Secret::from_env("PHALANX_SECRET")?)?;
    let tasks = node.queue::<u64>("tasks")?;
    let results = node.queue::<(u64, u64)>("results")?;

    let mut count = 0;
    for lease in tasks.leases() {
        let task = lease?;
        println!("takes {}", *task);
        thread::sleep(unit / 10);
        results.put((*task, *task * *task))?;
        // Now it is done, and no other worker gets it.
        task.ack()?;
        count += 1;
    }
    println!("no more tasks; this host has done {count}");
    Ok(())
}
