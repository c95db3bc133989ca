//! The reaper: the parent of the root supervisor, and of every process of the tree whose other ancestors are
//! gone.
//!
//! Actors die with their supervisors by themselves. What they started by other means does not, and neither
//! its environment nor its group or session has to show to which tree it belongs. But the reaper is a
//! subreaper above the root supervisor. So whatever the tree leaves behind when the root supervisor has
//! ended, however it ended, is a child of the reaper, and is killed.
//!
//! It waits for one process and does nothing else, needs no signal for it, and exits as the root supervisor
//! exited. If the reaper is killed, the root supervisor, a subreaper too, ends everything below itself
//! ([`Supervisor::tear_down`](crate::supervisor::Supervisor)).

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::control::orphans;
use crate::sys::process::{self, Change, Fork, SIGCONT, Wait};
use crate::sys::signal::{self, Mask};
use crate::sys::{clock, fd, poll, procfs, proctitle};

const NAME: &str = "phx-reaper";

/// How long to try to end processes that resist: those that may not be signalled, or are stuck in the kernel.
const SWEEP: Duration = Duration::from_secs(5);

/// Forks. The parent stays as the reaper for good; the child goes on, to become the root supervisor, with a
/// handle on the reaper.
///
/// # Errors
/// Those of the fork and of opening the handle.
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
            // If the reaper was killed before this, the handle is on another process.
            if process::parent() == reaper { Ok(handle) } else { Err(io::ErrorKind::NotFound.into()) }
        }
    }
}

fn keep_watch(root: i32) -> ! {
    // Signals that ask the root supervisor to end are not meant for the reaper, which ends after it.
    Mask::all().install();
    fd::close_all_except(&[]);
    process::group_of(root);
    let end = loop {
        match process::await_change(root) {
            // A stopped supervisor is of no use, and is not debugged.
            Some(Change::Stopped) => {
                process::kill(root, SIGCONT);
                // Until the signal is delivered, the process still counts as stopped.
                poll::pause(Duration::from_millis(1));
            }
            Some(Change::Ended(end)) => break end,
            // No such child: unreachable.
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

/// Kills and reaps all children but the root supervisor, which has ended; also those that arrive meanwhile.
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
