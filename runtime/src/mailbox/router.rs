//! The one place of a process where answers and deaths arrive.
//!
//! There is no thread for it: of those who wait, one *leads*. It waits in the kernel for everything that concerns this
//! process, hands out what comes, and passes the lead on when it has what it came for; the others sleep on their
//! slots. So a call of a lone caller is three system calls (send, wait, receive), and nobody is woken for somebody else's answer. Only when an
//! executor waits (a future was polled), a background thread takes part, and leads for as long as futures wait.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use once_cell::sync::OnceCell;

use crate::mailbox::envelope::{Answered, Body, parse};
use crate::mailbox::peer::{Lost, Peer, Place};
use crate::mailbox::reception::{ANSWERS, Fault, Reception, WAKE};
use crate::mailbox::slot::{Outcome, Slot};
use crate::process::last_words;
use crate::sys::{frame, poll, rlimit, time};

/// From how many pending calls on to look for those that nobody waits for.
const SWEEP: usize = 1024;

/// After how many calls a sender looks for answers by itself, also for those that nobody waits for any more.
const DRAIN_EVERY: u64 = 64;

/// How often a sender that waits until fewer of its calls are under way looks for those that nobody waits for any more.
const SLICE: std::time::Duration = std::time::Duration::from_millis(100);

/// How often is looked at those that have hung up and of whom it is not known why.
const DOUBT: std::time::Duration = std::time::Duration::from_millis(10);

pub(crate) struct Router {
    /// Locked for a moment only, and after `inner` where both are.
    reception: Mutex<Arc<Reception>>,
    next: AtomicU64,
    inner: Mutex<Inner>,
    buffer: Mutex<Vec<u8>>,
}

#[derive(Default)]
struct Inner {
    pending: HashMap<u64, Pending>,
    peers: HashMap<u64, Weak<Peer>>,
    /// Somebody waits in the kernel.
    leading: bool,
    /// Those who wait and do not lead.
    followers: Vec<Arc<Slot>>,
    /// Futures that wait: their deadlines, and a number of their own.
    futures: BTreeSet<(u64, u64)>,
    future_slots: HashMap<u64, Arc<Slot>>,
    background: Option<Arc<Slot>>,
    /// Peers that have hung up, of whom it is not known why.
    doubtful: Vec<Weak<Peer>>,
    /// At how many pending calls to look for those that will have no answer and that nobody waits for.
    sweep_at: usize,
}

struct Pending {
    /// `None`: nobody waits for it any more. It counts until its answer has come, or its deadline has passed.
    slot: Option<Arc<Slot>>,
    deadline: u64,
    /// Among the calls of this process to that actor that are under way.
    _place: Place,
    peer: u64,
    session: u64,
    /// The actor's incarnation when the call was made.
    incarnation: u64,
    /// How often its mailbox had been swept.
    epoch: u64,
}

static ROUTER: OnceCell<Router> = OnceCell::new();

