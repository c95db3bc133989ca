//! Waits for the first of several events: a reply, an exit, or a wake-up from another thread.
//!
//! A future would do too, but each future wakes its executor by way of another thread. A thread that waits in
//! a select leads the reactor meanwhile, like one that waits for a single reply.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use crate::reactor::driver::Reactor;
use crate::reactor::waiter::{Outcome, Waiter, Wakers};
use crate::sys::clock;

/// See the [module](self).
#[derive(Default)]
pub(crate) struct Select {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    rung: bool,
    /// Where a thread waits.
    waiting: Option<Arc<Waiter>>,
}

impl Select {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What rings it, as a waker.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Ends the wait in progress, or else the next one. From any thread.
    pub(crate) fn ring(&self) {
        let mut inner = self.lock();
        let waiting = if inner.rung { None } else { inner.waiting.take() };
        inner.rung = true;
        drop(inner);
        if let Some(waiter) = waiting {
            waiter.complete(Outcome::Ready, &mut Wakers::default());
        }
    }

    /// Blocks until it is rung (or was since the last wait), or until `deadline`.
    pub(crate) fn wait(&self, deadline: Option<Instant>) {
        let waiter = Arc::new(Waiter::default());
        let mut inner = self.lock();
        if std::mem::take(&mut inner.rung) {
            return;
        }
        inner.waiting = Some(Arc::clone(&waiter));
        drop(inner);
        let limit = |at: Instant| clock::after(at.saturating_duration_since(Instant::now()));
        match Reactor::get() {
            Ok(reactor) => drop(reactor.wait(&waiter, deadline.map(limit))),
            // Without a reactor to lead, only other threads can ring.
            Err(_) => {
                waiter.sleep(Some(deadline.map_or_else(|| clock::after(Duration::from_millis(100)), limit)))
            }
        }
        let mut inner = self.lock();
        inner.waiting = None;
        inner.rung = false;
    }
}

impl Wake for Select {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// The moment `by` after `from`, at most 30 years later.
pub(crate) fn later(from: Instant, by: Duration) -> Instant {
    const LONG: Duration = Duration::from_secs(30 * 365 * 86_400);
    from.checked_add(by.min(LONG)).unwrap_or(from)
}

/// Now, in nanoseconds of the clock that all processes of a tree share.
pub(crate) fn clock() -> u64 {
    clock::now()
}
