//! Sleeping on a word of shared memory until another process changes it.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use rustix::thread::futex::{self, Flags, Timespec};

/// Sleeps while `word` is `expected`, at most for `limit`. May wake early, so the caller looks again.
pub fn wait(word: &AtomicU32, expected: u32, limit: Duration) {
    let limit =
        Timespec { tv_sec: limit.as_secs().min(i32::MAX as u64) as _, tv_nsec: limit.subsec_nanos() as _ };
    // Every error (the word has changed, the time is over, a signal) is a reason to look again.
    let _ = futex::wait(word, SHARED, expected, Some(&limit));
}

/// Wakes up to `count` sleepers on `word`, in all processes that have it mapped.
pub fn wake(word: &AtomicU32, count: i32) {
    let _ = futex::wake(word, SHARED, count.cast_unsigned());
}

/// Not `PRIVATE`: the sleepers are in other processes.
const SHARED: Flags = Flags::empty();
