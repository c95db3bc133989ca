//! What a process that ends for a reason of its own leaves on its status page, which outlives it.

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

/// In place of the location of a panic: the words are no panic's, but say what an init waits for.
pub(crate) const AWAITED: &str = "(awaited)";

/// Notes what an init waits for, because its time limit may end it. Empty text: it waits no more.
pub(crate) fn expect(what: &str) {
    if let Some(status_page) = OWN.get() {
        status_page.last_words(what, if what.is_empty() { "" } else { AWAITED }, None);
    }
}

/// In place of the location of a panic: the words are the last lines that a command has written.
pub(crate) const SAID: &str = "(said)";

/// Notes the last lines that a command has written.
pub(crate) fn say(lines: &str) {
    if let Some(status_page) = OWN.get() {
        status_page.last_words(lines, SAID, None);
    }
}

/// Sets the status page of this process.
pub(crate) fn keep(status_page: &'static StatusPage) {
    let _ = OWN.set(status_page);
}

/// Ends this process in order, at once, and notes why.
pub(crate) fn leave(exit_notice: ExitNotice) -> ! {
    // A copy must not write to the page of the original.
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

/// Ends this process because something that it cannot do without is broken for good. Only a fresh process has
/// it again, so this is for processes that have a supervisor.
pub(crate) fn leave_broken(what: &str, error: impl fmt::Display) -> ! {
    if let Some(status_page) = OWN.get() {
        let text = format!(
            "{what} is broken: {error}; \
             has code in this process closed or shut down a descriptor that was not its own?"
        );
        status_page.last_words(&text, "", None);
        status_page.note_exit(ExitNotice::Broken);
    }
    // No destructors: the descriptors that they would close may belong to other code by now.
    std::process::exit(1)
}

/// Whether this process has a supervisor that is told why it ends.
pub(crate) fn are_heard() -> bool {
    OWN.get().is_some()
}
