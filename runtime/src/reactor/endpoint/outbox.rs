//! Messages that have left their caller, and wait for room in front of a full mailbox.
//!
//! A caller that must not block does not wait for room: what finds none is parked here, in its order, and sent
//! by the [room thread](crate::reactor::room) when there is some. While anything is parked, every other
//! message of this process to the same actor queues up behind it: one that may wait does, one that may not
//! finds the mailbox full. So the order of the messages that a thread or task sends is kept.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::{Call, Endpoint, Failure, UNDER_WAY};
use crate::ipc::envelope::Outgoing;
use crate::reactor::driver::Reactor;
use crate::reactor::reception::Reception;
use crate::reactor::room;
use crate::reactor::waiter::{Outcome, Waiter, Wakers};
use crate::sys::clock;

/// The messages of this process that are parked in front of one mailbox.
#[derive(Default)]
pub(super) struct Outbox {
    /// How many they are; changed under the lock.
    count: AtomicUsize,
    inner: Mutex<Inner>,
    /// Notified when nothing is parked any more.
    emptied: Condvar,
}

#[derive(Default)]
struct Inner {
    parked: VecDeque<Parked>,
    /// The first of their deadlines, or an earlier moment.
    earliest: u64,
    /// Why the first tell was lost that has been since the last flush.
    lost: Option<Failure>,
    flushing: Vec<Arc<Waiter>>,
}

struct Parked {
    reception: Arc<Reception>,
    call: Call,
    outgoing: Outgoing,
    /// Until when it waits for room.
    deadline: u64,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a change of what is parked.
    fn note(&self, inner: &mut Inner, woken: &mut Wakers) {
        self.count.store(inner.parked.len(), Ordering::SeqCst);
        if inner.parked.is_empty() {
            self.emptied.notify_all();
            for waiter in inner.flushing.drain(..) {
                waiter.complete(Outcome::Ready, woken);
            }
        }
    }
}

impl Endpoint {
    fn outbox(&self) -> &Outbox {
        &self.local().outbox
    }

    /// Whether a message of this process waits for room.
    pub(crate) fn has_parked(&self) -> bool {
        self.outbox().count.load(Ordering::SeqCst) > 0
    }

