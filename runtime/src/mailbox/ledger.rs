//! The ledger: one shared page per actor, where facts lie that nobody has to ask for.
//!
//! Mapped by the actor, by its supervisor and by everybody who holds a ref. Each field has one writer, named
//! in its comment (the depth excepted, which senders and the actor count together). Readers bound what they read:
//! whoever holds a ref can write nonsense here, and nonsense must stay harmless. A supervisor acts on what it
//! remembers and on wait statuses; from here it takes numbers, flags and bounded text.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{
    AtomicU8, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exit::{ExitReason, StoppedBy};
use crate::supervise::SpecError;
use crate::sys::memfd::{Page, shared_struct};
use crate::sys::{futex, time};

/// How much of a panic message is kept, in bytes.
pub(crate) const WORDS: usize = 1024;
const PLACE: usize = 256;
const EPITAPH: usize = 2048;
/// How many deaths are remembered, and how much of each.
pub(crate) const HISTORY: u64 = 8;
const PLACES: usize = HISTORY as usize;
const SHORT: usize = 256;
/// How many callers can be named whose answers a dead incarnation has kept for itself.
const FORSAKEN: usize = 8;
/// How much of the name is kept for those who look at the tree.
const NAME: usize = 64;

shared_struct! {
    /// The page itself.
    pub(crate) struct Facts {
        /// Supervisor, then actor (ready), then supervisor (dead): see [`State`].
        state: AtomicU32,
        /// Supervisor.
        pid: AtomicU32,
        /// Supervisor; raised by one with each start.
        incarnation: AtomicU64,
        /// Spawner: when it made the page.
        made: AtomicU64,
        /// Spawner: its own pid.
        parent: AtomicU32,
        /// Spawner: not 0 for a daemon.
        is_daemon: AtomicU32,
        /// Spawner, before anybody else has the page.
        capacity: AtomicU32,
        /// Senders add, the actor takes away; the word on which senders sleep.
        depth: AtomicU32,
        /// Senders: how many sleep for room.
        waiting: AtomicU32,
        /// Actor: it wants a supervisor of its own.
        wants_supervisor: AtomicU32,
        /// Supervisor: how many supervisors of this actor's own have ended; the word on which it waits for that.
        supervisors_ended: AtomicU32,
        /// Actor: messages handled since the mailbox was made.
        handled: AtomicU64,
        /// Actor: odd while the four fields below change; even and not zero while a message is in progress.
        progress: AtomicU64,
        /// Actor: whose call is in progress, and which. They stay when it is finished, until the next begins.
        session: AtomicU64,
        seq: AtomicU64,
        /// Actor: the method's index.
        method: AtomicU32,
        /// Actor: see [`Phase`].
        phase: AtomicU32,
        /// Actor: when the message, or the phase, began.
        since: AtomicU64,
        /// Actor: when the caller of this message wants its handler killed; 0 for never.
        limit: AtomicU64,
        /// Supervisor, when a process dies in a message: its incarnation; the next one, once it has dealt with that message: 0.
        interrupted: AtomicU64,
        /// Actor: how often the message in progress has been begun.
        attempts: AtomicU32,
        /// Actor: callers who would miss answers if it died now, and to which of their calls; how many more there are is beyond the list.
        forsaken: [AtomicU64; FORSAKEN],
        forsaken_up_to: [AtomicU64; FORSAKEN],
        forsaken_len: AtomicU32,
        /// Actor: set just before an exit that the runtime means; tells it from an `exit(0)` of user code.
        farewell: AtomicU32,
        /// Actor: an allocation failed under a memory limit.
        out_of_memory: AtomicU32,
        /// Whoever asks for a stop: see [`StopMode`].
        stop_mode: AtomicU32,
        /// Whoever asks for a stop: who that is.
        stop_by: AtomicU32,
        /// Actor (its panic hook): lengths of the two texts, and the method's index + 1.
        words_len: AtomicU32,
        place_len: AtomicU32,
        words_method: AtomicU32,
        /// Task: how many bytes of result lie behind the page, plus one.
        result_len: AtomicU64,
        /// Supervisor: odd while the epitaph and its place in the history change.
        deaths: AtomicU64,
        /// Supervisor: the length of the epitaph, and which incarnation's it is.
        epitaph_len: AtomicU32,
        epitaph_of: AtomicU64,
        /// Supervisor: how often a process died in a message that it had not answered, and how often while it answered one.
        interruptions: AtomicU32,
        cut_answers: AtomicU32,
        /// Supervisor: how often it was restarted after a crash, and how often recycled.
        restarts: AtomicU32,
        recycled: AtomicU32,
        /// Supervisor: how often what lay in the mailbox has been thrown away.
        sweeps: AtomicU64,
        /// Spawner: what kind of process, its id, that of the declared supervisor above it (0: none), where its code is, its name.
        kind: AtomicU32,
        id: AtomicU64,
        above: AtomicU64,
        entry: AtomicU64,
        /// Spawner: its own pid.
        spawner: AtomicU32,
        /// Supervisor: the pid of the actor's own supervisor.
        supervisor_pid: AtomicU32,
        name_len: AtomicU32,
        name: [AtomicU8; NAME],
        words: [AtomicU8; WORDS],
        place: [AtomicU8; PLACE],
        epitaph: [AtomicU8; EPITAPH],
        /// Supervisor: the last deaths, briefly; the place of an incarnation is its number modulo [`HISTORY`].
        history_of: [AtomicU64; PLACES],
        history_len: [AtomicU32; PLACES],
        history: [[AtomicU8; SHORT]; PLACES],
    }
}

