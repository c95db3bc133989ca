//! Starts of workers: how many are due, in which seats, and how long failures hold them up.

use std::time::{Duration, Instant};

use super::Schedule;
use crate::pool::worker_handle::WorkerHandle;

/// The longest wait before another start is tried.
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

impl Schedule {
    fn starting(&self) -> usize {
        self.seats.iter().filter(|seat| seat.is_starting).count()
    }

    /// Whether another worker may be started for what is queued.
    pub(crate) fn can_grow(&self) -> bool {
        self.live() + self.starting() < self.max && self.next_start.is_none()
    }

    /// How many workers are to be started now: as many as are missing, or as would have something to do.
    pub(crate) fn due_starts(&mut self, now: Instant) -> usize {
        if self.next_start.is_some_and(|at| at > now) || self.is_shutting_down {
            return 0;
        }
        self.next_start = None;
        self.missing()
    }

    fn missing(&self) -> usize {
        if self.is_cut_off() {
            return 0;
        }
        let queued = self.queue.len();
        let there = self.live() + self.starting();
        let least = self.min.saturating_sub(there);
        let least = if self.end.is_some() { least.min(queued) } else { least };
        let is_short = !self.queue.is_empty() && !self.has_idle();
        let more = queued.saturating_sub(self.starting()).min(self.max.saturating_sub(there));
        least.max(if is_short { more } else { 0 })
    }

    /// Takes a free seat for a worker that is about to start. Returns its index, and how many workers have
    /// had it, this one included.
    pub(crate) fn begin_start(&mut self) -> Option<(usize, u64)> {
        let index = self.seats.iter().position(|seat| seat.handle.is_none() && !seat.is_starting)?;
        self.seats[index].is_starting = true;
        Some((index, self.count_start(index)))
    }

    /// Counts a start in this seat; returns how many there were.
    pub(crate) fn count_start(&mut self, index: usize) -> u64 {
        let record = &mut self.seats[index].record;
        record.starts += 1;
        record.starts
    }

    /// A start has ended, with a worker or an error.
    pub(crate) fn end_start(&mut self, index: usize) {
        self.seats[index].is_starting = false;
    }

    /// Puts a worker that has started into its seat.
    pub(crate) fn seat(&mut self, index: usize, handle: WorkerHandle) {
        let seat = &mut self.seats[index];
        seat.record.start(&handle);
        seat.handle = Some(handle);
    }

    /// A start has failed: the next one has to wait. Returns how many have failed within the window, if that
    /// is more than the intensity allows.
    pub(crate) fn note_failure(&mut self, now: Instant) -> Option<usize> {
        let (most, window) = self.rules.intensity;
        self.failures.retain(|&at| now - at < window);
        self.failures.push_back(now);
        let failures = self.failures.len();
        if failures > most as usize {
            return Some(failures);
        }
        let wait = Duration::from_millis(10) * (1 << failures.min(7));
        self.next_start = Some(now + wait.min(LONGEST_BACKOFF));
        None
    }
}
