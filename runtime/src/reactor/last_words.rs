//! What a process leaves on its page, where it outlives the process, when it ends for a reason of its own.

use std::fmt;

use once_cell::sync::OnceCell;

use crate::reactor::context;
use crate::status::{ExitNotice, StatusPage};

/// The page of this process, if it is an actor or a task.
static OWN: OnceCell<&'static StatusPage> = OnceCell::new();

/// The page of this process, if it is an actor, a task, or a copy of one.
pub(crate) fn page() -> Option<&'static StatusPage> {
    OWN.get().copied()
}

/// In the place of a panic: the words are no panic's, but say what an init waits for.
pub(crate) const AWAITED: &str = "(awaited)";

/// An init that may be ended by its limit says what it waits for, and with no words that it does not any more.
pub(crate) fn expect(what: &str) {
    if let Some(status_page) = OWN.get() {
        status_page.last_words(what, if what.is_empty() { "" } else { AWAITED }, None);
    }
}

/// Which status page that is.
pub(crate) fn keep(status_page: &'static StatusPage) {
    let _ = OWN.set(status_page);
}

/// Ends this process in order, at once, and says why.
pub(crate) fn leave(exit_notice: ExitNotice) -> ! {
    // A copy of the process ends for itself.
    if let Some(status_page) = OWN.get().filter(|_| !context::is_copy()) {
        status_page.note_exit(exit_notice);
    }
    std::process::exit(0)
}

/// Ends this process because one that it is linked to has crashed.
pub(crate) fn leave_linked(to: &str, reason: &str) -> ! {
    if let Some(status_page) = OWN.get() {
        status_page.last_words(reason, to, None);
        status_page.note_exit(ExitNotice::Linked);
    }
    std::process::exit(1)
}

/// Ends this process because something of its own is broken that it cannot do without, and that no trying again brings back. Only a fresh process has it
/// again, so this is for processes that have a supervisor.
pub(crate) fn leave_broken(what: &str, error: impl fmt::Display) -> ! {
    if let Some(status_page) = OWN.get() {
        let text = format!(
            "{what} is broken: {error}; has code in this process closed or shut down a descriptor that was not its own?"
        );
        status_page.last_words(&text, "", None);
        status_page.note_exit(ExitNotice::Broken);
    }
    // No destructors: what would be closed may be somebody else's by now.
    std::process::exit(1)
}

/// Whether this process has a supervisor that is told why it ends.
pub(crate) fn are_heard() -> bool {
    OWN.get().is_some()
}
