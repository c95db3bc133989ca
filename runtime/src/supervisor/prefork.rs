//! Forks standby processes. A child that has just crashed may crash again, so its next process is forked
//! ahead and waits at its latch, until it is needed or a second is over. A child whose spec asks for one
//! always has one.
//!
//! A standby process has all that the actor's next process needs, and touches none of it before it may pass:
//! no user code, no mailbox, no status page. It is not in the tree and not counted, and its end is not an
//! exit of the actor.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::running::RunningProcess;
use super::start::Worker;
use super::{Child, Supervisor};
use crate::child::setup::{self, ChildSetup, Latch};
use crate::control::output::Readers;
use crate::control::request::Kind;
use crate::policy::{Key, Restart};
use crate::sys::process::{Fork, SIGKILL};
use crate::sys::{clock, fd, process};

/// An actor's next process.
pub(super) struct Spare {
    pid: i32,
    waiting: Option<Waiting>,
}

/// What is kept for it until it is released.
pub(super) struct Waiting {
    pub(super) latch: Latch,
    /// The receiving end of its requests.
    pub(super) control: OwnedFd,
    /// Its output, if that goes to the log.
    pub(super) output: Readers,
}

impl Spare {
    /// Lets it go on as the actor's process. Returns its pid, and what was kept for it.
    pub(super) fn release(mut self, lazy: bool) -> Option<(i32, Waiting)> {
        let waiting = self.waiting.take()?;
        waiting.latch.open(lazy);
        Some((self.pid, waiting))
    }
}

/// Kills a standby process that is no longer needed. It is not reaped yet, so its pid is still its own.
impl Drop for Spare {
    fn drop(&mut self) {
        if self.waiting.is_some() {
            process::kill(self.pid, SIGKILL);
        }
    }
}

impl Supervisor {
    /// Forks the wanted standby processes, at the end of a turn, when no process waits for anything else.
    pub(super) fn make_spares(&mut self) {
        if !self.standby.is_any_wanted() {
            return;
        }
        let now = clock::now();
        for key in self.standby.take_wanted(now) {
            self.make_spare(key, now);
        }
    }

    fn make_spare(&mut self, key: Key, now: u64) {
        if self.is_ending() || self.policy.is_ending() {
            return;
        }
        let room = self.standby.has_room();
        let Some(child) = self.children.get(&key).filter(|child| child.wants_a_spare(room)) else { return };
        let always = child.spec().options.spare;
        let Some(child) = self.children.remove(&key) else { return };
        let child = self.fork_spare(key, child);
        if always && child.spare.is_none() {
            self.standby.want_again(key, now);
        }
        self.children.insert(key, child);
    }

    /// Forks a standby process. If that fails, the next process is forked when it is needed.
    fn fork_spare(&mut self, key: Key, mut child: Box<Child>) -> Box<Child> {
        let (Ok(worker), Ok(latch)) = (Worker::of(&child, self.build), Latch::new()) else { return child };
        let mut keep = worker.descriptors(&child.spawn, self.readiness.doorbell());
        keep.push(latch.as_fd().as_raw_fd());
        let close = fd::Others::than(&keep);
        let parent = process::pid();
        // Let runnable processes go first, such as the one that was just started.
        std::thread::yield_now();
        match process::fork_bare(false).or_else(|_| process::fork()) {
            Err(_) => child,
            Ok(Fork::Parent(pid)) => {
                process::group_of(pid);
                process::volunteer_for_oom(pid);
                self.standby.add(pid, key, child.spec().options.spare, clock::now());
                let waiting = Waiting { latch, control: worker.receiver, output: worker.readers };
                child.spare = Some(Spare { pid, waiting: Some(waiting) });
                child
            }
            // As in `launch_now`, nothing of the supervisor is touched from here on.
            Ok(Fork::Child) => {
                let Child { spawn, incarnation, slot, .. } = *child;
                setup::enter(ChildSetup {
                    spawn,
                    entry: worker.entry,
                    incarnation: incarnation + 1,
                    control: worker.sender,
                    slot: self.readiness.slot(slot, true),
                    output: worker.writers,
                    close,
                    supervisor: parent,
                    descriptors: self.descriptors,
                    buffer: std::mem::take(&mut self.buffer),
                    latch: Some(latch),
                })
            }
        }
    }

    /// Kills the standby processes that were not needed. They are forgotten when they are reaped.
    pub(super) fn dismiss_spares(&mut self, now: u64) {
        for key in self.standby.take_unneeded(now) {
            if let Some(child) = self.children.get_mut(&key) {
                child.spare = None;
            }
        }
    }

    /// Forgets a standby process that ended at its latch. Returns whether it was one. Called before it is
    /// reaped.
    pub(super) fn forget_spare(&mut self, pid: i32) -> bool {
        let Some(key) = self.standby.remove(pid) else { return false };
        if let Some(child) = self.children.get_mut(&key) {
            let was_its_own = child.spare.take_if(|spare| spare.pid == pid).is_some();
            if was_its_own && child.spec().options.spare {
                self.standby.want_again(key, clock::now());
            }
        }
        true
    }

    /// Replaces a process that died at its latch, released or not. It was never the actor, so its end is no
    /// exit of the actor, and another process takes its place.
    pub(super) fn replace_spare(&mut self, key: Key, pid: i32) {
        process::reap(pid);
        let Some(child) = self.children.get_mut(&key) else { return };
        child.running = None;
        // A standby process that exists already counts itself as the one after that.
        child.spare = None;
        self.standby.want(key);
        if let Some(event) = self.launch_now(key) {
            self.tell_policy(event);
        }
    }
}

impl Child {
    pub(super) fn died_before_release(&self) -> bool {
        let running = self.running.as_ref().filter(|running| running.stage().order().is_none());
        running.is_some_and(RunningProcess::waits_at_latch)
    }

    /// Whether to fork a standby process. `room`: one more that no spec asks for may exist.
    fn wants_a_spare(&self, room: bool) -> bool {
        let crashed = || self.last_reason().is_some_and(|reason| !reason.is_orderly());
        let spec = self.spec();
        let wished_for = match spec.options.spare {
            true => spec.is_durable(),
            false => room && spec.rules().restart != Restart::Temporary && crashed(),
        };
        self.spare.is_none()
            && spec.kind == Kind::Actor
            && self.running.as_ref().is_some_and(|running| running.stage().order().is_none())
            && wished_for
    }
}
