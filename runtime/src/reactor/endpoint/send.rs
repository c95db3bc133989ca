//! Sending one message to an actor: room in its mailbox, the reply channel, and what came of it.

use std::io;
use std::sync::atomic::Ordering;

use super::Endpoint;
use crate::ipc::capacity;
use crate::ipc::envelope::{Envelope, Outgoing, Sealed, packet};
#[cfg(debug_assertions)]
use crate::reactor::context;
use crate::reactor::reception::Reception;
use crate::status::{Phase, State};
use crate::sys::verdict::Verdict;
use crate::sys::{clock, rlimit, seqpacket};

/// The header of a message, without the payload.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) seq: u64,
    pub(crate) ask: bool,
    pub(crate) method: u32,
    pub(crate) deadline: u64,
    pub(crate) limit: u64,
    /// How often the mailbox had been purged.
    pub(crate) purges: u64,
}

/// Why a message was not sent.
pub(crate) enum Failure {
    Full,
    /// The actor was gone before.
    Gone,
    /// The actor died while the message waited for room.
    Died,
    Io(io::Error),
}

impl Endpoint {
    /// Sends one message, and waits for room until `deadline` (0: not at all). A message that was not sent is
    /// given back.
    pub(crate) fn send(
        &self,
        reception: &Reception,
        call: Call,
        outgoing: Outgoing,
        deadline: u64,
    ) -> Result<(), (Failure, Outgoing)> {
        // What has come before it goes first.
        if !self.await_parked(deadline) {
            return Err((Failure::Full, outgoing));
        }
        let current = current(self.status_page.incarnation(), call.purges, reception.number());
        let session = self.session(reception);
        let is_announced = || self.local().announced.load(Ordering::Acquire) == current;
        let mut announcing = call.ask && !is_announced();
        let mut sealed = seal(session, call, outgoing, announcing)?;
        let mut has_waited = false;
        loop {
            let seen = self.status_page.depth().load(Ordering::SeqCst);
            if announcing && is_announced() {
                // Another thread was first while we waited for room.
                announcing = false;
                sealed = seal(session, call, sealed.into_outgoing(), false)?;
            }
            let sent = self.send_now(reception, &mut sealed, announcing.then_some(current));
            if matches!(sent, Err(Failure::Full)) && !has_waited {
                self.wake_if_idle();
            }
            match sent {
                Err(Failure::Full) if deadline > clock::now() => {
                    capacity::wait_for_change(&self.status_page, seen, deadline);
                    has_waited = true;
                }
                Err(Failure::Gone) if has_waited => return Err((Failure::Died, sealed.into_outgoing())),
                other => return other.map_err(|failure| (failure, sealed.into_outgoing())),
            }
        }
    }

    /// Sends one message if there is room for it now.
    ///
    /// # Errors
    /// Why it was not sent, and the message.
    pub(super) fn send_at_once(
        &self,
        reception: &Reception,
        call: Call,
        outgoing: Outgoing,
    ) -> Result<(), (Failure, Outgoing)> {
        let current = current(self.status_page.incarnation(), call.purges, reception.number());
        let announcing = call.ask && self.local().announced.load(Ordering::Acquire) != current;
        let mut sealed = seal(self.session(reception), call, outgoing, announcing)?;
        let sent = self.send_now(reception, &mut sealed, announcing.then_some(current));
        sent.map_err(|failure| (failure, sealed.into_outgoing()))
    }

    /// Wakes an actor that sleeps while its mailbox counts as full: senders that were killed may have left
    /// the count too high. Awake, it sees that its queue is empty, and corrects the count.
    pub(crate) fn wake_if_idle(&self) {
        if self.status_page.phase() == Phase::Idle {
            // If there is no room, there is a message to wake up for.
            let _ = seqpacket::send_raw(self.mailbox(), b"w", &[]);
        }
    }

