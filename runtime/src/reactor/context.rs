//! Which actor or task this process is (the program is neither), and what its threads are doing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use once_cell::sync::OnceCell;

#[cfg(debug_assertions)]
use crate::reactor::endpoint::Endpoint;
#[cfg(debug_assertions)]
use crate::status::Phase;
use crate::sys::per_process::Home;
use crate::sys::process;

/// What a new process is told of itself before user code runs.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) type_name: String,
    /// The process that spawned it.
    pub(crate) parent: u32,
    pub(crate) daemon: bool,
    /// How long a caller waits by default.
    pub(crate) timeout: Duration,
    /// How deep a value that is sent to it may be.
    pub(crate) depth: u32,
    pub(crate) incarnation: u64,
}

/// The name of the program.
pub(crate) const PROGRAM: &str = "main";

static IDENTITY: OnceCell<(Identity, Home)> = OnceCell::new();
/// The deadline of the message in progress; 0 for none.
static DEADLINE: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether this thread is in a handler of this process' actor.
    static HANDLING: AtomicBool = const { AtomicBool::new(false) };
    /// Whether this is the thread that takes the messages of this process' actor.
    static SERVING: AtomicBool = const { AtomicBool::new(false) };
}

/// The identity of this process: an actor, a task, or a copy of one; `None` in the program.
pub(crate) fn identity() -> Option<&'static Identity> {
    IDENTITY.get().map(|(identity, _)| identity)
}

/// The deadline of the message in progress; 0 for none.
pub(crate) fn deadline() -> u64 {
    DEADLINE.load(Ordering::Relaxed)
}

/// In a new process: sets what it is. Called by the thread that will take its messages.
pub(crate) fn set_identity(identity: Identity) {
    // Set once, by the runtime, before user code.
    let _ = IDENTITY.set((identity, Home::here()));
    SERVING.with(|serving| serving.store(true, Ordering::Relaxed));
}

/// Whether this process is a copy (by a fork without exec) of an actor or a task, and so neither of them.
pub(crate) fn is_copy() -> bool {
    IDENTITY.get().is_some_and(|(_, home)| !home.is_here())
}

/// Ends this process at once and with a message, if it is a copy that has returned from user code: the
/// mailbox, the status page and the reply to the message in progress belong to the original.
pub(crate) fn leave_if_copy() {
    let Some((own, _)) = IDENTITY.get().filter(|(_, home)| !home.is_here()) else { return };
    let (name, pid) = (&own.name, std::process::id());
    process::say(&format!(
        "phalanx: process {pid} is a copy of `{name}`, made by fork, and \
         has come back from its code: it ends here, and the original goes on\n"
    ));
    process::exit_now(COPY_LEFT);
}

/// The exit code of such a copy (EX_SOFTWARE of sysexits.h).
const COPY_LEFT: i32 = 70;

#[cfg(debug_assertions)]
thread_local! {
    /// The actors that wait for the message in progress.
    static CHAIN: std::cell::RefCell<Vec<u64>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// More than any sensible chain of calls.
#[cfg(debug_assertions)]
const LONGEST_CHAIN: usize = 32;

#[cfg(debug_assertions)]
pub(crate) fn set_chain(via: &[u64]) {
    let kept = via.iter().copied().take(LONGEST_CHAIN).collect();
    // If the thread's locals are gone, so is the handler.
    let _ = CHAIN.try_with(|chain| chain.replace(kept));
}

/// The actors that wait if this thread calls one now, and waits for the reply.
#[cfg(debug_assertions)]
pub(crate) fn chain() -> Vec<u64> {
    let Some(own) = identity().filter(|own| is_handling(own.id)) else { return Vec::new() };
    let longer = |chain: &std::cell::RefCell<Vec<u64>>| {
        std::iter::once(own.id).chain(chain.borrow().iter().copied()).take(LONGEST_CHAIN).collect()
    };
    CHAIN.try_with(longer).unwrap_or_default()
}

/// Warns if the actor about to be called is itself in a handler that led to this call.
#[cfg(debug_assertions)]
pub(crate) fn warn_of_cycle(endpoint: &Endpoint, method: &'static str) {
    let calls_back = CHAIN.try_with(|chain| chain.borrow().contains(&endpoint.card.id)).unwrap_or_default();
    if calls_back && chain().len() > 1 && endpoint.status_page.phase() == Phase::Handling {
        let actor = &*endpoint.card.name;
        tracing::warn!(
            actor,
            method,
            "call cycle: this actor is still in the handler that has led to this call; \
             if each waits for the other, both wait until a deadline"
        );
    }
}

/// Whether this is the thread that takes that actor's messages, whatever it runs now: `init`, `on_start`, a
/// handler, `on_stop`.
pub(crate) fn serves(id: u64) -> bool {
    SERVING.with(|serving| serving.load(Ordering::Relaxed)) && identity().is_some_and(|own| own.id == id)
}

/// Whether this thread is handling a message of that actor.
pub(crate) fn is_handling(id: u64) -> bool {
    HANDLING.with(|handling| handling.load(Ordering::Relaxed)) && identity().is_some_and(|own| own.id == id)
}

/// Notes the message in progress, for as long as the guard lives.
pub(crate) fn handling(deadline: u64) -> impl Drop {
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            DEADLINE.store(0, Ordering::Relaxed);
            HANDLING.with(|handling| handling.store(false, Ordering::Relaxed));
        }
    }
    DEADLINE.store(deadline, Ordering::Relaxed);
    HANDLING.with(|handling| handling.store(true, Ordering::Relaxed));
    Guard
}
