//! The process that asks: who am I?

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;

use crate::sys::time;

/// What an actor or a task knows of itself; in the program itself, its pid and little else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    name: String,
    pid: u32,
    parent: Option<u32>,
    daemon: bool,
    incarnation: u64,
}

/// What a new process is told of itself before user code runs.
pub(crate) struct Identity {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) parent: u32,
    pub(crate) daemon: bool,
    pub(crate) incarnation: u64,
}

static IDENTITY: OnceCell<Identity> = OnceCell::new();
/// The deadline of the message in progress; 0 for none.
static DEADLINE: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether this thread is in a handler of this process' actor.
    static HANDLING: AtomicBool = const { AtomicBool::new(false) };
}

/// The current process.
///
/// ```
/// use phalanx::prelude::*;
///
/// #[task]
/// fn report() -> (String, Option<u32>) {
///     let me = phalanx::current();
///     (me.name().to_owned(), me.parent())
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let (name, parent) = report::builder().name("reporter").spawn()?.join()?;
/// assert_eq!(name, "reporter");
/// assert_eq!(parent, Some(std::process::id())); // whoever spawned it, not the supervisor that forked it
/// assert_eq!(phalanx::current().parent(), None); // the program itself
/// # Ok(())
/// # }
/// ```
pub fn current() -> Current {
    let pid = std::process::id();
    match IDENTITY.get() {
        Some(own) => Current {
            name: own.name.clone(),
            pid,
            parent: Some(own.parent),
            daemon: own.daemon,
            incarnation: own.incarnation,
        },
        None => Current { name: "main".to_owned(), pid, parent: None, daemon: false, incarnation: 0 },
    }
}

impl Current {
    /// The actor's or task's name; "main" for the program.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The process that spawned this one (the program, or an actor); `None` for the program itself.
    pub fn parent(&self) -> Option<u32> {
        self.parent
    }

    /// Whether it is a daemon.
    pub fn daemon(&self) -> bool {
        self.daemon
    }

    /// How often this actor has been started, this time included; 0 for the program.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Until when the caller of the message in progress waits for its answer; `None` outside of a handler and in a tell.
    pub fn deadline(&self) -> Option<Instant> {
        let deadline = DEADLINE.load(Ordering::Relaxed);
        (deadline != 0).then(|| Instant::now() + Duration::from_nanos(deadline.saturating_sub(time::now())))
    }
}

pub(crate) fn become_someone(identity: Identity) {
    // Set once, by the runtime, before user code.
    let _ = IDENTITY.set(identity);
}

/// Whether this thread is handling a message of that actor.
pub(crate) fn is_handling(id: u64) -> bool {
    HANDLING.with(|handling| handling.load(Ordering::Relaxed))
        && IDENTITY.get().is_some_and(|own| own.id == id)
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
