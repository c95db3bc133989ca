//! Waiting for the first of several tasks.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// What a caller that waits for several tasks sleeps on.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    done: Mutex<u64>,
    changed: Condvar,
}

impl Watch {
    pub(super) fn bump(&self) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    pub(crate) fn count(&self) -> u64 {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until more than `seen` tasks are done; returns whether that came before the deadline.
    pub(crate) fn wait(&self, seen: u64, deadline: Option<Instant>) -> bool {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        while *done <= seen {
            done = match deadline {
                None => self.changed.wait(done).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    self.changed.wait_timeout(done, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }
}
