//! A place to wait for whichever of several things comes first: answers, ends, and what other threads of this process have to say.
//!
//! A future would do too, but each future wakes its executor by way of a thread of its own. Who waits in a select leads the reactor meanwhile, as
//! one does who waits for a single answer.

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
    /// Where somebody waits.
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

    /// Ends the wait of whoever waits here, or else the next one. From any thread.
    pub(crate) fn ring(&self) {
        let mut inner = self.lock();
        let waiting = if inner.rung { None } else { inner.waiting.take() };
        inner.rung = true;
        drop(inner);
        if let Some(waiter) = waiting {
            waiter.complete(Outcome::Ready, &mut Wakers::default());
        }
    }

    /// Blocks until it is rung, or has been since the last wait, or until `deadline`.
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
            // Nothing to lead: what can come, comes from threads.
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

/// A moment so much later; a very late one if there is none.
pub(crate) fn later(from: Instant, by: Duration) -> Instant {
    const LONG: Duration = Duration::from_secs(30 * 365 * 86_400);
    from.checked_add(by.min(LONG)).unwrap_or(from)
}

/// A number on the clock that all processes of a tree share, in nanoseconds.
pub(crate) fn clock() -> u64 {
    clock::now()
}
