//! Reassembles spawns that come in several packets: a supervisor with its children.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::control::request::{BatchPart, Spawn};
use crate::sys::clock;

/// How long the rest of a tree may take to arrive. Its sender does nothing else meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many trees can be incomplete at once.
const BATCHES: usize = 64;

/// How many processes a tree can have.
const LARGEST: usize = 1 << 16;

#[derive(Default)]
pub(super) struct Assembly {
    batches: BTreeMap<u64, Batch>,
}

struct Batch {
    /// Each node, with the position of its parent.
    nodes: Vec<(usize, Spawn)>,
    until: u64,
}

impl Assembly {
    /// Takes a packet; returns the tree that it completes. A packet that does not fit is dropped with the
    /// rest of its tree: the mailboxes close, which waiting callers see.
    pub(super) fn add(&mut self, spawn: Spawn, part: BatchPart) -> Option<Spawn> {
        if part == BatchPart::alone() {
            return Some(spawn);
        }
        if !self.batches.contains_key(&part.batch) && self.batches.len() >= BATCHES {
            return None;
        }
        let new = || Batch { nodes: Vec::new(), until: 0 };
        let batch = self.batches.entry(part.batch).or_insert_with(new);
        let (under, count) = (part.under as usize, batch.nodes.len());
        let fits = count == 0 || (under < count && batch.nodes[under].1.spec.policy.is_some());
        if !fits || count >= LARGEST {
            self.batches.remove(&part.batch);
            return None;
        }
        batch.until = clock::after(PATIENCE);
        batch.nodes.push((under, spawn));
        if !part.last {
            return None;
        }
        self.batches.remove(&part.batch).and_then(Batch::tree)
    }

    pub(super) fn due(&self) -> Option<u64> {
        self.batches.values().map(|batch| batch.until).min()
    }

    pub(super) fn forget_late(&mut self, now: u64) {
        self.batches.retain(|_, batch| batch.until > now);
    }
}

impl Batch {
    /// Puts each node below its parent, the last first: by then all nodes below it have been put there.
    fn tree(self) -> Option<Spawn> {
        let mut nodes = self.nodes;
        while nodes.len() > 1 {
            let (under, spawn) = nodes.pop()?;
            nodes[under].1.children.insert(0, spawn);
        }
        nodes.pop().map(|(_, root)| root)
    }
}
