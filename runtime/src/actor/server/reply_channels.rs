//! The reply channels of an actor's callers.
//!
//! An actor never waits for a caller. A reply that does not fit into a caller's channel is kept, up to a
//! bound, and sent when there is room; beyond the bound only the fact that it was lost is kept. A caller is
//! forgotten only when it is gone. What passes (no memory, too many descriptors under way) is tried again; if
//! it does not pass, the caller is told so in place of the reply.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::actor::answer::Answer;

use crate::control::fd_store::FdStore;
use crate::ipc::envelope::{Answered, Outgoing, Sealed, Status, packet};
use crate::ipc::uplink;
use crate::reactor::endpoint::UNDER_WAY;
use crate::reactor::{last_words, own};
use crate::sys::verdict::Verdict;
use crate::sys::{clock, fd, poll, rlimit};

/// How many replies are kept for one caller that does not read: as many as it may have calls under way.
const KEPT: usize = UNDER_WAY as usize;

/// How many bytes of replies are kept for one caller. A reply beyond that is lost, and its caller is told so:
/// a caller that never reads must not use up the actor's memory.
const KEPT_BYTES: usize = 64 << 20;

/// How many more are remembered as lost.
const REMEMBERED: usize = 16 * 1024;

/// How long an ending actor tries to hand out kept replies, since a caller last took one.
const LAST_TRY: Duration = Duration::from_millis(200);

/// How soon a reply is tried again if the kernel does not say when what holds it back has passed.
const AGAIN: Duration = Duration::from_millis(10);

/// How long a reply with descriptors may be held back like that, before its caller is told so instead.
const STUCK: Duration = Duration::from_secs(1);

/// A reply that is not out yet.
struct Kept {
    seq: u64,
    sealed: Sealed,
}

struct Caller {
    channel: Arc<OwnedFd>,
    kept: VecDeque<Kept>,
    /// How much memory those take.
    bytes: usize,
    /// Until when the first of them is tried, if something other than a lack of room holds it back.
    stuck_until: Option<u64>,
    /// Calls whose replies were not kept. They do not count against the bound: a caller that has dropped its
    /// replies and then reads again gets its next reply.
    lost: VecDeque<u64>,
}

impl Caller {
    fn is_blocked(&self) -> bool {
        self.unsent() > 0
    }

    fn unsent(&self) -> usize {
        self.kept.len() + self.lost.len()
    }
}

/// All callers, by the number with which each signs its calls.
#[derive(Default)]
pub(super) struct Callers {
    known: HashMap<u64, Caller>,
    /// Where their channels are kept for the next process, if there may be one.
    fd_store: Option<FdStore>,
    /// Callers whose channels found no room in the store.
    unparked: HashSet<u64>,
    /// Whether the callers that would miss replies have changed since this was last asked.
    changed: bool,
    /// Callers that wait for a deferred reply.
    owed: Arc<Owed>,
    /// How many callers have not got all their replies.
    blocked: usize,
    sweep_at: usize,
}

impl Callers {
    /// Takes over the callers that an earlier process of this actor has left.
    pub(super) fn inherit(fd_store: Option<FdStore>, incarnation: u64) -> Callers {
        let left = fd_store.as_ref().filter(|_| incarnation > 1).map(|fd_store| fd_store.channels());
        let mut callers = Callers { fd_store, ..Callers::default() };
        for (session, channel, parked) in left.unwrap_or_default() {
            callers.learn(session, channel);
            if !parked {
                callers.unparked.insert(session);
                callers.changed = true;
            }
        }
        callers
    }

    fn learn(&mut self, session: u64, channel: OwnedFd) -> bool {
        let is_new = !self.known.contains_key(&session);
        if is_new {
            let channel = Arc::new(channel);
            let (kept, lost) = (VecDeque::new(), VecDeque::new());
            self.known.insert(session, Caller { channel, kept, bytes: 0, stuck_until: None, lost });
        }
        is_new
    }

    /// Whether this number is that of a descriptor here, or of an uplink to the program. The kernel never
    /// gives out a number in use: if one has just come in, code in this process has closed what was there.
    pub(super) fn have(&self, number: RawFd) -> bool {
        // Descriptors come in seldom, and each has cost more than this.
        let channels = self.known.values().map(|caller| caller.channel.as_raw_fd());
        let fd_store = self.fd_store.iter().flat_map(FdStore::descriptors);
        channels.chain(fd_store).chain(uplink::descriptors()).any(|taken| taken == number)
    }

