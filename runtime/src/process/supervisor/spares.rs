//! Spares: who has just crashed may do so again, so its next process is forked ahead and waits at its gate, until it is needed or a second is over.
//!
//! A spare has all that the actor's next process needs and touches none of it before it is let in: no user code, no mailbox, no ledger. So it is
//! nobody yet: not in the tree, not counted, and its death is no death of the actor.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::start::Worker;
use super::{Child, Supervisor};
use crate::process::child::{self, Birth, Gate};
use crate::process::request::Kind;
use crate::supervise::{Key, Restart};
use crate::sys::process::{Fork, SIGKILL};
use crate::sys::{fd, process, time};

/// How long one is kept for the next crash.
const KEPT: u64 = 1_000_000_000;

/// How many there are at a time.
const MOST: usize = 8;

/// An actor's next process.
pub(super) struct Spare {
    pid: i32,
    /// Its gate, and the receiving end of its requests.
    waiting: Option<(Gate, OwnedFd)>,
}

impl Spare {
    /// It goes on as the actor's process. Answers its pid, and the receiving end of its requests.
    pub(super) fn let_in(mut self, quiet: bool) -> Option<(i32, OwnedFd)> {
        let (gate, control) = self.waiting.take()?;
        gate.open(quiet);
        Some((self.pid, control))
    }
}

/// Nobody needs it any more. Who is dropped has not been reaped.
impl Drop for Spare {
    fn drop(&mut self) {
        if self.waiting.is_some() {
            process::kill(self.pid, SIGKILL);
        }
    }
}

impl Supervisor {
    /// It is started again: if it has crashed, a spare is made at the end of this turn, when nobody waits for anything else.
    pub(super) fn wish_for_spare(&mut self, key: Key) {
        self.spare_for = Some(key);
    }

    pub(super) fn make_spare(&mut self) {
        let Some(key) = self.spare_for.take() else { return };
        if self.spares.len() >= MOST || self.is_ending() || self.policy.is_ending() {
            return;
        }
        let Some(child) = self.children.remove(&key) else { return };
        let child = match child.wants_a_spare() {
            true => self.fork_spare(key, child),
            false => child,
        };
        self.children.insert(key, child);
    }

    /// If it cannot be had, the next process is forked when it is needed, as any other.
    fn fork_spare(&mut self, key: Key, mut child: Box<Child>) -> Box<Child> {
        let (Ok(worker), Ok(gate)) = (Worker::of(&child, self.build), Gate::new()) else { return child };
        let mut keep = child::descriptors(&child.spawn, &worker.sender, self.doorbell.as_fd());
        keep.push(gate.as_fd().as_raw_fd());
        let close = fd::Others::than(&keep);
        let parent = process::pid();
        // Whoever is to run, such as the process that has just been started, does so first.
        std::thread::yield_now();
        match process::fork_bare(false).or_else(|_| process::fork()) {
            Err(_) => child,
            Ok(Fork::Parent(pid)) => {
                process::group_of(pid);
                process::volunteer_for_oom(pid);
                self.spares.insert(pid, (key, time::now().saturating_add(KEPT)));
                child.spare = Some(Spare { pid, waiting: Some((gate, worker.receiver)) });
                child
            }
            // As in `launch`.
            Ok(Fork::Child) => {
                let Child { spawn, incarnation, seat, .. } = *child;
                child::enter(Birth {
                    spawn,
                    entry: worker.entry,
                    incarnation: incarnation + 1,
                    control: worker.sender,
                    place: self.board.place(seat, self.doorbell, true),
                    close,
                    supervisor: parent,
                    descriptors: self.descriptors,
                    buffer: std::mem::take(&mut self.buffer),
                    gate: Some(gate),
                })
            }
        }
    }

    /// When the first of them has been kept for long enough.
    pub(super) fn spares_due(&self) -> Option<u64> {
        self.spares.values().map(|&(_, until)| until).min().filter(|&until| until != u64::MAX)
    }

    /// Ends those that have not been needed. They are forgotten when they have ended.
    pub(super) fn dismiss_spares(&mut self, now: u64) {
        for (key, until) in self.spares.values_mut().filter(|(_, until)| *until <= now) {
            *until = u64::MAX;
            if let Some(child) = self.children.get_mut(key) {
                child.spare = None;
            }
        }
    }

    /// Whether this was one, that has ended at its gate. Before it is reaped.
    pub(super) fn forget_spare(&mut self, pid: i32) -> bool {
        let Some((key, _)) = self.spares.remove(&pid) else { return false };
        if let Some(child) = self.children.get_mut(&key) {
            child.spare.take_if(|spare| spare.pid == pid);
        }
        true
    }
}

impl Child {
    fn wants_a_spare(&self) -> bool {
        let crashed = || self.ledger().last_death().is_some_and(|(_, epitaph)| !epitaph.reason.is_orderly());
        self.spare.is_none()
            && self.spec().kind == Kind::Actor
            && self.spec().rules.restart != Restart::Temporary
            && self.life.as_ref().is_some_and(|life| life.asked.is_none())
            && crashed()
    }
}
