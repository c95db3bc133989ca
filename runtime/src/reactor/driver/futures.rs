//! Futures that wait, and the background thread that leads for them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Reactor;
use crate::reactor::waiter::{Outcome, Waiter, Wakers};
use crate::sys::clock;

impl Reactor {
    /// Registers a future that waits on `waiter` until `deadline`; returns its key for
    /// [`Reactor::release_future`].
    pub(crate) fn attend_future(
        &'static self,
        waiter: &Arc<Waiter>,
        deadline: u64,
    ) -> io::Result<(u64, u64)> {
        let key = (deadline, self.next.fetch_add(1, Ordering::Relaxed));
        let mut inner = self.inner();
        // First what can fail: a future that is registered without its key would stay.
        if inner.background.is_none() {
            let own = Arc::new(Waiter::default());
            let for_thread = Arc::clone(&own);
            std::thread::Builder::new()
                .name("phalanx-reactor".into())
                .spawn(move || self.run_background(&for_thread))?;
            inner.background = Some(own);
        }
        inner.futures.insert(key);
        inner.future_waiters.insert(key.1, Arc::clone(waiter));
        if let Some(background) = &inner.background {
            background.nudge();
        }
        drop(inner);
        self.reception().wake();
        Ok(key)
    }

    pub(crate) fn release_future(&self, key: (u64, u64)) {
        let mut inner = self.inner();
        inner.futures.remove(&key);
        let waiter = inner.future_waiters.remove(&key.1);
        drop(inner);
        drop(waiter);
    }

    /// Leads for as long as futures wait and no other thread leads, and tells those whose deadline passes.
    fn run_background(&self, own: &Arc<Waiter>) {
        loop {
            // Dropped last, when the lead has been passed on.
            let mut woken = Wakers::default();
            let next = self.expire_futures(&mut woken);
            if !woken.is_empty() {
                continue;
            }
            let lead = next.and_then(|_| self.take_lead()).or_else(|| {
                own.sleep(next);
                // As in `stop_following`: an offer is taken, or passed on.
                if own.take_lead() { self.take_lead() } else { None }
            });
            while lead.is_some()
                && woken.is_empty()
                && let Some(next) = self.expire_futures(&mut woken)
            {
                self.serve(Some(clock::until(next)), None, &mut woken);
            }
        }
    }

    /// Tells futures whose deadline has passed; returns the next deadline.
    fn expire_futures(&self, woken: &mut Wakers) -> Option<u64> {
        let mut inner = self.inner();
        let now = clock::now();
        let mut late = Vec::new();
        while let Some(&key) = inner.futures.first().filter(|key| key.0 <= now) {
            inner.futures.remove(&key);
            late.extend(inner.future_waiters.remove(&key.1));
        }
        let next = inner.futures.first().map(|key| key.0);
        drop(inner);
        for waiter in late {
            waiter.complete(Outcome::Late, woken);
        }
        next
    }
}
