//! Resource limits.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

/// A limit of the operating system on a process, see setrlimit(2): for the option `limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Limit {
    /// Seconds of processor time (`RLIMIT_CPU`): then SIGXCPU, and a second later SIGKILL.
    CpuSeconds,
    /// Open descriptors (`RLIMIT_NOFILE`).
    OpenFiles,
    /// The size of a file that it writes, in bytes (`RLIMIT_FSIZE`): then SIGXFSZ.
    FileSize,
    /// The size of a core file, in bytes (`RLIMIT_CORE`).
    CoreSize,
    /// The address space, in bytes (`RLIMIT_AS`): an allocation beyond fails.
    AddressSpace,
    /// The stack of the main thread, in bytes (`RLIMIT_STACK`).
    Stack,
    /// Memory that may be locked, in bytes (`RLIMIT_MEMLOCK`).
    LockedMemory,
    /// Processes and threads of the user as a whole, not of this process (`RLIMIT_NPROC`).
    UserProcesses,
}

impl Limit {
    /// All of them.
    pub(crate) const ALL: [Limit; 8] = [
        Limit::CpuSeconds,
        Limit::OpenFiles,
        Limit::FileSize,
        Limit::CoreSize,
        Limit::AddressSpace,
        Limit::Stack,
        Limit::LockedMemory,
        Limit::UserProcesses,
    ];
}

/// Limits this process for good. Async-signal-safe.
///
/// # Errors
/// `EPERM` above what is allowed.
pub fn limit(limit: Limit, value: u64) -> io::Result<()> {
    let (resource, hard) = match limit {
        // At the hard limit there is no warning signal any more.
        Limit::CpuSeconds => {
            let (_, hard) = getrlimit(Resource::RLIMIT_CPU)?;
            (Resource::RLIMIT_CPU, value.saturating_add(1).min(hard.max(value)))
        }
        Limit::OpenFiles => {
            SOFT.store(0, Relaxed);
            (Resource::RLIMIT_NOFILE, value)
        }
        Limit::FileSize => (Resource::RLIMIT_FSIZE, value),
        Limit::CoreSize => (Resource::RLIMIT_CORE, value),
        Limit::AddressSpace => (Resource::RLIMIT_AS, value),
        Limit::Stack => {
            super::stack::forget();
            (Resource::RLIMIT_STACK, value)
        }
        Limit::LockedMemory => (Resource::RLIMIT_MEMLOCK, value),
        Limit::UserProcesses => (Resource::RLIMIT_NPROC, value),
    };
    Ok(setrlimit(resource, value, hard)?)
}

/// Runs `act`, which makes a file at most `size` bytes long, and keeps SIGXFSZ away: the kernel kills a
/// process by that signal if it makes a file larger than its limit. Memory files count too.
///
/// # Errors
/// `FileTooLarge`, with a text that names the limit; or the error of `act`.
pub(crate) fn grow_file<T>(size: u64, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let too_large = |limit: u64| {
        let text = format!(
            "RLIMIT_FSIZE: this process may write files of {limit} bytes (`ulimit -f`), memory files included, and needs one of {size}"
        );
        io::Error::new(io::ErrorKind::FileTooLarge, text)
    };
    let allowed = || getrlimit(Resource::RLIMIT_FSIZE).map_or(u64::MAX, |(soft, _)| soft);
    let limit = allowed();
    if size > limit {
        return Err(too_large(limit));
    }
    // Another thread can set a limit at any time.
    super::signal::without(libc::SIGXFSZ, act).map_err(|error| match error.raw_os_error() {
        Some(libc::EFBIG) => too_large(allowed()),
        _ => error,
    })
}

/// How many descriptors this process may have open (the soft limit).
pub fn descriptors() -> u32 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft.min(1 << 20) as u32)
}

/// The soft limit on descriptors as this process has set it last; 0 if it has not.
static SOFT: AtomicU64 = AtomicU64::new(0);

/// Raises the soft limit on descriptors to the hard one; returns the soft limit as it was.
pub fn raise_descriptors() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    // Failing to raise it leaves the limit as it was, and reaching it is a typed error later.
    let raised = hard.min(1 << 20).max(soft);
    if raised == soft || setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() {
        SOFT.store(raised, Relaxed);
    }
    soft
}

