//! Waiting for something that happens elsewhere: look, and look again, until a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How often is looked.
const EVERY: Duration = Duration::from_millis(2);

/// Waits until `look` finds something.
///
/// # Panics
/// When the limit has passed; `what` says what was waited for.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < limit, "after {limit:?}, still waiting for: {what}");
        thread::sleep(EVERY);
    }
}

/// Waits until something is so.
///
/// # Panics
/// As [`until`].
#[track_caller]
pub fn eventually(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    until(what, limit, || is_so().then_some(()));
}
