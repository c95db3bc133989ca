//! Copies of a process: forks without exec, as C libraries and old programs make them.
#![allow(unsafe_code, reason = "nothing safe forks; what is called here takes and answers numbers")]

use std::panic::{AssertUnwindSafe, catch_unwind};

// SAFETY: these take integers only. In the copy of a process with several threads, their locks stay locked.
// The cases use nothing there but memory, which the C library takes care of, and phalanx, which they test.
unsafe extern "C" {
    safe fn fork() -> i32;
    safe fn _exit(code: i32) -> !;
    safe fn atexit(function: extern "C" fn()) -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
}

/// Has a function called when this process exits.
///
/// # Panics
/// If there is no room for it.
pub fn at_exit(function: extern "C" fn()) {
    assert_eq!(atexit(function), 0);
}

/// Forks; `None` in the copy, its pid in the original.
///
/// # Panics
/// At the limit on processes.
pub fn twice() -> Option<u32> {
    match fork() {
        0 => None,
        pid => Some(u32::try_from(pid).expect("a process can be forked")),
    }
}

/// Ends this process, and nothing else of it.
pub fn leave(code: i32) -> ! {
    _exit(code)
}

/// Waits for the end of a copy of this process; its exit code, or minus signal.
///
/// # Panics
/// If it is not one.
pub fn wait(copy: u32) -> i32 {
    let mut status = 0;
    // SAFETY: the status is written to a local variable.
    let waited = unsafe { waitpid(copy as i32, &raw mut status, 0) };
    assert_eq!(waited, copy as i32, "a copy of this process");
    if status & 0x7f == 0 { status >> 8 & 0xff } else { -(status & 0x7f) }
}

/// Runs code in a copy of this process, which ends with it; returns the copy's pid.
pub fn copy(code: impl FnOnce()) -> u32 {
    twice().unwrap_or_else(|| {
        let ran = catch_unwind(AssertUnwindSafe(code));
        leave(if ran.is_ok() { 0 } else { 101 })
    })
}

/// Runs code in a copy of this process, and waits for its end.
///
/// # Panics
/// If the code has panicked in the copy.
#[track_caller]
pub fn in_copy(code: impl FnOnce()) {
    assert_eq!(wait(copy(code)), 0, "how the copy has ended");
}