    /// A caller has sent its reply channel.
    pub(super) fn announce(&mut self, session: u64, channel: OwnedFd) {
        if self.known.len() >= self.sweep_at {
            // Callers do not say that they are gone: we look now and then, in proportion to their number.
            self.known.retain(|_, caller| !fd::hung_up(caller.channel.as_fd()));
            self.unparked.retain(|session| self.known.contains_key(session));
            self.sweep_at = (2 * self.known.len()).max(16);
            self.count_blocked();
        }
        let fd_store = self.fd_store.as_ref().filter(|_| !self.known.contains_key(&session));
        if let Some(Err(error)) = fd_store.map(|fd_store| fd_store.park(session, channel.as_fd())) {
            match Verdict::of(&error) {
                // Only the processes of this actor have its ends.
                Verdict::Ours | Verdict::Theirs => last_words::leave_broken("its descriptor store", error),
                // No room: if this process dies, that caller is told that its replies are lost.
                Verdict::Passes | Verdict::Packet => {
                    self.unparked.insert(session);
                    self.changed = true;
                }
            }
        }
        self.learn(session, channel);
    }

    pub(super) fn unanswered_have_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed) | self.owed.changed.swap(false, Relaxed)
    }

    /// The callers that would miss replies if this process ended now, each with the last call concerned.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = (u64, u64)> {
        let blocked =
            self.known.iter().filter(|(_, caller)| caller.is_blocked()).map(|(&session, _)| session);
        let all = blocked.chain(self.unparked.iter().copied()).map(|session| (session, u64::MAX));
        let owed: Vec<(u64, u64)> =
            self.owed.calls().iter().map(|(&session, owed)| (session, owed.last)).collect();
        all.chain(owed)
    }

    /// Where a deferred reply goes; `None` if its caller is gone.
    pub(super) fn origin(&self, session: u64, seq: u64, incarnation: u64, deadline: u64) -> Option<Origin> {
        let channel = Arc::clone(&self.known.get(&session)?.channel);
        let debt = self.fd_store.is_some().then(|| Owed::note(&self.owed, session, seq));
        Some(Origin { channel, session, seq, incarnation, deadline, _debt: debt })
    }

    /// Whether this caller's channel is here.
    pub(super) fn knows(&self, session: u64) -> bool {
        self.known.contains_key(&session)
    }

    /// Sends a reply, or keeps it.
    pub(super) fn answer(&mut self, session: u64, seq: u64, incarnation: u64, answer: Answer) {
        let Some(caller) = self.known.get_mut(&session) else { return };
        let Some(mut sealed) = seal(session, seq, incarnation, answer) else { return };
        if caller.kept.is_empty() {
            match hand_out(caller.channel.as_fd(), &mut sealed) {
                Ok(()) => return,
                Err(Hindrance::Gone) => return self.forget(session),
                // `flush` decides what to do about these.
                Err(Hindrance::NoRoom | Hindrance::Passing(_) | Hindrance::Packet(_)) => {}
            }
        }
        self.keep(session, Kept { seq, sealed });
    }

    fn keep(&mut self, session: u64, mut kept: Kept) {
        let Some(caller) = self.known.get_mut(&session) else { return };
        kept.sealed.slim();
        let bytes = caller.bytes + kept.sealed.size();
        if caller.kept.len() < KEPT && bytes <= KEPT_BYTES {
            caller.bytes = bytes;
            caller.kept.push_back(kept);
        } else if caller.lost.len() < REMEMBERED {
            caller.lost.push_back(kept.seq);
        }
        self.count_blocked();
    }

    fn forget(&mut self, session: u64) {
        self.known.remove(&session);
        self.unparked.remove(&session);
        self.count_blocked();
    }

    fn count_blocked(&mut self) {
        self.changed = true;
        self.blocked = self.known.values().filter(|caller| caller.is_blocked()).count();
    }

    /// Whether replies wait for room.
    pub(super) fn are_blocked(&self) -> bool {
        self.blocked > 0
    }

    /// The channels in which replies wait for room.
    pub(super) fn blocked(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let blocked =
            self.known.values().filter(|caller| caller.is_blocked() && caller.stuck_until.is_none());
        blocked.map(|caller| caller.channel.as_fd())
    }

    /// When to try again the replies that wait for something other than room.
    pub(super) fn try_again_in(&self) -> Option<Duration> {
        let is_stuck = self.blocked > 0 && self.known.values().any(|caller| caller.stuck_until.is_some());
        is_stuck.then_some(AGAIN)
    }

    /// Sends what has been kept, as far as there is room.
    pub(super) fn flush(&mut self) {
        if OVERFLOWS.swap(false, SeqCst) {
            let overflow = std::mem::take(&mut *OVERFLOW.lock().unwrap_or_else(PoisonError::into_inner));
            overflow.into_iter().for_each(|(session, kept)| self.keep(session, kept));
        }
        if self.blocked == 0 {
            return;
        }
        self.known.retain(|&session, caller| caller.flush(session));
        self.unparked.retain(|session| self.known.contains_key(session));
        self.count_blocked();
    }

    /// The last chance of the kept replies.
    pub(super) fn flush_before_exit(&mut self) {
        let mut deadline = clock::after(LAST_TRY);
        self.flush();
        let left = |callers: &Callers| callers.known.values().map(Caller::unsent).sum::<usize>();
        let mut before = left(self);
        while before > 0 && clock::now() < deadline {
            poll::pause(Duration::from_millis(1));
            self.flush();
            let now = left(self);
            if now < before {
                // At least one caller reads.
                deadline = clock::after(LAST_TRY);
            }
            before = now;
        }
    }
}

