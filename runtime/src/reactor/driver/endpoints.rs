//! The endpoints that the reactor watches, and what is done about their news.

use std::io;
use std::sync::{Arc, Weak};

use super::{Inner, Reactor};
use crate::reactor::endpoint::Endpoint;
use crate::reactor::waiter::Wakers;

impl Reactor {
    /// Makes an endpoint known, or returns the one that is known by its id.
    pub(crate) fn intern(&self, endpoint: Endpoint) -> io::Result<Arc<Endpoint>> {
        // Dropped after the lock is released: dropping an endpoint takes the lock.
        let endpoint = Arc::new(endpoint);
        let mut inner = self.inner();
        let known = inner.endpoints.get(&endpoint.card.id);
        if let Some(known) = known.and_then(|known| known.iter().find_map(Weak::upgrade)) {
            return Ok(known);
        }
        self.enter(&mut inner, &endpoint)?;
        Ok(Arc::clone(&endpoint))
    }

    /// Makes an endpoint of this process known, if it is not. In a copy, those that it was copied with are
    /// not.
    pub(crate) fn know(&self, endpoint: &Arc<Endpoint>) -> io::Result<()> {
        if endpoint.is_known() {
            return Ok(());
        }
        let mut inner = self.inner();
        if endpoint.is_known() { Ok(()) } else { self.enter(&mut inner, endpoint) }
    }

    fn enter(&self, inner: &mut Inner, endpoint: &Arc<Endpoint>) -> io::Result<()> {
        self.reception().set().add_edge(endpoint.mailbox(), endpoint.card.id)?;
        inner.endpoints.entry(endpoint.card.id).or_default().push(Arc::downgrade(endpoint));
        endpoint.become_known();
        Ok(())
    }

    /// Called when the last ref of this process to an actor is dropped.
    pub(crate) fn forget_endpoint(&self, endpoint: &Endpoint) {
        // By hand: the kernel forgets a member only when the last process that shares the socket closes it.
        self.reception().set().remove(endpoint.mailbox());
        let mut inner = self.inner();
        // A duplicate that `intern` did not keep was never a member; the known endpoint lives on.
        if let Some(known) = inner.endpoints.get_mut(&endpoint.card.id) {
            known.retain(|known| known.strong_count() > 0);
            if known.is_empty() {
                inner.endpoints.remove(&endpoint.card.id);
            }
        }
    }

    /// Looks at an actor's status page, and hands out what is new, its deaths above all.
    pub(crate) fn visit(&self, endpoint: &Endpoint) {
        self.look_at(endpoint, &mut Wakers::default());
    }

    pub(super) fn look_at(&self, endpoint: &Endpoint, woken: &mut Wakers) {
        let lost = endpoint.look(&self.reception(), woken);
        if !lost.is_empty() {
            // Replies that it sent before it died are in our channel already, and count.
            self.read_answers(None, woken);
            lost.into_iter().for_each(|lost| self.fail_calls_to(endpoint, &lost, woken));
        }
        endpoint.announce(woken);
        if endpoint.is_doubtful() {
            let mut inner = self.inner();
            if !inner.doubtful.iter().any(|known| std::ptr::eq(known.as_ptr(), endpoint)) {
                let known = inner.endpoints.get(&endpoint.card.id).cloned().unwrap_or_default();
                inner
                    .doubtful
                    .extend(known.into_iter().filter(|known| std::ptr::eq(known.as_ptr(), endpoint)));
            }
        }
    }

    /// Looks again at endpoints that have hung up: the reason may have been recorded meanwhile.
    pub(super) fn visit_doubtful(&self, woken: &mut Wakers) {
        let doubtful = std::mem::take(&mut self.inner().doubtful);
        doubtful.iter().filter_map(Weak::upgrade).for_each(|endpoint| self.look_at(&endpoint, woken));
    }
}
