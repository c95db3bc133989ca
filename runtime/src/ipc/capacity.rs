//! Mailbox capacity: reserving a place, and waiting for one.
//!
//! The depth lies in the status page. A sender raises it before it sends, and the actor lowers it when it
//! takes the message out, so it never exceeds the capacity. A sender that is killed between the two leaves
//! the count too high; the actor sees that when its queue is empty, and corrects it (see [`Correction`]).

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use crate::status::StatusPage;
use crate::sys::{clock, futex};

/// The longest sleep for room, so that a lost wake-up or a vanished peer costs at most this much.
const SLICE: Duration = Duration::from_millis(20);

/// How long the queue must have been empty and the count unchanged before the count is corrected.
const SETTLED: Duration = Duration::from_millis(100);

/// Takes a place in the mailbox, if there is one.
pub(crate) fn reserve(status_page: &StatusPage) -> bool {
    let capacity = status_page.capacity();
    status_page.depth().fetch_update(SeqCst, SeqCst, |depth| (depth < capacity).then(|| depth + 1)).is_ok()
}

/// Gives a place back: the message was not sent, or has been taken out.
pub(crate) fn release(status_page: &StatusPage) {
    let _ = status_page.depth().fetch_update(SeqCst, SeqCst, |depth| depth.checked_sub(1));
    if status_page.waiting().load(SeqCst) > 0 {
        // All of them: a place also means room in the socket, for which others may wait under another count.
        futex::wake(status_page.depth(), i32::MAX);
    }
}

/// Sleeps until the depth changes, the deadline passes or a slice of time is over; the caller looks again.
pub(crate) fn wait_for_change(status_page: &StatusPage, seen: u32, deadline: u64) {
    status_page.waiting().fetch_add(1, SeqCst);
    if status_page.depth().load(SeqCst) == seen {
        futex::wait(status_page.depth(), seen, clock::until(deadline).min(SLICE));
    }
    let _ = status_page.waiting().fetch_update(SeqCst, SeqCst, |waiting| waiting.checked_sub(1));
}

/// How many messages are counted.
pub(crate) fn depth(status_page: &StatusPage) -> u32 {
    status_page.depth().load(SeqCst)
}

/// Ends the sleeps in [`wait_for_change`], though nothing has changed.
pub(crate) fn nudge(status_page: &StatusPage) {
    futex::wake(status_page.depth(), i32::MAX);
}

/// The actor's side of the count: notices places that killed senders have kept.
#[derive(Default)]
pub(crate) struct Correction {
    /// The depth that was seen over an empty queue.
    seen: Option<u32>,
}

impl Correction {
    /// Called when the queue is empty. Returns how long to wait for a message before looking again, if the
    /// count needs it.
    pub(crate) fn queue_is_empty(&mut self, status_page: &StatusPage) -> Option<Duration> {
        let depth = status_page.depth().load(SeqCst);
        if depth == 0 {
            self.seen = None;
            return None;
        }
        if self.seen == Some(depth) {
            // No message has come or gone for a while: what is counted does not exist.
            if status_page.depth().compare_exchange(depth, 0, SeqCst, SeqCst).is_ok() {
                futex::wake(status_page.depth(), i32::MAX);
            }
            self.seen = None;
            return None;
        }
        self.seen = Some(depth);
        Some(SETTLED)
    }

    /// Called when a message came.
    pub(crate) fn queue_moved(&mut self) {
        self.seen = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_places_than_the_capacity() {
        let status_page = StatusPage::create(2, false).unwrap();
        assert!(reserve(&status_page) && reserve(&status_page) && !reserve(&status_page));
        release(&status_page);
        assert!(reserve(&status_page));
    }

    #[test]
    fn places_kept_by_killed_senders_come_back() {
        let status_page = StatusPage::create(2, false).unwrap();
        assert!(reserve(&status_page) && reserve(&status_page));
        let mut correction = Correction::default();
        assert_eq!(correction.queue_is_empty(&status_page), Some(SETTLED));
        assert_eq!(correction.queue_is_empty(&status_page), None);
        assert!(reserve(&status_page));
    }

    #[test]
    fn a_page_that_says_the_most_is_full() {
        let status_page = StatusPage::create(u32::MAX, false).unwrap();
        status_page.depth().store(u32::MAX, SeqCst);
        assert!(!reserve(&status_page));
        status_page.waiting().store(u32::MAX, SeqCst);
        wait_for_change(&status_page, 0, 0);
    }

    #[test]
    fn releasing_too_often_does_not_wrap() {
        let status_page = StatusPage::create(1, false).unwrap();
        release(&status_page);
        assert_eq!(status_page.depth().load(SeqCst), 0);
    }
}
