//! The reaper: the parent of the root supervisor, to which every process of the tree comes whose parents are
//! all gone.
//!
//! Actors die with their supervisors by themselves, but what they have started by other means does not, and
//! neither its environment nor its group or session need say to which tree it belongs. What the kernel says
//! is enough: the reaper is a subreaper above the root supervisor, so whatever the tree has left when the
//! root supervisor has ended, however it has ended, is a child of the reaper, and is killed.
//!
//! It waits for one process and does nothing else, needs no signal for it, and ends as the root supervisor
//! has ended. If the reaper is killed, the root supervisor, a subreaper too, ends everything below itself
//! ([`Supervisor::tear_down`](crate::supervisor::Supervisor)).

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::control::orphans;
use crate::sys::process::{self, Change, Fork, SIGCONT, Wait};
use crate::sys::signal::{self, Mask};
use crate::sys::{clock, fd, poll, procfs, proctitle};

const NAME: &str = "phx-reaper";

/// How long is tried to end what does not end: a process that we may not signal, or that is stuck in the
/// kernel.
const SWEEP: Duration = Duration::from_secs(5);

/// Forks. The parent stays as the reaper, for good; the child, which is to be the root supervisor, goes on
/// with a handle on it.
///
/// # Errors
/// Those of the fork, and those of a handle that cannot be had.
pub(crate) fn stand_behind() -> io::Result<OwnedFd> {
    process::become_subreaper()?;
    proctitle::set(NAME);
    let reaper = process::pid();
    match process::fork()? {
        Fork::Parent(root) => keep_watch(root),
        Fork::Child => {
            process::own_group();
            process::confirm_single_thread()?;
            let handle = process::pidfd(reaper)?;
            // If it has been killed before the handle was there, that is on another process.
            if process::parent() == reaper { Ok(handle) } else { Err(io::ErrorKind::NotFound.into()) }
        }
    }
}

fn keep_watch(root: i32) -> ! {
    // What asks the root supervisor to end is not meant for this one, which goes when that has gone.
    Mask::all().install();
    fd::close_all_except(&[]);
    process::group_of(root);
    let end = loop {
        match process::await_change(root) {
            // No person debugs a supervisor, and one that is stopped is of no use.
            Some(Change::Stopped) => {
                process::kill(root, SIGCONT);
                // Until that has come to it, it still counts as stopped.
                poll::pause(Duration::from_millis(1));
            }
            Some(Change::Ended(end)) => break end,
            // There is no such child, which cannot be.
            None => process::exit_now(1),
        }
    };
    end_what_is_left(root);
    process::reap(root);
    match end {
        Wait::Exited(code) => process::exit_now(code),
        Wait::Signaled { signal, .. } => {
            process::leave_no_core();
            signal::die_of(signal)
        }
    }
}

/// Kills and reaps all children but the root supervisor, which has ended; those that come meanwhile too.
fn end_what_is_left(root: i32) {
    let deadline = clock::after(SWEEP);
    loop {
        let mut left = procfs::children(process::pid());
        left.retain(|&pid| pid != root);
        if left.is_empty() || clock::now() > deadline {
            return;
        }
        for pid in left {
            orphans::kill_with_group(pid);
            process::reap(pid);
        }
        poll::pause(Duration::from_millis(1));
    }
}
