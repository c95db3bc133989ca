//! A pool as it is in its owner's process: what is to be done, who does it, and the thread that sees to it.
//!
//! Everything is decided here, under one lock that nobody holds while user code runs or while a process starts. One thread per pool waits in a
//! select for the first thing that comes: answers, deaths, the time to look at somebody. Those who submit hand a task to an idle worker themselves.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::builder::Options;
use super::callbacks::Callbacks;
use super::error::PoolError;
use super::insights::{Record, Tally};
use super::job::{Deliveries, Job, Outcome, Piece, Sink};
use super::shared_slots::{MOST_ITEMS, Phase};
use super::worker::OVERWRITTEN;
use super::worker_handle::{Failed, Lost, Verdict, Which, WorkerHandle};
use super::{End, OnLoss};
use crate::ipc::user_code;
use crate::reactor::select::{Select, later};
use crate::supervision::SupervisorRef;
use crate::sys::per_process::{COPY, Home, Own};
use crate::types::error::SpawnError;
use crate::types::exit::ExitReason;

/// How long a batch of short tasks is to take.
const BATCH: f64 = 500_000.0;
/// What takes no longer than this (in nanoseconds) all together is not divided among workers: a message more would cost as much.
const WORTH: f64 = 50_000.0;
/// Tasks that take longer than this (in nanoseconds) are not sent ahead: the way is short beside them.
const LONG: f64 = 5_000_000.0;
/// How many bytes of arguments a batch has, if it has more than one item. What is longer travels as a memory file.
const BYTES: usize = 24 * 1024;
/// How often an item is tried again whose arguments were being read when its worker died: none of its code had run.
const READS: u32 = 3;
/// How long an aborted task has to end by itself.
const ABORT_GRACE: Duration = Duration::from_millis(100);
/// How long the pool's thread goes on looking around after an answer, so that those who submit the next task need not wake it.
const COURTESY: Duration = Duration::from_millis(20);
/// The longest wait before another start is tried.
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// See the [module](self).
pub(crate) struct Core {
    pub(crate) options: Options,
    pub(crate) supervisor: Option<SupervisorRef>,
    state: Mutex<State>,
    home: Home,
    /// In a copy, made by fork, of the process that the pool belongs to: a pool that is over. Its thread and its workers are the original's.
    copied: Own<Copied>,
    /// There is room in the queue, or nothing is left to do, or the end has come.
    changed: Condvar,
    pub(crate) select: Arc<Select>,
    pub(crate) callbacks: Callbacks,
    /// Items that were taken and have not been delivered.
    open: AtomicUsize,
    numbers: AtomicU64,
    pub(crate) tally: Tally,
}

struct Copied(Mutex<State>);

impl Default for Copied {
    fn default() -> Self {
        let over = State { end: Some(End::Kill), leaves: true, ended: true, ..State::new(0, 0) };
        Copied(Mutex::new(over))
    }
}

/// What the lock guards.
pub(super) struct State {
    /// In the order in which it is to be done.
    queue: VecDeque<Piece>,
    queued: usize,
    bytes: usize,
    /// Those who wait for room.
    waiting: usize,
    pub(super) seats: Vec<Seat>,
    /// How many workers there are to be, at least and at most.
    min: usize,
    max: usize,
    /// Workers that get nothing more to do, and when they are killed if they are still there.
    leaving: Vec<(WorkerHandle, Instant)>,
    /// How long a task takes, in nanoseconds.
    average: Option<f64>,
    failures: VecDeque<Instant>,
    next_start: Option<Instant>,
    end: Option<End>,
    kill_at: Option<Instant>,
    broken: Option<Arc<PoolError>>,
    /// The thread of the pool does its last; it has done it.
    leaves: bool,
    ended: bool,
    /// When something was last answered.
    active: Instant,
    /// When the pool's thread looks around next, whatever comes; `None`: not before something does.
    wakes_at: Option<Instant>,
    /// What is to be said in the log, without the lock: a subscriber is code of the program's.
    news: Vec<Box<dyn FnOnce() + Send>>,
}