impl Caller {
    fn drop_first(&mut self) {
        let first = self.kept.pop_front();
        self.bytes = self.bytes.saturating_sub(first.map_or(0, |kept| kept.sealed.size()));
    }

    /// Sends what is kept, as far as it goes; returns whether the caller is still there.
    fn flush(&mut self, session: u64) -> bool {
        while let Some(kept) = self.kept.front_mut() {
            let hindrance = match hand_out(self.channel.as_fd(), &mut kept.sealed) {
                Ok(()) => {
                    self.drop_first();
                    self.stuck_until = None;
                    continue;
                }
                Err(hindrance) => hindrance,
            };
            let (is_late, error) = match hindrance {
                Hindrance::Gone => return false,
                Hindrance::NoRoom => {
                    self.stuck_until = None;
                    return true;
                }
                Hindrance::Passing(error) => {
                    let until = *self.stuck_until.get_or_insert_with(|| clock::after(STUCK));
                    // If it has no descriptors, a text in its place would be held back as well.
                    (until <= clock::now() && kept.sealed.has_descriptors(), error)
                }
                // If not even a text can be sent, the caller is forgotten.
                Hindrance::Packet(_) if !kept.sealed.has_descriptors() => return false,
                Hindrance::Packet(error) => (true, error),
            };
            if !is_late {
                return true;
            }
            match seal_unsent(session, kept.seq, &error) {
                Some(sealed) => {
                    self.bytes = (self.bytes + sealed.size()).saturating_sub(kept.sealed.size());
                    kept.sealed = sealed;
                }
                None => self.drop_first(),
            }
        }
        while let Some(&seq) = self.lost.front() {
            match seal_lost(session, seq).map(|mut sealed| hand_out(self.channel.as_fd(), &mut sealed)) {
                Some(Err(Hindrance::Gone)) => return false,
                Some(Err(Hindrance::NoRoom)) => return true,
                Some(Err(Hindrance::Passing(_))) => {
                    self.stuck_until.get_or_insert_with(|| clock::after(STUCK));
                    return true;
                }
                Some(Ok(()) | Err(Hindrance::Packet(_))) | None => drop(self.lost.pop_front()),
            }
        }
        self.stuck_until = None;
        true
    }
}

/// Why a reply is not out.
enum Hindrance {
    /// Its caller's channel is full.
    NoRoom,
    /// Something else that passes.
    Passing(io::Error),
    /// The caller is gone, or reads another channel by now.
    Gone,
    /// This reply cannot go this way.
    Packet(io::Error),
}

/// Sends one reply into a caller's channel. Does not return if the channel is not what this process was
/// given.
fn hand_out(channel: BorrowedFd<'_>, sealed: &mut Sealed) -> Result<(), Hindrance> {
    let mut sent = sealed.send(channel, &[]);
    if sent.as_ref().is_err_and(Verdict::passes_unseen) && sealed.has_descriptors() {
        // The kernel counts descriptors on their way against the soft limit, and an actor has the program's.
        sent = rlimit::with_raised_descriptors(|| sealed.send(channel, &[]));
    }
    let Err(error) = sent else { return Ok(()) };
    Err(match Verdict::of(&error) {
        Verdict::Theirs => Hindrance::Gone,
        Verdict::Passes if Verdict::passes_unseen(&error) => Hindrance::Passing(error),
        Verdict::Passes => Hindrance::NoRoom,
        Verdict::Packet => Hindrance::Packet(error),
        // What is broken may be a descriptor that the handler has put into its reply.
        Verdict::Ours if sealed.has_descriptors() && fd::is_seqpacket(channel) => Hindrance::Packet(error),
        Verdict::Ours => last_words::leave_broken("the reply channel of a caller", error),
    })
}

