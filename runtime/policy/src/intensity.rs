//! Counting restarts within a window.

use std::collections::VecDeque;

use crate::{Intensity, Nanos, duration};

/// The restarts that still count.
#[derive(Debug, Default)]
pub struct Recent(VecDeque<Nanos>);

impl Recent {
    /// Counts a restart; returns whether it is one too many.
    ///
    /// One that happened at `t` counts before `t + window`, and not from then on.
    pub fn one_more_is_too_many(&mut self, intensity: Intensity, now: Nanos) -> bool {
        let window = duration::nanos(intensity.window);
        while self.0.front().is_some_and(|&then| now.saturating_sub(then) >= window) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        u32::try_from(self.0.len()).map_or(true, |count| count > intensity.restarts)
    }

    /// Begins anew.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const TWO_IN_A_SECOND: Intensity = Intensity::new(2, Duration::from_secs(1));
    const SECOND: Nanos = 1_000_000_000;

    fn too_many(times: &[Nanos]) -> Vec<bool> {
        let mut recent = Recent::default();
        times.iter().map(|&now| recent.one_more_is_too_many(TWO_IN_A_SECOND, now)).collect()
    }

    #[test]
    fn as_many_as_allowed_are_bearable() {
        assert_eq!(too_many(&[5, 5, 5]), [false, false, true]);
    }

    #[test]
    fn a_restart_counts_for_exactly_the_window() {
        assert_eq!(too_many(&[0, 1, SECOND]), [false, false, false]);
        assert_eq!(too_many(&[0, 1, SECOND - 1]), [false, false, true]);
    }

    #[test]
    fn none_allowed_means_none() {
        let none = Intensity::new(0, Duration::from_secs(1));
        assert!(Recent::default().one_more_is_too_many(none, 0));
    }

    proptest! {
        /// The plain way: keep everything, and count what is young enough.
        #[test]
        fn the_count_is_that_of_a_full_list(
            steps in prop::collection::vec(0..8u64, 0..100),
            restarts in 0..4u32,
            window in 1..12u64,
        ) {
            let intensity = Intensity::new(restarts, Duration::from_nanos(window));
            let (mut recent, mut all, mut now) = (Recent::default(), Vec::new(), 0);
            for step in steps {
                now += step;
                all.push(now);
                let young = all.iter().filter(|&&then| now - then < window).count();
                prop_assert_eq!(recent.one_more_is_too_many(intensity, now), young > restarts as usize);
            }
        }
    }
}
