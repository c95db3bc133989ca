//! When a supervisor looks at its children without having been rung.
//!
//! [`Timers`] lists the children whose processes have something due at a certain time, for as long as they
//! have. The times themselves are stored with the process, so no copy of one can be wrong. It also says when
//! to check the children that wait for their restart, because holders of refs cannot ring.

use std::collections::BTreeSet;

use crate::policy::Key;

/// The wait before the first look, and the longest between two looks.
const FIRST_LOOK: u64 = 2_000_000;
const LAST_LOOK: u64 = 100_000_000;

#[derive(Debug, Default)]
pub(super) struct Timers {
    children: BTreeSet<Key>,
    restarts: Polling,
}

impl Timers {
    /// Lists this child, because something may be due for its process.
    pub(super) fn watch(&mut self, key: Key) {
        self.children.insert(key);
    }

    /// Calls `look` for each listed child, and removes those for which it returns `false`: nothing is due for
    /// them.
    pub(super) fn look(&mut self, mut look: impl FnMut(Key) -> bool) {
        self.children.retain(|&key| look(key));
    }

    /// When the next look is due. `of` returns when that of a child is.
    pub(super) fn due(&self, of: impl Fn(Key) -> Option<u64>) -> Option<u64> {
        let children = self.children.iter().filter_map(|&key| of(key));
        children.chain(self.restarts.due()).min()
    }

    /// Whether to check now the children that wait for their restart. Checks begin as soon as one waits.
    pub(super) fn is_restart_look(&mut self, is_any: impl FnOnce() -> bool, now: u64) -> bool {
        if self.restarts.has_begun() {
            return self.restarts.is_due(now);
        }
        if is_any() {
            self.restarts.begin(now);
        }
        false
    }

    /// Notes that they were checked. `is_any`: some still wait.
    pub(super) fn end_restart_look(&mut self, is_any: bool, now: u64) {
        self.restarts.again(is_any, now);
    }
}

/// The times of looks at something that cannot ring: the first after a moment, then less and less often.
#[derive(Debug, Default)]
pub(super) struct Polling(Option<Next>);

#[derive(Clone, Copy, Debug)]
struct Next {
    at: u64,
    /// The wait before it.
    waited: u64,
}

impl Polling {
    /// Begins, if it has not.
    pub(super) fn begin(&mut self, now: u64) {
        self.0.get_or_insert(Next { at: now + FIRST_LOOK, waited: FIRST_LOOK });
    }

    pub(super) fn has_begun(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn is_due(&self, now: u64) -> bool {
        self.due().is_some_and(|at| at <= now)
    }

    pub(super) fn due(&self) -> Option<u64> {
        self.0.map(|next| next.at)
    }

    /// Notes a look. Another follows later, if anything is `left` to look at.
    pub(super) fn again(&mut self, left: bool, now: u64) {
        self.0 = self.0.filter(|_| left).map(|Next { waited, .. }| {
            let wait = (waited * 2).min(LAST_LOOK);
            Next { at: now + wait, waited: wait }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rarer_up_to_a_limit_and_end() {
        let mut polling = Polling::default();
        assert!(!polling.is_due(u64::MAX) && !polling.has_begun());
        polling.begin(0);
        polling.begin(1_000);
        let (mut now, mut waits) = (0, Vec::new());
        for _ in 0..8 {
            let at = polling.due().unwrap();
            waits.push((at - now) / 1_000_000);
            now = at;
            assert!(polling.is_due(now) && !polling.is_due(now - 1));
            polling.again(true, now);
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 100, 100]);
        polling.again(false, now);
        assert!(!polling.has_begun() && polling.due().is_none());
    }

    #[test]
    fn a_child_is_looked_at_as_long_as_something_is_due_of_it() {
        let mut timers = Timers::default();
        timers.watch(1);
        timers.watch(2);
        let of = |key| (key == 2).then_some(70);
        assert_eq!(timers.due(of), Some(70));
        let mut seen = Vec::new();
        timers.look(|key| {
            seen.push(key);
            key == 2
        });
        assert_eq!(seen, [1, 2]);
        assert_eq!(timers.due(Some), Some(2));
    }

    #[test]
    fn waiting_restarts_are_looked_at_a_moment_after_the_first_has_come() {
        let mut timers = Timers::default();
        assert!(!timers.is_restart_look(|| false, 0));
        assert_eq!(timers.due(|_| None), None);
        assert!(!timers.is_restart_look(|| true, 0));
        assert_eq!(timers.due(|_| None), Some(FIRST_LOOK));
        assert!(!timers.is_restart_look(|| true, FIRST_LOOK - 1));
        assert!(timers.is_restart_look(|| true, FIRST_LOOK));
        timers.end_restart_look(true, FIRST_LOOK);
        assert_eq!(timers.due(|_| None), Some(3 * FIRST_LOOK));
        timers.end_restart_look(false, 3 * FIRST_LOOK);
        assert_eq!(timers.due(|_| None), None);
    }
}
