//! A daemon that beats beside a worker, below one supervisor: how each comes back, and how each ends with the
//! program.
//!
//! `cargo run --bin heartbeat`
//!
//! A daemon exists for the others: it keeps no program alive, and ends first. The worker may finish its work.

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::thread;
use std::time::Duration;

use phalanx::command::Command;
use phalanx::prelude::*;

/// Beats for as long as another process lives.
#[actor(daemon)]
struct Heart {
    beats: u64,
}

#[actor]
impl Heart {
    /// An actor does one thing at a time. Its periodic work comes from a thread, as messages to itself.
    #[on_start]
    fn start(&mut self) {
        let Some(own) = phalanx::myself::<Heart>() else { return };
        thread::spawn(move || {
            while own.beat().is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        });
    }

    #[tell]
    fn beat(&mut self) {
        self.beats += 1;
        println!("beat");
    }

    fn beats(&self) -> u64 {
        self.beats
    }

    #[on_stop]
    fn stop(&mut self) {
        println!("the heart stops first");
    }
}

#[actor]
struct Worker {
    heart: ActorRef<Heart>,
}

#[actor]
impl Worker {
    /// Works for that many beats.
    fn work(&self, beats: u64) -> phalanx::Result<String> {
        let start = self.heart.beats().wait()?;
        while self.heart.beats().wait()? < start + beats {
            thread::sleep(Duration::from_millis(10));
        }
        Ok(format!("{beats} beats later, in process {} of the worker", phalanx::current().incarnation()))
    }

    #[tell]
    fn finish(&self) {
        thread::sleep(Duration::from_millis(200));
        println!("the worker finishes what it was told");
    }

    #[on_stop]
    fn stop(&mut self) {
        println!("the worker stops");
    }
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let heart = Heart { beats: 0 }.builder().name("heart").reserve()?;
    let worker = Worker { heart: heart.actor_ref() }.builder().name("worker").reserve()?;
    let (beating, working) = (heart.actor_ref(), worker.actor_ref());
    Supervisor::one_for_one().name("service").child("heart", heart).child("worker", worker).start()?;
    println!("{}", working.work(5).wait()?);

    // Another process kills the worker. (`working.kill()` would be an order, and an actor stopped on purpose
    // is not started again.)
    let mut monitor = working.monitor();
    Command::shell(format!("kill -KILL {}", working.pid()?)).spawn()?.join();
    println!("the worker was {}", monitor.recv().reason);
    println!("{}", working.work(5).wait()?);
    println!("the heart has been beating all the time, in its first process: {}", beating.incarnation() == 1);

    working.finish()?;
    println!("main ends");
    // As the end of `main` does; called here, so that main can still print a line afterwards.
    phalanx::shutdown();
    println!("nobody is left");
    Ok(())
}