/// Where an actor is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum State {
    /// No supervisor has taken it yet.
    New = 0,
    /// A process exists and prepares itself.
    Starting = 1,
    /// It handles messages.
    Ready = 2,
    /// Its process is gone, and there will be another.
    Restarting = 3,
    /// It has no process, and gets one only if somebody asks its supervisor for it.
    Down = 4,
    /// It is gone and does not come back.
    Dead = 5,
}

/// What an actor's main thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle = 0,
    Handling = 1,
    Stopping = 2,
    /// The message is handled, and its answer is on the way.
    Answering = 3,
}

/// How an actor is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StopMode {
    /// After the message in progress.
    Stop = 1,
    /// After the messages that are queued.
    Drain = 2,
}

/// Why the runtime in an actor ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    Stopped = 1,
    /// A task that returned.
    Returned = 2,
    /// A panic that unwound to the runtime.
    Panicked = 3,
    /// Its `init` said no.
    InitFailed = 4,
    /// Its init arguments could not be decoded.
    Undecodable = 5,
    /// To be replaced by a fresh process.
    Recycled = 6,
    /// Ended by its own code, in order.
    Itself = 7,
    /// The same, and it does not want to be restarted.
    ForGood = 8,
    /// Its `init` wants no process at all.
    Ignored = 9,
    /// A supervisor that has restarted too often.
    Intensity = 10,
    /// Somebody it was linked to has crashed.
    Linked = 11,
    /// An option could not be had: an environment, a limit.
    NoOption = 12,
}

/// The message an actor was busy with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) session: u64,
    pub(crate) seq: u64,
    pub(crate) method: u32,
    pub(crate) since: u64,
    /// When its caller wants it killed; 0 for never.
    pub(crate) limit: u64,
    /// It has been handled, and its answer is on the way.
    pub(crate) answering: bool,
}

/// What a supervisor leaves behind about a dead actor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Epitaph {
    pub(crate) reason: ExitReason,
    /// As the operating system reports it: the exit code, or −N for signal N.
    pub(crate) code: i32,
    /// It died before it was ready.
    pub(crate) unready: bool,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) in_progress: Option<InProgressRecord>,
    /// How many messages lay in its mailbox, if they are lost with it.
    pub(crate) unserved: u32,
    /// Callers (by session) who miss answers: to their calls up to this one.
    pub(crate) forsaken: Vec<(u64, u64)>,
}

