//! One thing that somebody waits for: an answer, a start, a death.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::mailbox::envelope::{Body, Status};
use crate::mailbox::ledger::Epitaph;
use crate::mailbox::router::Router;
use crate::sys::time;

/// What comes of waiting.
pub(crate) enum Outcome {
    Answer {
        status: Status,
        body: Body,
        fds: Vec<OwnedFd>,
    },
    /// A packet that should have been an answer and was not.
    Garbled(String),
    /// The actor has no reply channel of this process.
    Unheard,
    /// The actor is ready to work.
    Ready,
    /// It is gone. `None`: with its supervisor, which left no word.
    Dead(Option<Arc<Epitaph>>),
    /// The deadline passed (said to async waiters; others look at the clock themselves).
    Late,
}

#[derive(Default)]
struct Inner {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
    /// The router's lead has been handed to whoever waits here.
    lead: bool,
    /// How many threads sleep here. Usually none: the one who waits is who leads, and waking nobody is a system call too.
    sleepers: usize,
    /// The thread that waits here, while it leads: it sleeps in the kernel and not on this slot.
    leader: Option<ThreadId>,
}

/// A place for one outcome, with whoever waits for it.
#[derive(Default)]
pub(crate) struct Slot {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the outcome in, unless there is one, and wakes the waiter.
    pub(crate) fn complete(&self, outcome: Outcome) {
        let mut inner = self.lock();
        if inner.outcome.is_none() {
            inner.outcome = Some(outcome);
        }
        let (waker, sleepers, leader) = (inner.waker.take(), inner.sleepers, inner.leader);
        drop(inner);
        if sleepers > 0 {
            self.changed.notify_all();
        }
        // Usually it is the leader itself that hands this out. If not, the event may be gone that would wake it.
        if leader.is_some_and(|leader| leader != thread::current().id()) {
            Router::wake_leader();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.lock().outcome.is_some()
    }

    pub(crate) fn take(&self) -> Option<Outcome> {
        self.lock().outcome.take()
    }

    /// Takes the outcome, or remembers whom to wake when there is one.
    pub(crate) fn poll(&self, waker: &Waker) -> Option<Outcome> {
        let mut inner = self.lock();
        if inner.outcome.is_none() {
            inner.waker = Some(waker.clone());
        }
        inner.outcome.take()
    }

    /// Has `waker` woken when there is an outcome; answers whether there is one already.
    pub(crate) fn watch(&self, waker: &Waker) -> bool {
        let mut inner = self.lock();
        if inner.outcome.is_none() {
            inner.waker = Some(waker.clone());
        }
        inner.outcome.is_some()
    }

    /// The thread that waits here is about to lead; answers whether there is anything left to wait for.
    pub(crate) fn begin_to_lead(&self) -> bool {
        let mut inner = self.lock();
        inner.leader = Some(thread::current().id()).filter(|_| inner.outcome.is_none());
        inner.leader.is_some()
    }

    pub(crate) fn end_to_lead(&self) {
        self.lock().leader = None;
    }

    /// Hands the lead over to whoever waits here.
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
            let limit = deadline.map_or(Duration::from_secs(3600), time::until);
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
