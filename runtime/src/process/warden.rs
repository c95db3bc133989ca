//! Who cleans up when nobody else can: program and root supervisor killed at the same instant.
//!
//! Then actors die with their supervisors, but what they had started by other means would go to init and stay. The
//! warden is a child of the root supervisor that waits for its death and does nothing else. In an orderly end the
//! supervisor ends it last; if only the supervisor is killed, the program sweeps too, and either may be first.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::process::boot::TREE;
use crate::process::strays;
use crate::sys::process::Fork;
use crate::sys::{fd, poll, process, title};

const NAME: &str = "phx-warden";

/// Whether a process of a tree is its warden.
pub(crate) fn is_warden(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == NAME)
}

/// Starts the warden of this root supervisor; answers its pid. Without one (at a limit of the system) the tree works all
/// the same.
pub(crate) fn start() -> Option<i32> {
    let mark = std::env::var(TREE).ok()?;
    let supervisor = process::pid();
    match process::fork().ok()? {
        Fork::Parent(pid) => {
            process::group_of(pid);
            Some(pid)
        }
        Fork::Child => keep_watch(supervisor, &mark),
    }
}

fn keep_watch(supervisor: i32, mark: &str) -> ! {
    // Out of reach of what is meant for the supervisor's group.
    process::own_group();
    title::set(NAME);
    let handle = process::pidfd(supervisor).ok();
    fd::close_all_except(&handle.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>());
    while process::parent() == supervisor {
        wait_for_end(handle.as_ref());
    }
    strays::sweep(mark);
    process::exit_now(0)
}

/// Sleeps until the process has ended, or for a moment: the caller looks again.
fn wait_for_end(handle: Option<&OwnedFd>) {
    match handle {
        Some(handle) => drop(poll::readable(handle.as_fd(), None)),
        None => poll::pause(std::time::Duration::from_millis(100)),
    }
}
