//! Orphans: descendants of dead processes.

use std::fs;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::control::boot_env::TREE;
use crate::sys::{clock, poll, process, procfs};

/// How long to look for orphans of a tree whose reaper was killed.
const SWEEP: Duration = Duration::from_secs(1);

/// How many searches in a row must find none.
const CLEAN_LOOKS: u32 = 3;

/// A process younger than this may be in the middle of `execve`, and then it has no environment.
const YOUNG: Duration = Duration::from_secs(2);

/// Kills a child that is not reaped yet, and its process group unless that is this process's own.
pub(crate) fn kill_with_group(pid: i32) {
    let group = process::group(pid).filter(|&group| Some(group) != process::group(0) && group > 1);
    if let Some(group) = group {
        process::kill(-group, process::SIGKILL);
    }
    process::kill(pid, process::SIGKILL);
}

/// Kills every process with the mark of this tree, until none is left.
///
/// For a tree whose reaper was killed, perhaps with its root supervisor. Then what actors started and left
/// behind went to init. This finds every process that kept the environment it was started with.
pub(crate) fn sweep(tree: &str) {
    let mark = format!("{TREE}={tree}");
    let deadline = clock::after(SWEEP);
    let mut clean = 0;
    while clean < CLEAN_LOOKS && clock::now() < deadline {
        let mut found = false;
        for pid in procfs::processes().filter(|&pid| pid != process::pid()) {
            found |= match mark_of(pid, &mark) {
                Marked::Yes => {
                    kill_marked(pid, &mark);
                    true
                }
                Marked::NotYet => true,
                Marked::No => false,
            };
        }
        clean = if found { 0 } else { clean + 1 };
        poll::pause(Duration::from_millis(5));
    }
}

/// Kills a process if it has this mark. Opens the handle, then checks the mark: so the signal cannot reach a
/// later process with this pid.
pub(crate) fn kill_marked(pid: i32, mark: &str) {
    let Ok(handle) = process::pidfd(pid) else { return };
    if matches!(mark_of(pid, mark), Marked::Yes) {
        let _ = process::signal(handle.as_fd(), process::SIGKILL);
    }
}

/// Whether a process has the mark.
enum Marked {
    Yes,
    No,
    /// It is in the middle of `execve`, or may be.
    NotYet,
}

/// Reads the environment that a process was started with. A zombie has none, nor has a kernel thread, nor,
/// for a moment, a process in `execve`.
fn mark_of(pid: i32, mark: &str) -> Marked {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return Marked::No };
    if environment.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes()) {
        return Marked::Yes;
    }
    // Zombies and kernel threads have no executable either.
    let undecided =
        environment.is_empty() && fs::read_link(format!("/proc/{pid}/exe")).is_ok() && is_young(pid);
    if undecided { Marked::NotYet } else { Marked::No }
}

/// Whether a process was started a short while ago.
fn is_young(pid: i32) -> bool {
    procfs::age(pid).is_some_and(|age| age < YOUNG)
}
