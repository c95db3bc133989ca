//! A batch that is on its way to a worker or in progress there, as the pool sees it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::{Border, WorkerAt};
use super::job::{Deliveries, Outcome, Piece};
use super::link::Pending;
use super::shared_slots::{Control, SharedSlots, Status};
use super::worker::Batch;
use crate::control::function::Function;
use crate::ipc::codec::RawValue;

/// How long a worker may take to begin with its next item before that goes to another one that is idle. Each item that has gone to another so is given twice as
/// long there: what takes long to be read is not handed around for ever.
const SLOW: Duration = Duration::from_millis(32);
/// What a worker has not done of a batch, and how many items it has.
pub(super) type Rest = (Vec<Piece>, u32);

/// A batch on its way.
pub(super) struct SentBatch {
    pub(super) serial: u16,
    pub(super) slot: usize,
    pub(super) pieces: Vec<Piece>,
    /// How many items are the worker's.
    pub(super) items: u32,
    /// How many results have been read.
    pub(super) collected: u32,
    /// The next result, in the shared slots.
    pub(super) at: usize,
    /// The first item whose result has not been read: which piece, and which of its items.
    pub(super) cursor: (usize, u32),
    pub(super) pending: Pending,
    pub(super) sent: Instant,
    pub(super) look: Option<Instant>,
    pub(super) patience: Duration,
    /// Which of its items was seen to run, and since when: the shared slots's own word on that may be a lie.
    pub(super) seen_running: Option<(u32, Instant)>,
}

impl SentBatch {
    /// What the shared slots says of this batch, if it does.
    pub(super) fn control(&self, shared_slots: &SharedSlots) -> Option<Control> {
        Some(shared_slots.slot(self.slot).control()).filter(|control| control.serial == self.serial)
    }

    /// Takes back what others could do sooner: all that has not been begun, but what the worker is about to begin with (if this batch is the next, or in
    /// progress). It may be stopped: then others do that too.
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

    /// Takes back what has not been begun, but `not_the_next` item. What has been delivered, or taken back before, is not given again, whatever the shared slots says.
    pub(super) fn take_back(&mut self, shared_slots: &SharedSlots, not_the_next: bool) -> Vec<Piece> {
        let Some(from) = shared_slots.slot(self.slot).take_back(self.serial, not_the_next) else {
            return Vec::new();
        };
        let from = from.clamp(self.collected, self.items);
        let returned = self.rest(from);
        self.items = from;
        returned
    }

    /// Whether there is but one item left, whose result cannot be had before its answer.
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

    /// The next result came in the answer.
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

    /// The piece and the item in it of the item at `place`, which is not before the cursor.
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

    /// The items from `place` on that are the worker's.
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
    // What has something beside its bytes is alone in its batch.
    let aside = pieces.first().filter(|piece| piece.job.args.has_aside());
    let args = aside.map_or_else(|| RawValue::of_bytes(bytes), |piece| piece.job.args.clone());
    Batch { serial, slot, functions, items, args }
}
