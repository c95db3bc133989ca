//! Resource limits.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

/// A limit of the operating system on a process, see setrlimit(2): for the option [`limit`](crate::ActorBuilder::limit).
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

/// Limits this process for good.
///
/// # Errors
/// `EPERM` above what is allowed.
pub(crate) fn limit(limit: Limit, value: u64) -> io::Result<()> {
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
        Limit::Stack => (Resource::RLIMIT_STACK, value),
        Limit::LockedMemory => (Resource::RLIMIT_MEMLOCK, value),
        Limit::UserProcesses => (Resource::RLIMIT_NPROC, value),
    };
    Ok(setrlimit(resource, value, hard)?)
}

/// How many descriptors this process may have open (the soft limit).
pub(crate) fn descriptors() -> u32 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft.min(1 << 20) as u32)
}

/// The soft limit on descriptors as this process has set it last; 0 if it has not.
static SOFT: AtomicU64 = AtomicU64::new(0);

/// Raises the soft limit on descriptors to the hard one; answers the soft limit as it was.
pub(crate) fn raise_descriptors() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    // Failing to raise it leaves the limit as it was, and reaching it is a typed error later.
    let raised = hard.min(1 << 20).max(soft);
    if raised == soft || setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() {
        SOFT.store(raised, Relaxed);
    }
    soft
}

/// Sets the soft limit on descriptors, within the hard one.
pub(crate) fn set_descriptors(soft: u64) {
    if SOFT.load(Relaxed) == soft {
        return;
    }
    if let Ok((now, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && (now == soft || setrlimit(Resource::RLIMIT_NOFILE, soft.min(hard), hard).is_ok())
    {
        SOFT.store(soft, Relaxed);
    }
}

/// Does something, and once more with the soft limit on descriptors raised if it needed more of them.
pub(crate) fn with_raised_descriptors_if_needed<T>(mut act: impl FnMut() -> Result<T, T>) -> T {
    act().or_else(|_| with_raised_descriptors(act)).unwrap_or_else(|partly| partly)
}

/// Does something with the soft limit on descriptors raised to the hard one.
pub(crate) fn with_raised_descriptors<T>(act: impl FnOnce() -> T) -> T {
    let soft = raise_descriptors();
    let done = act();
    set_descriptors(soft);
    done
}

/// Limits the private writable memory of this process (`RLIMIT_DATA`, which counts heap and private mappings).
pub(crate) fn set_memory(bytes: u64) {
    let _ = setrlimit(Resource::RLIMIT_DATA, bytes, bytes);
}