/// Why a supervisor did not start an actor, or why its start failed in the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    ShuttingDown,
    Mismatch,
    Fork(String),
    StartTimeout,
    Codec(String),
    /// An option, and why it cannot be had.
    Option(String),
    /// There is a child of this id, with or without a process.
    AlreadyStarted(u32),
    AlreadyPresent,
    MaxChildren,
    /// Its `init` wants no process.
    Ignored,
    /// Such a child cannot be under this supervisor.
    Specs(SpecError),
}

/// See [`crate::InProgress`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InProgressRecord {
    pub(crate) session: u64,
    pub(crate) seq: u64,
    pub(crate) method: String,
    pub(crate) running: Duration,
    /// It had been handled, and its answer was on the way.
    pub(crate) answering: bool,
    /// It will be handled again.
    pub(crate) again: bool,
}

/// One actor's ledger, mapped.
#[derive(Debug)]
pub(crate) struct Ledger(Page<Facts>);

impl Ledger {
    pub(crate) fn create(capacity: u32, growable: bool) -> io::Result<Ledger> {
        let page = Page::<Facts>::create(growable)?;
        page.capacity.store(capacity, Relaxed);
        Ok(Ledger(page))
    }

    /// Writes on it whose it is, for those who look at the tree from outside.
    pub(crate) fn sign(&self, name: &str, kind: u32, id: u64, entry: u64) {
        self.0.kind.store(kind, Relaxed);
        self.0.id.store(id, Relaxed);
        self.0.entry.store(entry, Relaxed);
        self.0.spawner.store(std::process::id(), Relaxed);
        write_text(&self.0.name, &self.0.name_len, cut(name, NAME).as_bytes());
    }

    /// Who has made it, and when.
    pub(crate) fn date(&self, parent: u32, daemon: bool) {
        self.0.made.store(time::now(), Relaxed);
        self.0.parent.store(parent, Relaxed);
        self.0.is_daemon.store(daemon.into(), Relaxed);
    }

    pub(crate) fn made(&self) -> u64 {
        self.0.made.load(Relaxed)
    }

    /// The process that has spawned it; 0 if nobody did.
    pub(crate) fn parent(&self) -> u32 {
        self.0.parent.load(Relaxed)
    }

    pub(crate) fn is_daemon(&self) -> bool {
        self.0.is_daemon.load(Relaxed) != 0
    }

    /// And below which supervisor it is to be.
    pub(crate) fn put_below(&self, supervisor: u64) {
        self.0.above.store(supervisor, Relaxed);
    }

    /// Its name, its kind, and where its code is.
    pub(crate) fn signature(&self) -> (String, u32, u64) {
        let name = read_text(&self.0.name, &self.0.name_len);
        let name = String::from_utf8_lossy(&name).into_owned();
        (name, self.0.kind.load(Relaxed), self.0.entry.load(Relaxed))
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.id.load(Relaxed)
    }

    /// The process that has signed it.
    pub(crate) fn spawner(&self) -> u32 {
        self.0.spawner.load(Relaxed)
    }

    pub(crate) fn above(&self) -> u64 {
        self.0.above.load(Relaxed)
    }

    pub(crate) fn supervisor_pid(&self) -> i32 {
        self.0.supervisor_pid.load(Relaxed).cast_signed()
    }

    /// The actor has a supervisor of its own.
    pub(crate) fn has_supervisor(&self, pid: i32) {
        self.0.supervisor_pid.store(pid.cast_unsigned(), Relaxed);
    }

    pub(crate) fn open(file: OwnedFd) -> io::Result<Ledger> {
        Page::open(file).map(Ledger)
    }