impl State {
    fn new(min: usize, max: usize) -> State {
        State {
            queue: VecDeque::new(),
            queued: 0,
            bytes: 0,
            waiting: 0,
            seats: (0..max).map(|_| Seat::default()).collect(),
            min,
            max,
            leaving: Vec::new(),
            average: None,
            failures: VecDeque::new(),
            next_start: None,
            end: None,
            kill_at: None,
            broken: None,
            leaves: false,
            ended: false,
            active: Instant::now(),
            wakes_at: None,
            news: Vec::new(),
        }
    }
}

/// The place of a worker.
#[derive(Default)]
pub(super) struct Seat {
    pub(super) handle: Option<WorkerHandle>,
    starting: bool,
    pub(super) record: Record,
}

impl Core {
    pub(crate) fn new(options: Options, supervisor: Option<SupervisorRef>) -> Core {
        let state = State::new(options.min, options.max);
        Core {
            callbacks: Callbacks::new(options.name.clone()),
            options,
            supervisor,
            state: Mutex::new(state),
            home: Home::here(),
            copied: Own::new(),
            changed: Condvar::new(),
            select: Arc::default(),
            open: AtomicUsize::new(0),
            numbers: AtomicU64::new(1),
            tally: Tally::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        let state = if self.home.is_here() { &self.state } else { &self.copied.here().0 };
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is the process that the pool belongs to, and no copy of it.
    pub(crate) fn is_here(&self) -> bool {
        self.home.is_here()
    }

    /// A number for a task.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    // Taking tasks.

    /// Takes a job, and waits for room if `patient`.
    ///
    /// # Errors
    /// What its items come to instead, or `None` if there is no room.
    pub(crate) fn submit(self: &Arc<Core>, job: Arc<Job>, patient: bool) -> Result<(), Option<Outcome>> {
        if !self.is_here() {
            return Err(Some(Outcome::Unreachable(COPY.to_owned())));
        }
        let piece = Piece::of(job);
        let (items, bytes) = (piece.len(), piece.bytes());
        let mut state = self.lock();
        loop {
            if let Some(broken) = &state.broken {
                return Err(Some(Outcome::Broken(Arc::clone(broken))));
            }
            if state.end.is_some() {
                return Err(Some(Outcome::Closed));
            }
            let fits =
                state.queued + items <= self.options.queue && state.bytes + bytes <= self.options.queue_bytes;
            if fits || state.queued == 0 {
                break;
            }
            if !patient {
                return Err(None);
            }
            state.waiting += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        self.open.fetch_add(items, Ordering::Relaxed);
        self.tally.submitted.fetch_add(items as u64, Ordering::Relaxed);
        state.enqueue(piece);
        let mut ring = false;
        if state.has_idle() {
            // Somebody has to look at the worker later, if it does not answer.
            let soon = Instant::now() + COURTESY;
            ring = self.dispatch(&mut state) | state.wakes_at.is_none_or(|at| at > soon);
        } else if state.can_grow() {
            ring = true;
        }
        drop(state);
        if ring {
            self.select.ring();
        }
        Ok(())
    }

    // What the pool's thread does.

    /// Runs until the pool has ended.
    pub(crate) fn run(self: Arc<Core>) {
        loop {
            let next = self.turn();
            if self.is_over() {
                break;
            }
            self.select.wait(next);
        }
        self.leave();
    }

    /// Deals with all that has come; returns when there is something to do without anything coming.
    fn turn(self: &Arc<Core>) -> Option<Instant> {
        let mut out = Deliveries::default();
        let now = Instant::now();
        let mut state = self.lock();
        self.hear(&mut state, &mut out);
        self.look(&mut state, now, &mut out);
        self.end_hard(&mut state, now);
        self.retire(&mut state, now);
        self.hire(&mut state, now);
        if state.is_cut_off() {
            let broken = state.broken.clone();
            for piece in state.empty() {
                fail(&piece, &mut out, || stopped(broken.as_ref()));
            }
        }
        if self.dispatch(&mut state) {
            self.select.ring();
        }
        let next = self.next_moment(&state, now);
        state.wakes_at = next;
        let room = state.waiting > 0;
        let news = std::mem::take(&mut state.news);
        drop(state);
        for say in news {
            user_code::call("a subscriber", say);
        }
        self.deliver(out);
        if room {
            self.changed.notify_all();
        }
        next
    }

    /// Hands outcomes out, without the lock.
    fn deliver(&self, out: Deliveries) {
        let Deliveries { items, runs } = out;
        let count = items.len();
        if count == 0 {
            return;
        }
        let mut items = items.into_iter();
        for (sink, len) in runs {
            // Before somebody can have seen them.
            let counters = items.as_slice()[..len].iter().map(|(_, outcome)| self.tally.counter(outcome));
            for counter in counters {
                counter.fetch_add(1, Ordering::Relaxed);
            }
            match items.next() {
                Some((index, outcome)) if len == 1 => {
                    let counter = self.tally.counter(&outcome);
                    if !sink.deliver(index, outcome) {
                        // Cancelled before, and counted then.
                        counter.fetch_sub(1, Ordering::Relaxed);
                    }
                }
                first => sink.deliver_all(&mut first.into_iter().chain(items.by_ref().take(len - 1))),
            }
        }
        if self.open.fetch_sub(count, Ordering::AcqRel) == count {
            // Whoever joins looks at the number under the lock.
            drop(self.lock());
            self.changed.notify_all();
            self.select.ring();
        }
        self.callbacks.progress(&self.tally);
    }

    /// Reads answers and ends.
    fn hear(self: &Arc<Core>, state: &mut State, out: &mut Deliveries) {
        for index in 0..state.seats.len() {
            while let Some(handle) = &mut state.seats[index].handle {
                match handle.answer(out) {
                    None => break,
                    Some(Ok((rest, items))) => {
                        state.active = Instant::now();
                        let average = handle.average(items);
                        state.learn(average);
                        state.requeue(rest);
                    }
                    Some(Err((Failed::Unsent(error), pieces))) => {
                        for piece in pieces {
                            fail(&piece, out, || Outcome::Unreachable(error.clone()));
                        }
                    }
                    Some(Err((Failed::Died(reason), _))) => self.remove_worker(state, index, &reason, out),
                }
            }
            let ended = state.seats[index].handle.as_mut().and_then(|handle| handle.link.ended());
            if let Some(reason) = ended {
                self.remove_worker(state, index, &reason, out);
            }
        }
        state.leaving.retain_mut(|(handle, _)| handle.link.ended().is_none());
    }

    /// A worker has ended: what it had not begun goes to others, what it was at is lost or tried again.
    fn remove_worker(
        self: &Arc<Core>,
        state: &mut State,
        index: usize,
        reason: &ExitReason,
        out: &mut Deliveries,
    ) {
        let cut_off = state.is_cut_off();
        let seat = &mut state.seats[index];
        let Some(mut handle) = seat.handle.take() else { return };
        // Its own monitor knows best.
        let mut reason = handle.link.ended().unwrap_or_else(|| reason.clone());
        if handle.is_overwritten {
            reason = ExitReason::Broken(OVERWRITTEN.to_owned());
        }
        let remains = handle.take_remains(out);
        seat.record.leave(&handle);
        let wanted = handle.retiring.is_some() || handle.is_killed_on_purpose() || cut_off;
        if !wanted {
            seat.record.crashes += 1;
            self.tally.crashes.fetch_add(1, Ordering::Relaxed);
            let (pool, at, reason) = (self.options.name.clone(), Arc::clone(&handle.at), reason.clone());
            state.news.push(Box::new(move || {
                let (worker, pid) = (&*at.name, at.pid);
                tracing::warn!(pool, worker, pid, %reason, "worker ended");
            }));
        }
        let mut untouched = Vec::new();
        for lost in &remains.lost {
            match self.judge(state, lost, &reason, &handle) {
                Some(outcome) => fail(&lost.piece, out, outcome),
                None => untouched.push(lost.piece.clone()),
            }
        }
        untouched.extend(remains.untouched);
        if state.is_cut_off() {
            let broken = state.broken.clone();
            for piece in untouched {
                fail(&piece, out, || stopped(broken.as_ref()));
            }
        } else {
            state.requeue(untouched);
        }
    }

    /// What becomes of an item that a worker has died of; `None`: it is tried again.
    fn judge<'a>(
        self: &Arc<Core>,
        state: &mut State,
        lost: &'a Lost,
        reason: &'a ExitReason,
        handle: &'a WorkerHandle,
    ) -> Option<impl Fn() -> Outcome + use<'a>> {
        let losses = lost.piece.job.count_loss();
        let task = lost.piece.job.function.short_name();
        let allowed = match self.options.on_loss {
            OnLoss::Retry(more) => more.saturating_add(1),
            OnLoss::Fail | OnLoss::Break => 1,
        };
        let allowed = allowed.max(lost.attempts).max(if lost.unread { READS } else { 1 });
        let aborted = state.is_cut_off();
        if lost.verdict.is_none() && !aborted && losses < allowed {
            return None;
        }
        if self.options.on_loss == OnLoss::Break && lost.verdict.is_none() && !aborted {
            let error = PoolError::Lost { pool: self.options.name.clone(), reason: reason.clone() };
            self.break_down(state, error);
        }
        Some(move || match &lost.verdict {
            Some(Verdict::Cancelled) => Outcome::Cancelled(Some(Arc::clone(&handle.at))),
            Some(Verdict::Broken(error)) => Outcome::Broken(Arc::clone(error)),
            Some(Verdict::Late(after)) => {
                let reason = ExitReason::DeadlineExceeded { method: task.to_owned(), after: *after };
                Outcome::Died(reason, Arc::clone(&handle.at))
            }
            None => Outcome::Died(reason.clone(), Arc::clone(&handle.at)),
        })
    }

    /// Looks at those who have not answered for a while.
    fn look(&self, state: &mut State, now: Instant, out: &mut Deliveries) {
        let limit = self.options.hard;
        let idle = state.has_idle();
        let mut returned = Vec::new();
        for seat in &mut state.seats {
            let Some(handle) = &mut seat.handle else { continue };
            let seen = handle.look(now, idle, limit, out);
            returned.extend(seen.returned);
            if seen.is_overwritten && !handle.is_overwritten {
                handle.give_up();
            } else if let Some((place, after)) = seen.late {
                // That one, and no later one that it has come to meanwhile.
                handle.condemn(&Which::Seen(place), Verdict::Late(after));
            }
        }
        state.requeue(returned);
    }

    /// What is left when the time of an abort is over.
    fn end_hard(&self, state: &mut State, now: Instant) {
        if state.kill_at.is_none_or(|at| at > now) {
            return;
        }
        state.kill_at = None;
        let broken = state.broken.clone();
        for handle in state.seats.iter_mut().filter_map(|seat| seat.handle.as_mut()) {
            if handle.load() > 0 {
                let verdict = broken.clone().map_or(Verdict::Cancelled, Verdict::Broken);
                if !handle.condemn(&Which::Any, verdict) {
                    handle.link.kill();
                }
            }
        }
    }

    /// Sends away those who want to be replaced, who are too old, and who are not needed.
    fn retire(&self, state: &mut State, now: Instant) {
        let live = state.live();
        let mut spare = live.saturating_sub(state.min);
        let busy = !state.queue.is_empty();
        let mut gone = Vec::new();
        for seat in &mut state.seats {
            let Some(handle) = &mut seat.handle else { continue };
            if handle.load() > 0 {
                continue;
            }
            let is_old = handle.too_old_at(self.options.limits.age).is_some_and(|at| at <= now);
            if is_old && handle.retiring.is_none() {
                handle.retiring = Some("old".to_owned());
            }
            let is_idle = !busy && now - handle.idle_since >= self.options.idle_timeout;
            let recycled = handle.retiring.is_some();
            let tired = is_idle && spare > 0 && state.end.is_none();
            if !(recycled || tired) {
                continue;
            }
            if recycled {
                seat.record.recycled += 1;
                self.tally.recycled.fetch_add(1, Ordering::Relaxed);
                let (pool, at) = (self.options.name.clone(), Arc::clone(&handle.at));
                let why = handle.retiring.clone().unwrap_or_default();
                state.news.push(Box::new(move || {
                    let worker = &*at.name;
                    tracing::debug!(pool, worker, why, "worker recycled");
                }));
            } else {
                spare -= 1;
                handle.retiring = Some("idle".to_owned());
            }
            handle.link.terminate();
            seat.record.leave(handle);
            gone.extend(seat.handle.take());
        }
        state.leaving.extend(gone.into_iter().map(|handle| (handle, later(now, self.options.grace))));
        for (handle, kill_at) in &mut state.leaving {
            if *kill_at <= now {
                handle.link.kill();
                *kill_at = later(now, self.options.grace);
            }
        }
    }

    /// Starts workers, as many as are missing, or as would have something to do.
    fn hire(self: &Arc<Core>, state: &mut State, now: Instant) {
        if state.next_start.is_some_and(|at| at > now) || state.leaves {
            return;
        }
        state.next_start = None;
        for _ in 0..state.missing() {
            let Some(index) = state.seats.iter().position(Seat::is_free) else { return };
            let seat = &mut state.seats[index];
            seat.starting = true;
            seat.record.starts += 1;
            let (core, incarnation) = (Arc::clone(self), seat.record.starts);
            let starter = std::thread::Builder::new().name("phalanx-start".to_owned());
            let spawned = starter.spawn(move || {
                let started = core.start_worker(index, incarnation);
                core.seat(index, started);
            });
            if let Err(error) = spawned {
                state.seats[index].starting = false;
                let actor = self.options.worker_name(index);
                self.note_failure(state, SpawnError::Io { actor, error: error.to_string() });
                return;
            }
        }
    }

    /// A start has come to its end.
    pub(super) fn seat(self: &Arc<Core>, index: usize, started: Result<WorkerHandle, SpawnError>) {
        let mut state = self.lock();
        state.seats[index].starting = false;
        match started {
            Ok(handle) if state.leaves => handle.link.kill(),
            Ok(handle) => {
                let waker = self.select.waker();
                handle.link.watch(&waker);
                state.seats[index].record.start(&handle);
                state.seats[index].handle = Some(handle);
                self.dispatch(&mut state);
            }
            Err(error) => self.note_failure(&mut state, error),
        }
        drop(state);
        self.select.ring();
    }

    fn note_failure(&self, state: &mut State, error: SpawnError) {
        if state.is_cut_off() || state.leaves {
            return;
        }
        let (pool, why) = (self.options.name.clone(), error.to_string());
        state.news.push(Box::new(move || tracing::error!(pool, error = %why, "worker not started")));
        let now = Instant::now();
        let (most, window) = self.options.intensity;
        state.failures.retain(|&at| now - at < window);
        state.failures.push_back(now);
        let failures = state.failures.len();
        if failures > most as usize {
            let pool = self.options.name.clone();
            self.break_down(state, PoolError::CannotStart { pool, failures, cause: Box::new(error) });
        } else {
            let wait = Duration::from_millis(10) * (1 << failures.min(7));
            state.next_start = Some(now + wait.min(LONGEST_BACKOFF));
        }
    }

    /// The pool ends by itself.
    fn break_down(&self, state: &mut State, error: PoolError) {
        if state.broken.is_some() {
            return;
        }
        let (pool, why) = (self.options.name.clone(), error.to_string());
        state.news.push(Box::new(move || tracing::error!(pool, error = %why, "pool broken")));
        state.broken = Some(Arc::new(error));
        state.end = Some(End::Kill);
        state.kill_at = Some(Instant::now());
        self.select.ring();
    }

    /// Gives those something to do who have nothing, and then those who have only one thing. Returns whether there is an answer (a refusal) already.
    fn dispatch(&self, state: &mut State) -> bool {
        let waker = self.select.waker();
        let mut refused = false;
        if state.is_cut_off() {
            return false;
        }
        for ahead in [0, 1] {
            if ahead == 1 && state.average.is_none_or(|average| average > LONG) {
                break;
            }
            for index in 0..state.seats.len() {
                if state.queue.is_empty() {
                    return refused;
                }
                let can = |handle: &WorkerHandle| handle.is_open() && handle.load() == ahead;
                if !state.seats[index].handle.as_ref().is_some_and(can) {
                    continue;
                }
                let pieces = self.take_batch(state);
                if let Some(handle) = state.seats[index].handle.as_mut().filter(|_| !pieces.is_empty()) {
                    refused |= handle.send(pieces, &waker);
                }
            }
        }
        refused
    }

    fn next_moment(&self, state: &State, now: Instant) -> Option<Instant> {
        let handles = || state.seats.iter().filter_map(|seat| seat.handle.as_ref());
        let looks = handles().filter_map(WorkerHandle::next_look);
        let spare = state.live() > state.min && state.end.is_none();
        let idle = handles().filter(|handle| handle.load() == 0).flat_map(|handle| {
            let tired = Some(later(handle.idle_since, self.options.idle_timeout)).filter(|_| spare);
            let old = handle.too_old_at(self.options.limits.age);
            tired.into_iter().chain(old)
        });
        let leaving = state.leaving.iter().map(|(_, kill_at)| *kill_at);
        let courtesy = Some(state.active + COURTESY).filter(|&at| at > now);
        looks.chain(idle).chain(leaving).chain(courtesy).chain(state.next_start).chain(state.kill_at).min()
    }

    // The end.

    /// Takes no more tasks; what becomes of those that it has, `end` says. A harder end counts, a softer one comes too late.
    pub(crate) fn end(&self, end: End, grace: bool) {
        let mut out = Deliveries::default();
        let mut state = self.lock();
        if state.ended || state.end.is_some_and(|before| before >= end) {
            return;
        }
        state.end = Some(end);
        if end != End::Drain {
            let mut returned = Vec::new();
            for handle in state.seats.iter_mut().filter_map(|seat| seat.handle.as_mut()) {
                returned.extend(handle.take_back());
                if end == End::Kill && grace && handle.load() > 0 {
                    handle.cancel_softly();
                    handle.link.terminate();
                }
            }
            state.requeue(returned);
            for piece in state.empty() {
                fail(&piece, &mut out, || Outcome::Cancelled(None));
            }
        }
        if end == End::Kill {
            state.kill_at = Some(Instant::now() + if grace { ABORT_GRACE } else { Duration::ZERO });
        }
        drop(state);
        self.deliver(out);
        self.changed.notify_all();
        self.select.ring();
    }

    /// Changes how many workers there are. Those who are too many get nothing more to do.
    pub(crate) fn resize(&self, min: usize, max: usize) {
        let mut state = self.lock();
        (state.min, state.max) = (min, max);
        if state.seats.len() < max {
            state.seats.resize_with(max, Seat::default);
        }
        let surplus = state.live().saturating_sub(max);
        let handles = state.seats.iter_mut().rev().filter_map(|seat| seat.handle.as_mut());
        for handle in handles.filter(|handle| handle.retiring.is_none()).take(surplus) {
            handle.retiring = Some("of a smaller size".to_owned());
        }
        drop(state);
        self.select.ring();
    }

    /// Whether there is nothing left to do, and never will be.
    fn is_over(&self) -> bool {
        let state = self.lock();
        let idle = self.open.load(Ordering::Acquire) == 0;
        state.end.is_some() && idle
    }

    /// The last that the pool's thread does: ends the workers.
    fn leave(&self) {
        let grace = self.options.grace;
        let mut state = self.lock();
        state.leaves = true;
        let mut handles: Vec<WorkerHandle> = Vec::new();
        for seat in &mut state.seats {
            if let Some(handle) = seat.handle.take() {
                seat.record.leave(&handle);
                handles.push(handle);
            }
        }
        handles.extend(std::mem::take(&mut state.leaving).into_iter().map(|(handle, _)| handle));
        drop(state);
        handles.iter().for_each(|handle| handle.link.terminate());
        if let Some(supervisor) = &self.supervisor {
            // One that is gone has taken its workers with it.
            let _ = supervisor.stop(grace);
        }
        drop(handles);
        self.callbacks.finish(&self.tally);
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Blocks until the pool has ended; returns why, if it was by itself.
    pub(crate) fn await_end(&self) -> Option<Arc<PoolError>> {
        let mut state = self.lock();
        while !state.ended {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.broken.clone()
    }

    /// How many workers there are at most.
    pub(crate) fn most(&self) -> usize {
        self.lock().max
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.lock().end.is_some()
    }

    // Single tasks.

    /// Takes an item back that nobody has begun; returns whether it could.
    pub(crate) fn withdraw(&self, sink: &Arc<dyn Sink>, index: u64) -> bool {
        let mut state = self.lock();
        let mut returned = Vec::new();
        for handle in state.seats.iter_mut().filter_map(|seat| seat.handle.as_mut()) {
            if handle.whereabouts(sink, index).is_some() {
                returned.extend(handle.take_back());
            }
        }
        let is_it = |piece: &Piece| Arc::ptr_eq(&piece.job.sink, sink) && piece.index(0) == index;
        let found = returned.iter().any(is_it);
        returned.retain(|piece| !is_it(piece));
        let again = !returned.is_empty();
        state.requeue(returned);
        drop(state);
        if again {
            self.select.ring();
        }
        found
    }

    /// Kills the worker that is at this item, if one is; returns whether that is so.
    pub(crate) fn kill(&self, sink: &Arc<dyn Sink>, index: u64) -> bool {
        let mut state = self.lock();
        let mut handles = state.seats.iter_mut().filter_map(|seat| seat.handle.as_mut());
        handles.any(|handle| handle.condemn(&Which::Item(sink, index), Verdict::Cancelled))
    }

    /// Whether a worker is at this item.
    pub(crate) fn is_running(&self, sink: &Arc<dyn Sink>, index: u64) -> bool {
        let state = self.lock();
        let mut handles = state.seats.iter().filter_map(|seat| seat.handle.as_ref());
        handles.any(|handle| handle.whereabouts(sink, index).is_some_and(|phase| phase != Phase::Before))
    }

    /// Items settle without having been delivered.
    pub(crate) fn settle(&self, items: usize) {
        if self.open.fetch_sub(items, Ordering::AcqRel) == items {
            drop(self.lock());
            self.changed.notify_all();
            self.select.ring();
        }
    }
}

fn stopped(broken: Option<&Arc<PoolError>>) -> Outcome {
    broken.map_or(Outcome::Cancelled(None), |error| Outcome::Broken(Arc::clone(error)))
}

/// Every item of a piece comes to this.
fn fail(piece: &Piece, out: &mut Deliveries, outcome: impl Fn() -> Outcome) {
    let sink = &piece.job.sink;
    (0..piece.len() as u32).for_each(|n| out.push(sink, piece.index(n), outcome()));
}

impl Core {
    /// The next batch: as much as is worth a message, and not more than is fair.
    fn take_batch(&self, state: &mut State) -> Vec<Piece> {
        let fair = state.queued.div_ceil(2 * state.live().max(1)).max(1);
        let in_time =
            |time: f64| state.average.map_or(1, |average| (time / average.max(1.0)).max(1.0) as usize);
        let wanted = fair.max(in_time(WORTH)).min(in_time(BATCH)).min(MOST_ITEMS / 4);
        let (mut pieces, mut items, mut bytes) = (Vec::new(), 0, 0);
        while items < wanted {
            let Some(mut piece) = state.queue.pop_front() else { break };
            let alone = piece.job.args.has_aside();
            let all = piece.len();
            let most = if piece.job.whole { MOST_ITEMS } else { wanted - items };
            // At least one item, and of several no more than fit.
            let fits = |n: usize| n * (piece.bytes() / all) + bytes <= BYTES;
            let mut n = all.min(most);
            if !fits(n) && !piece.job.whole {
                n = ((BYTES - bytes) / (piece.bytes() / all).max(1)).clamp(1, n);
            }
            if items > 0 && (alone || !fits(n) || items + n > wanted.max(1) && piece.job.whole) {
                state.queue.push_front(piece);
                break;
            }
            let first = if n < all { piece.split_first(n) } else { piece.clone() };
            if n < all {
                state.queue.push_front(piece);
            }
            state.queued -= n;
            state.bytes = state.bytes.saturating_sub(first.bytes());
            if !first.job.sink.claim(first.index(0)) {
                // Whoever cancelled it has told those who wait.
                if first.job.sink.is_silent() {
                    self.tally.cancelled.fetch_add(n as u64, Ordering::Relaxed);
                }
                self.open.fetch_sub(n, Ordering::AcqRel);
                self.changed.notify_all();
                self.select.ring();
                continue;
            }
            items += n;
            bytes += first.bytes();
            pieces.push(first);
            if alone {
                break;
            }
        }
        if state.waiting > 0 {
            self.changed.notify_all();
        }
        pieces
    }
}

impl State {
    fn enqueue(&mut self, piece: Piece) {
        self.queued += piece.len();
        self.bytes += piece.bytes();
        self.queue.push_back(piece);
    }

    /// Puts back what somebody has had and not done, in its old order and before everything else.
    fn requeue(&mut self, pieces: Vec<Piece>) {
        for piece in pieces.into_iter().rev() {
            piece.job.sink.unclaim(piece.index(0));
            self.queued += piece.len();
            self.bytes += piece.bytes();
            self.queue.push_front(piece);
        }
    }

    /// Everything that nobody has begun.
    fn empty(&mut self) -> VecDeque<Piece> {
        (self.queued, self.bytes) = (0, 0);
        std::mem::take(&mut self.queue)
    }

    /// Whether nothing more is begun.
    fn is_cut_off(&self) -> bool {
        self.end.is_some_and(|end| end != End::Drain)
    }

    fn handles(&self) -> impl Iterator<Item = &WorkerHandle> {
        self.seats.iter().filter_map(|seat| seat.handle.as_ref())
    }

    /// Those who can be given something, now or later.
    fn live(&self) -> usize {
        self.handles().filter(|handle| handle.retiring.is_none()).count()
    }

    fn starting(&self) -> usize {
        self.seats.iter().filter(|seat| seat.starting).count()
    }

    fn has_idle(&self) -> bool {
        self.handles().any(|handle| handle.is_open() && handle.load() == 0)
    }

    fn can_grow(&self) -> bool {
        self.live() + self.starting() < self.max && self.next_start.is_none()
    }

    /// How many workers should be started.
    fn missing(&self) -> usize {
        if self.is_cut_off() {
            return 0;
        }
        let there = self.live() + self.starting();
        let least = self.min.saturating_sub(there);
        let least = if self.end.is_some() { least.min(self.queued) } else { least };
        let hungry = !self.queue.is_empty() && !self.has_idle();
        let more = self.queued.saturating_sub(self.starting()).min(self.max.saturating_sub(there));
        least.max(if hungry { more } else { 0 })
    }

    fn learn(&mut self, average: Option<f64>) {
        let Some(new) = average else { return };
        // A task that is suddenly long is believed faster than one that is suddenly short.
        let known = self.average.unwrap_or(new);
        let weight = if new > known { 0.7 } else { 0.3 };
        self.average = Some(known + weight * (new - known));
    }
}

impl Seat {
    fn is_free(&self) -> bool {
        self.handle.is_none() && !self.starting
    }
}
