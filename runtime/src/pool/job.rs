//! Work for a pool: items of one function, and the sink that receives their outcomes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::{Border, PoolError, TaskAt, TaskError, WorkerAt};
use super::shared_slots::Status;
use crate::control::function::Function;
use crate::ipc::codec::RawValue;
use crate::types::exit::ExitReason;

/// Items of one function, in the order in which they were given.
pub(crate) struct Job {
    pub(crate) function: Function,
    /// In the pool, from 1.
    pub(crate) number: u64,
    /// The arguments of all items, one behind the other.
    pub(crate) args: RawValue,
    /// Where the arguments of each item end.
    pub(crate) ends: Vec<u32>,
    /// All items go to one worker, in one piece.
    pub(crate) whole: bool,
    pub(crate) sink: Arc<dyn Sink>,
    /// The number of the first item for the sink.
    pub(crate) first: u64,
    /// How often an item of it has been lost. (An item that is retried is a job of its own.)
    pub(crate) losses: AtomicU32,
    /// How often an item of it was given to another worker because the first one did not begin it.
    pub(crate) moves: AtomicU32,
}

/// A part of a job.
#[derive(Clone)]
pub(crate) struct Piece {
    pub(crate) job: Arc<Job>,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// Receives the outcomes of the items of a job.
pub(crate) trait Sink: Send + Sync {
    /// The item is about to be sent; returns whether it is still wanted.
    fn claim(&self, _index: u64) -> bool {
        true
    }

    /// Whether the pool has to count items that are not wanted any more; otherwise the sink has.
    fn is_silent(&self) -> bool {
        false
    }

    /// The item has been taken back and waits again.
    fn unclaim(&self, _index: u64) {}

    /// Returns whether this is the first outcome of the item.
    fn deliver(self: Arc<Self>, index: u64, outcome: Outcome) -> bool;

    /// Delivers several first outcomes: only a sink of many items gets more than one at a time.
    fn deliver_all(self: Arc<Self>, outcomes: &mut dyn Iterator<Item = (u64, Outcome)>) {
        for (index, outcome) in outcomes {
            Arc::clone(&self).deliver(index, outcome);
        }
    }
}

/// Outcomes of items, collected under the lock of the pool and handed out without it. Outcomes for one sink
/// are handed out together: a lock and a wake-up for each would cost more than a short task.
#[derive(Default)]
pub(crate) struct Deliveries {
    pub(crate) items: Vec<(u64, Outcome)>,
    /// For whose sink the next items are, and how many.
    pub(crate) runs: Vec<(Arc<dyn Sink>, usize)>,
}

impl Deliveries {
    pub(crate) fn push(&mut self, sink: &Arc<dyn Sink>, index: u64, outcome: Outcome) {
        self.items.push((index, outcome));
        match self.runs.last_mut() {
            Some((last, count)) if Arc::ptr_eq(last, sink) => *count += 1,
            _ => self.runs.push((Arc::clone(sink), 1)),
        }
    }
}

/// The outcome of an item.
pub(crate) enum Outcome {
    /// The worker has answered.
    Answer(Status, RawValue, Arc<WorkerAt>),
    Died(ExitReason, Arc<WorkerAt>),
    Cancelled(Option<Arc<WorkerAt>>),
    Codec(Border, String),
    Broken(Arc<PoolError>),
    Unreachable(String),
    Closed,
}

impl Outcome {
    /// Whether it is not a value.
    pub(crate) fn is_error(&self) -> bool {
        !matches!(self, Outcome::Answer(Status::Value, ..))
    }
}

/// The error that an outcome means for an item; `None` for a value and for the task's own error.
pub(crate) fn failed<E>(
    outcome: &Outcome,
    at: impl Fn(Option<&Arc<WorkerAt>>) -> TaskAt,
) -> Option<TaskError<E>> {
    Some(match outcome {
        Outcome::Answer(Status::Value | Status::ValueErr | Status::App, ..) => return None,
        Outcome::Answer(status, raw_value, worker) => {
            let text = String::from_utf8_lossy(&raw_value.bytes).into_owned();
            let border =
                if *status == Status::Arguments { Border::DecodeArguments } else { Border::EncodeResult };
            TaskError::Codec(border, text, at(Some(worker)))
        }
        Outcome::Died(reason, worker) => TaskError::Died(reason.clone(), at(Some(worker))),
        Outcome::Cancelled(worker) => TaskError::Cancelled(at(worker.as_ref())),
        Outcome::Codec(border, error) => TaskError::Codec(*border, error.clone(), at(None)),
        Outcome::Broken(error) => TaskError::Broken(Arc::clone(error), at(None)),
        Outcome::Unreachable(error) => TaskError::Unreachable(error.clone(), at(None)),
        Outcome::Closed => TaskError::Closed(at(None)),
    })
}

impl Job {
    fn start(&self, item: u32) -> usize {
        if item == 0 { 0 } else { self.ends[item as usize - 1] as usize }
    }

    /// The arguments of one item.
    pub(crate) fn args_of(&self, item: u32) -> &[u8] {
        &self.args.bytes[self.start(item)..self.ends[item as usize] as usize]
    }

    /// Counts a loss of this item; returns how many there were, this one included.
    pub(crate) fn count_loss(&self) -> u32 {
        self.losses.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn moves(&self) -> u32 {
        self.moves.load(Ordering::Relaxed)
    }

    pub(crate) fn count_move(&self) {
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    /// One item as a job of its own.
    pub(crate) fn single(self: &Arc<Job>, item: u32) -> Arc<Job> {
        if self.ends.len() == 1 {
            return Arc::clone(self);
        }
        let bytes = self.args_of(item).to_vec();
        Arc::new(Job {
            function: self.function,
            number: self.number,
            ends: vec![bytes.len() as u32],
            args: RawValue::of_bytes(bytes),
            whole: true,
            sink: Arc::clone(&self.sink),
            first: self.first + u64::from(item),
            losses: AtomicU32::new(0),
            moves: AtomicU32::new(0),
        })
    }
}

impl Piece {
    pub(crate) fn of(job: Arc<Job>) -> Piece {
        let to = job.ends.len() as u32;
        Piece { job, from: 0, to }
    }

    pub(crate) fn len(&self) -> usize {
        (self.to - self.from) as usize
    }

    pub(crate) fn bytes(&self) -> usize {
        self.job.ends[self.to as usize - 1] as usize - self.job.start(self.from)
    }

    /// The arguments of its items, one behind the other.
    pub(crate) fn args(&self) -> &[u8] {
        &self.job.args.bytes[self.job.start(self.from)..self.job.ends[self.to as usize - 1] as usize]
    }

    /// The length of the arguments of each item.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = u32> + '_ {
        (self.from..self.to).map(|item| self.job.args_of(item).len() as u32)
    }

    /// The number of its `n`th item for the sink.
    pub(crate) fn index(&self, n: u32) -> u64 {
        self.job.first + u64::from(self.from + n)
    }

    /// Each of its items, as a job of its own.
    pub(crate) fn singles(self) -> impl Iterator<Item = Piece> {
        (self.from..self.to).map(move |item| Piece::of(self.job.single(item)))
    }

    /// Splits off the first `n` items.
    pub(crate) fn split_first(&mut self, n: usize) -> Piece {
        let at = self.from + n as u32;
        let first = Piece { job: Arc::clone(&self.job), from: self.from, to: at };
        self.from = at;
        first
    }
}