    /// The same, for a supervisor: it is mapped when it is looked at.
    pub(crate) fn accept(file: OwnedFd) -> io::Result<Ledger> {
        Page::accept(file).map(Ledger)
    }

    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.0.file()
    }

    /// In a supervisor that does not look at it for some time.
    pub(crate) fn rest(&mut self) {
        self.0.rest();
    }

    /// In a child of a supervisor, which has kept what it had mapped to itself.
    pub(crate) fn begin_anew(&mut self) {
        self.0.begin_anew();
    }

    /// For whoever has to put the file elsewhere.
    pub(crate) fn file_mut(&mut self) -> &mut OwnedFd {
        self.0.file_mut()
    }

    pub(crate) fn state(&self) -> State {
        // Looked at once and then again for a long time not, it is not worth a mapping.
        match self.0.first_word().unwrap_or_else(|| self.0.state.load(Acquire)) {
            0 => State::New,
            1 => State::Starting,
            2 => State::Ready,
            3 => State::Restarting,
            4 => State::Down,
            _ => State::Dead,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.pid.load(Acquire)
    }

    pub(crate) fn incarnation(&self) -> u64 {
        self.0.incarnation.load(Acquire)
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.0.capacity.load(Relaxed)
    }

    pub(crate) fn handled(&self) -> u64 {
        self.0.handled.load(Relaxed)
    }

    /// The queue's depth: as a number, and as the word that changes with it.
    pub(crate) fn depth(&self) -> &AtomicU32 {
        &self.0.depth
    }

    pub(crate) fn waiting(&self) -> &AtomicU32 {
        &self.0.waiting
    }

    // What the supervisor writes.

    pub(crate) fn started(&self, pid: i32, incarnation: u64) {
        self.0.incarnation.store(incarnation, Release);
        self.0.pid.store(pid as u32, Release);
        // The child may have become ready before its parent gets here.
        let without = |state: u32| (state != State::Ready as u32).then_some(State::Starting as u32);
        let _ = self.0.state.fetch_update(SeqCst, SeqCst, without);
    }

    /// Readies the page for the next process: what the last one has said of itself is not the next one's.
    pub(crate) fn renew(&self) {
        let page = &self.0;
        for word in [&page.farewell, &page.out_of_memory, &page.stop_mode, &page.stop_by] {
            word.store(0, SeqCst);
        }
        for word in [&page.words_len, &page.place_len, &page.words_method, &page.wants_supervisor] {
            word.store(0, SeqCst);
        }
        page.forsaken_len.store(0, SeqCst);
        page.phase.store(Phase::Idle as u32, SeqCst);
        // A process that was killed while it wrote has left an odd number.
        let odd = |count: u64| (!count.is_multiple_of(2)).then(|| count + 1);
        let _ = page.progress.fetch_update(SeqCst, SeqCst, odd);
    }

    /// Publishes that a process has died, and what comes next. Before it is reaped, so that a pid which was read while the
    /// state said that there is a process is not yet anybody else's.
    pub(crate) fn bury(&self, epitaph: &Epitaph, next: State) {
        let page = &self.0;
        let incarnation = self.incarnation();
        let mut buffer = [0_u8; EPITAPH];
        let bytes: &[u8] = postcard::to_slice(epitaph, &mut buffer).map_or(&[], |bytes| bytes);
        let mut room = [0_u8; SHORT];
        let short = epitaph.shortened();
        let short: &[u8] = postcard::to_slice(&short, &mut room).map_or(&[], |bytes| bytes);
        let place = (incarnation % HISTORY) as usize;
        // Odd in any case: a supervisor that was killed in here has left it so.
        let writing = page.deaths.load(SeqCst) | 1;
        page.deaths.store(writing, SeqCst);
        // What becomes of the queue is decided after the death, and written over it.
        let is_news = page.epitaph_of.load(SeqCst) != incarnation;
        write_text(&page.epitaph, &page.epitaph_len, bytes);
        page.epitaph_of.store(incarnation, SeqCst);
        write_text(&page.history[place], &page.history_len[place], short);
        page.history_of[place].store(incarnation, SeqCst);
        if is_news && epitaph.in_progress.is_some() {
            page.interrupted.store(incarnation, SeqCst);
        }
        if let Some(busy) = epitaph.in_progress.as_ref().filter(|busy| is_news && !busy.again) {
            let counter = if busy.answering { &page.cut_answers } else { &page.interruptions };
            counter.fetch_add(1, SeqCst);
        }
        page.deaths.store(writing + 1, SeqCst);
        self.settle(next);
    }

    /// The supervisor has decided what becomes of an actor without a process.
    pub(crate) fn settle(&self, next: State) {
        self.0.state.store(next as u32, SeqCst);
        if next == State::Dead || next == State::Down {
            futex::wake(&self.0.depth, i32::MAX);
        }
    }

    pub(crate) fn count_restart(&self, recycled: bool) {
        let counter = if recycled { &self.0.recycled } else { &self.0.restarts };
        counter.fetch_add(1, SeqCst);
    }

    /// How often a process died in a message, and how often while it sent an answer.
    pub(crate) fn interruptions(&self) -> (u32, u32) {
        (self.0.interruptions.load(SeqCst), self.0.cut_answers.load(SeqCst))
    }

    /// What lies in the mailbox is thrown away: everything that was sent up to here, wherever it is.
    pub(crate) fn count_sweep(&self) {
        self.0.sweeps.fetch_add(1, SeqCst);
    }

    /// How often that has been done. A message says what its sender read here: those of an earlier number are told to be lost, and are
    /// not handled.
    pub(crate) fn sweeps(&self) -> u64 {
        self.0.sweeps.load(SeqCst)
    }

    /// How often it was restarted, and how often recycled.
    pub(crate) fn restarts(&self) -> (u32, u32) {
        (self.0.restarts.load(Relaxed), self.0.recycled.load(Relaxed))
    }

    /// How it ended, if it has no process and gets none by itself.
    pub(crate) fn epitaph(&self) -> Option<Epitaph> {
        matches!(self.state(), State::Dead | State::Down)
            .then(|| self.last_death().map_or_else(Epitaph::orphaned, |last| last.1))
    }

    /// The last death of a process of this actor, and which incarnation it was.
    pub(crate) fn last_death(&self) -> Option<(u64, Epitaph)> {
        let page = &self.0;
        let (of, bytes) = self
            .consistently(|| (page.epitaph_of.load(SeqCst), read_text(&page.epitaph, &page.epitaph_len)))?;
        (of != 0 || !bytes.is_empty())
            .then(|| (of, postcard::from_bytes(&bytes).unwrap_or_else(|_| Epitaph::orphaned())))
    }

    /// The death of this incarnation, if it is not too long ago.
    pub(crate) fn death_of(&self, incarnation: u64) -> Option<Epitaph> {
        if let Some((of, epitaph)) = self.last_death()
            && of == incarnation
        {
            return Some(epitaph);
        }
        let page = &self.0;
        let place = (incarnation % HISTORY) as usize;
        let bytes = self.consistently(|| {
            let known = page.history_of[place].load(SeqCst) == incarnation;
            known.then(|| read_text(&page.history[place], &page.history_len[place]))
        })??;
        postcard::from_bytes(&bytes).ok()
    }

    /// Reads what a supervisor writes about deaths, in one piece.
    fn consistently<T>(&self, read: impl Fn() -> T) -> Option<T> {
        for _ in 0..1000 {
            let before = self.0.deaths.load(SeqCst);
            let found = read();
            if before.is_multiple_of(2) && self.0.deaths.load(SeqCst) == before {
                return Some(found);
            }
            std::hint::spin_loop();
        }
        // A supervisor that was killed while it wrote; who follows it writes anew.
        None
    }

    // What the actor writes.

    pub(crate) fn ready(&self) {
        let page = &self.0;
        let starting = |state: u32| (state < State::Ready as u32).then_some(State::Ready as u32);
        let _ = page.state.fetch_update(SeqCst, SeqCst, starting);
    }

    pub(crate) fn begin(&self, session: u64, seq: u64, method: u32, limit: u64) {
        let page = &self.0;
        page.progress.fetch_add(1, SeqCst);
        if !self.has_begun(session, seq) {
            page.seq.store(0, SeqCst);
        }
        page.session.store(session, Relaxed);
        page.limit.store(limit, Relaxed);
        page.method.store(method, Relaxed);
        page.since.store(time::now(), Relaxed);
        page.words_len.store(0, Relaxed);
        page.phase.store(Phase::Handling as u32, SeqCst);
        // Last: at whatever moment the process is killed, it either has not begun with this message, or it can be seen that it has.
        page.seq.store(seq, SeqCst);
        page.progress.fetch_add(1, SeqCst);
    }

    pub(crate) fn finish(&self) {
        self.count_handled();
        self.enter(Phase::Idle);
    }

    pub(crate) fn count_handled(&self) {
        self.0.handled.fetch_add(1, Relaxed);
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.progress.fetch_add(1, SeqCst);
        self.0.since.store(time::now(), Relaxed);
        self.0.phase.store(phase as u32, Relaxed);
        self.0.progress.fetch_add(1, SeqCst);
    }

    /// Whether this message is the one that was begun last, in this process or in an earlier one.
    pub(crate) fn has_begun(&self, session: u64, seq: u64) -> bool {
        self.0.session.load(SeqCst) == session && self.0.seq.load(SeqCst) == seq
    }

    /// The process that died in the message that was begun last, if one did; 0 if that message was finished.
    pub(crate) fn interrupted(&self) -> u64 {
        self.0.interrupted.load(SeqCst)
    }

    /// That message has been dealt with.
    pub(crate) fn settle_interrupted(&self) {
        self.0.interrupted.store(0, SeqCst);
    }

    /// Counts how often a message has been begun: once more, or for the first time.
    pub(crate) fn count_attempt(&self, again: bool) {
        let attempts = if again { self.attempts().saturating_add(1) } else { 1 };
        self.0.attempts.store(attempts, SeqCst);
    }

    /// How often the message that was begun last has been begun.
    pub(crate) fn attempts(&self) -> u32 {
        self.0.attempts.load(SeqCst)
    }

    /// Names the callers who would miss answers if this process died now.
    pub(crate) fn forsake(&self, callers: impl Iterator<Item = (u64, u64)>) {
        let mut count = 0;
        for (session, up_to) in callers {
            if let Some(place) = self.0.forsaken.get(count) {
                place.store(session, SeqCst);
                self.0.forsaken_up_to[count].store(up_to, SeqCst);
            }
            count += 1;
        }
        self.0.forsaken_len.store(count as u32, SeqCst);
    }

    /// Those callers; a 0 among them stands for all that the list has no room for.
    pub(crate) fn forsaken(&self) -> Vec<(u64, u64)> {
        let len = self.0.forsaken_len.load(SeqCst) as usize;
        let listed = self.0.forsaken.iter().zip(&self.0.forsaken_up_to).take(len);
        let mut callers: Vec<(u64, u64)> =
            listed.map(|(session, up_to)| (session.load(SeqCst), up_to.load(SeqCst))).collect();
        if len > FORSAKEN {
            callers.push((0, u64::MAX));
        }
        callers
    }

    pub(crate) fn say_farewell(&self, farewell: Farewell) {
        self.0.farewell.store(farewell as u32, SeqCst);
    }

    /// How many supervisors of this actor's own have ended.
    pub(crate) fn supervisors_ended(&self) -> u32 {
        self.0.supervisors_ended.load(SeqCst)
    }

    /// Sleeps until another one has, or a second has passed.
    pub(crate) fn await_supervisor_end(&self, seen: u32) {
        futex::wait(&self.0.supervisors_ended, seen, Duration::from_secs(1));
    }

    pub(crate) fn want_supervisor(&self) {
        self.0.wants_supervisor.store(1, SeqCst);
    }

    /// The word in which an allocation that failed is noted; it lies in the page, so the page must never be unmapped.
    pub(crate) fn out_of_memory_word(&'static self) -> &'static AtomicU32 {
        &self.0.out_of_memory
    }

    /// Keeps the last words of a panic (or the error of an init), bounded.
    pub(crate) fn last_words(&self, message: &str, place: &str, method: Option<u32>) {
        self.0.words_method.store(method.map_or(0, |index| index.saturating_add(1)), Relaxed);
        write_text(&self.0.place, &self.0.place_len, cut(place, PLACE).as_bytes());
        write_text(&self.0.words, &self.0.words_len, cut(message, WORDS).as_bytes());
    }

    pub(crate) fn method_in_progress(&self) -> Option<u32> {
        (self.phase() == Phase::Handling).then(|| self.0.method.load(Relaxed))
    }

    pub(crate) fn leave_result(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)?;
        self.0.result_len.store(bytes.len() as u64 + 1, SeqCst);
        Ok(())
    }

    /// The result of a task that returned.
    pub(crate) fn result(&self) -> Option<io::Result<Vec<u8>>> {
        let len = self.0.result_len.load(SeqCst).checked_sub(1)?;
        Some(self.0.appended(len))
    }

    // What the supervisor reads.

    pub(crate) fn phase(&self) -> Phase {
        match self.0.phase.load(Relaxed) {
            1 => Phase::Handling,
            2 => Phase::Stopping,
            3 => Phase::Answering,
            _ => Phase::Idle,
        }
    }

    /// Since when the actor has been in its phase, or in this message.
    pub(crate) fn since(&self) -> u64 {
        self.0.since.load(Relaxed)
    }

    /// The message in progress. An actor that hangs does not change the fields any more; for one that runs, two equal and
    /// even reads of the counter around them say that they belong together.
    pub(crate) fn progress(&self) -> Option<Progress> {
        for _ in 0..100 {
            let before = self.0.progress.load(SeqCst);
            let progress = self.last_progress();
            let after = self.0.progress.load(SeqCst);
            if before == after && before.is_multiple_of(2) {
                return progress;
            }
        }
        None
    }

    /// The message that a process was busy with that is dead. It may have been killed while it wrote here, but now nobody does.
    pub(crate) fn last_progress(&self) -> Option<Progress> {
        let page = &self.0;
        let (phase, seq) = (self.phase(), page.seq.load(SeqCst));
        let busy = matches!(phase, Phase::Handling | Phase::Answering) && seq != 0;
        busy.then(|| Progress {
            session: page.session.load(Relaxed),
            seq,
            method: page.method.load(Relaxed),
            since: page.since.load(Relaxed),
            limit: page.limit.load(Relaxed),
            answering: phase == Phase::Answering,
        })
    }

    /// A number that changes with everything the actor does.
    pub(crate) fn moves(&self) -> u64 {
        self.0.progress.load(SeqCst)
    }

    /// The actor's own supervisor has ended, and is the `count`th to do so.
    pub(crate) fn supervisor_ended(&self, count: u32) {
        self.0.supervisors_ended.store(count, SeqCst);
        futex::wake(&self.0.supervisors_ended, i32::MAX);
    }

    pub(crate) fn take_supervisor_wish(&self) -> bool {
        self.0.wants_supervisor.swap(0, SeqCst) != 0
    }

    pub(crate) fn farewell(&self) -> Option<Farewell> {
        Some(match self.0.farewell.load(SeqCst) {
            1 => Farewell::Stopped,
            2 => Farewell::Returned,
            3 => Farewell::Panicked,
            4 => Farewell::InitFailed,
            5 => Farewell::Undecodable,
            6 => Farewell::Recycled,
            7 => Farewell::Itself,
            8 => Farewell::ForGood,
            9 => Farewell::Ignored,
            10 => Farewell::Intensity,
            11 => Farewell::Linked,
            12 => Farewell::NoOption,
            _ => return None,
        })
    }

    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.0.out_of_memory.load(SeqCst) != 0
    }

    /// Message, place and method index of the last words, if any were said.
    pub(crate) fn words(&self) -> Option<(String, String, Option<u32>)> {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let message = read_text(&self.0.words, &self.0.words_len);
        let place = read_text(&self.0.place, &self.0.place_len);
        let said = self.0.words_len.load(Relaxed) != 0 || !place.is_empty();
        said.then(|| (text(message), text(place), self.0.words_method.load(Relaxed).checked_sub(1)))
    }

    // What those write who want a stop.

    pub(crate) fn request_stop(&self, mode: StopMode, by: StoppedBy) {
        // The first to ask is who stopped it; the mode is the most urgent one.
        let _ = self.0.stop_by.compare_exchange(0, by as u32 + 1, SeqCst, SeqCst);
        let urgent = |old: u32| (old == 0 || mode == StopMode::Stop).then_some(mode as u32);
        let _ = self.0.stop_mode.fetch_update(SeqCst, SeqCst, urgent);
    }

    pub(crate) fn stop_requested(&self) -> Option<StopMode> {
        match self.0.stop_mode.load(SeqCst) {
            0 => None,
            2 => Some(StopMode::Drain),
            _ => Some(StopMode::Stop),
        }
    }

    /// Whether somebody has asked for its end through a ref, or its supervisor has.
    pub(crate) fn was_ordered(&self) -> bool {
        matches!(self.0.stop_by.load(SeqCst), 1..=3)
    }

    pub(crate) fn stopped_by(&self) -> StoppedBy {
        match self.0.stop_by.load(SeqCst) {
            1 => StoppedBy::Program,
            2 => StoppedBy::Ref,
            3 => StoppedBy::Supervisor,
            5 => StoppedBy::Itself,
            _ => StoppedBy::Signal,
        }
    }
}

