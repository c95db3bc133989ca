//! An actor as its callers see it: the sending end of its mailbox, its ledger, and what became of it.

use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use once_cell::sync::OnceCell;
use serde::{Deserialize, Serialize};

use crate::exit::ExitReason;
use crate::mailbox::capacity;
use crate::mailbox::envelope::{Envelope, Outgoing, Sealed, packet};
use crate::mailbox::ledger::{Epitaph, HISTORY, Ledger, Phase, State};
use crate::mailbox::router::Router;
use crate::mailbox::slot::{Outcome, Slot};
use crate::sys::poll::News;
use crate::sys::verdict::Verdict;
use crate::sys::{fd, frame, poll, process, rlimit, time};

/// What a ref says about its actor, wherever it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) daemon: bool,
    /// How long a call waits by default.
    pub(crate) timeout: Duration,
    /// How deep its messages and answers may be.
    pub(crate) depth: u32,
}

/// One actor, once per process, however many refs there are.
pub(crate) struct Peer {
    pub(crate) card: Card,
    mailbox: OwnedFd,
    pub(crate) ledger: Ledger,
    /// What this process signs its calls to this actor with.
    session: u64,
    /// At which stage of its life it was sent our reply channel: see [`current`]. At a later one it may not have it: a message
    /// that is thrown away with its mailbox takes the channel with it.
    announced: AtomicU64,
    fate: Mutex<Fate>,
    /// Made when somebody wants to poll for the death.
    sentinel: OnceCell<News>,
}

/// What this process knows of the actor's deaths, and who wants to hear of them.
#[derive(Default)]
pub(crate) struct Fate {
    /// `Some(None)`: it went with its supervisor, which left no word.
    dead: Option<Option<Arc<Epitaph>>>,
    /// The last incarnation whose death has been handed out.
    seen: u64,
    /// How many sweeps of its mailbox have been.
    sweeps: u64,
    /// How many calls it could not answer.
    unheard: u64,
    until_ready: Vec<Arc<Slot>>,
    until_dead: Vec<Arc<Slot>>,
    /// Those who watch one incarnation.
    until_down: Vec<(u64, Arc<Slot>)>,
}

/// Calls that get no answer.
pub(crate) struct Lost {
    /// The first and the last of them, as far as they were made while this incarnation was the last, or earlier.
    pub(crate) seqs: RangeInclusive<u64>,
    pub(crate) incarnation: u64,
    /// Only those that were made before the mailbox was swept so often.
    pub(crate) before: u64,
    pub(crate) end: End,
}

/// Why they get none.
pub(crate) enum End {
    /// The process died. `None`: with its supervisor, which left no word.
    Died(Option<Arc<Epitaph>>),
    /// The actor has not got the reply channel that they were sent with.
    Unheard,
}

impl End {
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            End::Died(epitaph) => Outcome::Dead(epitaph.clone()),
            End::Unheard => Outcome::Unheard,
        }
    }
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

/// For how long a process may be held up between two system calls before it is taken for stopped.
const BELL: Duration = Duration::from_secs(1);

impl Peer {
    pub(crate) fn new(card: Card, mailbox: OwnedFd, ledger: Ledger) -> Peer {
        let (session, announced) = (process::random(), AtomicU64::new(0));
        Peer { card, mailbox, ledger, session, announced, fate: Mutex::default(), sentinel: OnceCell::new() }
    }

