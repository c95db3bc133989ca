//! The surroundings of this process: environment, niceness, cores.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::mem::zeroed;
use std::{env, io};

use super::check;

/// Changes the environment: first empties it, but for the variable `keep`, if that is asked for. What is taken out or replaced cannot be read in
/// `/proc/PID/environ` either.
///
/// For a process that has just been forked, in which nobody reads the environment at the same time.
pub(crate) fn change_environment(keep: Option<&str>, changes: &BTreeMap<OsString, Option<OsString>>) {
    let emptied: Vec<OsString> = match keep {
        Some(kept) => env::vars_os().map(|(name, _)| name).filter(|name| name != kept).collect(),
        None => Vec::new(),
    };
    let has_changes = !changes.is_empty();
    let removals = emptied.iter().map(|name| (name, None));
    let changes = changes.iter().map(|(name, value)| (name, value.as_ref()));
    for (name, value) in removals.chain(changes) {
        match value {
            // SAFETY: a new process has one thread, this one, and it has not come to the user's code yet.
            Some(value) => unsafe { env::set_var(name, value) },
            // SAFETY: as above.
            None => unsafe { env::remove_var(name) },
        }
    }
    if keep.is_some() || has_changes {
        blank_what_is_gone();
    }
}

unsafe extern "C" {
    /// Of the C library: the environment, a list of C strings with a null at its end.
    static mut environ: *const *const libc::c_char;
}

/// Writes zeroes over the strings with which this image was started (what `/proc/PID/environ` shows) that are not part of the environment any more.
fn blank_what_is_gone() {
    let Some((start, end)) = first_environment() else { return };
    // SAFETY: the list is not changed meanwhile: a new process has one thread, and it has not come to the user's code yet.
    let kept = unsafe { entries((&raw const environ).read()) };
    let mut at = start;
    while at < end {
        let string = std::ptr::with_exposed_provenance_mut::<libc::c_char>(at);
        // SAFETY: the kernel has put C strings there, one behind the other, and the last one ends before `end`.
        let len = unsafe { libc::strlen(string) };
        if !kept.contains(&at) {
            // SAFETY: `len` bytes of writable memory of this process' stack. No pointer of the environment leads there; what Rust reads of the environment
            // it copies.
            unsafe { std::ptr::write_bytes(string, 0, len) };
        }
        at += len + 1;
    }
}

/// Where the strings of a list lie.
///
/// # Safety
/// It is null, or ends with a null, and nobody changes it meanwhile.
unsafe fn entries(list: *const *const libc::c_char) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut at = list;
    // SAFETY: `at` is at an entry before the null, or at it.
    while !at.is_null() && !unsafe { *at }.is_null() {
        // SAFETY: as above; so there is a next entry.
        unsafe {
            found.insert((*at).expose_provenance());
            at = at.add(1);
        }
    }
    found
}

/// From where to where the environment lies with which this image was started, as the kernel knows it.
fn first_environment() -> Option<(usize, usize)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name in brackets, which may hold anything, comes the third field; these are the fiftieth and the next.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(50 - 3);
    let (start, end) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (start != 0 && start < end).then_some((start, end))
}

/// Sets the niceness of this process, and of the threads that it starts from now on.
///
/// # Errors
/// `InvalidInput` if there is no such niceness, `EACCES` without the right to be less nice.
pub(crate) fn set_niceness(niceness: i32) -> io::Result<()> {
    if !(-20..=19).contains(&niceness) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is between -20 and 19"));
    }
    // SAFETY: setpriority takes integers only.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, niceness) }).map(drop)
}

/// Lets this process, and the threads that it starts from now on, run on these cores only.
///
/// # Errors
/// `EINVAL` if none of them is there for this process.
pub(crate) fn set_affinity(cores: &[u32]) -> io::Result<()> {
    // SAFETY: cpu_set_t is an array of bits; zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    let size = size_of::<libc::cpu_set_t>();
    // A core beyond the set is one that is not there.
    for &core in cores.iter().filter(|&&core| (core as usize) < 8 * size) {
        // SAFETY: `core` is inside of the set.
        unsafe { libc::CPU_SET(core as usize, &mut set) };
    }
    // SAFETY: a valid set of that size, which is only read.
    check(unsafe { libc::sched_setaffinity(0, size, &set) }).map(drop)
}
