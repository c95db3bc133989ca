//! Futures that wait for a pool: for room in its queue, and for its end.
//!
//! They are woken by the pool's thread, which holds no lock then: a waker is code of the executor.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::ipc::user_code;

/// The futures that wait.
#[derive(Default)]
pub(super) struct Awaited {
    inner: Mutex<Inner>,
    /// There is something to look at for them.
    is_due: AtomicBool,
}

#[derive(Default)]
struct Inner {
    last: u64,
    /// In the order in which they have come.
    wakers: Vec<(u64, Waker)>,
}

impl Awaited {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a change; returns whether futures wait, which the pool's thread must wake then.
    pub(super) fn note_change(&self) -> bool {
        let waits = !self.lock().wakers.is_empty();
        if waits {
            self.is_due.store(true, Ordering::SeqCst);
        }
        waits
    }

    /// Wakes the futures, if there is something to look at for them.
    pub(super) fn wake(&self) {
        if !self.is_due.swap(false, Ordering::SeqCst) {
            return;
        }
        let wakers = std::mem::take(&mut self.lock().wakers);
        for (_, waker) in wakers {
            user_code::call("a waker", || waker.wake());
        }
    }
}

/// One future's place among those that wait; used under the lock of the schedule, so that no change comes in
/// between.
#[derive(Default)]
pub(super) struct Place(Option<u64>);

impl Place {
    pub(super) fn enter(&mut self, awaited: &Awaited, waker: Waker) {
        let mut inner = awaited.lock();
        inner.last += 1;
        self.0 = Some(inner.last);
        let number = inner.last;
        inner.wakers.push((number, waker));
    }

    /// Returns whether the future was waiting; with its old waker, to be dropped without the lock.
    pub(super) fn leave(&mut self, awaited: &Awaited) -> (bool, Option<Waker>) {
        let Some(number) = self.0.take() else { return (false, None) };
        let mut inner = awaited.lock();
        let place = inner.wakers.iter().position(|(other, _)| *other == number);
        (true, place.map(|place| inner.wakers.remove(place).1))
    }
}
