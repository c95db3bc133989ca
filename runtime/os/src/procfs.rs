//! What `/proc` says of other processes.

use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::str::FromStr;
use std::time::Duration;

use crate::process;

/// The children of a single-threaded process, zombies included.
pub fn children(pid: i32) -> Vec<i32> {
    match fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")) {
        Ok(list) => list.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect(),
        // A kernel without that file: every process names its parent.
        Err(_) => processes().filter(|&candidate| parent_of(candidate) == Some(pid)).collect(),
    }
}

/// The children of a process that may have several threads.
pub fn children_of_all_threads(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

/// The resident memory of a process, in bytes.
pub fn resident_bytes(pid: i32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages = statm.split_ascii_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(process::page_size())
}

/// The processor time that a process has used.
pub fn processor_time(pid: i32) -> Duration {
    let ticks = stat_field::<u64>(pid, 11).unwrap_or(0) + stat_field::<u64>(pid, 12).unwrap_or(0);
    // The unit of /proc, whatever the kernel's own is.
    Duration::from_millis(ticks.saturating_mul(10))
}

/// The pids that `/proc` lists; none without `/proc`.
pub fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The parent of a process.
pub fn parent_of(pid: i32) -> Option<i32> {
    stat_field(pid, 1)
}

/// The pid of the process that a handle is for, as the kernel numbers it here; `None` if the process is gone,
/// and without /proc.
pub fn pid_of(handle: BorrowedFd<'_>) -> Option<i32> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", handle.as_raw_fd())).ok()?;
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()?;
    (pid > 0).then_some(pid)
}

/// When a process was started, in ticks since the start of the system.
pub fn started(pid: i32) -> Option<u64> {
    stat_field(pid, 19)
}

/// The name of a process, its first 15 bytes.
pub fn name_of(pid: i32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|name| name.trim_end_matches('\n').to_owned())
}

/// A number in `/proc/PID/stat`, counted from the state, which is number 0.
fn stat_field<N: FromStr>(pid: i32, index: usize) -> Option<N> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; behind the last bracket come state and parent.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(index)?.parse().ok()
}

/// How long ago a process was started.
pub fn age(pid: i32) -> Option<Duration> {
    // In hundredths of a second since the machine was started: the unit of /proc, whatever the kernel's.
    let started = stat_field(pid, 19).map(|ticks: u64| Duration::from_millis(ticks.saturating_mul(10)))?;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let now = Duration::try_from_secs_f64(uptime.split_ascii_whitespace().next()?.parse().ok()?).ok()?;
    Some(now.saturating_sub(started))
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
