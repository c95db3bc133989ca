//! How a supervisor learns that a child is ready or has a request: the doorbell, the notifications with a
//! slot for each child, and the children being started.
//!
//! [`Readiness`] holds a key from the fork of the process until the process is known to be ready or has
//! ended: exactly as long as that process has a [`Starting`](super::running::Starting). A slot belongs to one
//! child until the child is forgotten. While a child that does not ring is being started, a look at the
//! notifications is due.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};

use super::timers::Polling;
use crate::control::notification::{Notifications, Signal, Slot, Slots, is_from_beyond};
use crate::policy::Key;
use crate::sys::poll::Event as Bell;

pub(super) struct Readiness {
    /// What a child rings when it has set one of its bits.
    doorbell: &'static Bell,
    notifications: Notifications,
    slots: Slots,
    /// The starting children, and whether each is lazy: it does not ring when it is ready.
    starting: BTreeMap<Key, bool>,
    /// When to look at the notifications for lazy children.
    lazy: Polling,
}

impl Readiness {
    pub(super) fn new(doorbell: &'static Bell, notifications: Notifications) -> Readiness {
        let (starting, lazy) = (BTreeMap::new(), Polling::default());
        Readiness { doorbell, notifications, slots: Slots::default(), starting, lazy }
    }

    pub(super) fn doorbell(&self) -> BorrowedFd<'_> {
        self.doorbell.as_fd()
    }

    /// Clears the doorbell. Returns whether a child without a slot has rung: then all of those are to be
    /// checked.
    pub(super) fn clear_doorbell(&self) -> bool {
        is_from_beyond(self.doorbell.clear())
    }

    /// A slot for this child; `None` if there are too many children.
    pub(super) fn slot_for(&mut self, key: Key) -> Option<u32> {
        self.slots.give(key)
    }

    pub(super) fn free(&mut self, slot: u32) {
        self.slots.take_back(slot);
    }

    /// What a child needs to set its bits. If it is `lazy`, it does not ring when it is ready.
    pub(super) fn slot(&self, number: Option<u32>, lazy: bool) -> Slot {
        self.notifications.slot(number, self.doorbell, lazy)
    }

    /// Notes that a process of this child was forked, or released at its latch.
    pub(super) fn begin(&mut self, key: Key, lazy: bool, now: u64) {
        if lazy {
            self.lazy.begin(now);
        }
        self.starting.insert(key, lazy);
    }

    /// Notes that its process is ready, or has ended. Returns whether it was still starting.
    pub(super) fn end(&mut self, key: Key) -> bool {
        self.starting.remove(&key).is_some()
    }

    pub(super) fn is_starting(&self, key: Key) -> bool {
        self.starting.contains_key(&key)
    }

    pub(super) fn starting(&self) -> Vec<Key> {
        self.starting.keys().copied().collect()
    }

    /// The children that set this signal since the last time.
    pub(super) fn take(&self, signal: Signal) -> Vec<Key> {
        let said = self.notifications.take(signal, self.slots.len());
        said.into_iter().filter_map(|slot| self.slots.who(slot)).collect()
    }

    pub(super) fn due(&self) -> Option<u64> {
        self.lazy.due()
    }

    /// Whether to look at the notifications for lazy children now.
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.lazy.is_due(now)
    }

    /// Notes that they were looked at.
    pub(super) fn end_look(&mut self, now: u64) {
        let left = self.starting.values().any(|&lazy| lazy);
        self.lazy.again(left, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readiness() -> Readiness {
        Readiness::new(Box::leak(Box::new(Bell::new().unwrap())), Notifications::new().unwrap())
    }

    #[test]
    fn a_child_is_known_by_its_slot_until_that_is_free_again() {
        let mut readiness = readiness();
        let slot = readiness.slot_for(7);
        readiness.slot(slot, true).say(Signal::Ready);
        assert!(!readiness.clear_doorbell());
        assert_eq!((readiness.take(Signal::Look), readiness.take(Signal::Ready)), (vec![], vec![7]));
        readiness.slot(slot, true).say(Signal::Ready);
        readiness.free(slot.unwrap());
        assert_eq!(readiness.take(Signal::Ready), [], "of a child that is forgotten");
    }

    #[test]
    fn a_child_without_a_slot_rings_for_all_of_those() {
        let readiness = readiness();
        readiness.slot(None, true).say(Signal::Look);
        assert!(readiness.clear_doorbell());
        assert!(!readiness.clear_doorbell());
    }

    #[test]
    fn notifications_are_looked_at_while_a_child_is_being_started_that_does_not_ring() {
        let mut readiness = readiness();
        readiness.begin(1, false, 0);
        assert_eq!(readiness.due(), None);
        readiness.begin(2, true, 0);
        let at = readiness.due().unwrap();
        assert!(readiness.is_due(at) && !readiness.is_due(at - 1));
        readiness.end_look(at);
        assert!(readiness.due().is_some_and(|next| next > at));
        assert_eq!(readiness.starting(), [1, 2]);
        assert!(readiness.end(2) && !readiness.end(2) && !readiness.is_starting(2));
        readiness.end_look(u64::MAX / 2);
        assert_eq!((readiness.due(), readiness.is_starting(1)), (None, true));
    }
}
