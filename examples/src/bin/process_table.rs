//! The facts about each process: phalanx's table of them, beside the system's (000-T1).
//!
//! `cargo run --bin process_table`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::fs;
use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{Node, Restart};

#[actor]
struct Clerk;

#[actor]
impl Clerk {
    #[tell]
    fn file(&self, time: Duration) {
        thread::sleep(time);
    }

    fn crash(&self) {
        std::process::abort()
    }
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let unit = phalanx_examples::unit();

    // One is idle, one has come back from a crash, one is busy while three messages wait.
    Clerk.builder().name("idle").spawn()?;
    let fallen = Clerk.builder().name("fallen").restart(Restart::Permanent).spawn()?;
    let _ = fallen.crash().wait();
    fallen.file(Duration::ZERO)?;
    let busy = Clerk.builder().name("busy").spawn()?;
    for _ in 0..4 {
        busy.file(unit)?;
    }
    while fallen.handled() == 0 || busy.depth() > 3 {
        thread::yield_now();
    }

    let tree = phalanx::tree().ok_or(phalanx::Error::new("no tree"))?;
    println!(
        "name       pid   parent  supervisor  state  run  age  queue    RSS  CPU    busy with  last end"
    );
    for node in &tree.children {
        println!("{}", row(node));
    }
    let agree = tree.children.iter().all(|node| node.supervisor == parent_by_the_system(node));
    println!("the system has the same parents: {agree}");

    // The table as a tree.
    println!("{tree}");
    Ok(())
}

fn row(node: &Node) -> String {
    let pid = |pid: Option<u32>| pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let busy = node.in_progress.as_ref().map_or("-", |(method, _)| method);
    let last = node.last_reason.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let state = format!("{:?}", node.state);
    let (age, cpu) = (node.age.as_secs(), node.cpu.as_millis());
    format!(
        "{:<8}{:>6}{:>9}{:>12}  {state:<5}{:>5}{age:>4}s{:>7}{:>4} MiB{cpu:>3}ms  {busy:>11}  {last}",
        node.name,
        pid(node.pid),
        pid(node.parent),
        pid(node.supervisor),
        node.incarnation,
        node.depth,
        node.rss >> 20,
    )
}

/// From the control block that the kernel keeps for each process.
fn parent_by_the_system(node: &Node) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid?)).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}
