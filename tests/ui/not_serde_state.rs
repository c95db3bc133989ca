//! State that serde cannot carry is made by `#[init]`, in the process of the actor.

use std::thread::JoinHandle;

use phalanx::prelude::*;

#[actor]
struct Worker {
    thread: JoinHandle<()>,
}

#[actor]
impl Worker {
    fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

fn main() {
    let _ = Worker { thread: std::thread::spawn(|| ()) }.spawn();
}
