//! How actors end, and what is said of it.

mod captured;
mod causes;
mod deadlines;
mod graces;
mod memory;
mod panics;
mod reasons;
mod stops;
mod texts;
mod thrown;
mod told;
mod waits;

use std::fs;
use std::path::PathBuf;
use std::process::{self, Command};
use std::thread;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, LATCH_TIMEOUT, eventually};
use serde::{Deserialize, Serialize};

/// A file: noted by one process, seen by another.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note(PathBuf);

impl Note {
    fn new(name: &str) -> Note {
        Note(std::env::temp_dir().join(name))
    }

    fn write(&self) {
        fs::write(&self.0, "noted").expect("the note can be written");
    }

    fn is_there(&self) -> bool {
        self.0.exists()
    }

    fn wait(&self) {
        eventually("the note", LATCH_TIMEOUT, || self.is_there());
    }

    /// Whether it was there; it is not any more.
    fn remove(&self) -> bool {
        fs::remove_file(&self.0).is_ok()
    }
}

/// Ends in every way there is.
#[actor]
struct Mortal;

#[actor]
impl Mortal {
    fn answer(&self) -> u32 {
        42
    }

    fn exit(&self, code: i32) {
        process::exit(code);
    }

    fn exit_in_thread(&self, code: i32) {
        let _ = thread::spawn(move || process::exit(code)).join();
    }

    fn abort(&self) {
        process::abort();
    }

    /// Sends a signal to itself, and waits for what comes of it.
    fn signal(&self, name: String) {
        let script = format!("kill -{name} $PPID");
        assert!(Command::new("sh").args(["-c", &script]).status().is_ok_and(|status| status.success()));
        self.hang();
    }

    fn overflow(&self) -> u64 {
        descend(0)
    }

    fn overflow_in_thread(&self) -> u64 {
        thread::spawn(|| descend(0)).join().unwrap_or_default()
    }

    fn hang(&self) {
        loop {
            thread::park();
        }
    }

    #[allow(clippy::empty_loop, reason = "that is what is tested")]
    fn spin(&self) {
        loop {}
    }

    fn hang_after(&self, note: Note) {
        note.write();
        self.hang();
    }

    fn wait_for(&self, note: Note) {
        note.wait();
    }

    fn panic(&self, text: String) {
        panic!("{text}");
    }
}

/// Goes deeper until the stack is used up.
#[allow(unconditional_recursion, reason = "that is what is tested")]
fn descend(depth: u64) -> u64 {
    std::hint::black_box(descend(std::hint::black_box(depth) + 1)) + 1
}

fn mortal() -> ActorRef<Mortal> {
    Mortal.spawn().unwrap()
}

/// Waits until the actor is busy with a message, with so many more in its mailbox.
fn busy<A: phalanx::Actor>(actor: &ActorRef<A>, queued: usize) {
    // A message that is queued counts until it is taken.
    eventually("a message in progress", EVENT_TIMEOUT, || actor.depth() == queued);
}
