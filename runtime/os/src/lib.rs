//! The system calls of phalanx, one family a file.
//!
//! All `unsafe` code of phalanx and every use of `nix`, `rustix` and `libc` is in this crate. Its safe
//! functions may be called in any order with any argument. It knows nothing of actors, mailboxes or
//! supervisors.
//!
//! This crate is published because `phalanx` needs it. It promises nothing to other crates: each release of
//! `phalanx` needs exactly this version.

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

/// A plain C structure.
///
/// # Safety
/// All zeroes are a valid value of the type.
unsafe trait Zeroes: Copy {}

macro_rules! zeroes {
    ($($name:ident),* $(,)?) => { $(
        // SAFETY: the C headers declare it as integers, pointers and arrays of these; a null pointer is a
        // valid pointer.
        unsafe impl Zeroes for libc::$name {}
    )* };
}
zeroes!(clone_args, msghdr, pthread_attr_t, sigaction, siginfo_t, sigset_t);

/// A structure of zeroes, for the caller or the kernel to fill in.
fn zeroed<T: Zeroes>() -> T {
    // SAFETY: a valid value, by `Zeroes`.
    unsafe { std::mem::zeroed() }
}

/// Puts the call's name into an error that says nothing by itself: this kernel does not know the call, or a
/// sandbox refuses it.
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
