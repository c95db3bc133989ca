//! Resource limits.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

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
