//! The dispatcher of a pool, in the process that owns the pool: its thread, waiting, and delivering of
//! outcomes.
//!
//! It keeps the schedule under one lock, which is never held while user code runs or while a process starts.
//! One thread per pool waits in a select for the first event: an answer, a death, or the time to check a
//! worker. A caller that submits a task hands it to an idle worker itself.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::Stop;
use super::awaited::{Awaited, Place};
use super::builder::Options;
use super::callbacks::Callbacks;
use super::error::PoolError;
use super::insights::Tally;
use super::job::{Deliveries, Job, Outcome, Piece, Sink};
use super::link::Failed;
use super::losses::{fail, stopped};
use super::schedule::{LINGER, Retired, Schedule, Taken};
use super::shared_slots::Phase;
use super::worker_handle::{KillReason, Target, WorkerHandle};
use crate::ipc::user_code;
use crate::reactor::select::Select;
use crate::supervision::SupervisorRef;
use crate::sys::clock;
use crate::sys::per_process::{COPY, Home, Own};

/// How long an aborted task has to end by itself.
const ABORT_GRACE: Duration = Duration::from_millis(100);

/// See the [module](self).
pub(crate) struct Dispatcher {
    pub(crate) options: Options,
    pub(crate) supervisor: Option<SupervisorRef>,
    schedule: Mutex<Schedule>,
    home: Home,
    /// The schedule in a forked copy of the process that the pool belongs to: there the pool is over. The
    /// thread and the workers belong to the original.
    copied: Own<Copied>,
    /// Notified when there is room in the queue, when no item is left, and when the pool ends.
    changed: Condvar,
    /// Futures that wait for the same.
    pub(super) awaited: Awaited,
    /// Async code has used the pool: its drop must not block.
    pub(super) is_async: AtomicBool,
    /// The pool was dropped, and no caller waits for its end.
    is_left: AtomicBool,
    pub(crate) select: Arc<Select>,
    pub(crate) callbacks: Callbacks,
    /// Items that were taken and have not been delivered.
    undelivered: AtomicUsize,
    next_number: AtomicU64,
    pub(crate) tally: Tally,
}

struct Copied(Mutex<Schedule>);

impl Default for Copied {
    fn default() -> Self {
        Copied(Mutex::new(Schedule::over()))
    }
}