/// The call that a deferred reply belongs to.
pub(crate) struct Origin {
    channel: Arc<OwnedFd>,
    session: u64,
    seq: u64,
    incarnation: u64,
    deadline: u64,
    _debt: Option<Debt>,
}

impl Origin {
    /// Whether its deadline has passed.
    pub(crate) fn is_late(&self) -> bool {
        self.deadline != 0 && self.deadline <= clock::now()
    }

    /// Whether its caller may still wait for it.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.is_late() && !fd::hung_up(self.channel.as_fd())
    }

    /// Sends the reply, from any thread; returns whether there was a caller to send it to.
    pub(crate) fn answer(self, answer: Answer) -> bool {
        let Some(mut sealed) = seal(self.session, self.seq, self.incarnation, answer) else { return false };
        match hand_out(self.channel.as_fd(), &mut sealed) {
            Ok(()) => true,
            Err(Hindrance::Gone) => false,
            Err(Hindrance::NoRoom | Hindrance::Passing(_) | Hindrance::Packet(_)) => {
                let kept = Kept { seq: self.seq, sealed };
                OVERFLOW.lock().unwrap_or_else(PoisonError::into_inner).push((self.session, kept));
                OVERFLOWS.store(true, SeqCst);
                own::wake_main_thread();
                true
            }
        }
    }
}

/// Replies that other threads sent and that found no room. The main thread takes them over and keeps them.
static OVERFLOW: Mutex<Vec<(u64, Kept)>> = Mutex::new(Vec::new());
static OVERFLOWS: AtomicBool = AtomicBool::new(false);

/// What is owed to each caller if another process of this actor may follow, which knows nothing of it.
#[derive(Default)]
struct Owed {
    calls: Mutex<HashMap<u64, Debts>>,
    changed: AtomicBool,
}

/// How many replies, and the last call that they belong to: later calls are in the mailbox, and the next
/// process handles them.
#[derive(Default)]
struct Debts {
    count: usize,
    last: u64,
}

impl Owed {
    fn calls(&self) -> MutexGuard<'_, HashMap<u64, Debts>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(owed: &Arc<Owed>, session: u64, seq: u64) -> Debt {
        let mut calls = owed.calls();
        let debts = calls.entry(session).or_default();
        debts.count += 1;
        debts.last = debts.last.max(seq);
        drop(calls);
        owed.changed.store(true, Relaxed);
        Debt { owed: Arc::clone(owed), session }
    }
}

/// One owed reply.
struct Debt {
    owed: Arc<Owed>,
    session: u64,
}

impl Drop for Debt {
    fn drop(&mut self) {
        let mut calls = self.owed.calls();
        if let Some(debts) = calls.get_mut(&self.session) {
            debts.count -= 1;
            if debts.count == 0 {
                calls.remove(&self.session);
                self.owed.changed.store(true, Relaxed);
            }
        }
    }
}

fn seal(session: u64, seq: u64, incarnation: u64, answer: Answer) -> Option<Sealed> {
    let (status, outgoing) = match Outgoing::new(answer.encoded, 0) {
        Ok(outgoing) => (answer.status, outgoing),
        Err(error) => (Status::Codec, Outgoing::text(&format!("cannot send the reply: {error}"))),
    };
    seal_as(session, seq, incarnation, status, outgoing)
}

fn seal_lost(session: u64, seq: u64) -> Option<Sealed> {
    let text = Outgoing::text("the reply was dropped: the caller did not read its replies");
    seal_as(session, seq, 0, Status::Dropped, text)
}

fn seal_unsent(session: u64, seq: u64, error: &io::Error) -> Option<Sealed> {
    let text = Outgoing::text(&format!("the reply could not be sent: {error}"));
    seal_as(session, seq, 0, Status::Dropped, text)
}

fn seal_as(session: u64, seq: u64, incarnation: u64, status: Status, outgoing: Outgoing) -> Option<Sealed> {
    let header =
        Answered { session, seq, incarnation, status, large: outgoing.is_large(), payload: outgoing.bytes() };
    let bytes = packet(&header).ok()?;
    Some(Sealed::new(outgoing, bytes))
}
