//! The memory that a worker shares with its pool: the item in progress, the results of finished items, and
//! how the worker has spent its time.
//!
//! It outlives the worker. So a worker that dies in the middle of a batch costs the one item in progress, and
//! the pool knows which one that is.
//!
//! It has two *slots*, because two batches can be with a worker: one in progress, one that waits. Each slot
//! has a control word that both sides change by compare-and-swap, and all that must be decided between them
//! is decided there: an item is begun, or it has been taken back; it is finished, or its worker is condemned
//! for it. A worker that finds itself condemned begins nothing more, so the kill hits this item and no other,
//! whenever it comes.
//!
//! User code in the worker may write anywhere in this memory. Reads are bounded, and a reader trusts a number
//! only as far as it makes sense.

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::times::{BUCKETS, Times, bucket};
use crate::policy::MOST_ATTEMPTS;
use crate::resources::shared::Shared;
use crate::sys::memfd::word_enum;

/// How many batches a worker can have.
pub(crate) const SLOTS: usize = 2;
/// How many words of results a slot holds: 32 KiB.
pub(crate) const ROOM: usize = 4096;
/// How many items a batch can have.
pub(crate) const MOST_ITEMS: usize = 4096;

const CANCEL: usize = 0;
const TASKS: usize = 1;
const BUSY: usize = 2;
const LONGEST: usize = 3;
const SINCE: usize = 4;
const ATTEMPTS: usize = 5;
const DEADLINE: usize = 6;
const TIMES: usize = 8;
const FIRST_SLOT: usize = TIMES + BUCKETS;
const SLOT_WORDS: usize = 8 + ROOM;
const CONTROL: usize = 0;
const RESULTS: usize = 8;
const WORDS: usize = FIRST_SLOT + SLOTS * SLOT_WORDS;

word_enum! {
    /// How far a worker is with the item at its place.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Phase {
        /// It has not begun the item.
        Before = 0,
        /// It decodes the arguments: no code of the task has run.
        Reading = 1,
        Running = 2,
        /// The result comes in the reply, because there is no room for it here.
        Handing = 3,
        /// It is about to be killed for this item.
        Condemned = 4,
    }
}

/// The control word of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    /// The number of the batch.
    pub(crate) serial: u16,
    /// Items from here on have been taken back.
    pub(crate) limit: u32,
    /// Items before this one are finished, and their results are here.
    pub(crate) place: u32,
    pub(crate) phase: Phase,
}

const PLACE_BITS: u64 = (1 << 20) - 1;

impl Control {
    fn to_word(self) -> u64 {
        (u64::from(self.serial) << 48)
            | ((u64::from(self.limit) & PLACE_BITS) << 28)
            | ((u64::from(self.place) & PLACE_BITS) << 8)
            | u64::from(self.phase.to_word())
    }

    fn of_word(word: u64) -> Control {
        Control {
            serial: (word >> 48) as u16,
            limit: ((word >> 28) & PLACE_BITS) as u32,
            place: ((word >> 8) & PLACE_BITS) as u32,
            phase: Phase::from_word((word & 0xff) as u32).unwrap_or(Phase::Condemned),
        }
    }
}

word_enum! {
    /// What kind of result lies in a slot.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) enum Status {
        /// A value.
        Value = 0,
        /// A value that is a `Result`, and an error.
        ValueErr = 1,
        /// The task's own error.
        App = 2,
        /// The arguments could not be decoded; the result is a text.
        Arguments = 3,
        /// The result could not be encoded; the result is a text.
        Result = 4,
    }
}

/// See the [module](self).
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SharedSlots(Shared<[AtomicU64]>);

impl SharedSlots {
    pub(crate) fn new() -> io::Result<SharedSlots> {
        Shared::zeroed(WORDS).map(SharedSlots)
    }

    /// Whether it has the size that this program expects.
    pub(crate) fn is_whole(&self) -> bool {
        self.0.len() == WORDS
    }

