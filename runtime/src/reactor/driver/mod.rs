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
use crate::reactor::waiter::{Waiter, Wakers};
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

    // Endpoints.

    /// Makes an endpoint known, or returns the one that is known by its id.
    pub(crate) fn intern(&self, endpoint: Endpoint) -> io::Result<Arc<Endpoint>> {
        // Dropped after the lock is released: dropping an endpoint takes the lock.
        let endpoint = Arc::new(endpoint);
        let mut inner = self.inner();
        let known = inner.endpoints.get(&endpoint.card.id);
        if let Some(known) = known.and_then(|known| known.iter().find_map(Weak::upgrade)) {
            return Ok(known);
        }
        self.enter(&mut inner, &endpoint)?;
        Ok(Arc::clone(&endpoint))
    }

    /// Makes an endpoint of this process known, if it is not. In a copy, those that it was copied with are
    /// not.
    pub(crate) fn know(&self, endpoint: &Arc<Endpoint>) -> io::Result<()> {
        if endpoint.is_known() {
            return Ok(());
        }
        let mut inner = self.inner();
        if endpoint.is_known() { Ok(()) } else { self.enter(&mut inner, endpoint) }
    }

    fn enter(&self, inner: &mut Inner, endpoint: &Arc<Endpoint>) -> io::Result<()> {
        self.reception().set().add_edge(endpoint.mailbox(), endpoint.card.id)?;
        inner.endpoints.entry(endpoint.card.id).or_default().push(Arc::downgrade(endpoint));
        endpoint.become_known();
        Ok(())
    }

    /// Called when the last ref of this process to an actor is dropped.
    pub(crate) fn forget_endpoint(&self, endpoint: &Endpoint) {
        // By hand: the kernel forgets a member only when the last process that shares the socket closes it.
        self.reception().set().remove(endpoint.mailbox());
        let mut inner = self.inner();
        // A duplicate that `intern` did not keep was never a member; the known endpoint lives on.
        if let Some(known) = inner.endpoints.get_mut(&endpoint.card.id) {
            known.retain(|known| known.strong_count() > 0);
            if known.is_empty() {
                inner.endpoints.remove(&endpoint.card.id);
            }
        }
    }

    /// Looks at an actor's status page, and hands out what is new, its deaths above all.
    pub(crate) fn visit(&self, endpoint: &Endpoint) {
        self.look_at(endpoint, &mut Wakers::default());
    }

    fn look_at(&self, endpoint: &Endpoint, woken: &mut Wakers) {
        let lost = endpoint.look(&self.reception(), woken);
        if !lost.is_empty() {
            // Replies that it sent before it died are in our channel already, and count.
            self.read_answers(None, woken);
            lost.into_iter().for_each(|lost| self.fail_calls_to(endpoint, &lost, woken));
        }
        endpoint.announce(woken);
        if endpoint.is_doubtful() {
            let mut inner = self.inner();
            if !inner.doubtful.iter().any(|known| std::ptr::eq(known.as_ptr(), endpoint)) {
                let known = inner.endpoints.get(&endpoint.card.id).cloned().unwrap_or_default();
                inner
                    .doubtful
                    .extend(known.into_iter().filter(|known| std::ptr::eq(known.as_ptr(), endpoint)));
            }
        }
    }

    /// Looks again at endpoints that have hung up: the reason may have been recorded meanwhile.
    fn visit_doubtful(&self, woken: &mut Wakers) {
        let doubtful = std::mem::take(&mut self.inner().doubtful);
        doubtful.iter().filter_map(Weak::upgrade).for_each(|endpoint| self.look_at(&endpoint, woken));
    }
}
