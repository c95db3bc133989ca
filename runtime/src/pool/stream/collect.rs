//! Collects the outcomes of the items of a stream, in the order in which they are to be returned.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::ipc::user_code;
use crate::pool::job::{Outcome, Sink};

/// The sink of a stream.
pub(super) struct Collect {
    inner: Mutex<Collected>,
    changed: Condvar,
    abandoned: AtomicBool,
}

#[derive(Default)]
struct Collected {
    /// The outcomes of the items from `first` on, in their order; `None` for those still to come.
    in_order: VecDeque<Option<Outcome>>,
    first: u64,
    /// The outcomes in the order of their arrival, if that is wanted.
    as_they_come: Option<VecDeque<(u64, Outcome)>>,
    waiting: bool,
    /// Of a future that waits.
    waker: Option<Waker>,
}

impl Collect {
    pub(super) fn new() -> Collect {
        Collect { inner: Mutex::default(), changed: Condvar::new(), abandoned: AtomicBool::new(false) }
    }

    /// Hands outcomes out in the order of their arrival. Before the first one.
    pub(super) fn take_as_they_come(&self) {
        self.lock().as_they_come = Some(VecDeque::new());
    }

    /// Takes all outcomes that can be returned now.
    pub(super) fn take(&self, out: &mut VecDeque<(u64, Outcome)>) {
        self.lock().drain(out);
    }

    /// Waits until there is one that can be returned, and takes all of them. A pool ends each of its items,
    /// so the wait ends too.
    pub(super) fn wait(&self, out: &mut VecDeque<(u64, Outcome)>) {
        let mut inner = self.lock();
        loop {
            inner.drain(out);
            if !out.is_empty() {
                return;
            }
            inner.waiting = true;
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes all outcomes that can be returned now; has `waker` woken when there is one, if there is none.
    pub(super) fn poll(&self, out: &mut VecDeque<(u64, Outcome)>, waker: &Waker) {
        // Cloned and dropped without the lock: both run code of the executor.
        let mut kept = Some(waker.clone());
        let mut inner = self.lock();
        inner.drain(out);
        if out.is_empty() {
            std::mem::swap(&mut inner.waker, &mut kept);
        }
        drop(inner);
        drop(kept);
    }

    /// Wants no more outcomes.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// Tells the stream, if it waits, that something has come.
    fn wake(&self, mut inner: MutexGuard<'_, Collected>) {
        let wake = std::mem::take(&mut inner.waiting);
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            user_code::call("a waker", || waker.wake());
        }
        if wake {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collected {
    fn put(&mut self, index: u64, outcome: Outcome) {
        if let Some(queue) = &mut self.as_they_come {
            return queue.push_back((index, outcome));
        }
        let Some(place) = index.checked_sub(self.first).map(|place| place as usize) else { return };
        if self.in_order.len() <= place {
            self.in_order.resize_with(place + 1, || None);
        }
        self.in_order[place] = Some(outcome);
    }

    /// Takes all outcomes that can be returned now.
    fn drain(&mut self, out: &mut VecDeque<(u64, Outcome)>) {
        if let Some(queue) = &mut self.as_they_come {
            out.append(queue);
        }
        while let Some(outcome) = self.in_order.front_mut().and_then(Option::take) {
            self.in_order.pop_front();
            out.push_back((self.first, outcome));
            self.first += 1;
        }
    }
}

impl Sink for Collect {
    fn claim(&self, _: u64) -> bool {
        !self.abandoned.load(Ordering::Relaxed)
    }

    fn is_silent(&self) -> bool {
        true
    }

    fn deliver(self: Arc<Self>, index: u64, outcome: Outcome) -> bool {
        if self.abandoned.load(Ordering::Relaxed) {
            return true;
        }
        let mut inner = self.lock();
        inner.put(index, outcome);
        self.wake(inner);
        true
    }

    fn deliver_all(self: Arc<Self>, outcomes: &mut dyn Iterator<Item = (u64, Outcome)>) {
        if self.abandoned.load(Ordering::Relaxed) {
            return outcomes.for_each(drop);
        }
        let mut inner = self.lock();
        outcomes.for_each(|(index, outcome)| inner.put(index, outcome));
        self.wake(inner);
    }
}
