//! The system calls of phalanx, one family a file.
//!
//! All `unsafe`, all of `nix`, `rustix` and `libc` of phalanx are here. What leaves this crate is safe to call in any
//! order with any argument. It knows nothing of actors, mailboxes or supervisors.
//!
//! This crate is published because `phalanx` needs it. It promises nothing to other crates: each release of `phalanx`
//! needs this very version.

pub mod attributes;
pub mod clock;
pub mod copy;
pub mod credentials;
pub mod executable;
pub mod fd;
pub mod futex;
mod mapping;
pub mod memfd;
pub mod per_process;
pub mod poll;
pub mod process;
pub mod procfs;
pub mod proctitle;
pub mod rlimit;
pub mod seqpacket;
pub mod shared_memory;
pub mod signal;
pub mod stack;
pub mod verdict;

use std::io;

/// The result of a raw call that reports errors by −1.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A plain structure of C.
///
/// # Safety
/// All zeroes is a value of it.
unsafe trait Zeroes: Copy {}

macro_rules! zeroes {
    ($($name:ident),* $(,)?) => { $(
        // SAFETY: integers, pointers and arrays of these, as the C headers declare it; a null pointer is a value of a pointer.
        unsafe impl Zeroes for libc::$name {}
    )* };
}
zeroes!(clone_args, msghdr, pthread_attr_t, sigaction, siginfo_t, sigset_t);

/// All zeroes: what a C program fills in, or has the kernel fill in.
fn zeroed<T: Zeroes>() -> T {
    // SAFETY: a value, by `Zeroes`.
    unsafe { std::mem::zeroed() }
}

/// An error of a call, with the call's name if this kernel does not know it or a sandbox refuses it: such an error says nothing by itself.
fn named(call: &str, error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EPERM | libc::EACCES) => {
            io::Error::new(error.kind(), format!("{call}: {error}"))
        }
        _ => error,
    }
}

/// Repeats a call for as long as a signal handler interrupts it.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
