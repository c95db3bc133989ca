//! Mailboxes: order, capacity, and callers that do not read.

mod broken;
mod capacity;
mod descriptors;
mod gone;
mod many;
mod order;
mod readers;
mod senders;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, Latch, eventually, processes};

/// Numbers by sender.
#[actor]
struct Inbox {
    seen: Vec<(u32, u64)>,
}

#[actor]
impl Inbox {
    #[tell]
    fn put(&mut self, from: u32, number: u64) {
        self.seen.push((from, number));
    }

    fn ask(&mut self, from: u32, number: u64) -> u64 {
        self.seen.push((from, number));
        number
    }

    /// Is busy until the latch opens.
    fn hold(&self, latch: Latch) {
        latch.pass();
    }

    fn seen(&self) -> Vec<(u32, u64)> {
        self.seen.clone()
    }

    /// How many came from each; an error if any came out of order, twice or not at all.
    fn counts(&self) -> Result<std::collections::BTreeMap<u32, u64>, String> {
        let mut next = std::collections::BTreeMap::new();
        for &(from, number) in &self.seen {
            let expected = next.entry(from).or_insert(0);
            if *expected != number {
                return Err(format!("{number} instead of {expected} from {from}"));
            }
            *expected += 1;
        }
        Ok(next)
    }
}

fn inbox(capacity: u32) -> ActorRef<Inbox> {
    Inbox { seen: Vec::new() }.builder().mailbox(capacity).spawn().unwrap()
}

/// Has the actor begin a message that lasts until the latch opens.
fn hold(inbox: &ActorRef<Inbox>, latch: &Latch) -> Reply<()> {
    let handled = inbox.handled();
    let held = inbox.hold(latch.clone());
    eventually("the message to begin", EVENT_TIMEOUT, || inbox.depth() == 0);
    assert_eq!(inbox.handled(), handled);
    held
}

/// Fills the mailbox while the actor is held; returns how many messages it took.
fn fill(inbox: &ActorRef<Inbox>, from: u32) -> u64 {
    let mut taken = 0;
    loop {
        match inbox.try_put(from, taken) {
            Ok(()) => taken += 1,
            Err(TrySendError { args, error: SendError::Full(_) }) => {
                assert_eq!(args, (from, taken));
                return taken;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn stop(pid: u32) {
    processes::signal("STOP", i64::from(pid));
    eventually("the process to stop", EVENT_TIMEOUT, || {
        processes::stat(pid).is_some_and(|stat| stat.state == 'T')
    });
}

fn go_on(pid: u32) {
    processes::signal("CONT", i64::from(pid));
}
