//! Pools of actors: each message goes to the least busy member.

mod deaths;
mod holders;
mod routing;
mod sizes;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{ActorBuilder, ActorPool, PoolSize, SupervisorBuilder};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, Latch, RESTART_WINDOW};

/// Says which member it is, and keeps what it is given.
#[actor]
struct Clerk {
    index: u32,
    notes: Vec<u64>,
}

#[actor]
impl Clerk {
    fn index(&self) -> u32 {
        self.index
    }

    /// Is busy until the latch is open.
    fn hold(&self, latch: Latch) -> u32 {
        latch.mark(&self.index.to_string());
        latch.pass();
        self.index
    }

    #[tell]
    fn note(&mut self, number: u64) {
        self.notes.push(number);
    }

    fn notes(&self) -> Vec<u64> {
        self.notes.clone()
    }

    /// Writes down who asked and which member it is, and takes a moment.
    fn enter(&self, book: PathBuf, caller: u64, number: u64) -> u64 {
        let line = format!("{caller} {number} {}\n", self.index);
        let book = OpenOptions::new().create(true).append(true).open(book);
        book.and_then(|mut book| book.write_all(line.as_bytes())).unwrap();
        thread::sleep(Duration::from_millis(1));
        number
    }

    fn hang(&self) {
        thread::sleep(FOREVER);
    }

    fn crash(&self) {
        std::process::abort()
    }

    /// Asks the pool that it is a member of.
    fn ask_the_pool(&self, pool: ActorPool<Clerk>) -> Result<u32, CallError> {
        pool.index().wait()
    }
}

fn clerk(index: u32) -> ActorBuilder<Clerk> {
    // A case may keep it busy for longer than a stop usually takes.
    Clerk { index, notes: Vec::new() }.builder().shutdown(EVENT_TIMEOUT)
}

fn pool(size: impl PoolSize) -> SupervisorBuilder<ActorPool<Clerk>> {
    Supervisor::pool("clerks", size, clerk).intensity(1000, RESTART_WINDOW)
}

/// With mailboxes of two.
fn small(size: impl PoolSize) -> SupervisorBuilder<ActorPool<Clerk>> {
    Supervisor::pool("clerks", size, |index| clerk(index).mailbox(2)).intensity(1000, RESTART_WINDOW)
}

/// Keeps the member of this index busy until the latch is open.
#[track_caller]
fn hold(pool: &ActorPool<Clerk>, index: usize, latch: &Latch) -> Reply<u32> {
    let held = pool.members()[index].hold(latch.clone());
    latch.await_mark(&index.to_string());
    held
}

fn depths(pool: &ActorPool<Clerk>) -> Vec<usize> {
    pool.members().iter().map(|member| member.depth()).collect()
}