    /// Waits until nothing is parked, so that the next message is in its order; returns whether that is so by
    /// `deadline`.
    pub(super) fn await_parked(&self, deadline: u64) -> bool {
        if !self.has_parked() {
            return true;
        }
        let outbox = self.outbox();
        let mut inner = outbox.lock();
        while !inner.parked.is_empty() {
            if deadline <= clock::now() {
                return false;
            }
            let left = clock::until(deadline);
            inner = outbox.emptied.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Sends one message, or parks it until there is room or `deadline` passes. Does not block.
    ///
    /// # Errors
    /// If it can neither be sent nor parked, with the message; with as many messages parked as calls may be under way, it is
    /// `Full`.
    pub(crate) fn send_or_park(
        self: &Arc<Endpoint>,
        reception: &Arc<Reception>,
        call: Call,
        mut outgoing: Outgoing,
        deadline: u64,
    ) -> Result<(), (Failure, Outgoing)> {
        let outbox = self.outbox();
        let mut inner = outbox.lock();
        if inner.parked.is_empty() {
            match self.send_at_once(reception, call, outgoing) {
                Ok(()) => return Ok(()),
                Err((Failure::Full, back)) => outgoing = back,
                Err(back) => return Err(back),
            }
            self.wake_if_idle();
        } else if inner.parked.len() >= UNDER_WAY as usize {
            return Err((Failure::Full, outgoing));
        }
        let earliest = if inner.parked.is_empty() { deadline } else { inner.earliest.min(deadline) };
        // Counted before it is watched: the thread forgets an endpoint that has nothing parked.
        let before = inner.parked.len();
        outbox.count.store(before + 1, Ordering::SeqCst);
        if let Err(error) = room::watch(self) {
            outbox.count.store(before, Ordering::SeqCst);
            return Err((Failure::Io(error), outgoing));
        }
        inner.earliest = earliest;
        inner.parked.push_back(Parked { reception: Arc::clone(reception), call, outgoing, deadline });
        Ok(())
    }

    /// Sends what there is room for, in its order, and gives up what cannot be sent any more.
    pub(crate) fn send_parked(&self, reactor: &Reactor, woken: &mut Wakers) {
        let outbox = self.outbox();
        let mut inner = outbox.lock();
        let mut unsent = take_late(&mut inner);
        // If its supervisor could not record the death, the mailbox may count as full for ever.
        let is_gone = self.is_dead();
        while let Some(Parked { reception, call, outgoing, deadline }) = inner.parked.pop_front() {
            if call.ask && !reactor.is_pending(call.seq) {
                // It has failed, with its reply channel or with the actor.
                continue;
            }
            if is_gone {
                unsent.push((call, Failure::Died));
                continue;
            }
            match self.send_at_once(&reception, call, outgoing) {
                Ok(()) => {}
                Err((Failure::Full, outgoing)) => {
                    inner.parked.push_front(Parked { reception, call, outgoing, deadline });
                    break;
                }
                Err((Failure::Gone, _)) => unsent.push((call, Failure::Died)),
                Err((failure, _)) => unsent.push((call, failure)),
            }
        }
        let mut lost = Vec::new();
        for (call, failure) in unsent {
            if call.ask {
                lost.push((call.seq, failure));
            } else {
                inner.lost = inner.lost.take().or(Some(failure));
            }
        }
        outbox.note(&mut inner, woken);
        drop(inner);
        for (seq, failure) in lost {
            reactor.fail_unsent(seq, failure, woken);
        }
    }

    /// Takes back a call that is still parked; returns whether it was.
    pub(crate) fn take_back(&self, seq: u64) -> bool {
        if !self.has_parked() {
            return false;
        }
        let mut woken = Wakers::default();
        let outbox = self.outbox();
        let mut inner = outbox.lock();
        let place = inner.parked.iter().position(|parked| parked.call.ask && parked.call.seq == seq);
        let taken = place.and_then(|place| inner.parked.remove(place));
        outbox.note(&mut inner, &mut woken);
        drop(inner);
        taken.is_some()
    }

    /// Ready when nothing is parked; with the reason if a tell was lost since the last time.
    pub(crate) fn poll_flushed(&self, waiter: &Arc<Waiter>, waker: &Waker) -> Poll<Option<Failure>> {
        loop {
            let mut inner = self.outbox().lock();
            if inner.parked.is_empty() {
                return Poll::Ready(inner.lost.take());
            }
            if !inner.flushing.iter().any(|other| Arc::ptr_eq(other, waiter)) {
                inner.flushing.push(Arc::clone(waiter));
            }
            drop(inner);
            if waiter.poll(waker).is_none() {
                return Poll::Pending;
            }
            // It was empty just now; more may have come.
        }
    }

    pub(crate) fn forget_flush(&self, waiter: &Arc<Waiter>) {
        self.outbox().lock().flushing.retain(|other| !Arc::ptr_eq(other, waiter));
    }
}

/// Takes out what has waited for room until its deadline.
fn take_late(inner: &mut Inner) -> Vec<(Call, Failure)> {
    let now = clock::now();
    if inner.earliest > now {
        return Vec::new();
    }
    let is_late = |parked: &Parked| parked.deadline <= now;
    let all = std::mem::take(&mut inner.parked).into_iter();
    let (late, rest): (Vec<Parked>, Vec<Parked>) = all.partition(is_late);
    inner.earliest = rest.iter().map(|parked| parked.deadline).min().unwrap_or(u64::MAX);
    inner.parked = rest.into();
    late.into_iter().map(|parked| (parked.call, Failure::Full)).collect()
}
