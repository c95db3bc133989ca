//! The one place of a process where answers and deaths arrive.
//!
//! There is no thread for it: of those who wait, one *leads*. It waits in the kernel for everything that concerns this
//! process, hands out what comes, and passes the lead on when it has what it came for; the others sleep on their
//! slots. So a call of a lone caller is three system calls (send, wait, receive), and nobody is woken for somebody else's answer. Only when an
//! executor waits (a future was polled), a background thread takes part, and leads for as long as futures wait.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use once_cell::sync::OnceCell;

use crate::mailbox::channel;
use crate::mailbox::envelope::{Answered, Body, parse};
use crate::mailbox::peer::{Lost, Peer};
use crate::mailbox::slot::{Outcome, Slot};
use crate::sys::poll::{self, Epoll, Event};
use crate::sys::{frame, time};

/// Tokens of the epoll set; every other token is the id of a peer.
const ANSWERS: u64 = 0;
const WAKE: u64 = 1;

/// After how many calls a sender looks for answers by itself, also for those that nobody waits for any more.
const DRAIN_EVERY: u64 = 64;

pub(crate) struct Router {
    reply_sender: OwnedFd,
    reply_receiver: OwnedFd,
    epoll: Epoll,
    /// Interrupts the leader's wait.
    wake: Event,
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
}

struct Pending {
    slot: Arc<Slot>,
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
        let (reply_sender, reply_receiver) = channel::pair::<Answered>()?;
        let (epoll, wake) = (Epoll::new()?, Event::new()?);
        epoll.add(reply_receiver.as_fd(), ANSWERS)?;
        epoll.add(wake.as_fd(), WAKE)?;
        let (next, inner, buffer) = (AtomicU64::new(1), Mutex::default(), Mutex::new(frame::buffer()));
        Ok(Router { reply_sender, reply_receiver, epoll, wake, next, inner, buffer })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reply_sender(&self) -> BorrowedFd<'_> {
        self.reply_sender.as_fd()
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
        if let Err(error) = self.epoll.add_edge(peer.mailbox(), peer.card.id) {
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
        self.epoll.remove(peer.mailbox());
        let mut inner = self.inner();
        // A duplicate that `meet` did not take was never a member; the one that is known lives on.
        if inner.peers.get(&peer.card.id).is_some_and(|known| known.strong_count() == 0) {
            inner.peers.remove(&peer.card.id);
        }
    }

    /// Looks at an actor's facts: hands out what is new, its deaths above all.
    pub(crate) fn visit(&self, peer: &Peer) {
        let lost = peer.look();
        if !lost.is_empty() {
            // What it answered before it died is in our channel already, and counts.
            self.read_answers(None);
            lost.into_iter().for_each(|lost| self.fail_calls_to(peer, &lost));
        }
        peer.announce();
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
            call.slot.complete(lost.end.outcome());
        }
    }

    // Calls.

    /// A number for a message, used once in this process.
    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Registers a call before it is sent; answers its number.
    pub(crate) fn expect(&self, peer: &Peer, slot: &Arc<Slot>, epoch: u64) -> u64 {
        let seq = self.number();
        let (session, incarnation) = (peer.session(), peer.ledger.incarnation());
        let pending = Pending { slot: Arc::clone(slot), peer: peer.card.id, session, incarnation, epoch };
        self.inner().pending.insert(seq, pending);
        if seq.is_multiple_of(DRAIN_EVERY) {
            self.look_around();
        }
        seq
    }

    /// Nobody waits for this call any more; a late answer is dropped.
    pub(crate) fn abandon(&self, seq: u64) {
        self.inner().pending.remove(&seq);
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
            router.wake.set();
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
        let mut events = poll::no_events();
        for token in self.epoll.wait(&mut events, limit) {
            match token {
                ANSWERS => self.read_answers(own),
                WAKE => drop(self.wake.clear()),
                id => {
                    let peer = self.inner().peers.get(&id).and_then(Weak::upgrade);
                    if let Some(peer) = peer {
                        self.visit(&peer);
                    }
                }
            }
        }
    }

    /// Hands out the answers that are here, or those up to the one for `own`.
    fn read_answers(&self, own: Option<&Slot>) {
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        // The number of answers that can be in a socket is bounded, and so is this loop.
        for _ in 0..4096 {
            match frame::receive(self.reply_receiver.as_fd(), &mut buffer, false) {
                Ok(Some(packet)) if !packet.truncated => self.hand_out(&buffer[..packet.len], packet.fds),
                Ok(Some(_)) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(None) | Err(_) => return,
            }
            if own.is_some_and(Slot::is_done) {
                return;
            }
        }
    }

    fn hand_out(&self, packet: &[u8], fds: Vec<OwnedFd>) {
        // What is not an answer, or not signed with the number that we gave this actor alone, is not for us.
        let Some(answer) = parse::<Answered>(packet) else { return };
        let mut inner = self.inner();
        if inner.pending.get(&answer.seq).is_none_or(|call| call.session != answer.session) {
            return;
        }
        let Some(call) = inner.pending.remove(&answer.seq) else { return };
        drop(inner);
        let mut fds = fds.into_iter();
        call.slot.complete(match Body::open(answer.payload, answer.large, &mut fds) {
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
        self.wake.set();
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