    pub(crate) fn slot(&self, slot: usize) -> Slot<'_> {
        let start = FIRST_SLOT + slot % SLOTS * SLOT_WORDS;
        Slot(&self.0[start..start + SLOT_WORDS])
    }

    // Written by the worker.

    /// An item begins.
    pub(crate) fn stamp(&self, now: u64) {
        self.0[ATTEMPTS].store(0, Relaxed);
        self.0[DEADLINE].store(0, Relaxed);
        self.0[SINCE].store(now, Release);
    }

    /// The task in progress declares how often it may be run, and how many nanoseconds it may take (0: no
    /// limit).
    pub(crate) fn declare(&self, attempts: u32, deadline: u64) {
        self.0[ATTEMPTS].store(u64::from(attempts), Relaxed);
        self.0[DEADLINE].store(deadline, Release);
    }

    /// An item has taken this long.
    pub(crate) fn count(&self, nanos: u64) {
        let add = |word: usize, by: u64| {
            self.0[word].store(self.0[word].load(Relaxed).wrapping_add(by), Relaxed);
        };
        add(TASKS, 1);
        add(BUSY, nanos);
        add(TIMES + bucket(nanos), 1);
        if nanos > self.0[LONGEST].load(Relaxed) {
            self.0[LONGEST].store(nanos, Relaxed);
        }
    }

    /// The item that the pool wants cancelled softly; 0 for none.
    pub(crate) fn cancelled(&self) -> u64 {
        self.0[CANCEL].load(Acquire)
    }

    // Written and read by the pool.

    /// Asks the task in progress to end by itself.
    pub(crate) fn cancel(&self, item: u64) {
        self.0[CANCEL].store(item, Release);
    }

    pub(crate) fn since(&self) -> u64 {
        self.0[SINCE].load(Acquire)
    }

    /// How often the task in progress may be run, as it has declared; 0 if it has not, or if what stands there
    /// is no number that an attribute can have.
    pub(crate) fn attempts(&self) -> u32 {
        let said = u32::try_from(self.0[ATTEMPTS].load(Relaxed)).unwrap_or_default();
        if said <= MOST_ATTEMPTS { said } else { 0 }
    }

    /// How long the task in progress may take, if it has declared that.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        Some(self.0[DEADLINE].load(Acquire)).filter(|&nanos| nanos != 0).map(Duration::from_nanos)
    }

    pub(crate) fn busy(&self) -> u64 {
        self.0[BUSY].load(Relaxed)
    }

    pub(crate) fn times(&self) -> Times {
        let load = |word: usize| self.0[word].load(Relaxed);
        Times {
            tasks: load(TASKS),
            busy: load(BUSY),
            longest: load(LONGEST),
            buckets: (0..BUCKETS).map(|bucket| load(TIMES + bucket)).collect(),
        }
    }
}

/// The part of the memory that belongs to one batch.
pub(crate) struct Slot<'a>(&'a [AtomicU64]);

/// The item has been taken back, or the worker has been condemned for it.
pub(crate) struct Refused;

/// Why a worker cannot go on with its item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// It is condemned for the item.
    Condemned,
    /// The control word shows neither that nor the item in progress: user code has written over it.
    Overwritten,
}

