//! Shared bits by which children signal their supervisor: one bit per child for each of two signals.
//!
//! Every child inherits this shared memory by the fork. So a supervisor of thousands of children does not
//! look at thousands of status pages because one child is ready. A forged bit makes the supervisor look in
//! vain, and no more: the facts are in the status pages.

use std::io;
use std::sync::atomic::Ordering::SeqCst;

use crate::policy::Key;
use crate::sys::memfd::Words;
use crate::sys::poll::Event;

/// How many children have a bit of their own. The others are all checked whenever one of them rings.
const SLOTS: usize = 32 * 1024;
const WORD: usize = u64::BITS as usize;

/// What a child without a bit adds to the doorbell.
const NO_SLOT: u64 = 1 << 32;

/// What a child signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// It is ready.
    Ready = 0,
    /// Its status page has a request: for its own supervisor, or to watch the message that it began.
    Look = 1,
}

#[derive(Debug)]
pub(crate) struct Notifications(&'static Words);

/// A child's bit, and the doorbell of the supervisor that reads it.
#[derive(Debug)]
pub(crate) struct Slot {
    words: &'static Words,
    /// `None`: too many children.
    pub(crate) number: Option<u32>,
    pub(crate) bell: &'static Event,
    /// No caller waits for it to be ready: its supervisor sees that when it next looks.
    pub(crate) lazy: bool,
}

impl Notifications {
    pub(crate) fn new() -> io::Result<Notifications> {
        Ok(Notifications(Words::shared(2 * SLOTS / WORD)?))
    }

    /// Keeps the bits out of this process's children, which have nothing to signal to that supervisor.
    pub(crate) fn keep_from_children(slot: &Slot) {
        slot.words.keep_from_children();
    }

    pub(crate) fn slot(&self, number: Option<u32>, bell: &'static Event, lazy: bool) -> Slot {
        Slot { words: self.0, number, bell, lazy }
    }

    /// The numbers of the children that set this signal since the last read, among the first `places`.
    pub(crate) fn take(&self, signal: Signal, places: usize) -> Vec<u32> {
        let start = signal as usize * SLOTS / WORD;
        let words = self.0.iter().skip(start).take(places.min(SLOTS).div_ceil(WORD));
        let said = words.enumerate().filter(|(_, word)| word.load(SeqCst) != 0);
        said.flat_map(|(at, word)| {
            let bits = word.swap(0, SeqCst);
            (0..WORD).filter(move |bit| bits & (1 << bit) != 0).map(move |bit| (at * WORD + bit) as u32)
        })
        .collect()
    }
}

impl Slot {
    pub(crate) fn say(&self, signal: Signal) {
        let Some(number) = self.number else { return self.bell.add(NO_SLOT) };
        let number = number as usize % SLOTS;
        self.words[signal as usize * SLOTS / WORD + number / WORD].fetch_or(1 << (number % WORD), SeqCst);
        if signal == Signal::Look || !self.lazy {
            self.bell.add(1);
        }
    }
}

/// Whether a child without a bit has rung.
pub(crate) fn is_from_beyond(rung: u64) -> bool {
    rung >= NO_SLOT
}

/// Which child has which bit.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    taken: Vec<Option<Key>>,
    free: Vec<u32>,
}

impl Slots {
    /// Assigns a bit to this child; `None` if all are taken.
    pub(crate) fn give(&mut self, key: Key) -> Option<u32> {
        let number =
            self.free.pop().or_else(|| (self.taken.len() < SLOTS).then_some(self.taken.len() as u32))?;
        match self.taken.get_mut(number as usize) {
            Some(slot) => *slot = Some(key),
            None => self.taken.push(Some(key)),
        }
        Some(number)
    }

    pub(crate) fn take_back(&mut self, number: u32) {
        if let Some(slot) = self.taken.get_mut(number as usize)
            && slot.take().is_some()
        {
            self.free.push(number);
        }
    }

    pub(crate) fn who(&self, number: u32) -> Option<Key> {
        self.taken.get(number as usize).copied().flatten()
    }

    /// How many bits have ever been assigned.
    pub(crate) fn len(&self) -> usize {
        self.taken.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_once_and_by_the_name_of_who_said_it() {
        let (notifications, bell) =
            (Notifications::new().unwrap(), || &*Box::leak(Box::new(Event::new().unwrap())));
        notifications.slot(Some(3), bell(), true).say(Signal::Ready);
        notifications.slot(Some(200), bell(), true).say(Signal::Look);
        let loud = notifications.slot(Some(64), bell(), false);
        loud.say(Signal::Ready);
        assert_eq!(loud.bell.clear(), 1);
        assert_eq!(notifications.take(Signal::Ready, 201), [3, 64]);
        assert_eq!(notifications.take(Signal::Ready, 201), []);
        assert_eq!(notifications.take(Signal::Look, 201), [200]);
    }

    #[test]
    fn who_has_no_place_rings_so_that_all_of_those_are_looked_at() {
        let notifications = Notifications::new().unwrap();
        let slot = notifications.slot(None, Box::leak(Box::new(Event::new().unwrap())), true);
        slot.say(Signal::Ready);
        assert!(is_from_beyond(slot.bell.clear()));
        assert_eq!(notifications.take(Signal::Ready, SLOTS), []);
    }

    #[test]
    fn places_are_given_again_and_there_is_an_end_to_them() {
        let mut slots = Slots::default();
        let all: Vec<_> = (0..SLOTS as u64).map(|key| slots.give(key).unwrap()).collect();
        assert_eq!(slots.give(1 << 40), None);
        slots.take_back(all[7]);
        slots.take_back(all[7]);
        assert_eq!(slots.who(all[7]), None);
        assert_eq!(slots.give(1 << 40), Some(all[7]));
        assert_eq!((slots.who(all[7]), slots.len()), (Some(1 << 40), SLOTS));
        assert_eq!(slots.give(1 << 41), None);
    }
}
