//! Forks standby processes: a child that has just crashed may do so again, so its next process is forked
//! ahead and waits at its latch, until it is needed or a second is over. A child whose spec asks for one
//! always has one.
//!
//! Such a process has all that the actor's next process needs and touches none of it before it is let in: no
//! user code, no mailbox, no status page. It is not in the tree and not counted, and its death is no death of the
//! actor.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::running::RunningProcess;
use super::start::Worker;
use super::{Child, Supervisor};
use crate::child::setup::{self, ChildSetup, Latch};
use crate::control::request::Kind;
use crate::policy::{Key, Restart};
use crate::sys::process::{Fork, SIGKILL};
use crate::sys::{clock, fd, process};

/// An actor's next process.
pub(super) struct Spare {
    pid: i32,
    /// Its latch, and the receiving end of its requests.
    waiting: Option<(Latch, OwnedFd)>,
}

impl Spare {
    /// It goes on as the actor's process. Returns its pid, its latch, and the receiving end of its requests.
    pub(super) fn release(mut self, lazy: bool) -> Option<(i32, Latch, OwnedFd)> {
        let (latch, control) = self.waiting.take()?;
        latch.open(lazy);
        Some((self.pid, latch, control))
    }
}

/// It is not needed any more. One that is dropped has not been reaped, so its pid is still its own.
impl Drop for Spare {
    fn drop(&mut self) {
        if self.waiting.is_some() {
            process::kill(self.pid, SIGKILL);
        }
    }
}

impl Supervisor {
    /// Forks those that are wanted, at the end of a turn, when no process waits for anything else.
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

    /// If it cannot be had, the next process is forked when it is needed, as any other.
    fn fork_spare(&mut self, key: Key, mut child: Box<Child>) -> Box<Child> {
        let (Ok(worker), Ok(latch)) = (Worker::of(&child, self.build), Latch::new()) else { return child };
        let mut keep = setup::descriptors(&child.spawn, &worker.sender, self.readiness.doorbell());
        keep.push(latch.as_fd().as_raw_fd());
        let close = fd::Others::than(&keep);
        let parent = process::pid();
        // Processes that can run, such as the one that has just been started, do so first.
        std::thread::yield_now();
        match process::fork_bare(false).or_else(|_| process::fork()) {
            Err(_) => child,
            Ok(Fork::Parent(pid)) => {
                process::group_of(pid);
                process::volunteer_for_oom(pid);
                self.standby.add(pid, key, child.spec().options.spare, clock::now());
                child.spare = Some(Spare { pid, waiting: Some((latch, worker.receiver)) });
                child
            }
            // As in `launch`.
            Ok(Fork::Child) => {
                let Child { spawn, incarnation, slot, .. } = *child;
                setup::enter(ChildSetup {
                    spawn,
                    entry: worker.entry,
                    incarnation: incarnation + 1,
                    control: worker.sender,
                    place: self.readiness.place(slot, true),
                    close,
                    supervisor: parent,
                    descriptors: self.descriptors,
                    buffer: std::mem::take(&mut self.buffer),
                    latch: Some(latch),
                })
            }
        }
    }

    /// Ends those that have not been needed. They are forgotten when they have been reaped.
    pub(super) fn dismiss_spares(&mut self, now: u64) {
        for key in self.standby.take_unneeded(now) {
            if let Some(child) = self.children.get_mut(&key) {
                child.spare = None;
            }
        }
    }

    /// Whether this was one, that has ended at its latch. Before it is reaped.
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

    /// One that died at its latch, let in just before or just after, has never been the actor: its death is
    /// not the actor's, whose next process is another one.
    pub(super) fn replace_spare(&mut self, key: Key, pid: i32) {
        process::reap(pid);
        let Some(child) = self.children.get_mut(&key) else { return };
        child.running = None;
        // If the next one is there already, it takes itself for the one after that.
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

    /// `room`: there may be one more that no spec asks for.
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
