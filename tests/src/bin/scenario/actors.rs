//! The actors of the scenarios.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::{FOREVER, processes};

/// Says on standard output what happens to it.
#[actor]
pub(crate) struct Witness;

#[actor]
impl Witness {
    /// Starts another one, below this one.
    pub(crate) fn hire(&self, name: String) -> phalanx::Result<ActorRef<Witness>> {
        Ok(Witness.builder().name(name).spawn()?)
    }

    /// Starts a task that is not done before it is told to end.
    pub(crate) fn employ(&self) -> phalanx::Result<u32> {
        Ok(forever::spawn()?.pid())
    }

    pub(crate) fn say(&self, text: String) {
        println!("{text}");
    }

    #[tell]
    pub(crate) fn note(&self, number: u32) {
        std::thread::sleep(Duration::from_millis(5));
        println!("{} {number}", phalanx::current().name());
    }

    #[tell]
    pub(crate) fn work(&self, millis: u64) {
        println!("{} works", phalanx::current().name());
        std::thread::sleep(Duration::from_millis(millis));
    }

    pub(crate) fn leave_a_stray(&self) -> u32 {
        processes::leave_a_stray()
    }

    #[on_stop]
    fn stop(&mut self) {
        println!("{} stopped", phalanx::current().name());
    }
}

pub(crate) fn witness(name: &str) -> phalanx::Result<ActorRef<Witness>> {
    Ok(Witness.builder().name(name).spawn()?)
}

/// Does not stop by itself.
#[actor]
pub(crate) struct Stubborn;

#[actor]
impl Stubborn {
    #[on_stop]
    fn stop(&mut self) {
        println!("stubborn hangs");
        std::thread::sleep(FOREVER);
    }
}

#[task]
pub(crate) fn forever() {
    std::thread::sleep(FOREVER);
}

#[task]
pub(crate) fn later(text: String) {
    std::thread::sleep(Duration::from_secs(1));
    println!("{text}");
}
