//! The reactor: the one place of a process where replies and exits arrive.
//!
//! It has no thread of its own: of the threads that wait, one *leads*. The leader waits in the kernel for
//! everything that concerns this process, hands out what comes, and passes the lead on when it has its own
//! outcome; the others sleep on their waiters. So a call of a lone caller is three system calls (send, wait,
//! receive), and no thread is woken for another's reply. Only when an executor waits (a future was polled), a
//! background thread takes part, and leads for as long as futures wait.
//!
//! User code never runs under a lock of this module, or while a thread leads: wakers are collected, and woken
//! when the lead has been passed on. A waker that panics, blocks or calls back into the reactor holds up only
//! the thread that wakes it.
//!
//! A copy of this process (a fork without exec) has a reactor with sessions and a reply channel of its own.

mod calls;
mod endpoints;
mod futures;
mod lead;
mod replies;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use once_cell::sync::OnceCell;

use calls::Pending;

use crate::reactor::endpoint::Endpoint;
use crate::reactor::reception::Reception;
use crate::reactor::waiter::Waiter;
use crate::sys::per_process::Own;
use crate::sys::seqpacket;

/// How often to look at endpoints that have hung up for a reason not known yet.
const DOUBT: std::time::Duration = std::time::Duration::from_millis(10);

pub(crate) struct Reactor {
    /// Locked only for a moment, and after `inner` where both are.
    reception: Mutex<Arc<Reception>>,
    next: AtomicU64,
    inner: Mutex<Inner>,
    buffer: Mutex<Vec<u8>>,
}

#[derive(Default)]
struct Inner {
    pending: HashMap<u64, Pending>,
    /// More than one of an actor only in a copy of a process: one that it was copied with, and one that it
    /// was given.
    endpoints: HashMap<u64, Vec<Weak<Endpoint>>>,
    /// A thread waits in the kernel.
    leading: bool,
    /// Waiters of threads that wait and do not lead.
    followers: Vec<Arc<Waiter>>,
    /// Futures that wait: their deadlines, and a number of their own.
    futures: BTreeSet<(u64, u64)>,
    future_waiters: HashMap<u64, Arc<Waiter>>,
    background: Option<Arc<Waiter>>,
    /// Endpoints that have hung up for a reason not known yet.
    doubtful: Vec<Weak<Endpoint>>,
    /// At how many pending calls to look for abandoned ones that will get no reply.
    sweep_at: usize,
}

static REACTOR: Own<OnceCell<Reactor>> = Own::new();

impl Reactor {
    /// The reactor of this process.
    ///
    /// # Errors
    /// `EMFILE` and the like, if it does not exist yet and cannot be made.
    pub(crate) fn get() -> io::Result<&'static Reactor> {
        REACTOR.here().get_or_try_init(Reactor::new)
    }

    pub(crate) fn existing() -> Option<&'static Reactor> {
        REACTOR.here().get()
    }

    /// Whether this is the reactor of this process, and not of one that this process is a copy of.
    pub(crate) fn is_here(&self) -> bool {
        Reactor::existing().is_some_and(|here| std::ptr::eq(here, self))
    }

    fn new() -> io::Result<Reactor> {
        let reception = Mutex::new(Arc::new(Reception::new(0)?));
        let (next, inner, buffer) = (AtomicU64::new(1), Mutex::default(), Mutex::new(seqpacket::buffer()));
        Ok(Reactor { reception, next, inner, buffer })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where replies come in now.
    pub(crate) fn reception(&self) -> Arc<Reception> {
        Arc::clone(&self.reception.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
