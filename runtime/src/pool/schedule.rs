//! The schedule of a pool: the queued work, the workers, what a free worker gets, and how far the end of the
//! pool has come.
//!
//! The dispatcher keeps it under its lock. Its methods record events and return what is to be done. None of
//! them blocks, starts or ends a worker, or sends anything. The moments that decide are arguments.

mod end;
mod run_queue;
mod starts;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::run_queue::RunQueue;
pub(super) use self::run_queue::Taken;

use super::Stop;
use super::builder::Options;
use super::error::{PoolError, WorkerAt};
use super::insights::Record;
use super::job::{Deliveries, Outcome, Piece};
use super::worker::OVERWRITTEN;
use super::worker_handle::{Remains, WorkerHandle};
use crate::reactor::select::later;
use crate::types::exit::ExitReason;

/// How long the pool's thread keeps looking around after an answer, so that callers that submit the next task
/// need not wake it.
pub(super) const LINGER: Duration = Duration::from_millis(20);

/// See the [module](self).
pub(super) struct Schedule {
    queue: RunQueue,
    /// How many callers wait for room in the queue.
    waiting: usize,
    seats: Vec<Seat>,
    /// The least and the greatest number of workers.
    min: usize,
    max: usize,
    rules: Rules,
    /// Workers that get nothing more to do, and when each is killed if it has not ended by then.
    leaving: Vec<(WorkerHandle, Instant)>,
    /// The moments of failed starts, within the window of the intensity.
    failures: VecDeque<Instant>,
    /// No worker is started before this.
    next_start: Option<Instant>,
    end: Option<Stop>,
    kill_at: Option<Instant>,
    broken: Option<Arc<PoolError>>,
    /// Two steps of the pool's thread: it has begun to end the workers, and it has ended them.
    is_shutting_down: bool,
    has_ended: bool,
    /// When a worker answered last.
    last_answer: Instant,
    /// When the pool's thread looks around next at the latest; `None`: not before an event.
    wakes_at: Option<Instant>,
    /// Log events for later, without the lock: a subscriber is code of the program.
    log: Vec<LogEvent>,
}

pub(super) type LogEvent = Box<dyn FnOnce() + Send>;

/// The options that are applied here.
#[derive(Default)]
struct Rules {
    idle_timeout: Duration,
    age: Option<Duration>,
    grace: Duration,
    intensity: (u32, Duration),
}

/// The place of a worker.
#[derive(Default)]
struct Seat {
    handle: Option<WorkerHandle>,
    is_starting: bool,
    record: Record,
}

/// A worker that has ended and has left its seat.
pub(super) struct Vacated {
    pub(super) handle: WorkerHandle,
    pub(super) reason: ExitReason,
    pub(super) remains: Remains,
    /// It ended unexpectedly.
    pub(super) is_crash: bool,
}

/// A worker that is to end, because it is not needed or is replaced.
pub(super) struct Retired {
    pub(super) index: usize,
    pub(super) at: Arc<WorkerAt>,
    /// Why it ends although work could come; `None` for a worker that is only idle.
    pub(super) recycled: Option<String>,
}

impl Schedule {
    pub(super) fn new(options: &Options) -> Schedule {
        let rules = Rules {
            idle_timeout: options.idle_timeout,
            age: options.limits.age,
            grace: options.grace,
            intensity: options.intensity,
        };
        let queue = RunQueue::new(options.queue, options.queue_bytes);
        Schedule { queue, rules, ..Schedule::of(options.min, options.max) }
    }

    /// The schedule of a pool that is over.
    pub(super) fn over() -> Schedule {
        Schedule { end: Some(Stop::Kill), is_shutting_down: true, has_ended: true, ..Schedule::of(0, 0) }
    }

    fn of(min: usize, max: usize) -> Schedule {
        Schedule {
            queue: RunQueue::default(),
            waiting: 0,
            seats: (0..max).map(|_| Seat::default()).collect(),
            min,
            max,
            rules: Rules::default(),
            leaving: Vec::new(),
            failures: VecDeque::new(),
            next_start: None,
            end: None,
            kill_at: None,
            broken: None,
            is_shutting_down: false,
            has_ended: false,
            last_answer: Instant::now(),
            wakes_at: None,
            log: Vec::new(),
        }
    }

    // Work.

    /// Why the pool takes no more tasks, if that is so.
    pub(super) fn refusal(&self) -> Option<Outcome> {
        match &self.broken {
            Some(error) => Some(Outcome::Broken(Arc::clone(error))),
            None => self.end.map(|_| Outcome::Closed),
        }
    }