impl Dispatcher {
    pub(crate) fn new(options: Options, supervisor: Option<SupervisorRef>) -> Dispatcher {
        Dispatcher {
            callbacks: Callbacks::new(options.name.clone()),
            schedule: Mutex::new(Schedule::new(&options)),
            options,
            supervisor,
            home: Home::here(),
            copied: Own::new(),
            changed: Condvar::new(),
            is_left: AtomicBool::new(false),
            is_async: AtomicBool::new(false),
            awaited: Awaited::default(),
            select: Arc::default(),
            undelivered: AtomicUsize::new(0),
            next_number: AtomicU64::new(1),
            tally: Tally::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Schedule> {
        let schedule = if self.home.is_here() { &self.schedule } else { &self.copied.here().0 };
        schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process is the one that the pool belongs to, and no forked copy.
    pub(crate) fn is_here(&self) -> bool {
        self.home.is_here()
    }

    /// Returns a number for a task.
    pub(crate) fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    // Taking tasks.

    /// Takes a job; waits for room if `blocking`.
    ///
    /// # Errors
    /// The outcome of its items instead, or `None` if there is no room.
    pub(crate) fn submit(
        self: &Arc<Dispatcher>,
        job: Arc<Job>,
        blocking: bool,
    ) -> Result<(), Option<Outcome>> {
        if !self.is_here() {
            return Err(Some(Outcome::Unreachable(COPY.to_owned())));
        }
        let piece = Piece::of(job);
        let mut schedule = self.lock();
        loop {
            if let Some(refusal) = schedule.refusal() {
                return Err(Some(refusal));
            }
            if schedule.has_room(&piece) {
                break;
            }
            if !blocking {
                return Err(None);
            }
            schedule.begin_wait();
            schedule = self.changed.wait(schedule).unwrap_or_else(PoisonError::into_inner);
            schedule.end_wait();
        }
        self.accept(schedule, piece);
        Ok(())
    }

    /// As [`submit`](Self::submit), for a future that waits for room.
    pub(super) fn poll_submit(
        self: &Arc<Dispatcher>,
        job: &Arc<Job>,
        place: &mut Place,
        waker: &Waker,
    ) -> Poll<Result<(), Outcome>> {
        if !self.is_here() {
            return Poll::Ready(Err(Outcome::Unreachable(COPY.to_owned())));
        }
        // Cloned and dropped without the lock: both run code of the executor.
        let waker = waker.clone();
        let piece = Piece::of(Arc::clone(job));
        let (waited, _old);
        let mut schedule = self.lock();
        (waited, _old) = place.leave(&self.awaited);
        if waited {
            schedule.end_wait();
        }
        if let Some(refusal) = schedule.refusal() {
            return Poll::Ready(Err(refusal));
        }
        if schedule.has_room(&piece) {
            self.accept(schedule, piece);
            return Poll::Ready(Ok(()));
        }
        schedule.begin_wait();
        place.enter(&self.awaited, waker);
        Poll::Pending
    }

    /// A future that waited for room is gone.
    pub(super) fn give_up_room(&self, place: &mut Place) {
        let (waited, _old);
        let mut schedule = self.lock();
        (waited, _old) = place.leave(&self.awaited);
        if waited {
            schedule.end_wait();
        }
    }

    /// Takes a piece for which there is room.
    fn accept(self: &Arc<Dispatcher>, mut schedule: MutexGuard<'_, Schedule>, piece: Piece) {
        let items = piece.len();
        self.undelivered.fetch_add(items, Ordering::Relaxed);
        self.tally.submitted.fetch_add(items as u64, Ordering::Relaxed);
        schedule.enqueue(piece);
        let ring = if schedule.has_idle() {
            // The pool's thread must check the worker later, in case it does not answer.
            let soon = Instant::now() + LINGER;
            self.dispatch(&mut schedule) | !schedule.wakes_by(soon)
        } else {
            schedule.can_grow()
        };
        drop(schedule);
        if ring {
            self.select.ring();
        }
    }

    /// Something has changed for which callers may wait. Threads are woken now, futures by the pool's thread:
    /// the lock may be held here.
    fn note_change(&self) {
        self.changed.notify_all();
        if self.awaited.note_change() {
            self.select.ring();
        }
    }

    // What the pool's thread does.

    /// Runs until the pool has ended.
    pub(crate) fn run(self: Arc<Dispatcher>) {
        loop {
            let next = self.turn();
            if self.is_over() {
                break;
            }
            self.select.wait(next);
        }
        self.shut_down();
    }

    /// Handles all that has come. Returns the moment at which there is something to do even if nothing more
    /// comes.
    fn turn(self: &Arc<Dispatcher>) -> Option<Instant> {
        let mut out = Deliveries::default();
        let now = Instant::now();
        let mut schedule = self.lock();
        self.read_answers(&mut schedule, &mut out);
        self.check_workers(&mut schedule, now, &mut out);
        self.kill_busy(&mut schedule, now);
        self.retire(&mut schedule, now);
        self.start_missing(&mut schedule, now);
        if schedule.is_cut_off() {
            let broken = schedule.broken();
            for piece in schedule.take_queue() {
                fail(&piece, &mut out, || stopped(broken.as_ref()));
            }
        }
        if self.dispatch(&mut schedule) {
            self.select.ring();
        }
        let next = schedule.next_moment(now);
        schedule.note_wait(next);
        let room = schedule.is_awaited();
        let log = schedule.take_log();
        drop(schedule);
        for event in log {
            user_code::call("a subscriber", event);
        }
        self.deliver(out);
        if room {
            self.changed.notify_all();
            self.awaited.note_change();
        }
        self.awaited.wake();
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
            // Counted before a caller can see them.
            let counters = items.as_slice()[..len].iter().map(|(_, outcome)| self.tally.counter(outcome));
            for counter in counters {
                counter.fetch_add(1, Ordering::Relaxed);
            }
            match items.next() {
                Some((index, outcome)) if len == 1 => {
                    let counter = self.tally.counter(&outcome);
                    if !sink.deliver(index, outcome) {
                        // It was cancelled, and counted, before.
                        counter.fetch_sub(1, Ordering::Relaxed);
                    }
                }
                first => sink.deliver_all(&mut first.into_iter().chain(items.by_ref().take(len - 1))),
            }
        }
        if self.undelivered.fetch_sub(count, Ordering::AcqRel) == count {
            // A caller that joins checks the number under the lock.
            drop(self.lock());
            self.note_change();
            self.select.ring();
        }
        self.callbacks.progress(&self.tally);
    }

    /// Reads answers of workers, and how workers ended.
    fn read_answers(&self, schedule: &mut Schedule, out: &mut Deliveries) {
        for index in 0..schedule.seats() {
            while let Some(answer) = schedule.handle_mut(index).and_then(|handle| handle.answer(out)) {
                match answer {
                    Ok((rest, items)) => schedule.note_answer(index, rest, items, Instant::now()),
                    Err((Failed::Unsent(error), pieces)) => {
                        for piece in pieces {
                            fail(&piece, out, || Outcome::Unreachable(error.clone()));
                        }
                    }
                    Err((Failed::Died(reason), _)) => self.remove_worker(schedule, index, &reason, out),
                }
            }
            let ended = schedule.handle_mut(index).and_then(|handle| handle.link.ended());
            if let Some(reason) = ended {
                self.remove_worker(schedule, index, &reason, out);
            }
        }
        schedule.forget_ended();
    }

    /// Checks workers that have not answered for a while.
    fn check_workers(&self, schedule: &mut Schedule, now: Instant, out: &mut Deliveries) {
        let limit = self.options.hard;
        let idle = schedule.has_idle();
        let mut returned = Vec::new();
        for handle in schedule.handles_mut() {
            let seen = handle.look(now, idle, limit, out);
            returned.extend(seen.returned);
            if seen.is_overwritten && !handle.is_overwritten {
                handle.give_up();
            } else if let Some((place, after)) = seen.late {
                // Only the item that was seen: by now the worker may be at a later one.
                handle.condemn(&Target::Seen(place), KillReason::Late(after));
            }
        }
        schedule.requeue(returned);
    }

    /// Kills the workers that are still busy when the time of an abort is over.
    fn kill_busy(&self, schedule: &mut Schedule, now: Instant) {
        if !schedule.take_kill(now) {
            return;
        }
        let broken = schedule.broken();
        for handle in schedule.handles_mut().filter(|handle| handle.load() > 0) {
            let kill_reason = broken.clone().map_or(KillReason::Cancelled, KillReason::Broken);
            if !handle.condemn(&Target::Any, kill_reason) {
                handle.link.kill();
            }
        }
    }

    /// Ends idle workers that are to be replaced, that are too old, or that are not needed.
    fn retire(&self, schedule: &mut Schedule, now: Instant) {
        for Retired { index, at, recycled } in schedule.retire(now) {
            if let Some(why) = recycled {
                self.tally.recycled.fetch_add(1, Ordering::Relaxed);
                let pool = self.options.name.clone();
                schedule.log(move || {
                    let worker = &*at.name;
                    tracing::debug!(pool, worker, why, "worker recycled");
                });
            }
            if let Some(handle) = schedule.handle_mut(index) {
                handle.link.terminate();
            }
            schedule.dismiss(index, now);
        }
        schedule.take_overdue(now).for_each(|handle| handle.link.kill());
    }

    /// The pool ends by itself.
    pub(super) fn break_down(&self, schedule: &mut Schedule, error: PoolError) {
        let (pool, why) = (self.options.name.clone(), error.to_string());
        if schedule.break_down(error, Instant::now()) {
            schedule.log(move || tracing::error!(pool, error = %why, "pool broken"));
            self.select.ring();
        }
    }

    /// Gives work to the workers that have none, and then to those that have only one batch. Returns whether
    /// there is an answer (a refusal) already.
    pub(super) fn dispatch(&self, schedule: &mut Schedule) -> bool {
        if schedule.is_cut_off() {
            return false;
        }
        let waker = self.select.waker();
        let mut refused = false;
        for load in 0..schedule.batches_per_worker() {
            for index in 0..schedule.seats() {
                if !schedule.has_queued() {
                    return refused;
                }
                let Some(Taken { pieces, unwanted }) = schedule.take_batch(index, load) else { continue };
                for piece in unwanted {
                    self.drop_unwanted(&piece);
                }
                if schedule.is_awaited() {
                    self.note_change();
                }
                if let Some(handle) = schedule.handle_mut(index).filter(|_| !pieces.is_empty()) {
                    refused |= handle.send(pieces, &waker);
                }
            }
        }
        refused
    }

    /// Counts items that were cancelled in the queue. The call that cancelled them has told the callers.
    fn drop_unwanted(&self, piece: &Piece) {
        if piece.job.sink.is_silent() {
            self.tally.cancelled.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        self.undelivered.fetch_sub(piece.len(), Ordering::AcqRel);
        self.note_change();
        self.select.ring();
    }

    // The end.

    /// Takes no more tasks; `end` says what becomes of the tasks it has. A harder end replaces a softer one,
    /// but not the other way round.
    pub(crate) fn end(&self, end: Stop, grace: bool) {
        let mut out = Deliveries::default();
        let mut schedule = self.lock();
        if !schedule.begin_end(end) {
            return;
        }
        if end != Stop::Drain {
            let mut returned = Vec::new();
            for handle in schedule.handles_mut() {
                returned.extend(handle.take_back());
                if end == Stop::Kill && grace && handle.load() > 0 {
                    handle.cancel_softly();
                    handle.link.terminate();
                }
            }
            schedule.requeue(returned);
            for piece in schedule.take_queue() {
                fail(&piece, &mut out, || Outcome::Cancelled(None));
            }
        }
        if end == Stop::Kill {
            schedule.kill_at(Instant::now() + if grace { ABORT_GRACE } else { Duration::ZERO });
        }
        drop(schedule);
        self.deliver(out);
        self.note_change();
        self.select.ring();
    }

    /// Changes how many workers there are. Surplus workers get nothing more to do.
    pub(crate) fn resize(&self, min: usize, max: usize) {
        self.lock().resize(min, max);
        self.select.ring();
    }

    /// Whether no item is left and none can come.
    fn is_over(&self) -> bool {
        let schedule = self.lock();
        let idle = self.undelivered.load(Ordering::Acquire) == 0;
        schedule.is_ending() && idle
    }

    /// The last step of the pool's thread: ends the workers.
    fn shut_down(&self) {
        let grace = self.options.grace;
        let handles = self.lock().begin_shutdown();
        handles.iter().for_each(|handle| handle.link.terminate());
        if let Some(supervisor) = &self.supervisor {
            // A supervisor that is gone has taken its workers with it.
            let _ = supervisor.stop(grace);
        }
        drop(handles);
        self.callbacks.finish(&self.tally);
        self.lock().note_ended();
        self.note_change();
        if self.is_left.load(Ordering::SeqCst) {
            user_code::call("a subscriber", || self.log_unread());
        }
        self.awaited.wake();
    }

    /// The pool was dropped, and no caller waits for its end.
    pub(super) fn leave(&self) {
        self.is_left.store(true, Ordering::SeqCst);
    }

    /// Logs errors that no caller has read.
    pub(super) fn log_unread(&self) {
        let (unread, texts) = self.tally.unread();
        if unread > 0 {
            let first = texts.first().map(String::as_str).unwrap_or_default();
            tracing::warn!(pool = self.options.name, unread, first, "unread task errors");
        }
    }

    /// Blocks until the pool has ended; returns why, if it ended by itself.
    pub(crate) fn await_end(&self) -> Option<Arc<PoolError>> {
        let mut schedule = self.lock();
        while !schedule.has_ended() {
            schedule = self.changed.wait(schedule).unwrap_or_else(PoisonError::into_inner);
        }
        schedule.broken()
    }

    /// As [`await_end`](Self::await_end), for a future.
    pub(super) fn poll_end(&self, place: &mut Place, waker: &Waker) -> Poll<Option<Arc<PoolError>>> {
        // Cloned and dropped without the lock: both run code of the executor.
        let waker = waker.clone();
        let _old;
        let schedule = self.lock();
        _old = place.leave(&self.awaited);
        if schedule.has_ended() {
            return Poll::Ready(schedule.broken());
        }
        place.enter(&self.awaited, waker);
        Poll::Pending
    }

    /// A future that waited for the end is gone.
    pub(super) fn forget_end(&self, place: &mut Place) {
        let _old = place.leave(&self.awaited);
    }

    /// As [`await_end`](Self::await_end), for `limit` at most; `None` if the pool has not ended by then.
    pub(crate) fn await_end_within(&self, limit: Duration) -> Option<Option<Arc<PoolError>>> {
        let deadline = clock::after(limit);
        let mut schedule = self.lock();
        while !schedule.has_ended() {
            let left = clock::until(deadline);
            if left.is_zero() {
                return None;
            }
            schedule = self.changed.wait_timeout(schedule, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(schedule.broken())
    }

    /// How many workers there are at most.
    pub(crate) fn most(&self) -> usize {
        self.lock().max()
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.lock().is_ending()
    }

    // Single tasks.

    /// Takes back an item that no worker has begun; returns whether that was possible.
    pub(crate) fn withdraw(&self, sink: &Arc<dyn Sink>, index: u64) -> bool {
        let mut schedule = self.lock();
        let mut returned = Vec::new();
        for handle in schedule.handles_mut() {
            if handle.phase_of(sink, index).is_some() {
                returned.extend(handle.take_back());
            }
        }
        let is_it = |piece: &Piece| Arc::ptr_eq(&piece.job.sink, sink) && piece.index(0) == index;
        let found = returned.iter().any(is_it);
        returned.retain(|piece| !is_it(piece));
        let again = !returned.is_empty();
        schedule.requeue(returned);
        drop(schedule);
        if again {
            self.select.ring();
        }
        found
    }

    /// Kills the worker that runs this item; returns whether there was one.
    pub(crate) fn kill(&self, sink: &Arc<dyn Sink>, index: u64) -> bool {
        let mut schedule = self.lock();
        let target = Target::Item(sink, index);
        schedule.handles_mut().any(|handle| handle.condemn(&target, KillReason::Cancelled))
    }

    /// Whether a worker has begun this item.
    pub(crate) fn is_running(&self, sink: &Arc<dyn Sink>, index: u64) -> bool {
        let schedule = self.lock();
        let begun =
            |handle: &WorkerHandle| handle.phase_of(sink, index).is_some_and(|phase| phase != Phase::Before);
        schedule.handles().any(begun)
    }

    /// Counts items as done that were not delivered.
    pub(crate) fn settle(&self, items: usize) {
        if self.undelivered.fetch_sub(items, Ordering::AcqRel) == items {
            drop(self.lock());
            self.note_change();
            self.select.ring();
        }
    }
}