    /// The descriptors that make a ref in another process.
    pub(crate) fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.mailbox.as_fd(), self.ledger.file()]
    }

    pub(crate) fn mailbox(&self) -> BorrowedFd<'_> {
        self.mailbox.as_fd()
    }

    /// A descriptor that can be read once the death is known. While the actor lives, also after its bell has rung for something else,
    /// until this is called again.
    pub(crate) fn sentinel(&self) -> io::Result<BorrowedFd<'_>> {
        let news = self.sentinel.get_or_try_init(|| {
            self.hear_that_it_is_ready();
            News::of(self.mailbox())
        })?;
        if !self.has_ended() {
            news.wait_for_more(self.mailbox());
        }
        // The death is written down before the bell rings: what was forgotten was not this, or is seen here.
        if self.has_ended() {
            news.stay(self.mailbox());
        }
        Ok(news.as_fd())
    }

    /// A process writes down that it is ready, and rings then: whoever has read it may be faster than the bell, which is not that of a death.
    fn hear_that_it_is_ready(&self) {
        let deadline = time::after(BELL);
        while self.ledger.state() == State::Ready && deadline > time::now() {
            // Interrupted by a signal, or it rings, or it has died, or has been stopped in between.
            if poll::readable(self.mailbox(), Some(time::until(deadline))).is_ok() {
                return;
            }
        }
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
        let current = current(self.ledger.incarnation(), call.epoch);
        let is_announced = || self.announced.load(Ordering::Acquire) == current;
        let mut announcing = call.ask && !is_announced();
        let bytes = packet(&self.envelope(call, &outgoing, announcing)).map_err(Failure::Io)?;
        let mut sealed = Sealed::new(outgoing, bytes);
        let mut has_waited = false;
        loop {
            let seen = self.ledger.depth().load(Ordering::SeqCst);
            if announcing && is_announced() {
                // Another thread was first while we waited for room.
                announcing = false;
                let outgoing = sealed.into_outgoing();
                let packet = packet(&self.envelope(call, &outgoing, false)).map_err(Failure::Io)?;
                sealed = Sealed::new(outgoing, packet);
            }
            let sent = self.send_now(router, &mut sealed, announcing.then_some(current));
            if matches!(sent, Err(Failure::Full)) && !has_waited {
                self.wake_if_idle();
            }
            match sent {
                Err(Failure::Full) if deadline > time::now() => {
                    capacity::wait_for_change(&self.ledger, seen, deadline);
                    has_waited = true;
                }
                Err(Failure::Gone) if has_waited => return Err(Failure::Died),
                other => return other,
            }
        }
    }

    /// A full mailbox of an actor that does nothing: senders that were killed may have left the count too high while it slept. Awake,
    /// it sees that its queue is empty, and corrects the count.
    fn wake_if_idle(&self) {
        if self.ledger.phase() == Phase::Idle {
            // No room for it means that there is something to wake up for.
            let _ = frame::send_raw(self.mailbox(), b"w", &[]);
        }
    }

    fn envelope<'a>(
        &self,
        call: Call,
        outgoing: &'a Outgoing,
        announce: bool,
    ) -> Envelope<&'a serde_bytes::Bytes> {
        Envelope {
            session: self.session,
            seq: call.seq,
            ask: call.ask,
            method: call.method,
            deadline: call.deadline,
            limit: call.limit,
            epoch: call.epoch,
            #[cfg(debug_assertions)]
            via: crate::current::chain(),
            announce,
            large: outgoing.is_large(),
            payload: outgoing.bytes(),
        }
    }

    fn send_now(&self, router: &Router, sealed: &mut Sealed, announcing: Option<u64>) -> Result<(), Failure> {
        // What its supervisor could not write down any more, the socket says when we send.
        if matches!(self.ledger.state(), State::Dead | State::Down) {
            return Err(Failure::Gone);
        }
        if !capacity::reserve(&self.ledger) {
            return Err(Failure::Full);
        }
        let channel = [router.reply_sender()];
        let mut send = || sealed.send(self.mailbox(), if announcing.is_some() { &channel } else { &[] });
        let mut sent = send();
        if sent.as_ref().is_err_and(Verdict::passes_unseen) {
            // The kernel counts descriptors on their way against the soft limit of whoever sends.
            sent = rlimit::with_raised_descriptors(send);
        }
        match sent {
            Ok(()) => {
                if let Some(current) = announcing {
                    self.announced.store(current, Ordering::Release);
                }
                Ok(())
            }
            Err(error) => {
                capacity::release(&self.ledger);
                Err(match Verdict::of(&error) {
                    Verdict::Passes if !Verdict::passes_unseen(&error) => Failure::Full,
                    Verdict::Theirs => Failure::Gone,
                    // What passes is said, and not waited for: the arguments are still there. What is broken is one ref of this process, or an argument.
                    Verdict::Passes | Verdict::Packet | Verdict::Ours => Failure::Io(error),
                })
            }
        }
    }

    /// Whether it is gone for good, by what lies in the ledger and by what the kernel says of the socket.
    pub(crate) fn is_dead(&self) -> bool {
        self.ledger.state() == State::Dead || fd::hung_up(self.mailbox())
    }

    /// Whether it has no process, and gets none unless somebody asks its supervisor.
    fn has_ended(&self) -> bool {
        self.ledger.state() == State::Down || self.is_dead()
    }

    /// Whether it has a process.
    pub(crate) fn has_process(&self) -> bool {
        matches!(self.ledger.state(), State::Starting | State::Ready) && !fd::hung_up(self.mailbox())
    }

    /// How it ended, if it has and is not about to be restarted.
    pub(crate) fn epitaph(&self) -> Option<Arc<Epitaph>> {
        if let Some(Some(known)) = &self.fate().dead {
            return Some(Arc::clone(known));
        }
        if let Some(read) = self.ledger.epitaph() {
            return Some(Arc::new(read));
        }
        fd::hung_up(self.mailbox()).then(|| Arc::new(Epitaph::orphaned()))
    }

    pub(crate) fn ended(&self) -> Option<ExitReason> {
        self.epitaph().map(|epitaph| epitaph.end_reason())
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

    /// Has `slot` completed when the process that the actor has now is gone (at once if that is so already); answers its
    /// incarnation. [`Router::visit`] comes next.
    pub(crate) fn on_down(&self, slot: &Arc<Slot>) -> u64 {
        // One that has not been started yet is watched from its first process on.
        let incarnation = self.ledger.incarnation().max(1);
        let mut fate = self.fate();
        match &fate.dead {
            Some(dead) => slot.complete(Outcome::Dead(dead.clone())),
            None => fate.until_down.push((incarnation, Arc::clone(slot))),
        }
        incarnation
    }

    pub(crate) fn forget(&self, slot: &Arc<Slot>) {
        let mut fate = self.fate();
        fate.until_dead.retain(|other| !Arc::ptr_eq(other, slot));
        fate.until_ready.retain(|other| !Arc::ptr_eq(other, slot));
        fate.until_down.retain(|(_, other)| !Arc::ptr_eq(other, slot));
    }

    /// Its bell rang: looks at the facts. Answers the calls that are lost, as far as that is news.
    pub(crate) fn look(&self) -> Vec<Lost> {
        let open = !fd::hung_up(self.mailbox());
        // The sweeps first: why it went down is written before.
        let sweeps = self.ledger.sweeps();
        let (state, last) = (self.ledger.state(), self.ledger.last_death());
        let mut fate = self.fate();
        // One of its processes has been: that may have been stopped since, for a sibling's sake.
        if state == State::Ready || self.ledger.has_been_ready() {
            for slot in fate.until_ready.drain(..) {
                slot.complete(Outcome::Ready);
            }
        }
        let mut news = Vec::new();
        if fate.dead.is_some() {
            return news;
        }
        let (unheard, up_to) = self.ledger.unheard(self.session, fate.unheard);
        fate.unheard = unheard;
        if let Some(up_to) = up_to {
            // The next call brings the channel again.
            self.announced.store(0, Ordering::Release);
            news.push(Lost { seqs: 0..=up_to, incarnation: u64::MAX, before: u64::MAX, end: End::Unheard });
        }
        let latest = last.as_ref().map_or(0, |(incarnation, _)| *incarnation);
        // The last one that is known is looked at again: it may have been written anew.
        // And no more of them than are remembered, whatever the page says.
        for incarnation in fate.seen.max(latest.saturating_sub(HISTORY)).max(1)..=latest {
            if let Some(epitaph) = self.ledger.death_of(incarnation).map(Arc::new) {
                news.extend(self.lost_with(incarnation, &epitaph));
            }
        }
        fate.seen = fate.seen.max(latest);
        if sweeps != fate.sweeps {
            fate.sweeps = sweeps;
            let epitaph = Some(last.as_ref().map_or_else(Epitaph::orphaned, |last| last.1.clone()).into());
            let end = End::Died(epitaph);
            news.push(Lost { seqs: 0..=u64::MAX, incarnation: u64::MAX, before: sweeps, end });
        }
        let dead = match (state, open) {
            (State::Dead, _) => Some(Some(Arc::new(last.map_or_else(Epitaph::orphaned, |last| last.1)))),
            (_, false) => Some(None),
            _ => None,
        };
        if let Some(dead) = dead {
            news.push(Lost {
                seqs: 0..=u64::MAX,
                incarnation: u64::MAX,
                before: u64::MAX,
                end: End::Died(dead.clone()),
            });
            fate.dead = Some(dead);
        }
        news
    }

    /// Which calls of this process ended with that incarnation.
    fn lost_with(&self, incarnation: u64, epitaph: &Arc<Epitaph>) -> Vec<Lost> {
        let unanswered = epitaph.forsaken.iter().filter(|(session, _)| [0, self.session].contains(session));
        let busy = epitaph.in_progress.as_ref().filter(|busy| busy.session == self.session && !busy.again);
        let lost = |seqs| {
            let end = End::Died(Some(Arc::clone(epitaph)));
            Lost { seqs, incarnation, before: u64::MAX, end }
        };
        let unanswered = unanswered.map(|&(_, up_to)| lost(0..=up_to));
        unanswered.chain(busy.map(|busy| lost(busy.seq..=busy.seq))).collect()
    }

    /// Tells those who watch what has happened.
    pub(crate) fn announce(&self) {
        let mut fate = self.fate();
        let without_process = match self.ledger.state() {
            State::Down => Some(self.ledger.last_death().map(|last| Arc::new(last.1))),
            _ => None,
        };
        let dead = fate.dead.clone();
        let mut told = Vec::new();
        if let Some(gone) = dead.clone().or(without_process) {
            let watching =
                std::mem::take(&mut fate.until_dead).into_iter().chain(std::mem::take(&mut fate.until_ready));
            told.extend(watching.map(|slot| (slot, gone.clone())));
        }
        let seen = fate.seen;
        for (incarnation, slot) in std::mem::take(&mut fate.until_down) {
            if incarnation <= seen || dead.is_some() {
                let known = self.ledger.death_of(incarnation).map(Arc::new);
                told.push((slot, known.or_else(|| dead.clone().flatten())));
            } else {
                fate.until_down.push((incarnation, slot));
            }
        }
        drop(fate);
        for (slot, epitaph) in told {
            slot.complete(Outcome::Dead(epitaph));
        }
    }
}