/// Sets the soft limit on descriptors, within the hard one.
pub fn set_descriptors(soft: u64) {
    if SOFT.load(Relaxed) == soft {
        return;
    }
    if let Ok((now, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && (now == soft || setrlimit(Resource::RLIMIT_NOFILE, soft.min(hard), hard).is_ok())
    {
        SOFT.store(soft, Relaxed);
    }
}

/// The limit that keeps this process from starting another one, or a thread: that of its control group, of
/// its user, or of the machine.
pub fn limit_on_processes() -> &'static str {
    if is_group_full().unwrap_or(false) {
        return "pids.max";
    }
    let is_root = nix::unistd::geteuid().is_root();
    let unlimited = getrlimit(Resource::RLIMIT_NPROC).is_ok_and(|(soft, _)| soft == libc::RLIM_INFINITY);
    // The kernel does not hold root to it.
    if is_root || unlimited { "kernel.threads-max" } else { "RLIMIT_NPROC" }
}

/// Whether the control group of this process, or one above it, holds as many processes as it may.
fn is_group_full() -> Option<bool> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    Some(groups.lines().filter_map(|line| directory_of(line, &mounts)).any(|group| is_full(&group)))
}

/// The directory of the group that a line of `/proc/PID/cgroup` names, with the root of its mount. `None` if
/// the line is not about the number of processes, or the group is not mounted.
fn directory_of(line: &str, mounts: &str) -> Option<(PathBuf, PathBuf)> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let is_unified = controllers.is_empty();
    if !is_unified && !controllers.split(',').any(|controller| controller == "pids") {
        return None;
    }
    let mount = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let (kind, options) = (kind.next()?, kind.nth(1).unwrap_or_default());
        let fits = match is_unified {
            true => kind == "cgroup2",
            false => kind == "cgroup" && options.split(',').any(|option| option == "pids"),
        };
        fits.then(|| place.split(' ').skip(3).take(2).collect::<Vec<_>>())
    })?;
    let &[root, mounted] = mount.as_slice() else { return None };
    let below = Path::new(path).strip_prefix(root).ok()?;
    Some((Path::new(mounted).join(below), mounted.into()))
}

fn is_full((group, mounted): &(PathBuf, PathBuf)) -> bool {
    let number = |group: &Path, file: &str| {
        std::fs::read_to_string(group.join(file)).ok().and_then(|text| text.trim().parse::<u64>().ok())
    };
    // A group without a bound has a word there. A refusal leaves no trace, so a group that has room for one
    // process again counts as full.
    let is_full = |group: &Path| {
        let bound = number(group, "pids.max");
        bound.zip(number(group, "pids.current")).is_some_and(|(bound, current)| current + 1 >= bound)
    };
    group.ancestors().take_while(|group| group.starts_with(mounted)).any(is_full)
}

/// Runs `act`. If that returns `Err`, a partial result for lack of descriptors, runs it once more with the
/// soft limit on descriptors raised.
pub fn with_raised_descriptors_if_needed<T>(mut act: impl FnMut() -> Result<T, T>) -> T {
    act().or_else(|_| with_raised_descriptors(act)).unwrap_or_else(|partly| partly)
}

/// Runs `act` with the soft limit on descriptors raised to the hard one.
pub fn with_raised_descriptors<T>(act: impl FnOnce() -> T) -> T {
    let soft = raise_descriptors();
    let done = act();
    set_descriptors(soft);
    done
}

/// Limits the private writable memory of this process: `RLIMIT_DATA`, the heap and private mappings.
/// Async-signal-safe.
///
/// # Errors
/// `EPERM` above what is allowed.
pub fn set_memory(bytes: u64) -> io::Result<()> {
    Ok(setrlimit(Resource::RLIMIT_DATA, bytes, bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_a_control_group_is_found_in_both_versions() {
        let mounts = "\
36 25 0:31 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids
37 25 0:32 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw,nsdelegate";
        let of = |line| directory_of(line, mounts).map(|(group, _)| group.display().to_string());
        assert_eq!(of("7:pids:/a/b").as_deref(), Some("/sys/fs/cgroup/pids/a/b"));
        assert_eq!(of("0::/docker/abc/x").as_deref(), Some("/sys/fs/cgroup/x"));
        assert_eq!(of("0::/elsewhere"), None);
        assert_eq!(of("3:memory:/a"), None);
    }
}
