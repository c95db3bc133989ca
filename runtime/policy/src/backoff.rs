//! How long to wait before a restart.

use crate::{Backoff, Nanos, duration};

/// A source of numbers that look random: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014).
#[derive(Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Jitter {
        Jitter(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        let width = u128::from(high.saturating_sub(low)) + 1;
        // The upper half of the product is below `width`, so it fits.
        low + ((u128::from(self.next()) * width) >> 64) as u64
    }
}

/// The wait before the `attempt`-th attempt in a row, the first being 1: see [`Backoff`].
pub(crate) fn wait(backoff: Backoff, attempt: u32, jitter: &mut Jitter) -> Nanos {
    let (min, max) = (duration::nanos(backoff.min), duration::nanos(backoff.max));
    let doubled = if attempt < 64 { min.saturating_mul(1 << attempt) } else { u64::MAX };
    let top = doubled.min(max);
    jitter.between((top / 2).max(min).min(top), top)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const MILLISECOND: Nanos = 1_000_000;

    fn waits(min: u64, max: u64, attempt: u32) -> Vec<Nanos> {
        let backoff = Backoff::new(Duration::from_millis(min), Duration::from_millis(max));
        let mut jitter = Jitter::new(1);
        (0..1000).map(|_| wait(backoff, attempt, &mut jitter)).collect()
    }

    #[test]
    fn each_attempt_waits_about_twice_as_long_as_the_one_before() {
        for (attempt, low, high) in
            [(1, 100, 200), (2, 200, 400), (3, 400, 800), (4, 500, 1000), (90, 500, 1000)]
        {
            let waits = waits(100, 1000, attempt);
            assert!(waits.iter().all(|wait| (low * MILLISECOND..=high * MILLISECOND).contains(wait)));
            let mean = waits.iter().sum::<u64>() / 1000 / MILLISECOND;
            assert!(mean.abs_diff((low + high) / 2) < (high - low) / 10, "attempt {attempt}: {mean}");
        }
    }

    #[test]
    fn equal_bounds_leave_no_choice() {
        assert!(waits(200, 200, 7).iter().all(|&wait| wait == 200 * MILLISECOND));
    }

    #[test]
    fn the_same_seed_waits_the_same_and_another_does_not() {
        let backoff = Backoff::new(Duration::from_millis(1), Duration::from_secs(1));
        let draw = |seed| wait(backoff, 3, &mut Jitter::new(seed));
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    proptest! {
        #[test]
        fn no_wait_is_outside_the_bounds(min in 1..u64::MAX, more: u64, attempt: u32, seed: u64) {
            let backoff = Backoff::new(Duration::from_nanos(min), Duration::from_nanos(min.saturating_add(more)));
            let wait = Duration::from_nanos(wait(backoff, attempt, &mut Jitter::new(seed)));
            prop_assert!(backoff.min <= wait && wait <= backoff.max);
        }
    }
}
