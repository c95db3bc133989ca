//! An actor as its callers see it: the sending end of its mailbox, its ledger, and what became of it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exit::ExitReason;
use crate::mailbox::capacity;
use crate::mailbox::envelope::{Envelope, Outgoing, Sealed, packet};
use crate::mailbox::ledger::{Epitaph, Ledger, State};
use crate::mailbox::router::Router;
use crate::mailbox::slot::{Outcome, Slot};
use crate::sys::{fd, poll, process, time};

/// What a ref says about its actor, wherever it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) daemon: bool,
    /// How long a call waits by default.
    pub(crate) timeout: Duration,
}

/// One actor, once per process, however many refs there are.
pub(crate) struct Peer {
    pub(crate) card: Card,
    mailbox: OwnedFd,
    pub(crate) ledger: Ledger,
    /// What this process signs its calls to this actor with.
    session: u64,
    /// Whether the actor has our reply channel.
    announced: AtomicBool,
    fate: Mutex<Fate>,
}

/// What this process knows of the actor's end, and who wants to hear of it.
#[derive(Default)]
pub(crate) struct Fate {
    /// `Some(None)`: it went with its supervisor, which left no word.
    dead: Option<Option<Arc<Epitaph>>>,
    until_ready: Vec<Arc<Slot>>,
    until_dead: Vec<Arc<Slot>>,
}

/// Why a message was not sent.
pub(crate) enum Failure {
    Full,
    /// It was gone before.
    Gone,
    /// It died while the message waited for room.
    Died,
    Io(io::Error),
}

impl Peer {
    pub(crate) fn new(card: Card, mailbox: OwnedFd, ledger: Ledger) -> Peer {
        let (session, announced) = (process::random(), AtomicBool::new(false));
        Peer { card, mailbox, ledger, session, announced, fate: Mutex::default() }
    }

