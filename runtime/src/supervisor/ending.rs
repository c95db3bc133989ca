//! The orderly end of a supervisor: its mode, its time limit, and whether its first step has been taken.
//!
//! An end that has not begun has neither limit nor step. One that has begun goes on: its mode and its limit
//! can change, but it is never cancelled.

use crate::status::StopMode;

#[derive(Debug, Default)]
pub(super) struct Ending(Option<Begun>);

#[derive(Clone, Copy, Debug)]
struct Begun {
    mode: StopMode,
    /// When it must be over.
    by: Option<u64>,
    /// Whether the first step is taken: the policy was told, or the tasks that may end by themselves were
    /// continued.
    is_announced: bool,
}

impl Ending {
    /// Begins to end, or changes the mode. An earlier limit stays.
    pub(super) fn begin(&mut self, mode: StopMode) {
        let begun = self.0.get_or_insert(Begun { mode, by: None, is_announced: false });
        begun.mode = mode;
    }

    /// Begins to end, or changes the mode, with exactly this limit.
    pub(super) fn begin_with_limit(&mut self, mode: StopMode, by: Option<u64>) {
        let begun = self.0.get_or_insert(Begun { mode, by, is_announced: false });
        (begun.mode, begun.by) = (mode, by);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn mode(&self) -> Option<StopMode> {
        self.0.map(|begun| begun.mode)
    }

    pub(super) fn due(&self) -> Option<u64> {
        self.0.and_then(|begun| begun.by)
    }

    /// Takes the first step of an end that has begun. Returns whether it is taken now, not earlier.
    pub(super) fn announce(&mut self) -> bool {
        self.0.as_mut().is_some_and(|begun| !std::mem::replace(&mut begun.is_announced, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_has_not_begun_has_neither_limit_nor_step() {
        let mut ending = Ending::default();
        assert!(!ending.has_begun() && !ending.announce());
        assert_eq!((ending.mode(), ending.due()), (None, None));
    }

    #[test]
    fn a_drain_can_become_a_stop_and_keeps_its_limit() {
        let mut ending = Ending::default();
        ending.begin_with_limit(StopMode::Drain, Some(9));
        assert!(ending.announce());
        ending.begin(StopMode::Stop);
        assert_eq!((ending.mode(), ending.due()), (Some(StopMode::Stop), Some(9)));
        ending.begin_with_limit(StopMode::Drain, None);
        assert_eq!((ending.mode(), ending.due()), (Some(StopMode::Drain), None));
        assert!(ending.has_begun() && !ending.announce(), "the first step is taken once");
    }
}
