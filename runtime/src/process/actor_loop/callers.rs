//! The reply channels of those who call an actor.
//!
//! An actor never waits for a caller: an answer that does not fit into a caller's channel is kept, up to a bound, and
//! sent when there is room; beyond the bound only the fact that it was lost is.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::actor::Answer;
use crate::current;
use crate::mailbox::envelope::{Answered, Outgoing, Sealed, Status, packet};
use crate::process::attic::Attic;
use crate::sys::{fd, poll, time};

/// How many answers are kept for one caller that does not read.
const KEPT: usize = 256;

/// How many more are remembered as lost.
const REMEMBERED: usize = 16 * 1024;

/// How long an actor that ends tries to hand out the answers it has kept.
const LAST_TRY: std::time::Duration = std::time::Duration::from_millis(200);

struct Caller {
    channel: Arc<OwnedFd>,
    kept: VecDeque<Sealed>,
    /// Calls whose answers were not kept. They do not count against the bound: a caller that has dropped its replies and
    /// then reads again gets its next answer.
    lost: VecDeque<u64>,
}

impl Caller {
    fn is_blocked(&self) -> bool {
        !self.kept.is_empty() || !self.lost.is_empty()
    }
}

/// All of them, by the number with which each signs its calls.
#[derive(Default)]
pub(super) struct Callers {
    known: HashMap<u64, Caller>,
    /// Where their channels are kept for the next process, if there may be one.
    attic: Option<Attic>,
    /// Those for whom there was no room.
    unparked: HashSet<u64>,
    /// Whether those two kinds have changed since somebody asked.
    changed: bool,
    /// Those who wait for an answer that was left for later.
    owed: Arc<Owed>,
    /// How many of them have not got all their answers.
    blocked: usize,
    sweep_at: usize,
}

impl Callers {
    /// Those whom an earlier process of this actor has left.
    pub(super) fn inherit(attic: Option<Attic>, incarnation: u64) -> Callers {
        let left = attic.as_ref().filter(|_| incarnation > 1).map(|attic| attic.channels());
        let mut callers = Callers { attic, ..Callers::default() };
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
            self.known.insert(session, Caller { channel, kept: VecDeque::new(), lost: VecDeque::new() });
        }
        is_new
    }

    /// A caller has sent its reply channel.
    pub(super) fn announce(&mut self, session: u64, channel: OwnedFd) {
        if self.known.len() >= self.sweep_at {
            // Those who are gone do not say so; now and then, in proportion to how many there are, we look.
            self.known.retain(|_, caller| !fd::hung_up(caller.channel.as_fd()));
            self.unparked.retain(|session| self.known.contains_key(session));
            self.sweep_at = (2 * self.known.len()).max(16);
            self.count_blocked();
        }
        let parked = self.attic.as_ref().filter(|_| !self.known.contains_key(&session));
        if parked.is_some_and(|attic| attic.park(session, channel.as_fd()).is_err()) {
            self.unparked.insert(session);
            self.changed = true;
        }
        self.learn(session, channel);
    }

    pub(super) fn forsaken_have_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed) | self.owed.changed.swap(false, Relaxed)
    }

    /// Those who would miss answers if this process ended now.
    pub(super) fn forsaken(&self) -> impl Iterator<Item = (u64, u64)> {
        let blocked =
            self.known.iter().filter(|(_, caller)| caller.is_blocked()).map(|(&session, _)| session);
        let all = blocked.chain(self.unparked.iter().copied()).map(|session| (session, u64::MAX));
        let owed: Vec<(u64, u64)> =
            self.owed.calls().iter().map(|(&session, owed)| (session, owed.last)).collect();
        all.chain(owed)
    }

    /// Where the answer goes that a handler has left for later; `None` if its caller is gone.
    pub(super) fn origin(&self, session: u64, seq: u64, incarnation: u64, deadline: u64) -> Option<Origin> {
        let channel = Arc::clone(&self.known.get(&session)?.channel);
        let debt = self.attic.is_some().then(|| Owed::note(&self.owed, session, seq));
        Some(Origin { channel, session, seq, incarnation, deadline, _debt: debt })
    }

    /// Sends an answer, or keeps it.
    pub(super) fn answer(&mut self, session: u64, seq: u64, incarnation: u64, answer: Answer) {
        let Some(caller) = self.known.get_mut(&session) else { return };
        let Some(mut sealed) = seal(session, seq, incarnation, answer) else { return };
        if caller.kept.is_empty() {
            match sealed.send(caller.channel.as_fd(), &[]) {
                Ok(()) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return self.forget(session),
            }
        }
        self.keep(session, seq, sealed);
    }

    fn keep(&mut self, session: u64, seq: u64, sealed: Sealed) {
        let Some(caller) = self.known.get_mut(&session) else { return };
        if caller.kept.len() < KEPT {
            caller.kept.push_back(sealed);
        } else if caller.lost.len() < REMEMBERED {
            caller.lost.push_back(seq);
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

    /// Whether answers wait for room.
    pub(super) fn are_blocked(&self) -> bool {
        self.blocked > 0
    }

    /// The channels that answers wait for.
    pub(super) fn blocked(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.known.values().filter(|caller| caller.is_blocked()).map(|caller| caller.channel.as_fd())
    }

    /// Sends what has been kept, as far as there is room.
    pub(super) fn flush(&mut self) {
        if OVERFLOWS.swap(false, SeqCst) {
            let overflow = std::mem::take(&mut *OVERFLOW.lock().unwrap_or_else(PoisonError::into_inner));
            overflow.into_iter().for_each(|(session, seq, sealed)| self.keep(session, seq, sealed));
        }
        if self.blocked == 0 {
            return;
        }
        self.known.retain(|&session, caller| match caller.flush(session) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        });
        self.count_blocked();
    }

    /// The last chance of the answers that are kept.
    pub(super) fn flush_before_exit(&mut self) {
        let deadline = time::after(LAST_TRY);
        self.flush();
        while self.are_blocked() && time::now() < deadline {
            poll::pause(std::time::Duration::from_millis(1));
            self.flush();
        }
    }
}