    fn send_now(
        &self,
        reception: &Reception,
        sealed: &mut Sealed,
        announcing: Option<u64>,
    ) -> Result<(), Failure> {
        // If its supervisor could not record the death, the socket reports it when we send.
        if matches!(self.status_page.state(), State::Dead | State::Down) {
            return Err(Failure::Gone);
        }
        if !capacity::reserve(&self.status_page) {
            return Err(Failure::Full);
        }
        let channel = [reception.sender()];
        let mut send = || sealed.send(self.mailbox(), if announcing.is_some() { &channel } else { &[] });
        let mut sent = send();
        if sent.as_ref().is_err_and(Verdict::passes_unseen) {
            // The kernel counts descriptors on their way against the sender's soft limit.
            sent = rlimit::with_raised_descriptors(send);
        }
        match sent {
            Ok(()) => {
                if let Some(current) = announcing {
                    self.local().announced.store(current, Ordering::Release);
                }
                Ok(())
            }
            Err(error) => {
                capacity::release(&self.status_page);
                Err(match Verdict::of(&error) {
                    Verdict::Passes if !Verdict::passes_unseen(&error) => Failure::Full,
                    Verdict::Theirs => Failure::Gone,
                    // An error that passes is returned and not waited for: the arguments are still there. If
                    // something is broken, it is one ref of this process, or an argument.
                    Verdict::Passes | Verdict::Packet | Verdict::Ours => Failure::Io(error),
                })
            }
        }
    }
}

/// Puts a header around a payload.
fn seal(session: u64, call: Call, outgoing: Outgoing, announce: bool) -> Result<Sealed, (Failure, Outgoing)> {
    match packet(&envelope(session, call, &outgoing, announce)) {
        Ok(packet) => Ok(Sealed::new(outgoing, packet)),
        Err(error) => Err((Failure::Io(error), outgoing)),
    }
}

fn envelope(session: u64, call: Call, outgoing: &Outgoing, announce: bool) -> Envelope<&serde_bytes::Bytes> {
    Envelope {
        session,
        seq: call.seq,
        ask: call.ask,
        method: call.method,
        deadline: call.deadline,
        limit: call.limit,
        purges: call.purges,
        #[cfg(debug_assertions)]
        via: context::chain(),
        announce,
        large: outgoing.is_large(),
        payload: outgoing.bytes(),
    }
}

/// A number, never 0, for the stage of an actor's life and of ours: its incarnation, how often its mailbox
/// has been purged, and which of our reply channels this is.
fn current(incarnation: u64, purges: u64, channel: u64) -> u64 {
    let stage = (channel << 48) | ((purges & 0xffff) << 32) | (incarnation & u64::from(u32::MAX));
    stage.wrapping_add(1)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::*;
    use crate::ipc::channel;
    use crate::reactor::driver::Reactor;
    use crate::reactor::endpoint::Card;
    use crate::status::StatusPage;

    #[test]
    fn a_sender_that_finds_a_sleeping_actor_full_wakes_it() {
        let (sender, receiver) = channel::pair::<Envelope>().unwrap();
        let status_page = StatusPage::create(1, false).unwrap();
        // A sender that is killed between counting and sending leaves the page so.
        assert!(capacity::reserve(&status_page));
        let card =
            Card { id: 6, name: "full".into(), daemon: false, timeout: Duration::from_secs(1), depth: 128 };
        let endpoint = Endpoint::new(card, sender, status_page);
        let call = Call { seq: 1, ask: false, method: 0, deadline: 0, limit: 0, purges: 0 };
        let sent = endpoint.send(&Reactor::get().unwrap().reception(), call, Outgoing::text(""), 0);
        assert!(matches!(sent, Err((Failure::Full, _))));
        let mut buffer = [0; 16];
        let woken = seqpacket::receive(receiver.as_fd(), &mut buffer, false).unwrap().unwrap();
        assert_eq!(&buffer[..woken.len], b"w");
    }
}