    /// The descriptors that make a ref in another process.
    pub(crate) fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.mailbox.as_fd(), self.ledger.file()]
    }

    pub(crate) fn mailbox(&self) -> BorrowedFd<'_> {
        self.mailbox.as_fd()
    }

    pub(crate) fn session(&self) -> u64 {
        self.session
    }

    fn fate(&self) -> MutexGuard<'_, Fate> {
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one message, and waits for room until `deadline` (0: not at all).
    pub(crate) fn send(
        &self,
        router: &Router,
        call: Call,
        outgoing: Outgoing,
        deadline: u64,
    ) -> Result<(), Failure> {
        let mut announcing = call.seq != 0 && !self.announced.load(Ordering::Acquire);
        let bytes = packet(&self.envelope(call, &outgoing, announcing)).map_err(Failure::Io)?;
        let mut sealed = Sealed::new(outgoing, bytes);
        let mut has_waited = false;
        loop {
            let seen = self.ledger.depth().load(Ordering::SeqCst);
            if announcing && self.announced.load(Ordering::Acquire) {
                // Another thread was first while we waited for room.
                announcing = false;
                let outgoing = sealed.into_outgoing();
                let packet = packet(&self.envelope(call, &outgoing, false)).map_err(Failure::Io)?;
                sealed = Sealed::new(outgoing, packet);
            }
            match self.send_now(router, &mut sealed, announcing) {
                Err(Failure::Full) if deadline > time::now() => {
                    capacity::wait_for_change(&self.ledger, seen, deadline);
                    has_waited = true;
                }
                Err(Failure::Gone) if has_waited => return Err(Failure::Died),
                other => return other,
            }
        }
    }

    fn envelope<'a>(
        &self,
        call: Call,
        outgoing: &'a Outgoing,
        announce: bool,
    ) -> Envelope<&'a serde_bytes::Bytes> {
        Envelope {
            session: if call.seq == 0 { 0 } else { self.session },
            seq: call.seq,
            method: call.method,
            deadline: call.deadline,
            announce,
            large: outgoing.is_large(),
            payload: outgoing.bytes(),
        }
    }

    fn send_now(&self, router: &Router, sealed: &mut Sealed, announcing: bool) -> Result<(), Failure> {
        // What its supervisor could not write down any more, the socket says when we send.
        if self.ledger.state() == State::Dead {
            return Err(Failure::Gone);
        }
        if !capacity::reserve(&self.ledger) {
            return Err(Failure::Full);
        }
        let channel = [router.reply_sender()];
        let sent = sealed.send(self.mailbox(), if announcing { &channel } else { &[] });
        match sent {
            Ok(()) => {
                if announcing {
                    self.announced.store(true, Ordering::Release);
                }
                Ok(())
            }
            Err(error) => {
                capacity::release(&self.ledger);
                Err(match error.kind() {
                    io::ErrorKind::WouldBlock => Failure::Full,
                    io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::NotConnected => Failure::Gone,
                    _ => Failure::Io(error),
                })
            }
        }
    }

    /// Whether it is gone for good, by what lies in the ledger and by what the kernel says of the socket.
    pub(crate) fn is_dead(&self) -> bool {
        self.ledger.state() == State::Dead || fd::hung_up(self.mailbox())
    }

    /// How it ended, if it has.
    pub(crate) fn epitaph(&self) -> Option<Arc<Epitaph>> {
        if let Some(Some(known)) = &self.fate().dead {
            return Some(Arc::clone(known));
        }
        if let Some(read) = self.ledger.epitaph() {
            return Some(Arc::new(read));
        }
        fd::hung_up(self.mailbox()).then(|| Arc::new(orphaned()))
    }

    pub(crate) fn ended(&self) -> Option<ExitReason> {
        self.epitaph().map(|epitaph| epitaph.reason.clone())
    }

    /// Has `slot` completed when the actor is ready or gone; [`Router::visit`] comes next.
    pub(crate) fn on_ready(&self, slot: &Arc<Slot>) {
        self.fate().until_ready.push(Arc::clone(slot));
    }

    /// Has `slot` completed when the actor is gone; [`Router::visit`] comes next.
    pub(crate) fn on_death(&self, slot: &Arc<Slot>) {
        let mut fate = self.fate();
        match &fate.dead {
            Some(dead) => slot.complete(Outcome::Dead(dead.clone())),
            None => fate.until_dead.push(Arc::clone(slot)),
        }
    }

    pub(crate) fn forget(&self, slot: &Arc<Slot>) {
        self.fate().until_dead.retain(|other| !Arc::ptr_eq(other, slot));
    }

    /// Its bell rang: looks at the facts. Answers how it ended if this is news.
    pub(crate) fn look(&self) -> Option<Option<Arc<Epitaph>>> {
        let open = poll::drain_bell(self.mailbox(), 64);
        let mut fate = self.fate();
        if self.ledger.state() == State::Ready {
            for slot in fate.until_ready.drain(..) {
                slot.complete(Outcome::Ready);
            }
        }
        let dead = self.ledger.epitaph().map(Arc::new).map(Some).or((!open).then_some(None))?;
        if fate.dead.is_some() {
            return None;
        }
        fate.dead = Some(dead.clone());
        Some(dead)
    }

    /// Tells those who watch that it is gone.
    pub(crate) fn announce_death(&self) {
        let mut fate = self.fate();
        let Some(dead) = fate.dead.clone() else { return };
        let until_ready = std::mem::take(&mut fate.until_ready);
        let watching = std::mem::take(&mut fate.until_dead);
        drop(fate);
        for slot in until_ready.into_iter().chain(watching) {
            slot.complete(Outcome::Dead(dead.clone()));
        }
    }
}

/// The message's place among others: everything in the header that is not the payload.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) seq: u64,
    pub(crate) method: u32,
    pub(crate) deadline: u64,
}

/// What is known of an actor whose supervisor was killed before it could write anything down.
pub(crate) fn orphaned() -> Epitaph {
    let reason = ExitReason::SupervisorDied;
    Epitaph { reason, code: -9, unready: false, refusal: None, in_progress: None, unserved: 0 }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(router) = Router::existing() {
            router.forget_peer(self);
        }
    }
}
