//! Standby processes: which exist for which children, how long each is kept, and which are still to be
//! forked. `prefork` forks and releases them.
//!
//! [`Standby`] knows each by its pid, from its fork until it is reaped or released: until then it is a child
//! of this supervisor, and no orphan. At most [`MOST`] exist at a time that no spec asks for, each for as
//! long as [`KEPT`] says. Each child is listed at most once as wanting one, with the earliest time for it.

use std::collections::BTreeMap;

use crate::policy::Key;

/// How long a standby process is kept for the next crash.
const KEPT: u64 = 1_000_000_000;

/// When to try again, for a child that always has one, after a fork that failed or a standby process that was
/// killed.
const AGAIN: u64 = 1_000_000_000;

/// How many may exist at a time that no spec asks for.
const MOST: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Standby {
    by_pid: BTreeMap<i32, (Key, Keep)>,
    /// The children that need a standby process, and the earliest time to fork it.
    wanted: BTreeMap<Key, u64>,
}

/// How long a standby process is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// Until it is needed: the spec of its child asks for it.
    Always,
    Until(u64),
    /// Killed, and not reaped yet.
    Dismissed,
}

impl Standby {
    /// Requests a standby process for this child, as soon as nothing else is to be done.
    pub(super) fn want(&mut self, key: Key) {
        self.wanted.insert(key, 0);
    }

    /// Requests one again after a pause, because it could not be forked or was killed.
    pub(super) fn want_again(&mut self, key: Key, now: u64) {
        self.wanted.insert(key, now.saturating_add(AGAIN));
    }

    pub(super) fn is_any_wanted(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// The children for which to fork one now; each is returned once.
    pub(super) fn take_wanted(&mut self, now: u64) -> Vec<Key> {
        let due: Vec<Key> = self.wanted.iter().filter(|&(_, &at)| at <= now).map(|(&key, _)| key).collect();
        for key in &due {
            self.wanted.remove(key);
        }
        due
    }

    /// Whether one more may exist that no spec asks for.
    pub(super) fn has_room(&self) -> bool {
        self.by_pid.values().filter(|(_, keep)| matches!(keep, Keep::Until(_))).count() < MOST
    }

    /// Adds a forked standby process. `always`: its spec asks for it.
    pub(super) fn add(&mut self, pid: i32, key: Key, always: bool, now: u64) {
        let keep = if always { Keep::Always } else { Keep::Until(now.saturating_add(KEPT)) };
        self.by_pid.insert(pid, (key, keep));
    }

    /// Removes one that was released or has ended. Returns its child.
    pub(super) fn remove(&mut self, pid: i32) -> Option<Key> {
        self.by_pid.remove(&pid).map(|(key, _)| key)
    }

    pub(super) fn contains(&self, pid: i32) -> bool {
        self.by_pid.contains_key(&pid)
    }

    /// The children whose standby process was not needed in its time; each is returned once.
    pub(super) fn take_unneeded(&mut self, now: u64) -> Vec<Key> {
        let is_over = |keep: Keep| matches!(keep, Keep::Until(until) if until <= now);
        let unneeded = self.by_pid.values_mut().filter(|(_, keep)| is_over(*keep));
        unneeded
            .map(|(key, keep)| {
                *keep = Keep::Dismissed;
                *key
            })
            .collect()
    }

    /// When the first of them is to be dismissed, or one is to be forked.
    pub(super) fn due(&self) -> Option<u64> {
        let kept = self.by_pid.values().filter_map(|(_, keep)| match keep {
            Keep::Until(until) => Some(*until),
            Keep::Always | Keep::Dismissed => None,
        });
        kept.chain(self.wanted.values().copied()).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_wanted_one_for_once_and_not_before_its_time() {
        let mut standby = Standby::default();
        standby.want(1);
        standby.want(1);
        standby.want_again(2, 100);
        assert_eq!(standby.due(), Some(0));
        assert_eq!(standby.take_wanted(100), [1]);
        assert_eq!(standby.due(), Some(100 + AGAIN));
        assert_eq!(standby.take_wanted(100 + AGAIN), [2]);
        assert!(!standby.is_any_wanted() && standby.due().is_none());
    }

    #[test]
    fn one_that_is_not_needed_is_dismissed_once_and_known_until_it_is_reaped() {
        let mut standby = Standby::default();
        standby.add(10, 1, false, 5);
        assert_eq!((standby.due(), standby.take_unneeded(4 + KEPT)), (Some(5 + KEPT), vec![]));
        assert_eq!(standby.take_unneeded(5 + KEPT), [1]);
        assert_eq!((standby.due(), standby.take_unneeded(u64::MAX)), (None, vec![]));
        assert!(standby.contains(10));
        assert_eq!((standby.remove(10), standby.remove(10)), (Some(1), None));
    }

    #[test]
    fn one_that_a_spec_asks_for_is_kept_and_takes_no_room() {
        let mut standby = Standby::default();
        for pid in 0..MOST as i32 {
            standby.add(pid, pid as Key, true, 0);
        }
        assert_eq!((standby.take_unneeded(u64::MAX), standby.due()), (vec![], None));
        for pid in 0..MOST as i32 {
            assert!(standby.has_room());
            standby.add(100 + pid, 1, false, 0);
        }
        assert!(!standby.has_room());
        standby.take_unneeded(KEPT);
        assert!(standby.has_room(), "what is dismissed is as good as gone");
    }
}
