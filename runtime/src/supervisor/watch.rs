//! What a supervisor observed of the message that a child is busy with, so that its deadline holds whatever
//! the page says later.
//!
//! The page says which message it is and since when. It is believed while it is consistent: its counter rises
//! with everything the child does, and its state is what the supervisor knows. A page that was overwritten
//! does not count; what was known before holds until the counter rises again.
//!
//! A child that raises the counter in a hung handler escapes its deadline. That harms only itself: its
//! callers have deadlines of their own.

use std::time::Duration;

use crate::status::Progress;
use crate::supervisor::exit_cause::UNKNOWN;

/// A message that a child is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy {
    /// At the latest when it was first seen.
    pub(super) since: u64,
    pub(super) method: u32,
    /// How long it may take.
    pub(super) limit: Option<u64>,
}

impl Busy {
    /// The message that the page names, with the limit on its method, if any.
    pub(super) fn told(progress: Progress, own: Option<u64>, now: u64) -> Busy {
        let callers = Some(progress.limit).filter(|&limit| limit != 0);
        let limit = [own, callers].into_iter().flatten().min();
        Busy { since: progress.since.min(now), method: progress.method, limit }
    }
}

/// One look at a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Its counter.
    pub(super) moves: u64,
    /// The page does not contradict that the child is up.
    pub(super) is_sound: bool,
    pub(super) busy: Option<Busy>,
}

#[derive(Debug, Default)]
pub(super) struct Watch {
    /// When to look next.
    look_at: Option<u64>,
    /// Since when it has done nothing although messages wait, and the counter at that time.
    idle: Option<(u64, u64)>,
    moves: u64,
    busy: Option<Busy>,
    /// The page has been overwritten since the counter last rose.
    is_blind: bool,
}

/// What to do about a child that takes no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idle {
    LookAgain(u64),
    /// Messages have waited for this long.
    TooLong(Duration),
}

impl Watch {
    /// Makes a watch whose first look is when the shortest limit is over, if there is one.
    pub(super) fn from(look_at: Option<u64>) -> Watch {
        Watch { look_at, ..Watch::default() }
    }

    pub(super) fn due(&self) -> Option<u64> {
        self.look_at
    }

    pub(super) fn is_due(&self, now: u64) -> bool {
        self.look_at.is_some_and(|at| at <= now)
    }

    /// Sets the next look. `None`: none until something new is known.
    pub(super) fn look_next(&mut self, at: Option<u64>) {
        self.look_at = at;
    }

    /// Looks at a child that is not busy. `waiting`: the counter of its page, if it could take a queued
    /// message.
    pub(super) fn look_idle(&mut self, waiting: Option<u64>, limit: u64, now: u64) -> Idle {
        match (self.idle, waiting) {
            (_, None) => self.idle = None,
            (Some((since, seen)), Some(moves)) if seen == moves => {
                let idle = now.saturating_sub(since);
                return match idle < limit {
                    true => Idle::LookAgain(since.saturating_add(limit)),
                    false => Idle::TooLong(Duration::from_nanos(idle)),
                };
            }
            (_, Some(moves)) => self.idle = Some((now, moves)),
        }
        Idle::LookAgain(now.saturating_add(limit))
    }

    /// Takes a look, and returns what the child is busy with. `longest`: the longest limit on any of its
    /// handlers.
    pub(super) fn look(&mut self, look: Look, longest: Option<u64>, now: u64) -> Option<Busy> {
        if !look.is_sound || look.moves < self.moves {
            let unknown = Busy { since: now, method: UNKNOWN, limit: longest };
            self.busy = self.busy.or(Some(unknown).filter(|_| longest.is_some()));
            self.is_blind = true;
        } else if look.moves != self.moves || self.busy.is_none() && !self.is_blind {
            self.busy = look.busy;
            self.is_blind = false;
        }
        self.moves = look.moves;
        self.busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Busy = Busy { since: 5, method: 1, limit: Some(100) };

    fn look(moves: u64, busy: Option<Busy>) -> Look {
        Look { moves, is_sound: true, busy }
    }

    #[test]
    fn a_page_that_goes_on_is_believed() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(look(0, None), Some(100), 1), None);
        assert_eq!(watch.look(look(2, Some(BUSY)), Some(100), 10), Some(BUSY));
        assert_eq!(watch.look(look(4, None), Some(100), 20), None);
    }

    #[test]
    fn a_message_does_not_begin_later_than_it_did() {
        let mut watch = Watch::default();
        watch.look(look(2, Some(BUSY)), Some(100), 10);
        assert_eq!(watch.look(look(2, Some(Busy { since: 90, ..BUSY })), Some(100), 90), Some(BUSY));
        assert_eq!(watch.look(look(2, None), Some(100), 95), Some(BUSY));
    }

    #[test]
    fn what_was_known_holds_when_the_page_is_overwritten_until_its_counter_rises() {
        let mut watch = Watch::default();
        watch.look(look(2, Some(BUSY)), None, 10);
        assert_eq!(watch.look(Look { moves: 0, is_sound: false, busy: None }, None, 20), Some(BUSY));
        assert_eq!(watch.look(look(0, None), None, 30), Some(BUSY));
        assert_eq!(watch.look(look(1, None), None, 40), None);
    }

    #[test]
    fn who_has_overwritten_the_page_before_anybody_looked_has_the_longest_limit() {
        let mut watch = Watch::default();
        watch.look(look(8, None), Some(100), 10);
        let unknown = Busy { since: 20, method: UNKNOWN, limit: Some(100) };
        assert_eq!(watch.look(look(0, None), Some(100), 20), Some(unknown));
        assert_eq!(watch.look(look(0, None), Some(100), 30), Some(unknown));
        assert_eq!(watch.look(look(2, None), Some(100), 40), None);
    }

    #[test]
    fn a_child_that_takes_no_message_for_as_long_as_its_limit_is_found_out() {
        let mut watch = Watch::default();
        assert_eq!(watch.look_idle(Some(4), 100, 10), Idle::LookAgain(110));
        assert_eq!(watch.look_idle(Some(4), 100, 50), Idle::LookAgain(110));
        assert_eq!(watch.look_idle(Some(4), 100, 110), Idle::TooLong(Duration::from_nanos(100)));
    }

    #[test]
    fn a_child_that_moves_or_has_no_message_is_not_idle() {
        let mut watch = Watch::default();
        watch.look_idle(Some(4), 100, 10);
        assert_eq!(watch.look_idle(Some(6), 100, 200), Idle::LookAgain(300));
        assert_eq!(watch.look_idle(None, 100, 400), Idle::LookAgain(500));
        assert_eq!(watch.look_idle(Some(6), 100, 600), Idle::LookAgain(700));
    }

    #[test]
    fn the_next_look_is_when_it_was_last_set() {
        let mut watch = Watch::from(Some(5));
        assert!(watch.is_due(5) && !watch.is_due(4));
        watch.look_next(None);
        assert!(!watch.is_due(u64::MAX) && watch.due().is_none());
    }

    #[test]
    fn a_page_that_says_the_most_is_no_harm() {
        let mut watch = Watch::default();
        let most = Progress {
            session: u64::MAX,
            seq: u64::MAX,
            method: u32::MAX,
            since: u64::MAX,
            limit: u64::MAX,
            answering: true,
        };
        assert_eq!(Busy::told(most, None, 7), Busy { since: 7, method: u32::MAX, limit: Some(u64::MAX) });
        watch.look(look(u64::MAX, Some(Busy::told(most, None, 7))), None, 7);
        assert_eq!(watch.look(look(0, None), None, 8).map(|busy| busy.since), Some(7));
    }
}
