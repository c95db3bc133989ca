//! The end of a pool, step by step: no more tasks, nothing more is begun, no workers.

use std::sync::Arc;
use std::time::Instant;

use super::Schedule;
use crate::pool::Stop;
use crate::pool::error::PoolError;
use crate::pool::worker_handle::WorkerHandle;

impl Schedule {
    pub(crate) fn is_ending(&self) -> bool {
        self.end.is_some()
    }

    /// Whether nothing more is begun.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.end.is_some_and(|end| end != Stop::Drain)
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.is_shutting_down
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Why the pool has ended by itself, if it has.
    pub(crate) fn broken(&self) -> Option<Arc<PoolError>> {
        self.broken.clone()
    }

    /// Takes no more tasks; returns whether `end` is harder than the end before.
    pub(crate) fn begin_end(&mut self, end: Stop) -> bool {
        if self.has_ended || self.end.is_some_and(|before| before >= end) {
            return false;
        }
        self.end = Some(end);
        true
    }

    /// Workers that are still busy at this moment are to be killed.
    pub(crate) fn kill_at(&mut self, at: Instant) {
        self.kill_at = Some(at);
    }

    /// Whether that moment has come. True only once.
    pub(crate) fn take_kill(&mut self, now: Instant) -> bool {
        self.kill_at.take_if(|at| *at <= now).is_some()
    }

    /// The pool ends by itself; returns whether it had not before.
    pub(crate) fn break_down(&mut self, error: PoolError, now: Instant) -> bool {
        if self.broken.is_some() {
            return false;
        }
        self.broken = Some(Arc::new(error));
        self.end = Some(Stop::Kill);
        self.kill_at = Some(now);
        true
    }

    /// Takes all workers out of their seats: they are to be ended.
    pub(crate) fn begin_shutdown(&mut self) -> Vec<WorkerHandle> {
        self.is_shutting_down = true;
        let mut handles = Vec::new();
        for seat in &mut self.seats {
            if let Some(handle) = seat.handle.take() {
                seat.record.leave(&handle);
                handles.push(handle);
            }
        }
        handles.extend(std::mem::take(&mut self.leaving).into_iter().map(|(handle, _)| handle));
        handles
    }

    pub(crate) fn note_ended(&mut self) {
        self.has_ended = true;
    }
}
