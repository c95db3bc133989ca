//! The process table, as `/proc` shows it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::wait::{EVENT_TIMEOUT, eventually, until_seen};

/// In the environment of every process of a case, so that whatever is left of it can be found.
pub(crate) const MARK: &str = "PHALANX_TESTS_RUN";

/// What `/proc/PID/stat` says of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The process.
    pub pid: u32,
    /// Its name, 15 bytes at most.
    pub name: String,
    /// `R`, `S`, `D`, `T`, `Z`...
    pub state: char,
    /// Its parent.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
}

/// Looks at one process; `None` if it does not exist.
pub fn stat(pid: u32) -> Option<Stat> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (front, back) = line.rsplit_once(')')?;
    let mut words = back.split_ascii_whitespace();
    Some(Stat {
        pid,
        name: front.split_once('(')?.1.to_owned(),
        state: words.next()?.chars().next()?,
        parent: words.next()?.parse().ok()?,
        group: words.next()?.parse().ok()?,
    })
}

/// Whether the process exists, a zombie included.
pub fn exists(pid: u32) -> bool {
    stat(pid).is_some()
}

/// Whether the process exists and is not a zombie.
pub fn runs(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// All processes of this machine.
pub fn all() -> Vec<Stat> {
    let entries = fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(stat).collect()
}

/// Whether this process ignores SIGINT or SIGQUIT.
pub(crate) fn ignores_interrupts() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    // Signal N is bit N - 1.
    mask & 0b110 != 0
}

/// The children of a process, zombies included.
pub fn children(pid: u32) -> Vec<Stat> {
    all().into_iter().filter(|process| process.parent == pid).collect()
}

/// The descendants of a process, zombies included.
pub fn descendants(pid: u32) -> Vec<Stat> {
    let all = all();
    let mut family = vec![pid];
    let mut found = Vec::new();
    while let Some(parent) = family.pop() {
        for child in all.iter().filter(|process| process.parent == parent) {
            family.push(child.pid);
            found.push(child.clone());
        }
    }
    found
}

/// The root supervisor of a program, if it runs.
pub fn root_supervisor(program: u32) -> Option<u32> {
    let all = all();
    let below = |parent: u32, name: &str| {
        all.iter().find(|process| process.parent == parent && process.name.starts_with(name)).map(|it| it.pid)
    };
    below(below(program, "phx-reaper")?, "phx-root")
}

/// The reaper of a program, if it runs.
pub fn reaper(program: u32) -> Option<u32> {
    children(program).into_iter().find(|child| child.name == "phx-reaper").map(|child| child.pid)
}

/// Processes whose environment carries the mark of this run.
pub fn marked(mark: &str) -> Vec<Stat> {
    let entry = format!("{MARK}={mark}");
    let carries = |pid: u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == entry.as_bytes())
    };
    all().into_iter().filter(|process| carries(process.pid)).collect()
}

/// Sends a signal by its name (`KILL`, `STOP`, `INT`...); a negative number means a process group.
pub fn signal(name: &str, pid: i64) {
    // The shell's own `kill`, which every system has. It says so if the process is gone, which is not an
    // error here.
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("kill -{name} {pid}")]).stderr(Stdio::null());
    let _ = shell.status().expect("there is a shell");
}

/// Sets how many descriptors a process may have, its own limit on that aside.
pub fn limit_descriptors(pid: u32, most: u32) {
    let (process, limit) = (format!("--pid={pid}"), format!("--nofile={most}:"));
    let status = std::process::Command::new("prlimit").args([process, limit]).status();
    assert!(status.expect("util-linux is there").success());
}

/// SIGKILL.
pub fn kill(pid: u32) {
    signal("KILL", i64::from(pid));
}

/// The supervisors of actors of a program, at whatever depth.
pub fn nested_supervisors(program: u32) -> Vec<u32> {
    let named = |process: &Stat| process.name.starts_with("phx-sup");
    descendants(program).into_iter().filter(named).map(|process| process.pid).collect()
}

/// Starts a process that is hard to get hold of. It has a session of its own, ignores the signals that ask,
/// its parent has ended, and its environment carries no mark. Returns its pid.
///
/// # Panics
/// If there is no shell.
pub fn leave_a_stray() -> u32 {
    let script =
        "trap '' TERM INT HUP; env -i PATH=\"$PATH\" setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!";
    let output = Command::new("sh").args(["-c", script]).stdin(Stdio::null()).output();
    let said = output.expect("there is a shell").stdout;
    String::from_utf8_lossy(&said).trim().parse().expect("the shell says which process it is")
}

/// SIGKILL to several, as near to the same instant as can be.
pub fn kill_together(pids: &[u32]) {
    let list: Vec<String> = pids.iter().map(u32::to_string).collect();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("kill -KILL {}", list.join(" "))]).stderr(Stdio::null());
    let _ = shell.status().expect("there is a shell");
}

/// Waits until a look finds no process any more.
///
/// # Panics
/// When the limit has passed; the panic says which are left.
#[track_caller]
pub fn until_none(limit: Duration, look: impl FnMut() -> Vec<Stat>) {
    until_seen("no process to be there", limit, look, Vec::is_empty);
}

/// The thread that calls this, by its number in `/proc`.
///
/// # Panics
/// If `/proc` is not there.
pub fn this_thread() -> u32 {
    let path = fs::read_link("/proc/thread-self").expect("/proc is there");
    let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
    number.expect("the last part is its number")
}

/// Waits until a thread of this process is blocked: it sleeps, and does not run between five looks, 2 ms apart.
/// A thread that only sleeps for a moment on its way does; one that waits in slices does not, if these are
/// longer than that. A thread that waits a few milliseconds for another lock on its way looks the same.
///
/// # Panics
/// If it does not sleep.
#[track_caller]
pub fn until_blocked(thread: u32) {
    let (mut last, mut same) = (None, 0);
    eventually("a thread to be blocked", EVENT_TIMEOUT, || {
        let now = switches_of_sleeper(thread);
        same = if now.is_some() && now == last { same + 1 } else { 0 };
        last = now;
        same == 4
    });
}

/// How often a thread of this process has given up its processor, if it sleeps now.
fn switches_of_sleeper(thread: u32) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).ok()?;
    let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    field("State:")?.starts_with('S').then(|| field("voluntary_ctxt_switches:"))?.map(str::to_owned)
}
