//! Actors that spawn actors, and what the operating system sees of it.
//!
//! `cargo run --bin nested`
//!
//! An actor that spawns gets a supervisor process of its own, whose fate is tied to the actor's: when the
//! actor ends, everything that it started ends too.

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::time::Duration;

use phalanx::prelude::*;

/// Does the work.
#[actor]
struct Worker {
    number: u64,
}

#[actor]
impl Worker {
    fn square(&self) -> u64 {
        self.number * self.number
    }

    /// The process that asked for this one to be started.
    fn spawned_by(&self) -> Option<u32> {
        phalanx::current().parent()
    }
}

/// Has workers of its own; references to actors are part of its state like any other value.
#[actor]
struct Team {
    workers: Vec<ActorRef<Worker>>,
}

#[actor]
impl Team {
    /// Starts one more worker, and returns how many it has. A failed start is an error of this call.
    fn hire(&mut self, number: u64) -> phalanx::Result<usize> {
        self.workers.push(Worker { number }.builder().name(format!("worker-{number}")).spawn()?);
        Ok(self.workers.len())
    }

    /// References can also be sent: each process with a copy can talk to the worker directly.
    fn workers(&self) -> Vec<ActorRef<Worker>> {
        self.workers.clone()
    }

    /// The children of this process, as this process knows them.
    fn children(&self) -> Vec<String> {
        phalanx::children().into_iter().map(|child| child.name).collect()
    }
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let team = Team { workers: Vec::new() }.builder().name("team").spawn()?;
    for number in 1..=3 {
        println!("workers in the team: {}", team.hire(number).wait()?);
    }

    let workers = team.workers().wait()?;
    for worker in &workers {
        let by_team = worker.spawned_by().wait()? == Some(team.pid()?);
        println!("{} answers {}; spawned by the team: {by_team}", worker.name(), worker.square().wait()?);
    }
    let own: Vec<_> = phalanx::children().into_iter().map(|child| child.name).collect();
    println!("children of the program: {own:?}");
    println!("children of the team: {:?}", team.children().wait()?);

    // The team did not end in peace, and takes its workers with it nevertheless.
    team.kill()?;
    println!("the team was {}", team.join());
    let gone = workers.iter().all(|worker| worker.join_timeout(Duration::from_secs(5)).is_some());
    println!("its workers are gone: {gone}");
    Ok(())
}