    /// Whether `piece` can be queued now.
    pub(super) fn has_room(&self, piece: &Piece) -> bool {
        self.queue.has_room(piece)
    }

    /// A caller begins to wait for room.
    pub(super) fn begin_wait(&mut self) {
        self.waiting += 1;
    }

    pub(super) fn end_wait(&mut self) {
        self.waiting -= 1;
    }

    /// Whether a caller waits for room.
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting > 0
    }

    pub(super) fn enqueue(&mut self, piece: Piece) {
        self.queue.push(piece);
    }

    /// Puts back what a worker was given and has not done, in its old order and before all else.
    pub(super) fn requeue(&mut self, pieces: Vec<Piece>) {
        self.queue.requeue(pieces);
    }

    /// Takes all that is queued.
    pub(super) fn take_queue(&mut self) -> VecDeque<Piece> {
        self.queue.take_all()
    }

    /// How many batches a worker is given at most.
    pub(super) fn batches_per_worker(&self) -> usize {
        self.queue.batches_per_worker()
    }

    /// Whether items wait for a worker.
    pub(super) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Takes a batch from the queue for the worker at `index`, if it has `load` batches and can be given one
    /// more.
    pub(super) fn take_batch(&mut self, index: usize, load: usize) -> Option<Taken> {
        let handle = self.seats[index].handle.as_ref()?;
        if self.queue.is_empty() || !handle.is_open() || handle.load() != load {
            return None;
        }
        let workers = self.live();
        Some(self.queue.take_batch(workers))
    }

    /// The worker at `index` has answered for `items` items of a batch, and has not done `rest`.
    pub(super) fn note_answer(&mut self, index: usize, rest: Vec<Piece>, items: u32, now: Instant) {
        self.last_answer = now;
        let average = self.handle_mut(index).and_then(|handle| handle.average(items));
        self.queue.learn(average);
        self.queue.requeue(rest);
    }

    // Workers.

    /// How many seats there are.
    pub(super) fn seats(&self) -> usize {
        self.seats.len()
    }

    /// How many workers there are at most.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    pub(super) fn handle_mut(&mut self, index: usize) -> Option<&mut WorkerHandle> {
        self.seats[index].handle.as_mut()
    }

    pub(super) fn handles(&self) -> impl Iterator<Item = &WorkerHandle> {
        self.seats.iter().filter_map(|seat| seat.handle.as_ref())
    }

    pub(super) fn handles_mut(&mut self) -> impl Iterator<Item = &mut WorkerHandle> {
        self.seats.iter_mut().filter_map(|seat| seat.handle.as_mut())
    }

    /// The record of each seat that has had a worker, with its index and the process that is there now.
    pub(super) fn records(&self) -> impl Iterator<Item = (usize, Record, Option<u32>)> {
        let used = self.seats.iter().enumerate().filter(|(_, seat)| seat.record.starts > 0);
        used.map(|(index, seat)| {
            let mut record = seat.record.clone();
            if let Some(handle) = &seat.handle {
                record.leave(handle);
            }
            (index, record, seat.handle.as_ref().map(|handle| handle.at.pid))
        })
    }

    /// How many workers can be given work, now or later.
    fn live(&self) -> usize {
        self.handles().filter(|handle| handle.retiring.is_none()).count()
    }

    /// Whether a worker has nothing to do.
    pub(super) fn has_idle(&self) -> bool {
        self.handles().any(|handle| handle.is_open() && handle.load() == 0)
    }

    /// Takes the worker at `index`, which has ended, out of its seat.
    pub(super) fn vacate(
        &mut self,
        index: usize,
        reason: &ExitReason,
        out: &mut Deliveries,
    ) -> Option<Vacated> {
        let is_cut_off = self.is_cut_off();
        let seat = &mut self.seats[index];
        let mut handle = seat.handle.take()?;
        // The worker's own monitor knows the reason best.
        let mut reason = handle.link.ended().unwrap_or_else(|| reason.clone());
        if handle.is_overwritten {
            reason = ExitReason::Broken(OVERWRITTEN.to_owned());
        }
        let is_crash = handle.retiring.is_none() && !handle.is_killed_on_purpose() && !is_cut_off;
        let remains = handle.take_remains(out);
        seat.record.leave(&handle);
        seat.record.crashes += u64::from(is_crash);
        Some(Vacated { handle, reason, remains, is_crash })
    }

    /// Chooses the workers that are to end: idle ones that are to be replaced, that are too old, or that are
    /// not needed.
    pub(super) fn retire(&mut self, now: Instant) -> Vec<Retired> {
        let mut spare = self.live().saturating_sub(self.min);
        let mut retired = Vec::new();
        for (index, seat) in self.seats.iter_mut().enumerate() {
            let Some(handle) = &mut seat.handle else { continue };
            if handle.load() > 0 {
                continue;
            }
            let is_old = handle.too_old_at(self.rules.age).is_some_and(|at| at <= now);
            if is_old && handle.retiring.is_none() {
                handle.retiring = Some("old".to_owned());
            }
            let recycled = handle.retiring.clone();
            if recycled.is_some() {
                seat.record.recycled += 1;
            } else {
                let is_idle = self.queue.is_empty() && now - handle.idle_since >= self.rules.idle_timeout;
                if !is_idle || spare == 0 || self.end.is_some() {
                    continue;
                }
                spare -= 1;
                handle.retiring = Some("idle".to_owned());
            }
            retired.push(Retired { index, at: Arc::clone(&handle.at), recycled });
        }
        retired
    }

    /// The worker at `index` has been asked to end: it leaves its seat to another one.
    pub(super) fn dismiss(&mut self, index: usize, now: Instant) {
        let seat = &mut self.seats[index];
        if let Some(handle) = seat.handle.take() {
            seat.record.leave(&handle);
            self.leaving.push((handle, later(now, self.rules.grace)));
        }
    }

    /// The workers that were asked to end and have not ended in time. Each that is taken gets its grace once
    /// more before it comes again.
    pub(super) fn take_overdue(&mut self, now: Instant) -> impl Iterator<Item = &WorkerHandle> {
        let grace = self.rules.grace;
        self.leaving.iter_mut().filter(move |(_, kill_at)| *kill_at <= now).map(move |(handle, kill_at)| {
            *kill_at = later(now, grace);
            &*handle
        })
    }

    /// Forgets workers that were asked to end and have ended.
    pub(super) fn forget_ended(&mut self) {
        self.leaving.retain_mut(|(handle, _)| handle.link.ended().is_none());
    }

    /// Changes how many workers there are. Surplus workers get nothing more to do.
    pub(super) fn resize(&mut self, min: usize, max: usize) {
        (self.min, self.max) = (min, max);
        if self.seats.len() < max {
            self.seats.resize_with(max, Seat::default);
        }
        let surplus = self.live().saturating_sub(max);
        let handles = self.seats.iter_mut().rev().filter_map(|seat| seat.handle.as_mut());
        for handle in handles.filter(|handle| handle.retiring.is_none()).take(surplus) {
            handle.retiring = Some("of a smaller size".to_owned());
        }
    }

    // What the pool's thread waits for.

    /// When something is to be done next although no event comes.
    pub(super) fn next_moment(&self, now: Instant) -> Option<Instant> {
        let looks = self.handles().filter_map(WorkerHandle::next_look);
        let spare = self.live() > self.min && self.end.is_none();
        let idle = self.handles().filter(|handle| handle.load() == 0).flat_map(|handle| {
            let tired = Some(later(handle.idle_since, self.rules.idle_timeout)).filter(|_| spare);
            let old = handle.too_old_at(self.rules.age);
            tired.into_iter().chain(old)
        });
        let leaving = self.leaving.iter().map(|(_, kill_at)| *kill_at);
        let linger = Some(self.last_answer + LINGER).filter(|&at| at > now);
        looks.chain(idle).chain(leaving).chain(linger).chain(self.next_start).chain(self.kill_at).min()
    }

    /// The pool's thread is about to wait until then.
    pub(super) fn note_wait(&mut self, until: Option<Instant>) {
        self.wakes_at = until;
    }

    /// Whether the pool's thread looks around by `at`, even without an event.
    pub(super) fn wakes_by(&self, at: Instant) -> bool {
        self.wakes_at.is_some_and(|wakes_at| wakes_at <= at)
    }

    /// Has `event` logged as soon as the lock is free.
    pub(super) fn log(&mut self, event: impl FnOnce() + Send + 'static) {
        self.log.push(Box::new(event));
    }

    pub(super) fn take_log(&mut self) -> Vec<LogEvent> {
        std::mem::take(&mut self.log)
    }
}
