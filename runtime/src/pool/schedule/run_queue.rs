//! The queue of a pool: items that wait for a worker, in the order in which they are run, and how many of
//! them make a batch.
//!
//! Nothing here waits or sends. `claim` and `unclaim` take the lock of a sink, under which the pool's is never
//! taken.

use std::collections::VecDeque;

use crate::pool::job::Piece;
use crate::pool::shared_slots::MOST_ITEMS;

/// How long a batch of short tasks takes at most, in nanoseconds.
const BATCH: f64 = 500_000.0;
/// Tasks that together take no longer than this (in nanoseconds) are not divided among workers: one more
/// message would cost as much.
const WORTH: f64 = 50_000.0;
/// Tasks that take longer than this (in nanoseconds) are not sent ahead: a message takes little time beside
/// them.
const LONG: f64 = 5_000_000.0;
/// How many bytes of arguments a batch of more than one item has at most. Longer arguments travel as a memory
/// file.
const BYTES: usize = 24 * 1024;

/// See the [module](self).
#[derive(Default)]
pub(super) struct RunQueue {
    pieces: VecDeque<Piece>,
    /// Items in all pieces, and the bytes of their arguments.
    items: usize,
    bytes: usize,
    max_items: usize,
    max_bytes: usize,
    /// How long a task takes, in nanoseconds.
    average: Option<f64>,
}

/// What was taken from the queue for one worker.
#[derive(Default)]
pub(crate) struct Taken {
    /// One batch.
    pub(crate) pieces: Vec<Piece>,
    /// Items that were cancelled while they were queued.
    pub(crate) unwanted: Vec<Piece>,
}

impl RunQueue {
    pub(super) fn new(max_items: usize, max_bytes: usize) -> RunQueue {
        RunQueue { max_items, max_bytes, ..RunQueue::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How many items are queued.
    pub(super) fn len(&self) -> usize {
        self.items
    }

    /// Whether `piece` can be queued now. An empty queue takes any piece.
    pub(super) fn has_room(&self, piece: &Piece) -> bool {
        let fits = self.items + piece.len() <= self.max_items && self.bytes + piece.bytes() <= self.max_bytes;
        fits || self.items == 0
    }

    pub(super) fn push(&mut self, piece: Piece) {
        self.items += piece.len();
        self.bytes += piece.bytes();
        self.pieces.push_back(piece);
    }

    /// Puts back what a worker was given and has not done, in its old order and before all else.
    pub(super) fn requeue(&mut self, pieces: Vec<Piece>) {
        for piece in pieces.into_iter().rev() {
            piece.job.sink.unclaim(piece.index(0));
            self.items += piece.len();
            self.bytes += piece.bytes();
            self.pieces.push_front(piece);
        }
    }

    /// Empties the queue.
    pub(super) fn take_all(&mut self) -> VecDeque<Piece> {
        (self.items, self.bytes) = (0, 0);
        std::mem::take(&mut self.pieces)
    }

    /// Records how long the tasks of a batch took on average, in nanoseconds.
    pub(super) fn learn(&mut self, average: Option<f64>) {
        let Some(new) = average else { return };
        // Trust a sudden long task more than a sudden short one.
        let known = self.average.unwrap_or(new);
        let weight = if new > known { 0.7 } else { 0.3 };
        self.average = Some(known + weight * (new - known));
    }

    /// How many batches a worker gets at most: a second one is sent ahead if tasks are known to be short.
    pub(super) fn batches_per_worker(&self) -> usize {
        if self.average.is_none_or(|average| average > LONG) { 1 } else { 2 }
    }

    /// Takes the next batch: as many items as are worth a message, but no more than a fair share for one of
    /// `workers` workers.
    pub(super) fn take_batch(&mut self, workers: usize) -> Taken {
        let fair = self.items.div_ceil(2 * workers.max(1)).max(1);
        let in_time =
            |time: f64| self.average.map_or(1, |average| (time / average.max(1.0)).max(1.0) as usize);
        let wanted = fair.max(in_time(WORTH)).min(in_time(BATCH)).min(MOST_ITEMS / 4);
        let (mut taken, mut items, mut bytes) = (Taken::default(), 0, 0);
        while items < wanted {
            let Some(mut piece) = self.pieces.pop_front() else { break };
            let alone = piece.job.args.has_aside();
            let all = piece.len();
            let most = if piece.job.whole { MOST_ITEMS } else { wanted - items };
            // At least one item; several only if all of them fit.
            let fits = |n: usize| n * (piece.bytes() / all) + bytes <= BYTES;
            let mut n = all.min(most);
            if !fits(n) && !piece.job.whole {
                n = (BYTES.saturating_sub(bytes) / (piece.bytes() / all).max(1)).clamp(1, n);
            }
            if items > 0 && (alone || !fits(n) || items + n > wanted && piece.job.whole) {
                self.pieces.push_front(piece);
                break;
            }
            let first = if n < all { piece.split_first(n) } else { piece.clone() };
            if n < all {
                self.pieces.push_front(piece);
            }
            self.items -= n;
            self.bytes = self.bytes.saturating_sub(first.bytes());
            if !first.job.sink.claim(first.index(0)) {
                taken.unwanted.push(first);
                continue;
            }
            items += n;
            bytes += first.bytes();
            taken.pieces.push(first);
            if alone {
                break;
            }
        }
        taken
    }
}
