//! One outcome that a thread or a future waits for: a reply, a start, an exit.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crate::ipc::envelope::{Body, Status};
use crate::ipc::user_code;
use crate::reactor::driver::Reactor;
use crate::reactor::endpoint::Failure;
use crate::status::ExitRecord;
use crate::sys::clock;
use crate::sys::per_process::thread;

/// What a wait ends with.
pub(crate) enum Outcome {
    Answer {
        status: Status,
        body: Body,
        fds: Vec<OwnedFd>,
    },
    /// A packet that should have been a reply and was not.
    Garbled(String),
    /// The actor has no reply channel of this process.
    Unheard,
    /// The actor is ready to work.
    Ready,
    /// It is gone. `None`: its supervisor died with it, and left no exit record.
    Dead(Option<Arc<ExitRecord>>),
    /// A call that waited for room was not sent.
    Unsent(Failure),
    /// The deadline passed. For futures only: threads look at the clock themselves.
    Late,
}

#[derive(Default)]
struct Inner {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
    /// The reactor's lead has been handed to the thread that waits here.
    lead: bool,
    /// How many threads sleep here. Usually none, because the thread that waits also leads; then waking would
    /// be a wasted system call.
    sleepers: usize,
    /// The thread that waits here, while it leads: it sleeps in the kernel and not on this waiter.
    leader: Option<usize>,
}

/// Wakers of completed waiters, woken on drop. They are user code, so the drop must come after all locks are
/// released.
#[derive(Default)]
pub(crate) struct Wakers {
    wakers: Vec<Waker>,
    /// What to log: the subscriber is user code too.
    said: Vec<String>,
}

impl Wakers {
    pub(super) fn then_say(&mut self, why: String) {
        self.said.push(why);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wakers.is_empty() && self.said.is_empty()
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        for why in self.said.drain(..) {
            user_code::call("a subscriber", || tracing::error!(target: "phalanx::reactor", "{why}"));
        }
        for waker in self.wakers.drain(..) {
            user_code::call("a waker", || waker.wake());
        }
    }
}

/// A place for one outcome, and for the thread or future that waits for it.
#[derive(Default)]
pub(crate) struct Waiter {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Waiter {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the outcome in, unless there is one. Wakes a sleeping thread, and leaves the waker of a future to
    /// `woken`.
    pub(crate) fn complete(&self, outcome: Outcome, woken: &mut Wakers) {
        let mut inner = self.lock();
        if inner.outcome.is_none() {
            inner.outcome = Some(outcome);
        }
        let (waker, sleepers, leader) = (inner.waker.take(), inner.sleepers, inner.leader);
        drop(inner);
        if sleepers > 0 {
            self.changed.notify_all();
        }
        // Usually the leader itself completes its waiter. If another thread does, the event that would wake
        // the leader may be gone.
        if leader.is_some_and(|leader| leader != thread()) {
            Reactor::wake_leader();
        }
        woken.wakers.extend(waker);
    }

    pub(crate) fn is_done(&self) -> bool {
        self.lock().outcome.is_some()
    }

    pub(crate) fn take(&self) -> Option<Outcome> {
        self.lock().outcome.take()
    }

    /// Takes the outcome, or keeps `waker` until there is one.
    pub(crate) fn poll(&self, waker: &Waker) -> Option<Outcome> {
        self.watch(waker);
        self.take()
    }

    /// Has `waker` woken when there is an outcome; returns whether there is one already.
    pub(crate) fn watch(&self, waker: &Waker) -> bool {
        // Cloned and dropped without the lock: both run the executor's code.
        let mut kept = Some(waker.clone());
        let mut inner = self.lock();
        if inner.outcome.is_none() {
            std::mem::swap(&mut inner.waker, &mut kept);
        }
        let done = inner.outcome.is_some();
        drop(inner);
        drop(kept);
        done
    }

    /// Notes that this thread leads while it waits here; `None` if there is nothing left to wait for.
    pub(crate) fn begin_to_lead(&self) -> Option<Leading<'_>> {
        let mut inner = self.lock();
        inner.leader = Some(thread()).filter(|_| inner.outcome.is_none());
        inner.leader.map(|_| Leading(self))
    }

    /// Hands the lead over to the thread that waits here.
    pub(crate) fn hand_lead(&self) {
        let mut inner = self.lock();
        inner.lead = true;
        if inner.sleepers > 0 {
            self.changed.notify_all();
        }
    }

    /// Takes the lead, if it was handed over.
    pub(crate) fn take_lead(&self) -> bool {
        std::mem::take(&mut self.lock().lead)
    }

    /// Sleeps until there is an outcome, the lead, or the deadline (`None`: no deadline).
    pub(crate) fn sleep(&self, deadline: Option<u64>) {
        let mut inner = self.lock();
        while inner.outcome.is_none() && !inner.lead {
            let limit = deadline.map_or(Duration::from_secs(3600), clock::until);
            if limit.is_zero() {
                return;
            }
            inner.sleepers += 1;
            inner = self.changed.wait_timeout(inner, limit).unwrap_or_else(PoisonError::into_inner).0;
            inner.sleepers -= 1;
        }
    }

    /// Wakes the sleeper without an outcome, to look around.
    pub(crate) fn nudge(&self) {
        self.hand_lead();
    }
}

/// While this lives, the thread that waits at the waiter leads.
pub(crate) struct Leading<'a>(&'a Waiter);

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        self.0.lock().leader = None;
    }
}
