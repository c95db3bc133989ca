//! How many calls of this process to one actor are under way, and waiting for the permit of one more.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Endpoint;
use crate::reactor::waiter::{Outcome, Waiter, Wakers};

/// How many calls of one process to one actor may be under way: sent, and neither replied to nor known to be
/// lost. An actor keeps that many replies for a caller that does not get to read them.
pub(crate) const UNDER_WAY: u32 = 16 * 1024;

/// The calls of this process to one actor that are under way.
#[derive(Default)]
pub(super) struct UnderWay {
    count: AtomicU32,
    waiting: Mutex<Vec<Arc<Waiter>>>,
}

impl UnderWay {
    fn waiting(&self) -> MutexGuard<'_, Vec<Arc<Waiter>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The permit of one call that is under way; given back when it is dropped.
pub(crate) struct CallPermit(Arc<UnderWay>);

impl Drop for CallPermit {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) >= UNDER_WAY {
            let waiting = std::mem::take(&mut *self.0.waiting());
            // Only sending threads wait for a permit, so these waiters have no wakers of user code.
            waiting.iter().for_each(|waiter| waiter.complete(Outcome::Ready, &mut Wakers::default()));
        }
    }
}

impl Endpoint {
    /// Takes a permit for one more call, if fewer are under way than allowed.
    pub(crate) fn acquire_permit(&self) -> Option<CallPermit> {
        let count = &self.local().under_way.count;
        let taken = count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
            (count < UNDER_WAY).then_some(count + 1)
        });
        taken.is_ok().then(|| CallPermit(Arc::clone(&self.local().under_way)))
    }

    /// Has `waiter` completed when a permit is free.
    pub(crate) fn await_permit(&self, waiter: &Arc<Waiter>) {
        self.local().under_way.waiting().push(Arc::clone(waiter));
        if self.local().under_way.count.load(Ordering::SeqCst) < UNDER_WAY {
            // A permit was given back just now.
            waiter.complete(Outcome::Ready, &mut Wakers::default());
        }
    }

    pub(crate) fn forget_waiting(&self, waiter: &Arc<Waiter>) {
        self.local().under_way.waiting().retain(|other| !Arc::ptr_eq(other, waiter));
    }
}
