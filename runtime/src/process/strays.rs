//! Processes that nobody answers for: descendants of the dead.

use std::fs;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::process::boot::TREE;
use crate::sys::{poll, process, time};

/// How long the program looks for strays of a tree whose root supervisor was killed.
const SWEEP: Duration = Duration::from_secs(1);

/// The children of a single-threaded process, zombies included.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    match fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")) {
        Ok(list) => list.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect(),
        // A kernel without that file: every process says who its parent is.
        Err(_) => processes().filter(|&candidate| parent_of(candidate) == Some(pid)).collect(),
    }
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; behind the last bracket come state and parent.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Kills an own child that is not reaped yet, and its group if that is another one than ours.
pub(crate) fn kill_with_group(pid: i32) {
    let group = process::group(pid).filter(|&group| Some(group) != process::group(0) && group > 1);
    if let Some(group) = group {
        process::kill(-group, process::SIGKILL);
    }
    process::kill(pid, process::SIGKILL);
}

/// Kills every process that bears the mark of this tree, until there is none.
///
/// For a program whose root supervisor was killed: actors die with their supervisor by themselves, but what they had
/// started and orphaned has gone to init.
pub(crate) fn sweep(tree: &str) {
    let mark = format!("{TREE}={tree}");
    let deadline = time::after(SWEEP);
    loop {
        let marked: Vec<i32> =
            processes().filter(|&pid| pid != process::pid() && bears(pid, &mark)).collect();
        for &pid in &marked {
            // The handle first, then the look: so it is this process that is signalled, and no later one of its number.
            let Ok(handle) = process::pidfd(pid) else { continue };
            if bears(pid, &mark) {
                let _ = process::signal(handle.as_fd(), process::SIGKILL);
            }
        }
        if marked.is_empty() || time::now() > deadline {
            return;
        }
        poll::pause(Duration::from_millis(5));
    }
}

/// Whether the environment that this process was started with has the mark in it. A zombie has none.
fn bears(pid: i32, mark: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_found_both_ways() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        assert!(
            processes()
                .filter(|&pid| parent_of(pid) == Some(process::pid()))
                .any(|pid| pid == child.id() as i32)
        );
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
