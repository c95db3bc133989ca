//! The surroundings of this process: environment, niceness, cores.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io;
use std::mem::zeroed;

use super::check;

/// Changes the environment: first empties it, but for the variable `keep`, if that is asked for.
///
/// For a process that has just been forked, in which nobody reads the environment at the same time.
pub(crate) fn change_environment(keep: Option<&str>, changes: &BTreeMap<OsString, Option<OsString>>) {
    let emptied: Vec<OsString> = match keep {
        Some(kept) => env::vars_os().map(|(name, _)| name).filter(|name| name != kept).collect(),
        None => Vec::new(),
    };
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