/// The message's place among others: everything in the header that is not the payload.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) seq: u64,
    pub(crate) ask: bool,
    pub(crate) method: u32,
    pub(crate) deadline: u64,
    pub(crate) limit: u64,
    /// How often the mailbox has been swept.
    pub(crate) epoch: u64,
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(router) = Router::existing() {
            router.forget_peer(self);
        }
    }
}

/// A number for the stage of an actor's life, never 0: its incarnation, and how often its mailbox has been swept.
fn current(incarnation: u64, epoch: u64) -> u64 {
    (epoch << 32 | incarnation & u64::from(u32::MAX)).wrapping_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::channel;

    #[test]
    fn a_sender_that_finds_a_sleeping_actor_full_wakes_it() {
        let (sender, receiver) = channel::pair::<Envelope>().unwrap();
        let ledger = Ledger::create(1, false).unwrap();
        // As a sender leaves it that is killed between counting and sending.
        assert!(capacity::reserve(&ledger));
        let card =
            Card { id: 6, name: "full".into(), daemon: false, timeout: Duration::from_secs(1), depth: 128 };
        let peer = Peer::new(card, sender, ledger);
        let call = Call { seq: 1, ask: false, method: 0, deadline: 0, limit: 0, epoch: 0 };
        let sent = peer.send(Router::get().unwrap(), call, Outgoing::text(""), 0);
        assert!(matches!(sent, Err(Failure::Full)));
        let mut buffer = [0; 16];
        let woken = frame::receive(receiver.as_fd(), &mut buffer, false).unwrap().unwrap();
        assert_eq!(&buffer[..woken.len], b"w");
    }
}
