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
use crate::sys::memfd::{Page, shared_struct};
use crate::sys::{futex, time};

/// How much of a panic message is kept, in bytes.
pub(crate) const WORDS: usize = 1024;
const PLACE: usize = 256;
const EPITAPH: usize = 2048;

shared_struct! {
    /// The page itself.
    pub(crate) struct Facts {
        /// Supervisor, then actor (ready), then supervisor (dead): see [`State`].
        state: AtomicU32,
        /// Supervisor.
        pid: AtomicU32,
        /// Supervisor; raised by one with each start.
        incarnation: AtomicU64,
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
        /// Actor: which call is in progress.
        seq: AtomicU64,
        /// Actor: the method's index.
        method: AtomicU32,
        /// Actor: see [`Phase`].
        phase: AtomicU32,
        /// Actor: when the message, or the phase, began.
        since: AtomicU64,
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
        /// Supervisor: the length of the epitaph.
        epitaph_len: AtomicU32,
        words: [AtomicU8; WORDS],
        place: [AtomicU8; PLACE],
        epitaph: [AtomicU8; EPITAPH],
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
    /// It is gone and does not come back.
    Dead = 3,
}

/// What an actor's main thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle = 0,
    Handling = 1,
    Stopping = 2,
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
}

/// The message an actor was busy with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) seq: u64,
    pub(crate) method: u32,
    pub(crate) since: u64,
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
    /// How many messages lay in its mailbox.
    pub(crate) unserved: u32,
}

/// Why a supervisor did not start an actor, or why its start failed in the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    ShuttingDown,
    Mismatch,
    Fork(String),
    StartTimeout,
    Codec(String),
}

/// See [`crate::InProgress`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InProgressRecord {
    pub(crate) seq: u64,
    pub(crate) method: String,
    pub(crate) running: Duration,
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

    pub(crate) fn open(file: OwnedFd) -> io::Result<Ledger> {
        Page::open(file).map(Ledger)
    }

    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.0.file()
    }

    /// Keeps the page out of the processes that this one forks.
    pub(crate) fn keep_from_children(&self) {
        self.0.keep_from_children();
    }

    pub(crate) fn state(&self) -> State {
        match self.0.state.load(Acquire) {
            0 => State::New,
            1 => State::Starting,
            2 => State::Ready,
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
        let _ = self.0.state.compare_exchange(State::New as u32, State::Starting as u32, SeqCst, SeqCst);
    }

    /// Publishes the death. Before the process is reaped, so that a pid read under `state < Dead` is not yet anybody else's.
    pub(crate) fn bury(&self, epitaph: &Epitaph) {
        let mut buffer = [0_u8; EPITAPH];
        let bytes: &[u8] = match postcard::to_slice(epitaph, &mut buffer) {
            Ok(bytes) => bytes,
            Err(_) => &[],
        };
        write_text(&self.0.epitaph, &self.0.epitaph_len, bytes);
        self.0.state.store(State::Dead as u32, SeqCst);
        futex::wake(&self.0.depth, i32::MAX);
    }

    pub(crate) fn epitaph(&self) -> Option<Epitaph> {
        if self.state() != State::Dead {
            return None;
        }
        let lost = Epitaph {
            reason: ExitReason::SupervisorDied,
            code: -9,
            unready: false,
            refusal: None,
            in_progress: None,
            unserved: 0,
        };
        let bytes = read_text(&self.0.epitaph, &self.0.epitaph_len);
        Some(postcard::from_bytes(&bytes).unwrap_or(lost))
    }

    // What the actor writes.

    pub(crate) fn ready(&self) {
        let page = &self.0;
        let starting = |state: &mut u32| *state < State::Ready as u32;
        let _ = page
            .state
            .fetch_update(SeqCst, SeqCst, |mut state| starting(&mut state).then_some(State::Ready as u32));
    }

    pub(crate) fn begin(&self, seq: u64, method: u32) {
        let page = &self.0;
        page.progress.fetch_add(1, SeqCst);
        page.seq.store(seq, Relaxed);
        page.method.store(method, Relaxed);
        page.since.store(time::now(), Relaxed);
        page.phase.store(Phase::Handling as u32, Relaxed);
        page.words_len.store(0, Relaxed);
        page.progress.fetch_add(1, SeqCst);
    }

    pub(crate) fn finish(&self) {
        self.0.handled.fetch_add(1, Relaxed);
        self.enter(Phase::Idle);
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.progress.fetch_add(1, SeqCst);
        self.0.since.store(time::now(), Relaxed);
        self.0.phase.store(phase as u32, Relaxed);
        self.0.progress.fetch_add(1, SeqCst);
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
            _ => Phase::Idle,
        }
    }

    /// Since when the actor has been in its phase, or in this message.
    pub(crate) fn since(&self) -> u64 {
        self.0.since.load(Relaxed)
    }

    /// The message in progress. An actor that is gone, or hangs, does not change the fields any more; for one that
    /// runs, two equal and even reads of the counter around them say that they belong together.
    pub(crate) fn progress(&self) -> Option<Progress> {
        for _ in 0..100 {
            let before = self.0.progress.load(SeqCst);
            let (seq, method, since) =
                (self.0.seq.load(Relaxed), self.0.method.load(Relaxed), self.0.since.load(Relaxed));
            let phase = self.phase();
            let after = self.0.progress.load(SeqCst);
            if before == after && before.is_multiple_of(2) {
                return (phase == Phase::Handling).then_some(Progress { seq, method, since });
            }
        }
        None
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

    pub(crate) fn stopped_by(&self) -> StoppedBy {
        match self.0.stop_by.load(SeqCst) {
            1 => StoppedBy::Program,
            2 => StoppedBy::Ref,
            3 => StoppedBy::Supervisor,
            _ => StoppedBy::Signal,
        }
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
