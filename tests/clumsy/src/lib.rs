//! What a careless C library does to its process: it closes and shuts down numbers that are not its own,
//! takes all that there are, forks, and writes where it must not.
//!
//! A crate of its own, because programs and tests make no system calls themselves.

pub mod forks;
pub mod pages;

use std::fs::{self, File};
use std::io;
use std::iter;

use nix::sys::socket::{Shutdown, shutdown};

/// Closes the descriptor of this number, as a second `close` of a stale number does.
///
/// # Errors
/// `EBADF` if there is none.
pub fn close(number: i32) -> io::Result<()> {
    Ok(nix::unistd::close(number)?)
}

/// Shuts the socket of this number down, in both directions.
///
/// # Errors
/// `ENOTSOCK` and the like.
pub fn shut_down(number: i32) -> io::Result<()> {
    Ok(shutdown(number, Shutdown::Both)?)
}

/// Opens files until it is refused: what they are held by.
pub fn fill() -> Vec<File> {
    iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

/// The numbers that this process has open from 3 up, each with what it is (`socket:[4711]`,
/// `anon_inode:[eventfd]`, a path).
pub fn descriptors() -> Vec<(i32, String)> {
    let mut found: Vec<(i32, String)> = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let target = fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
            // Not the one that this look has taken.
            (number > 2 && !target.starts_with("/proc/")).then_some((number, target))
        })
        .collect();
    found.sort_unstable();
    found
}