impl Router {
    /// The router of this process.
    ///
    /// # Errors
    /// `EMFILE` and the like, if it does not exist yet and cannot be made.
    pub(crate) fn get() -> io::Result<&'static Router> {
        ROUTER.get_or_try_init(Router::new)
    }

    pub(crate) fn existing() -> Option<&'static Router> {
        ROUTER.get()
    }

    fn new() -> io::Result<Router> {
        let reception = Mutex::new(Arc::new(Reception::new(0)?));
        let (next, inner, buffer) = (AtomicU64::new(1), Mutex::default(), Mutex::new(frame::buffer()));
        Ok(Router { reception, next, inner, buffer })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where answers come in now.
    pub(crate) fn reception(&self) -> Arc<Reception> {
        Arc::clone(&self.reception.lock().unwrap_or_else(PoisonError::into_inner))
    }

    // Peers.

    /// Makes a peer known, or finds the one that is known by this id already.
    pub(crate) fn meet(&self, peer: Peer) -> io::Result<Arc<Peer>> {
        let mut inner = self.inner();
        if let Some(known) = inner.peers.get(&peer.card.id).and_then(Weak::upgrade) {
            // `peer` is dropped after the lock is released.
            drop(inner);
            return Ok(known);
        }
        let peer = Arc::new(peer);
        if let Err(error) = self.reception().set().add_edge(peer.mailbox(), peer.card.id) {
            // The peer is dropped after the lock is released: dropping it takes the lock.
            drop(inner);
            return Err(error);
        }
        inner.peers.insert(peer.card.id, Arc::downgrade(&peer));
        Ok(peer)
    }

    /// Called when the last ref of this process to an actor is dropped.
    pub(crate) fn forget_peer(&self, peer: &Peer) {
        // By hand: the kernel forgets a member only when the last process that shares the socket closes it.
        self.reception().set().remove(peer.mailbox());
        let mut inner = self.inner();
        // A duplicate that `meet` did not take was never a member; the one that is known lives on.
        if inner.peers.get(&peer.card.id).is_some_and(|known| known.strong_count() == 0) {
            inner.peers.remove(&peer.card.id);
        }
    }

    /// Looks at an actor's facts: hands out what is new, its deaths above all.
    pub(crate) fn visit(&self, peer: &Peer) {
        let lost = peer.look(&self.reception());
        if !lost.is_empty() {
            // What it answered before it died is in our channel already, and counts.
            self.read_answers(None);
            lost.into_iter().for_each(|lost| self.fail_calls_to(peer, &lost));
        }
        peer.announce();
        if peer.is_doubtful() {
            let mut inner = self.inner();
            if !inner.doubtful.iter().any(|known| std::ptr::eq(known.as_ptr(), peer)) {
                let known = inner.peers.get(&peer.card.id).cloned();
                inner.doubtful.extend(known);
            }
        }
    }

    /// Looks again at those who have hung up: somebody may have written down why, meanwhile.
    fn visit_doubtful(&self) {
        let doubtful = std::mem::take(&mut self.inner().doubtful);
        doubtful.iter().filter_map(Weak::upgrade).for_each(|peer| self.visit(&peer));
    }

    /// The reception is broken: a new one, which every actor is told of with the next call to it. Those that are under way have no answer.
    fn renew(&self, broken: &Arc<Reception>, fault: Fault) {
        let why = match fault {
            Fault::Ended => {
                "the reply channel of this process has been shut down, and replaced: has code in it, or in an actor, shut down a socket that was not its own?".to_owned()
            }
            // A process that has a supervisor is better off as a fresh one.
            Fault::Broken(error) if last_words::are_heard() => {
                last_words::leave_broken("the reply channel of this process", error)
            }
            Fault::Broken(error) => {
                // Its numbers may be somebody else's by now: they are not closed.
                std::mem::forget(Arc::clone(broken));
                format!("the reply channel of this process is broken, and was replaced: {error}; has code in it closed a descriptor that was not its own?")
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
        let peers: Vec<Arc<Peer>> = inner.peers.values().filter_map(Weak::upgrade).collect();
        drop(inner);
        for call in calls.into_values() {
            if let Some(slot) = call.slot {
                slot.complete(Outcome::Garbled(why.clone()));
            }
        }
        for peer in peers {
            // Without a descriptor for it (a set needs none) or memory its death is seen when it is called.
            let _ = self.reception().set().add_edge(peer.mailbox(), peer.card.id);
            self.visit(&peer);
        }
        tracing::error!(target: "phalanx::router", "{why}");
    }

    fn fail_calls_to(&self, peer: &Peer, lost: &Lost) {
        let mut inner = self.inner();
        let is_lost = |seq: u64, call: &Pending| {
            call.peer == peer.card.id
                && lost.seqs.contains(&seq)
                && call.incarnation <= lost.incarnation
                && call.epoch < lost.before
        };
        let seqs: Vec<u64> =
            inner.pending.iter().filter(|&(&seq, call)| is_lost(seq, call)).map(|(&seq, _)| seq).collect();
        let calls: Vec<Pending> = seqs.into_iter().filter_map(|seq| inner.pending.remove(&seq)).collect();
        drop(inner);
        for call in calls {
            if let Some(slot) = call.slot {
                slot.complete(lost.end.outcome());
            }
        }
    }

    // Calls.

    /// A number for a message, used once in this process.
    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// A place among the calls to this actor that are under way. If there is none, waits until `deadline` (0: not at all).
    pub(crate) fn take_place(&self, peer: &Peer, deadline: u64) -> Option<Place> {
        if let Some(place) = peer.take_place() {
            return Some(place);
        }
        loop {
            self.look_around();
            self.forget_late();
            if let Some(place) = peer.take_place() {
                return Some(place);
            }
            if deadline <= time::now() {
                return None;
            }
            let slot = Arc::new(Slot::default());
            peer.await_place(&slot);
            self.wait(&slot, Some(deadline.min(time::after(SLICE))));
            peer.forget_waiting(&slot);
        }
    }

    /// Registers a call before it is sent; answers its number, and where its answer comes in.
    pub(crate) fn expect(
        &self,
        peer: &Peer,
        slot: &Arc<Slot>,
        place: Place,
        epoch: u64,
        deadline: u64,
    ) -> (u64, Arc<Reception>) {
        let seq = self.number();
        let incarnation = peer.ledger.incarnation();
        let mut inner = self.inner();
        // Under the lock: when this reception is replaced, the call is either ended with it, or registered with the next one.
        let reception = self.reception();
        let session = peer.session(&reception);
        let slot = Some(Arc::clone(slot));
        let pending =
            Pending { slot, deadline, _place: place, peer: peer.card.id, session, incarnation, epoch };
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

    /// Nobody waits for this call any more; a late answer is dropped.
    pub(crate) fn abandon(&self, seq: u64) {
        let slot = self.inner().pending.get_mut(&seq).and_then(|call| call.slot.take());
        // Not under the lock: who waited may have left a waker there.
        drop(slot);
    }

    /// This call was not sent.
    pub(crate) fn withdraw(&self, seq: u64) {
        let call = self.inner().pending.remove(&seq);
        drop(call);
    }

    /// Forgets the calls that nobody waits for and that nobody will answer any more, since their deadlines have passed.
    fn forget_late(&self) {
        let mut inner = self.inner();
        let now = time::now();
        inner.pending.retain(|_, call| call.slot.is_some() || call.deadline > now);
        inner.sweep_at = (2 * inner.pending.len()).max(SWEEP);
    }

    /// Hands out what has arrived, without waiting; does nothing if somebody leads (who does it).
    pub(crate) fn look_around(&self) {
        if self.take_lead() {
            self.serve(Some(std::time::Duration::ZERO), None);
            self.pass_lead();
        }
    }

    /// Waits until there is an outcome, or the deadline passes; answers whether there is one.
    pub(crate) fn wait(&self, slot: &Arc<Slot>, deadline: Option<u64>) -> bool {
        loop {
            if slot.is_done() {
                return true;
            }
            if deadline.is_some_and(|deadline| deadline <= time::now()) {
                return false;
            }
            let leads = self.lead_or_follow(slot) || {
                slot.sleep(deadline);
                self.stop_following(slot)
            };
            if leads {
                if slot.begin_to_lead() {
                    while !slot.is_done() && deadline.is_none_or(|deadline| deadline > time::now()) {
                        self.serve(deadline.map(time::until), Some(slot));
                    }
                    slot.end_to_lead();
                }
                self.pass_lead();
            }
        }
    }

    // The lead.

    /// Has the leader come back from the kernel and look around.
    pub(crate) fn wake_leader() {
        if let Some(router) = Router::existing() {
            router.reception().wake();
        }
    }

    fn take_lead(&self) -> bool {
        !std::mem::replace(&mut self.inner().leading, true)
    }

    /// Takes the lead, or joins those who will be offered it.
    fn lead_or_follow(&self, slot: &Arc<Slot>) -> bool {
        let mut inner = self.inner();
        if inner.leading {
            inner.followers.push(Arc::clone(slot));
            return false;
        }
        inner.leading = true;
        true
    }

    /// Leaves those who follow; answers whether it leads now. An offer is taken here or not at all, even by one who has what it
    /// came for and only passes the lead on: an offer that was taken note of and then forgotten would leave the others
    /// asleep with nobody in the kernel for them.
    fn stop_following(&self, slot: &Arc<Slot>) -> bool {
        let mut inner = self.inner();
        inner.followers.retain(|other| !Arc::ptr_eq(other, slot));
        let leads = slot.take_lead() && !inner.leading;
        inner.leading |= leads;
        leads
    }

    fn pass_lead(&self) {
        let mut inner = self.inner();
        inner.leading = false;
        offer_lead(&inner);
    }

    /// One wait in the kernel, and everything that came of it. Returns early once `own` is done.
    fn serve(&self, limit: Option<std::time::Duration>, own: Option<&Slot>) {
        let (mut events, reception) = (poll::no_events(), self.reception());
        let in_doubt = !self.inner().doubtful.is_empty();
        let limit = if in_doubt { Some(limit.unwrap_or(DOUBT).min(DOUBT)) } else { limit };
        let tokens = match reception.wait(&mut events, limit) {
            Ok(tokens) => tokens,
            Err(fault) => return self.renew(&reception, fault),
        };
        for token in tokens {
            match token {
                ANSWERS => self.read_answers(own),
                WAKE => reception.clear(),
                id => {
                    let peer = self.inner().peers.get(&id).and_then(Weak::upgrade);
                    if let Some(peer) = peer {
                        self.visit(&peer);
                    }
                }
            }
        }
        if in_doubt {
            self.visit_doubtful();
        }
    }

    /// Hands out the answers that are here, or those up to the one for `own`.
    fn read_answers(&self, own: Option<&Slot>) {
        let reception = self.reception();
        if let Err(fault) = self.read_answers_from(&reception, own) {
            self.renew(&reception, fault);
        }
    }

    fn read_answers_from(&self, reception: &Reception, own: Option<&Slot>) -> Result<(), Fault> {
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        // The number of answers that can be in a socket is bounded, and so is this loop.
        for _ in 0..4096 {
            match reception.receive(&mut buffer)? {
                Some(packet) => self.hand_out(&buffer[..packet.len], packet.fds, packet.truncated),
                None => break,
            }
            if own.is_some_and(Slot::is_done) {
                break;
            }
        }
        Ok(())
    }

    fn hand_out(&self, packet: &[u8], fds: Vec<OwnedFd>, truncated: bool) {
        // What is not an answer, or not signed with the number that we gave this actor alone, is not for us.
        let Some(answer) = parse::<Answered>(packet) else { return };
        let mut inner = self.inner();
        if inner.pending.get(&answer.seq).is_none_or(|call| call.session != answer.session) {
            return;
        }
        let Some(call) = inner.pending.remove(&answer.seq) else { return };
        drop(inner);
        // The answer to a call that nobody waits for goes with what came with it.
        let Some(slot) = &call.slot else { return };
        if truncated {
            let most = rlimit::descriptors();
            let why = format!(
                "no descriptor is free in this process for what came with the answer ({most} are allowed)"
            );
            return slot.complete(Outcome::Garbled(why));
        }
        let mut fds = fds.into_iter();
        slot.complete(match Body::open(answer.payload, answer.large, &mut fds) {
            Ok(body) => Outcome::Answer { status: answer.status, body, fds: fds.collect() },
            Err(error) => Outcome::Garbled(error.to_string()),
        });
    }

    // Futures.

    /// A future waits on `slot` until `deadline`; answers the number by which [`Router::release_future`] knows it.
    pub(crate) fn attend_future(&'static self, slot: &Arc<Slot>, deadline: u64) -> io::Result<(u64, u64)> {
        let key = (deadline, self.next.fetch_add(1, Ordering::Relaxed));
        let mut inner = self.inner();
        inner.futures.insert(key);
        inner.future_slots.insert(key.1, Arc::clone(slot));
        if inner.background.is_none() {
            let own = Arc::new(Slot::default());
            let for_thread = Arc::clone(&own);
            std::thread::Builder::new()
                .name("phalanx-router".into())
                .spawn(move || self.run_background(&for_thread))?;
            inner.background = Some(own);
        }
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
        inner.future_slots.remove(&key.1);
    }

    /// Leads for as long as futures wait and nobody else does, and tells those whose deadline passes.
    fn run_background(&self, own: &Arc<Slot>) {
        loop {
            let next = self.expire_futures();
            let leads = next.is_some() && self.take_lead() || {
                own.sleep(next);
                // As in `stop_following`: what was offered is taken, or passed on.
                own.take_lead() && self.take_lead()
            };
            if leads {
                while let Some(next) = self.expire_futures() {
                    self.serve(Some(time::until(next)), None);
                }
                self.pass_lead();
            }
        }
    }

    /// Tells futures whose deadline has passed; answers the next deadline.
    fn expire_futures(&self) -> Option<u64> {
        let mut inner = self.inner();
        let now = time::now();
        let mut late = Vec::new();
        while let Some(&key) = inner.futures.first().filter(|key| key.0 <= now) {
            inner.futures.remove(&key);
            late.extend(inner.future_slots.remove(&key.1));
        }
        let next = inner.futures.first().map(|key| key.0);
        drop(inner);
        for slot in late {
            slot.complete(Outcome::Late);
        }
        next
    }
}

/// Offers the lead to the background thread if futures wait, else to the one who has followed for the shortest time (whose
/// memory is warm). It stays on the list until it answers.
fn offer_lead(inner: &Inner) {
    let background = inner.background.as_ref().filter(|_| !inner.futures.is_empty());
    if let Some(heir) = background.or(inner.followers.last()) {
        heir.hand_lead();
    }
}
