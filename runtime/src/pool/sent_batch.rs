//! A batch that was sent to a worker, as the pool sees it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::{Border, WorkerAt};
use super::job::{Deliveries, Outcome, Piece};
use super::link::Pending;
use super::shared_slots::{Control, SharedSlots, Status};
use super::worker::Batch;
use crate::control::function::Function;
use crate::ipc::codec::RawValue;

/// How long a worker may take to begin its next item before an idle worker gets it. The time doubles with
/// each such move, so that an item whose arguments take long to read is not handed around for ever.
const SLOW: Duration = Duration::from_millis(32);
/// What a worker has not done of a batch, and how many items it has done.
pub(super) type Rest = (Vec<Piece>, u32);

/// A batch that was sent to a worker.
pub(super) struct SentBatch {
    pub(super) serial: u16,
    pub(super) slot: usize,
    pub(super) pieces: Vec<Piece>,
    /// How many items are still the worker's.
    pub(super) items: u32,
    /// How many results have been read.
    pub(super) collected: u32,
    /// Where the next result is in the slot.
    pub(super) at: usize,
    /// The first item whose result has not been read: which piece, and which of its items.
    pub(super) cursor: (usize, u32),
    pub(super) pending: Pending,
    pub(super) sent: Instant,
    pub(super) look: Option<Instant>,
    pub(super) patience: Duration,
    /// Which item was seen to run, and since when. The shared memory may lie about that.
    pub(super) seen_running: Option<(u32, Instant)>,
}

impl SentBatch {
    /// What the shared memory says of this batch, if it does.
    pub(super) fn control(&self, shared_slots: &SharedSlots) -> Option<Control> {
        Some(shared_slots.slot(self.slot).control()).filter(|control| control.serial == self.serial)
    }

    /// Takes back what other workers could begin sooner: all items that are not begun. The item that the
    /// worker is about to begin stays (if this batch is the next, or in progress), unless the worker is slow:
    /// it may be stopped.
    pub(super) fn give_up_for_others(
        &mut self,
        shared_slots: &SharedSlots,
        is_next: bool,
        now: Instant,
    ) -> Vec<Piece> {
        let moves = self.pieces.get(self.cursor.0).map_or(0, |piece| piece.job.moves());
        let is_slow = now.saturating_duration_since(self.sent) >= SLOW.saturating_mul(1 << moves.min(20));
        let returned = self.take_back(shared_slots, is_next && !is_slow);
        if is_next && is_slow {
            returned.iter().take(1).for_each(|piece| piece.job.count_move());
        }
        returned
    }

    /// Takes back what has not been begun; `not_the_next` leaves one more item. Items that were delivered or
    /// taken back before are not returned again, whatever the shared memory says.
    pub(super) fn take_back(&mut self, shared_slots: &SharedSlots, not_the_next: bool) -> Vec<Piece> {
        let Some(from) = shared_slots.slot(self.slot).take_back(self.serial, not_the_next) else {
            return Vec::new();
        };
        let from = from.clamp(self.collected, self.items);
        let returned = self.rest(from);
        self.items = from;
        returned
    }

    /// Whether only one item is left: its result comes no sooner than the answer.
    pub(super) fn is_alone(&self) -> bool {
        self.items.saturating_sub(self.collected) <= 1
    }

    /// Reads the results before `place`.
    pub(super) fn collect(
        &mut self,
        place: u32,
        shared_slots: &SharedSlots,
        at: &Arc<WorkerAt>,
        out: &mut Deliveries,
    ) {
        let slot = shared_slots.slot(self.slot);
        while self.collected < place.min(self.items) {
            let mut bytes = Vec::new();
            let outcome = match slot.read(self.at, &mut bytes) {
                Some((status, next)) => {
                    self.at = next;
                    Outcome::Answer(status, RawValue::of_bytes(bytes), Arc::clone(at))
                }
                None => {
                    let error = "the worker has written over its results".to_owned();
                    Outcome::Codec(Border::EncodeResult, error)
                }
            };
            self.deliver(outcome, out);
        }
    }

    /// The answer carried the next result.
    pub(super) fn hand(
        &mut self,
        status: Status,
        raw_value: RawValue,
        at: &Arc<WorkerAt>,
        out: &mut Deliveries,
    ) {
        if self.collected < self.items {
            self.deliver(Outcome::Answer(status, raw_value, Arc::clone(at)), out);
        }
    }

    fn deliver(&mut self, outcome: Outcome, out: &mut Deliveries) {
        let (piece, n) = self.cursor;
        out.push(&self.pieces[piece].job.sink, self.pieces[piece].index(n), outcome);
        self.collected += 1;
        self.cursor = if n as usize + 1 < self.pieces[piece].len() { (piece, n + 1) } else { (piece + 1, 0) };
    }

    /// The item at `place`, which is not before the cursor: its piece, and its number there.
    pub(super) fn cursor_at(&self, place: u32) -> Option<(&Piece, u32)> {
        let mut ahead = place.checked_sub(self.collected)?;
        let (piece, mut n) = self.cursor;
        for piece in self.pieces.get(piece..)? {
            let left = piece.len() as u32 - n;
            if ahead < left {
                return Some((piece, n + ahead));
            }
            ahead -= left;
            n = 0;
        }
        None
    }

    /// The item at the cursor, as a job of its own.
    pub(super) fn current(&self) -> Piece {
        let (piece, n) = self.cursor;
        let piece = &self.pieces[piece];
        Piece::of(piece.job.single(piece.from + n))
    }

    /// The worker's items from `place` on.
    pub(super) fn rest(&self, place: u32) -> Vec<Piece> {
        let place = place.max(self.collected);
        let mut wanted = self.items.saturating_sub(place);
        let mut skip = place.saturating_sub(self.collected);
        let (first, mut n) = self.cursor;
        let mut rest = Vec::new();
        for piece in self.pieces.get(first..).unwrap_or_default() {
            let (from, len) = (piece.from + n, piece.to - piece.from - n);
            n = 0;
            let skipped = skip.min(len);
            skip -= skipped;
            let take = (len - skipped).min(wanted);
            wanted -= take;
            if take > 0 {
                let from = from + skipped;
                rest.push(Piece { job: Arc::clone(&piece.job), from, to: from + take });
            }
        }
        rest
    }
}

pub(super) fn message(serial: u16, slot: usize, pieces: &[Piece]) -> Batch {
    let mut known: Vec<Function> = Vec::new();
    let mut functions = Vec::new();
    let mut items = Vec::new();
    let mut bytes = Vec::with_capacity(pieces.iter().map(Piece::bytes).sum());
    for piece in pieces {
        let function = piece.job.function;
        let place = known.iter().rposition(|other| other.is(function)).unwrap_or_else(|| {
            known.push(function);
            functions.extend(function.name());
            known.len() - 1
        });
        items.extend(piece.lengths().map(|len| (place as u16, len)));
        if !piece.job.args.has_aside() {
            bytes.extend_from_slice(piece.args());
        }
    }
    // Arguments with descriptors are alone in their batch.
    let aside = pieces.first().filter(|piece| piece.job.args.has_aside());
    let args = aside.map_or_else(|| RawValue::of_bytes(bytes), |piece| piece.job.args.clone());
    Batch { serial, slot, functions, items, args }
}
