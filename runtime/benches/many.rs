//! Many idle actors: how long they take to start, and what each costs.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

mod baseline;

use std::fs;
use std::time::{Duration, Instant};

use baseline::Zygote;
use phalanx::prelude::*;

/// How many threads spawn at the same time.
const SPAWNERS: usize = 4;

#[actor]
struct Idle;

#[actor]
impl Idle {
    fn here(&self) -> u32 {
        std::process::id()
    }
}

fn main() -> phalanx::Result<()> {
    baseline::serve_if_asked();
    // Everything under `cargo bench`, else just enough to show that it works.
    let full = std::env::args().any(|argument| argument == "--bench");
    let (actors, supervisors, children) = if full { (2000, 10, 1000) } else { (20, 2, 10) };
    below_one_supervisor(actors)?;
    below_nested_supervisors(supervisors, children)?;
    below_a_zygote(supervisors, children)?;
    Ok(())
}

/// As many plain forks: some systems slow down by themselves.
fn below_a_zygote(portions: usize, portion: usize) -> phalanx::Result<()> {
    let zygote = Zygote::start()?;
    let (mut children, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..portions {
        let begun = Instant::now();
        for _ in 0..portion {
            children.push(zygote.fork()?);
        }
        rates.push(begun.elapsed() / portion as u32);
    }
    let [first, last] = [rates.first(), rates.last()].map(|rate| rate.copied().unwrap_or(Duration::ZERO));
    println!(
        "floor: {} forks of one zygote: {first:.0?} each of the first {portion}, {last:.0?} of the last: {:.2} of the rate",
        portions * portion,
        first.as_secs_f64() / last.as_secs_f64(),
    );
    Ok(())
}

fn below_one_supervisor(count: usize) -> phalanx::Result<()> {
    let start = Instant::now();
    // Like a program that wants many: it does not wait for one before it asks for the next.
    let spawners: Vec<_> = (0..SPAWNERS)
        .map(|_| {
            let spawn = move || (0..count / SPAWNERS).map(|_| Idle.spawn()).collect::<Result<Vec<_>, _>>();
            std::thread::spawn(spawn)
        })
        .collect();
    let mut actors = Vec::new();
    for spawner in spawners {
        actors.extend(spawner.join().expect("a thread that spawns")?);
    }
    let taken = start.elapsed();
    // Each has handled a message: an idle actor gets no warmer.
    let pids = actors.iter().map(|actor| actor.here().wait()).collect::<Result<Vec<_>, _>>()?;
    let memory: u64 = pids.iter().map(|&pid| private_kib(pid)).sum();
    println!(
        "{count} actors below one supervisor: started in {taken:.2?} ({:.0} us each), {} KiB of private memory each",
        taken.as_secs_f64() * 1e6 / count as f64,
        memory / count as u64,
    );
    drop(actors);
    phalanx::shutdown();
    Ok(())
}

fn below_nested_supervisors(supervisors: usize, children: usize) -> phalanx::Result<()> {
    let mut rates = Vec::new();
    let start = Instant::now();
    for number in 0..supervisors {
        let supervisor = Supervisor::dynamic().name(format!("group-{number}")).start()?;
        let begun = Instant::now();
        for child in 0..children {
            // Its ref is dropped: ten thousand refs would take more descriptors than most programs may have.
            supervisor.start_child(format!("idle-{child}"), Idle.builder())?;
        }
        rates.push(begun.elapsed() / children as u32);
    }
    let total = start.elapsed();
    let [first, last] = [rates.first(), rates.last()].map(|rate| rate.copied().unwrap_or(Duration::ZERO));
    println!(
        "{} actors below {supervisors} nested supervisors: started in {total:.2?}; {first:.0?} each in the first, {last:.0?} in the last: {:.2} of the rate",
        supervisors * children,
        first.as_secs_f64() / last.as_secs_f64(),
    );
    let end = Instant::now();
    phalanx::shutdown();
    println!("all of them ended in {:.2?}", end.elapsed());
    Ok(())
}

/// The memory of this process alone, not shared with the supervisor that it was forked from.
fn private_kib(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let dirty = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    dirty.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
