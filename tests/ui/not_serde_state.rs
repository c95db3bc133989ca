//! State that serde cannot carry is made by `#[init]`, in the process of the actor.

use std::collections::HashMap;
use std::thread::JoinHandle;

use phalanx::prelude::*;

#[actor]
struct Worker {
    name: String,
    thread: JoinHandle<()>,
}

#[actor]
impl Worker { //~ error
    fn is_finished(&self) -> bool {
        self.name.is_empty() || self.thread.is_finished()
    }
}

struct Entry;

#[actor]
struct Cache<K: Eq + std::hash::Hash> {
    entries: HashMap<K, Entry>,
}

#[actor]
impl<K: Eq + std::hash::Hash> Cache<K> { //~ error
    fn len(&self) -> usize {
        self.entries.len()
    }
}

fn main() {
    let _ = Worker { name: "worker".into(), thread: std::thread::spawn(|| ()) }.spawn();
}
