//! The calls of this process that are under way: registered before they are sent, until a reply comes or none
//! can come any more.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Reactor;
use crate::reactor::endpoint::{CallPermit, Endpoint, Failure, Lost};
use crate::reactor::reception::Reception;
use crate::reactor::waiter::{Outcome, Waiter, Wakers};
use crate::sys::clock;

/// From how many pending calls on to look for abandoned ones.
const SWEEP: usize = 1024;

/// Every so many calls, a sender reads replies by itself, also those of abandoned calls.
const DRAIN_EVERY: u64 = 64;

/// How often a sender at the limit of calls under way looks for abandoned ones.
const SLICE: std::time::Duration = std::time::Duration::from_millis(100);

pub(super) struct Pending {
    /// `None`: abandoned, no caller waits for it. It counts until its reply has come, or its deadline has
    /// passed.
    pub(super) waiter: Option<Arc<Waiter>>,
    deadline: u64,
    /// Counts it among the calls of this process to that actor that are under way.
    _permit: CallPermit,
    endpoint: u64,
    pub(super) session: u64,
    /// The actor's incarnation when the call was made.
    incarnation: u64,
    /// How often the mailbox had been purged when the call was made.
    purges: u64,
}

impl Reactor {
    /// A number for a message, used once in this process.
    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes a permit for one more call to this actor; waits for it until `deadline` (0: not at all).
    pub(crate) fn acquire_permit(&self, endpoint: &Endpoint, deadline: u64) -> Option<CallPermit> {
        if let Some(permit) = endpoint.acquire_permit() {
            return Some(permit);
        }
        loop {
            self.look_around();
            self.forget_late();
            if let Some(permit) = endpoint.acquire_permit() {
                return Some(permit);
            }
            if deadline <= clock::now() {
                return None;
            }
            let waiter = Arc::new(Waiter::default());
            endpoint.await_permit(&waiter);
            self.wait(&waiter, Some(deadline.min(clock::after(SLICE))));
            endpoint.forget_waiting(&waiter);
        }
    }

    /// Registers a call before it is sent; returns its number, and where its reply comes in.
    pub(crate) fn expect(
        &self,
        endpoint: &Endpoint,
        waiter: &Arc<Waiter>,
        permit: CallPermit,
        purges: u64,
        deadline: u64,
    ) -> (u64, Arc<Reception>) {
        let seq = self.number();
        let incarnation = endpoint.status_page.incarnation();
        let mut inner = self.inner();
        // Under the lock: if this reception is replaced, the call either ends with it, or is registered with
        // the next one.
        let reception = self.reception();
        let session = endpoint.session(&reception);
        let waiter = Some(Arc::clone(waiter));
        let pending = Pending {
            waiter,
            deadline,
            _permit: permit,
            endpoint: endpoint.card.id,
            session,
            incarnation,
            purges,
        };
        inner.pending.insert(seq, pending);
        let is_long = inner.pending.len() > inner.sweep_at;
        drop(inner);
        if is_long {
            self.forget_late();
        }
        if seq.is_multiple_of(DRAIN_EVERY) {
            self.look_around();
        }
        (seq, reception)
    }

    /// Abandons a call, because its caller waits no more. A late reply is dropped. Returns the session of the
    /// call if its reply has not come.
    pub(crate) fn abandon(&self, seq: u64) -> Option<u64> {
        let call = self.inner().pending.get_mut(&seq).map(|call| (call.session, call.waiter.take()));
        // The waiter is dropped without the lock: the caller may have left a waker in it.
        call.map(|(session, _)| session)
    }

    /// Forgets a call that was not sent.
    pub(crate) fn withdraw(&self, seq: u64) {
        let call = self.inner().pending.remove(&seq);
        drop(call);
    }

    /// Whether a reply to the call can still come.
    pub(crate) fn is_pending(&self, seq: u64) -> bool {
        self.inner().pending.contains_key(&seq)
    }

    /// Ends a call that waited for room and was not sent.
    pub(crate) fn fail_unsent(&self, seq: u64, failure: Failure, woken: &mut Wakers) {
        let call = self.inner().pending.remove(&seq);
        if let Some(waiter) = call.and_then(|call| call.waiter) {
            waiter.complete(Outcome::Unsent(failure), woken);
        }
    }

    /// Forgets abandoned calls whose deadlines have passed, because no reply comes to those.
    fn forget_late(&self) {
        let mut inner = self.inner();
        let now = clock::now();
        inner.pending.retain(|_, call| call.waiter.is_some() || call.deadline > now);
        inner.sweep_at = (2 * inner.pending.len()).max(SWEEP);
    }

    pub(super) fn fail_calls_to(&self, endpoint: &Endpoint, lost: &Lost, woken: &mut Wakers) {
        let mut inner = self.inner();
        // A later incarnation than the last: the page lied when the call was made.
        let last = endpoint.status_page.incarnation();
        let is_lost = |seq: u64, call: &Pending| {
            call.endpoint == endpoint.card.id
                && lost.seqs.contains(&seq)
                && (call.incarnation <= lost.incarnation || call.incarnation > last)
                && call.purges < lost.before
        };
        let seqs: Vec<u64> =
            inner.pending.iter().filter(|&(&seq, call)| is_lost(seq, call)).map(|(&seq, _)| seq).collect();
        let calls: Vec<Pending> = seqs.into_iter().filter_map(|seq| inner.pending.remove(&seq)).collect();
        drop(inner);
        for call in calls {
            if let Some(waiter) = call.waiter {
                waiter.complete(lost.end.outcome(), woken);
            }
        }
    }
}
