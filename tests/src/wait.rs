//! Waiting for something that happens elsewhere: look, and look again, until a deadline.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

use phalanx::AnyRef;

/// The hard limit of a case: one that runs longer has failed. Above every other limit in a case.
pub(crate) const CASE_LIMIT: Duration = Duration::from_secs(30);

/// How long a case waits for what another process or thread does at once: a reply, an exit, a restart, a
/// stop. Longer than it takes on a busy machine.
pub const EVENT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a process waits for a latch. The case may itself wait for an event before it opens the latch.
pub const LATCH_TIMEOUT: Duration = Duration::from_secs(25);

/// How long a test waits for a line or the end of a whole program. A test that is no case has no other limit; a
/// program that runs inside of a case ends with the limit of that.
pub const PROGRAM_TIMEOUT: Duration = Duration::from_secs(60);

/// How long anything may be left after the end of a case or a program, on a machine that has time for it.
pub(crate) const CLEANUP_LIMIT: Duration = Duration::from_secs(1);

/// As `CLEANUP_LIMIT`, with more to run than cores: dying processes need time, too.
pub const CLEANUP_LIMIT_WHEN_BUSY: Duration = Duration::from_secs(5);

/// The window of a restart intensity: within it, all restarts of a case count.
pub const RESTART_WINDOW: Duration = CASE_LIMIT;

/// Longer than any case: for what must not end by itself.
pub const FOREVER: Duration = Duration::from_secs(1000);

const _: () = assert!(EVENT_TIMEOUT.as_secs() < CASE_LIMIT.as_secs());
const _: () = assert!(LATCH_TIMEOUT.as_secs() < CASE_LIMIT.as_secs());
const _: () = assert!(RESTART_WINDOW.as_secs() >= CASE_LIMIT.as_secs());

/// The pause between two looks.
const EVERY: Duration = Duration::from_millis(2);

/// Waits until `look` finds something.
///
/// # Panics
/// When the limit has passed; `what` says what was waited for.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, look: impl FnMut() -> Option<T>) -> T {
    // No closure: the panic names the place of the caller.
    let Some(found) = poll(|start| start.elapsed() >= limit, look) else {
        panic!("after {limit:?}, still waiting for: {what}")
    };
    found
}

/// Looks until `look` finds something; `None` if `is_over` since the first look.
pub(crate) fn poll<T>(is_over: impl Fn(Instant) -> bool, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let found = look();
        if found.is_some() || is_over(start) {
            return found;
        }
        thread::sleep(EVERY);
    }
}

/// Waits until what `look` sees is as it should be, and returns it.
///
/// # Panics
/// As [`until`]; the panic also shows what was seen last.
#[track_caller]
pub fn until_seen<T: Debug>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> T,
    is_so: impl Fn(&T) -> bool,
) -> T {
    let mut last = None;
    let over = |start: Instant| start.elapsed() >= limit;
    let found = poll(over, || {
        let seen = look();
        let is_so = is_so(&seen);
        last = Some(seen);
        is_so.then(|| last.take()).flatten()
    });
    let Some(found) = found else {
        panic!("after {limit:?}, still waiting for: {what}; last seen: {last:#?}")
    };
    found
}

/// Waits until something is so.
///
/// # Panics
/// As [`until`].
#[track_caller]
pub fn eventually(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    until(what, limit, || is_so().then_some(()));
}

/// How many messages the actor in this process has handled since it was started. A call that it replies to
/// later counts as soon as the actor has noted the caller.
///
/// # Panics
/// If the tree cannot be read.
pub fn handled(actor: &AnyRef) -> u64 {
    let tree = phalanx::tree().expect("the tree can be read");
    tree.walk().find(|node| node.pid == Some(actor.pid())).map_or(0, |node| node.handled)
}

/// Waits until the actor has [`handled`] so many messages.
///
/// # Panics
/// As [`until`].
#[track_caller]
pub fn until_handled(actor: &AnyRef, messages: u64) {
    let what = format!("{messages} handled messages");
    until_seen(&what, EVENT_TIMEOUT, || handled(actor), |&handled| handled >= messages);
}
