//! How long tasks have taken: counts, sums, and a histogram for percentiles.

use std::time::Duration;

/// How many buckets the histogram has.
pub(super) const BUCKETS: usize = 160;

/// How one or several workers have spent their time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    pub(crate) tasks: u64,
    /// In nanoseconds, like all times here.
    pub(crate) busy: u64,
    pub(crate) longest: u64,
    pub(super) buckets: Vec<u64>,
}

impl Times {
    pub(crate) fn add(&mut self, other: &Times) {
        self.tasks = self.tasks.saturating_add(other.tasks);
        self.busy = self.busy.saturating_add(other.busy);
        self.longest = self.longest.max(other.longest);
        self.buckets.resize(BUCKETS, 0);
        for (own, other) in self.buckets.iter_mut().zip(&other.buckets) {
            *own = own.saturating_add(*other);
        }
    }

    /// The time that `percent` percent of the tasks have not exceeded; too long by a fifth at most.
    pub(crate) fn percentile(&self, percent: u64) -> Duration {
        let all = self.buckets.iter().fold(0_u64, |all, &count| all.saturating_add(count));
        let wanted = (u128::from(all) * u128::from(percent)).div_ceil(100) as u64;
        let mut seen = 0_u64;
        for (bucket, &count) in self.buckets.iter().enumerate() {
            seen = seen.saturating_add(count);
            if seen >= wanted && count > 0 {
                return Duration::from_nanos(upper_end(bucket).min(self.longest));
            }
        }
        Duration::ZERO
    }
}

/// Four buckets for each doubling, from 64 ns on.
pub(super) fn bucket(nanos: u64) -> usize {
    let nanos = nanos.max(64);
    let octave = nanos.ilog2();
    let quarter = (nanos >> (octave - 2)) & 3;
    ((octave as usize - 6) * 4 + quarter as usize).min(BUCKETS - 1)
}

/// The longest time that this bucket counts.
fn upper_end(bucket: usize) -> u64 {
    let (octave, quarter) = (bucket / 4 + 6, bucket % 4);
    ((5 + quarter as u64) << (octave - 2)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::shared_slots::SharedSlots;

    #[test]
    fn percentiles_are_right_within_a_fifth() {
        let shared_slots = SharedSlots::new().unwrap();
        (1..=1000).for_each(|n| shared_slots.count(n * 1000));
        let times = shared_slots.times();
        for (percent, exact) in [(50, 500_000.0), (99, 990_000.0)] {
            let found = times.percentile(percent).as_nanos() as f64;
            assert!((exact..=exact * 1.25).contains(&found), "{percent}: {found}");
        }
        assert_eq!((times.tasks, times.longest), (1000, 1_000_000));
        assert_eq!(Times::default().percentile(50), Duration::ZERO);
    }
}