impl Slot<'_> {
    pub(crate) fn control(&self) -> Control {
        Control::of_word(self.0[CONTROL].load(Acquire))
    }

    /// Replaces the control word by what `change` returns, if it returns one; returns what the word was
    /// before.
    fn change(&self, change: impl Fn(Control) -> Option<Control>) -> Result<Control, Control> {
        let changed = |word: u64| change(Control::of_word(word)).map(Control::to_word);
        self.0[CONTROL].fetch_update(AcqRel, Acquire, changed).map(Control::of_word).map_err(Control::of_word)
    }

    // The worker's side.

    /// Begins the item at `place`, unless it has been taken back.
    pub(crate) fn begin(&self, serial: u16, place: u32) -> Result<(), Refused> {
        let begin = |now: Control| {
            let mine = now.serial == serial && now.place == place && now.phase == Phase::Before;
            (mine && place < now.limit).then_some(Control { phase: Phase::Reading, ..now })
        };
        self.change(begin).map(drop).map_err(|_| Refused)
    }

    /// Goes on to another phase of the item in progress.
    pub(crate) fn enter(&self, (serial, place): (u16, u32), phase: Phase) -> Result<(), Halt> {
        self.go_on(serial, place, |now| Control { phase, ..now })
    }

    /// The item in progress is finished, and its result lies here.
    pub(crate) fn finish(&self, (serial, place): (u16, u32)) -> Result<(), Halt> {
        self.go_on(serial, place, |now| Control { place: place.wrapping_add(1), phase: Phase::Before, ..now })
    }

    fn go_on(&self, serial: u16, place: u32, next: impl Fn(Control) -> Control) -> Result<(), Halt> {
        let is_here = |now: Control| now.serial == serial && now.place == place;
        let in_progress = |now: Control| is_here(now) && matches!(now.phase, Phase::Reading | Phase::Running);
        self.change(|now| in_progress(now).then(|| next(now))).map(drop).map_err(|now| {
            let is_condemned = is_here(now) && now.phase == Phase::Condemned;
            if is_condemned { Halt::Condemned } else { Halt::Overwritten }
        })
    }

    /// Writes a result at the word `at`; returns where the next one goes, or `None` if there is no room.
    pub(crate) fn write(&self, at: usize, status: Status, bytes: &[u8]) -> Option<usize> {
        let end = at + 1 + bytes.len().div_ceil(8);
        let room = self.0.get(RESULTS + at..RESULTS + end)?;
        let (header, words) = room.split_first()?;
        header.store(((bytes.len() as u64) << 8) | u64::from(status.to_word()), Relaxed);
        let mut chunks = bytes.chunks_exact(8);
        let mut words = words.iter();
        for (chunk, word) in chunks.by_ref().zip(words.by_ref()) {
            word.store(chunk.try_into().map_or(0, u64::from_le_bytes), Relaxed);
        }
        if let Some(word) = words.next() {
            let mut last = [0; 8];
            last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
            word.store(u64::from_le_bytes(last), Relaxed);
        }
        Some(end)
    }

    // The pool's side.

    /// Called before a batch of `items` items is sent.
    pub(crate) fn open(&self, serial: u16, items: u32) {
        let control = Control { serial, limit: items, place: 0, phase: Phase::Before };
        self.0[CONTROL].store(control.to_word(), Release);
    }

    /// Takes back all items of this batch that have not been begun; `not_the_next` leaves one more. Returns
    /// the first place that is the pool's again, if the slot holds this batch.
    pub(crate) fn take_back(&self, serial: u16, not_the_next: bool) -> Option<u32> {
        let first = |now: Control| {
            let begun = now.place + u32::from(not_the_next || now.phase != Phase::Before);
            begun.min(now.limit)
        };
        let is_this = |now: Control| now.serial == serial;
        self.change(|now| is_this(now).then(|| Control { limit: first(now), ..now })).map(first).ok()
    }

    /// Condemns the worker for the item of this batch at `place`, if it is at that item and has not finished
    /// it.
    pub(crate) fn condemn(&self, serial: u16, place: u32) -> Result<(), Refused> {
        let condemn = |now: Control| {
            let at_it = now.serial == serial
                && now.place == place
                && matches!(now.phase, Phase::Reading | Phase::Running);
            at_it.then_some(Control { phase: Phase::Condemned, ..now })
        };
        self.change(condemn).map(drop).map_err(|_| Refused)
    }

    /// Reads the result at the word `at` into `bytes`; returns its status and where the next one begins.
    /// `None` if there is no valid one.
    pub(crate) fn read(&self, at: usize, bytes: &mut Vec<u8>) -> Option<(Status, usize)> {
        let header = self.0.get(RESULTS + at)?.load(Relaxed);
        let len = usize::try_from(header >> 8).ok().filter(|&len| len <= 8 * ROOM)?;
        let end = at + 1 + len.div_ceil(8);
        let words = self.0.get(RESULTS + at + 1..RESULTS + end)?;
        let start = bytes.len();
        bytes.reserve(8 * words.len());
        words.iter().for_each(|word| bytes.extend_from_slice(&word.load(Relaxed).to_le_bytes()));
        bytes.truncate(start + len);
        Some((Status::from_word((header & 0xff) as u32).unwrap_or(Status::Result), end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_words_are_read_as_they_were_written() {
        for phase in [Phase::Before, Phase::Reading, Phase::Running, Phase::Handing, Phase::Condemned] {
            let control = Control { serial: 0xabcd, limit: MOST_ITEMS as u32, place: 77, phase };
            assert_eq!(Control::of_word(control.to_word()), control);
        }
    }

    #[test]
    fn a_number_of_attempts_that_no_attribute_can_have_is_none() {
        let shared_slots = SharedSlots::new().unwrap();
        for (said, believed) in [(1, 1), (100, 100), (101, 0), (u32::MAX, 0)] {
            shared_slots.declare(said, 0);
            assert_eq!(shared_slots.attempts(), believed);
        }
        shared_slots.0[ATTEMPTS].store(u64::MAX, Relaxed);
        assert_eq!(shared_slots.attempts(), 0);
    }

    #[test]
    fn what_is_begun_cannot_be_taken_back_and_what_is_taken_back_is_not_begun() {
        let shared_slots = SharedSlots::new().unwrap();
        let slot = shared_slots.slot(0);
        slot.open(1, 10);
        assert!(slot.begin(1, 0).is_ok());
        assert_eq!((slot.take_back(2, false), slot.take_back(1, false)), (None, Some(1)));
        assert!(slot.enter((1, 0), Phase::Running).is_ok() && slot.finish((1, 0)).is_ok());
        assert!(slot.begin(1, 1).is_err());
        assert_eq!(slot.control(), Control { serial: 1, limit: 1, place: 1, phase: Phase::Before });
    }

    #[test]
    fn the_next_item_can_be_left_to_the_worker_that_is_about_to_begin_it() {
        let shared_slots = SharedSlots::new().unwrap();
        let slot = shared_slots.slot(0);
        slot.open(1, 10);
        assert_eq!(slot.take_back(1, true), Some(1));
        assert!(slot.begin(1, 0).is_ok());
        assert_eq!(slot.take_back(1, true), Some(1), "which it is at");
        assert!(slot.enter((1, 0), Phase::Running).is_ok() && slot.finish((1, 0)).is_ok());
        assert_eq!(slot.take_back(1, true), Some(1), "no more than it had");
    }

    #[test]
    fn a_worker_that_is_condemned_finishes_nothing_and_begins_nothing() {
        let shared_slots = SharedSlots::new().unwrap();
        let slot = shared_slots.slot(1);
        slot.open(7, 2);
        assert!(slot.condemn(7, 0).is_err(), "not begun yet");
        assert!(slot.begin(7, 0).is_ok());
        assert!(slot.condemn(7, 1).is_err() && slot.condemn(6, 0).is_err(), "not the item in progress");
        assert!(slot.condemn(7, 0).is_ok());
        assert_eq!(slot.finish((7, 0)), Err(Halt::Condemned));
        assert_eq!(slot.enter((7, 0), Phase::Running), Err(Halt::Condemned));
        assert!(slot.begin(7, 1).is_err());
        assert_eq!((slot.control().place, slot.control().phase), (0, Phase::Condemned));
    }

    #[test]
    fn results_are_read_as_they_were_written_until_there_is_no_room() {
        let shared_slots = SharedSlots::new().unwrap();
        let slot = shared_slots.slot(0);
        let results: Vec<Vec<u8>> = (0..40).map(|len| (0..len).collect()).collect();
        let mut at = 0;
        for result in &results {
            at = slot.write(at, Status::App, result).unwrap();
        }
        let mut from = 0;
        for result in &results {
            let mut bytes = Vec::new();
            let (status, next) = slot.read(from, &mut bytes).unwrap();
            assert_eq!((status, &bytes), (Status::App, result));
            from = next;
        }
        assert_eq!(slot.write(at, Status::Value, &vec![0; 8 * ROOM]), None);
        assert!(slot.write(0, Status::Value, &vec![1; 8 * (ROOM - 1)]).is_some());
    }

    #[test]
    fn nonsense_in_a_slot_is_nothing() {
        let shared_slots = SharedSlots::new().unwrap();
        let slot = shared_slots.slot(0);
        slot.0[RESULTS].store(u64::MAX, Relaxed);
        assert!(slot.read(0, &mut Vec::new()).is_none());
        assert!(slot.read(usize::MAX / 4, &mut Vec::new()).is_none());
    }
}
