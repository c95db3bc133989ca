//! Which process is the root supervisor of this tree.

use std::sync::atomic::{AtomicI32, Ordering};

use crate::sys::procfs;

/// No tree is deeper. Bounds a walk over what other processes write.
pub(crate) const DEEPEST: usize = 64;

/// The pid of the root supervisor, noted by itself (for all processes below it) and by the program. A process
/// name proves nothing: any process may be called `phx-root`.
static ROOT: AtomicI32 = AtomicI32::new(0);

/// Notes the root supervisor's pid: in itself, and in the program that started it.
pub(crate) fn note(pid: i32) {
    ROOT.store(pid, Ordering::SeqCst);
}

/// The root supervisor, if it is above this process or, in the program, below it and the reaper.
pub(crate) fn pid() -> Option<i32> {
    let root = Some(ROOT.load(Ordering::SeqCst)).filter(|&root| root != 0)?;
    let own = std::process::id().cast_signed();
    // The pid of a dead root may belong to another process by now.
    let is_below = procfs::parent_of(root).and_then(procfs::parent_of) == Some(own);
    (is_below || ancestors(own).any(|pid| pid == root)).then_some(root)
}

/// Whether a process is the root supervisor, or below it.
pub(crate) fn has_below(pid: i32) -> bool {
    self::pid().is_some_and(|root| ancestors(pid).any(|pid| pid == root))
}

/// This process, its parent, and so on.
fn ancestors(pid: i32) -> impl Iterator<Item = i32> {
    std::iter::successors(Some(pid), |&pid| procfs::parent_of(pid).filter(|&pid| pid > 1)).take(DEEPEST)
}
