//! Replies: reading and handing them out, and replacing a reply channel that is broken.

use std::os::fd::OwnedFd;
use std::sync::{Arc, PoisonError, Weak};

use super::{DOUBT, Reactor};
use crate::ipc::envelope::{Answered, Body, parse};
use crate::reactor::endpoint::Endpoint;
use crate::reactor::last_words;
use crate::reactor::reception::{Fault, Reception};
use crate::reactor::waiter::{Outcome, Waiter, Wakers};
use crate::sys::{poll, rlimit};

impl Reactor {
    /// Hands out the replies that are here, or those up to the one for `own`.
    pub(super) fn read_answers(&self, own: Option<&Waiter>, woken: &mut Wakers) {
        let reception = self.reception();
        if let Err(fault) = self.read_answers_from(&reception, own, woken) {
            self.renew(&reception, fault, woken);
        }
    }

    fn read_answers_from(
        &self,
        reception: &Reception,
        own: Option<&Waiter>,
        woken: &mut Wakers,
    ) -> Result<(), Fault> {
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        // The number of replies that can be in a socket is bounded, and so is this loop.
        for _ in 0..4096 {
            match reception.receive(&mut buffer)? {
                Some(packet) => self.hand_out(&buffer[..packet.len], packet.fds, packet.truncated, woken),
                None => break,
            }
            if own.is_some_and(Waiter::is_done) {
                break;
            }
        }
        Ok(())
    }

    fn hand_out(&self, packet: &[u8], fds: Vec<OwnedFd>, truncated: bool, woken: &mut Wakers) {
        // A packet that is no reply, or not signed with the session that only this actor was given, is not
        // for us.
        let Some(answer) = parse::<Answered>(packet) else { return };
        let mut inner = self.inner();
        if inner.pending.get(&answer.seq).is_none_or(|call| call.session != answer.session) {
            return;
        }
        let Some(call) = inner.pending.remove(&answer.seq) else { return };
        drop(inner);
        // The reply to an abandoned call is dropped with its descriptors.
        let Some(waiter) = &call.waiter else { return };
        if truncated {
            let most = rlimit::descriptors();
            let why = format!(
                "no descriptor is free in this process for what came with the reply ({most} are allowed)"
            );
            return waiter.complete(Outcome::Garbled(why), woken);
        }
        let mut fds = fds.into_iter();
        let outcome = match Body::open(answer.payload, answer.large, &mut fds) {
            Ok(body) => Outcome::Answer { status: answer.status, body, fds: fds.collect() },
            Err(error) => Outcome::Garbled(error.to_string()),
        };
        waiter.complete(outcome, woken);
    }

    /// Replaces a broken reception. Actors are told of the new one with the next call to them. Calls that are
    /// under way get no reply.
    pub(super) fn renew(&self, broken: &Arc<Reception>, fault: Fault, woken: &mut Wakers) {
        let why = match fault {
            Fault::Ended => "the reply channel of this process has been shut down, and replaced: \
                 has code in it, or in an actor, shut down a socket that was not its own?"
                .to_owned(),
            // A process that has a supervisor is better replaced by a fresh one.
            Fault::Broken(error) if last_words::are_heard() => {
                last_words::leave_broken("the reply channel of this process", error)
            }
            Fault::Broken(error) => {
                // Its descriptor numbers may belong to other code by now, so they are not closed.
                std::mem::forget(Arc::clone(broken));
                format!(
                    "the reply channel of this process is broken, and was replaced: {error}; \
                     has code in it closed a descriptor that was not its own?"
                )
            }
        };
        let mut reception = self.reception.lock().unwrap_or_else(PoisonError::into_inner);
        if reception.number() != broken.number() {
            return;
        }
        match Reception::new(broken.number() + 1) {
            Ok(new) => *reception = Arc::new(new),
            Err(_) => {
                // The next wait tries again.
                drop(reception);
                return poll::pause(DOUBT);
            }
        }
        drop(reception);
        broken.wake();
        // From here on calls are registered with the new one, see `expect`.
        let mut inner = self.inner();
        let calls = std::mem::take(&mut inner.pending);
        let endpoints: Vec<Arc<Endpoint>> =
            inner.endpoints.values().flatten().filter_map(Weak::upgrade).collect();
        drop(inner);
        for call in calls.into_values() {
            if let Some(waiter) = call.waiter {
                waiter.complete(Outcome::Garbled(why.clone()), woken);
            }
        }
        for endpoint in endpoints {
            // If that fails (for want of memory, a set needs no descriptor), its death is seen when it is
            // called.
            let _ = self.reception().set().add_edge(endpoint.mailbox(), endpoint.card.id);
            self.look_at(&endpoint, woken);
        }
        woken.then_say(why);
    }
}
