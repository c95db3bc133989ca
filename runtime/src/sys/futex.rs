//! Sleeping on a word of shared memory until another process changes it.

use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps while `word` is `expected`, at most for `limit`; wakes early for any reason, so the caller looks again.
pub(crate) fn wait(word: &AtomicU32, expected: u32, limit: Duration) {
    let limit = libc::timespec {
        tv_sec: limit.as_secs().min(i32::MAX as u64) as _,
        tv_nsec: limit.subsec_nanos() as _,
    };
    // SAFETY: `word` is a live, aligned 32-bit word (shared mappings included), `limit` outlives the call.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            expected,
            &limit,
            ptr::null::<u32>(),
            0,
        );
    }
}

/// Wakes up to `count` sleepers on `word`, in whichever processes they are.
pub(crate) fn wake(word: &AtomicU32, count: i32) {
    // SAFETY: as above; FUTEX_WAKE only uses the address.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE,
            count,
            ptr::null::<libc::timespec>(),
            ptr::null::<u32>(),
            0,
        );
    }
}
