//! Whether the program has been interrupted, by Ctrl-C or SIGTERM, and is about to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::sys::per_process::Own;
use crate::sys::poll;

static INTERRUPTED: Own<AtomicBool> = Own::new();

/// Notes the interrupt; returns whether there had been one before.
pub(crate) fn interrupt() -> bool {
    INTERRUPTED.here().swap(true, Ordering::SeqCst)
}

pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.here().load(Ordering::SeqCst)
}

/// In a program that was interrupted, a wait ended by the end of the tree does not return: what it would
/// report is not an error, and the program is about to end by the signal.
pub(crate) fn park_if_interrupted() {
    while is_interrupted() {
        poll::pause(Duration::from_secs(1));
    }
}