impl Caller {
    fn flush(&mut self, session: u64) -> io::Result<()> {
        while let Some(sealed) = self.kept.front_mut() {
            sealed.send(self.channel.as_fd(), &[])?;
            self.kept.pop_front();
        }
        while let Some(&seq) = self.lost.front() {
            if let Some(mut sealed) = seal_lost(session, seq) {
                sealed.send(self.channel.as_fd(), &[])?;
            }
            self.lost.pop_front();
        }
        Ok(())
    }
}

/// Whose call it was whose answer was left for later.
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
        self.deadline != 0 && self.deadline <= time::now()
    }

    /// Whether there is somebody who may wait for it.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.is_late() && !fd::hung_up(self.channel.as_fd())
    }

    /// Sends the answer, from whichever thread; answers whether there was somebody to send it to.
    pub(crate) fn answer(self, answer: Answer) -> bool {
        let Some(mut sealed) = seal(self.session, self.seq, self.incarnation, answer) else { return false };
        match sealed.send(self.channel.as_fd(), &[]) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                OVERFLOW.lock().unwrap_or_else(PoisonError::into_inner).push((
                    self.session,
                    self.seq,
                    sealed,
                ));
                OVERFLOWS.store(true, SeqCst);
                current::wake_main_thread();
                true
            }
            Err(_) => false,
        }
    }
}

/// Answers for which there was no room when they were sent by another hand than the main thread's, which keeps them from now on.
static OVERFLOW: Mutex<Vec<(u64, u64, Sealed)>> = Mutex::new(Vec::new());
static OVERFLOWS: AtomicBool = AtomicBool::new(false);

/// What is owed to each caller, where there may be another process of this actor, which knows nothing of it.
#[derive(Default)]
struct Owed {
    calls: Mutex<HashMap<u64, Debts>>,
    changed: AtomicBool,
}

/// How many answers, and to which calls at most: those that were made later are in the mailbox, and the next process handles them.
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

/// One of them.
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
        Err(error) => (Status::Codec, Outgoing::text(&format!("cannot send the answer: {error}"))),
    };
    seal_as(session, seq, incarnation, status, outgoing)
}

fn seal_lost(session: u64, seq: u64) -> Option<Sealed> {
    let text = Outgoing::text("the answer was dropped: the caller did not read its answers");
    seal_as(session, seq, 0, Status::Dropped, text)
}

fn seal_as(session: u64, seq: u64, incarnation: u64, status: Status, outgoing: Outgoing) -> Option<Sealed> {
    let header =
        Answered { session, seq, incarnation, status, large: outgoing.is_large(), payload: outgoing.bytes() };
    let bytes = packet(&header).ok()?;
    Some(Sealed::new(outgoing, bytes))
}
