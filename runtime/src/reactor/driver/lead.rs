//! The lead: one thread waits in the kernel for all, and the others follow.

use std::sync::{Arc, Weak};

use super::{DOUBT, Inner, Reactor};
use crate::reactor::reception::{ANSWERS, WAKE};
use crate::reactor::waiter::{Waiter, Wakers};
use crate::sys::{clock, poll};

impl Reactor {
    /// Hands out what has arrived, without waiting; does nothing while another thread leads, because that one
    /// does it.
    pub(crate) fn look_around(&self) {
        let mut woken = Wakers::default();
        if let Some(_lead) = self.take_lead() {
            self.serve(Some(std::time::Duration::ZERO), None, &mut woken);
        }
    }

    /// Waits until there is an outcome, or the deadline passes; returns whether there is one.
    pub(crate) fn wait(&self, waiter: &Arc<Waiter>, deadline: Option<u64>) -> bool {
        loop {
            if waiter.is_done() {
                return true;
            }
            if deadline.is_some_and(|deadline| deadline <= clock::now()) {
                return false;
            }
            // Dropped last, when the lead has been passed on.
            let mut woken = Wakers::default();
            let lead = self.lead_or_follow(waiter).or_else(|| {
                waiter.sleep(deadline);
                self.stop_following(waiter)
            });
            if lead.is_some()
                && let Some(_leading) = waiter.begin_to_lead()
            {
                let is_late = || deadline.is_some_and(|deadline| deadline <= clock::now());
                while woken.is_empty() && !waiter.is_done() && !is_late() {
                    self.serve(deadline.map(clock::until), Some(waiter), &mut woken);
                }
            }
        }
    }

    /// Makes the leader return from the kernel and look around.
    pub(crate) fn wake_leader() {
        if let Some(reactor) = Reactor::existing() {
            reactor.reception().wake();
        }
    }

    pub(super) fn take_lead(&self) -> Option<Lead<'_>> {
        let led = std::mem::replace(&mut self.inner().leading, true);
        // A `Lead` is passed on when it is dropped, so none is made for a thread that does not lead.
        (!led).then(|| Lead(self))
    }

    /// Takes the lead, or joins the followers, which will be offered it.
    fn lead_or_follow(&self, waiter: &Arc<Waiter>) -> Option<Lead<'_>> {
        let mut inner = self.inner();
        if inner.leading {
            inner.followers.push(Arc::clone(waiter));
            return None;
        }
        inner.leading = true;
        Some(Lead(self))
    }

    /// Leaves the followers; returns the lead, if this thread has it now. An offer is taken here or not at
    /// all, even by a thread that has its outcome and only passes the lead on: an offer taken and then
    /// forgotten would leave the others asleep with no thread in the kernel for them.
    fn stop_following(&self, waiter: &Arc<Waiter>) -> Option<Lead<'_>> {
        let mut inner = self.inner();
        inner.followers.retain(|other| !Arc::ptr_eq(other, waiter));
        let leads = waiter.take_lead() && !inner.leading;
        inner.leading |= leads;
        leads.then(|| Lead(self))
    }

    /// Waits once in the kernel, and hands out everything that came. Returns early once `own` is done.
    pub(super) fn serve(&self, limit: Option<std::time::Duration>, own: Option<&Waiter>, woken: &mut Wakers) {
        let (mut events, reception) = (poll::no_events(), self.reception());
        let in_doubt = !self.inner().doubtful.is_empty();
        let limit = if in_doubt { Some(limit.unwrap_or(DOUBT).min(DOUBT)) } else { limit };
        let tokens = match reception.wait(&mut events, limit) {
            Ok(tokens) => tokens,
            Err(fault) => return self.renew(&reception, fault, woken),
        };
        for token in tokens {
            match token {
                ANSWERS => self.read_answers(own, woken),
                WAKE => reception.clear(),
                id => {
                    let known = self.inner().endpoints.get(&id).cloned().unwrap_or_default();
                    known
                        .iter()
                        .filter_map(Weak::upgrade)
                        .for_each(|endpoint| self.look_at(&endpoint, woken));
                }
            }
        }
        if in_doubt {
            self.visit_doubtful(woken);
        }
    }
}

/// Held by the one thread that waits in the kernel for all. The lead is passed on however that ends.
pub(super) struct Lead<'a>(&'a Reactor);

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut inner = self.0.inner();
        inner.leading = false;
        offer_lead(&inner);
    }
}

/// Offers the lead to the background thread if futures wait, else to the newest follower (whose memory is
/// warm). The follower stays on the list until it takes the offer.
fn offer_lead(inner: &Inner) {
    let background = inner.background.as_ref().filter(|_| !inner.futures.is_empty());
    if let Some(heir) = background.or(inner.followers.last()) {
        heir.hand_lead();
    }
}