impl Epitaph {
    /// What is known of an actor whose supervisor was killed before it could write anything down.
    pub(crate) fn orphaned() -> Epitaph {
        Epitaph {
            reason: ExitReason::SupervisorDied,
            code: -9,
            unready: false,
            refusal: None,
            in_progress: None,
            unserved: 0,
            forsaken: Vec::new(),
        }
    }

    /// The same with texts that fit into the history.
    fn shortened(&self) -> Epitaph {
        let short = |text: &String| cut(text, 80).to_owned();
        let reason = match &self.reason {
            ExitReason::Panicked { message, location, .. } => {
                ExitReason::Panicked { message: short(message), location: short(location), method: None }
            }
            ExitReason::InitFailed(text) => ExitReason::InitFailed(short(text)),
            ExitReason::Linked { to, reason } => ExitReason::Linked { to: short(to), reason: short(reason) },
            ExitReason::DeadlineExceeded { method, after } => {
                ExitReason::DeadlineExceeded { method: short(method), after: *after }
            }
            other => other.clone(),
        };
        let in_progress =
            self.in_progress.clone().map(|busy| InProgressRecord { method: short(&busy.method), ..busy });
        // Those beyond two are told by their deadlines: this is for a process that has not looked for several deaths.
        let forsaken = self.forsaken.iter().copied().take(2).collect();
        Epitaph { reason, refusal: None, in_progress, forsaken, ..self.clone() }
    }
}

fn write_text<const N: usize>(room: &[AtomicU8; N], len: &AtomicU32, bytes: &[u8]) {
    for (slot, byte) in room.iter().zip(bytes) {
        slot.store(*byte, Relaxed);
    }
    len.store(bytes.len().min(N) as u32, SeqCst);
}

fn read_text<const N: usize>(room: &[AtomicU8; N], len: &AtomicU32) -> Vec<u8> {
    let len = (len.load(SeqCst) as usize).min(N);
    room[..len].iter().map(|byte| byte.load(Relaxed)).collect()
}

/// The longest prefix of `text` that fits into `room` bytes.
pub(crate) fn cut(text: &str, room: usize) -> &str {
    &text[..text.floor_char_boundary(room)]
}
