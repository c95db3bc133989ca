//! Why a process ended.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sys::memfd::word_enum;
use crate::types::escape::escaped;

/// Why an actor or a task ended, as exactly as the operating system and the status page can tell.
///
/// The words are those of OTP's exit reasons and of wait(2). `exit(137)` is not SIGKILL: the one is
/// [`Exited`](ExitReason::Exited), the other [`Signaled`](ExitReason::Signaled).
///
/// ```
/// use phalanx::ExitReason;
/// let killed = ExitReason::Signaled { signal: 9, core_dumped: false };
/// assert_eq!(killed.code(), -9);
/// assert_eq!(killed.to_string(), "killed by SIGKILL");
/// assert_eq!(ExitReason::Exited(137).code(), 137);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ExitReason {
    /// A task returned.
    Normal,
    /// A graceful stop: the message in progress was finished, `#[on_stop]` has run.
    Stopped(StoppedBy),
    /// Its own code called `exit` with this code, 0 included; or it is a [`Command`](crate::command::Command) that
    /// ended with it.
    Exited(i32),
    /// It was killed by SIGKILL, on purpose: by [`kill`](crate::ActorRef::kill), by `brutal_kill`, with its
    /// owner, or because it did not stop in time. A SIGKILL from elsewhere is [`Signaled`](Self::Signaled).
    Killed {
        /// What had it killed.
        by: StoppedBy,
        /// How long it had been given to stop, if it had been asked to.
        after: Option<Duration>,
    },
    /// A signal ended it that did not come from the tree.
    Signaled {
        /// The number, 1 to 64.
        signal: i32,
        /// Whether a core was dumped.
        core_dumped: bool,
    },
    /// It panicked, and the panic was not caught. The panic is also written to its standard error, with its
    /// name; under `cargo test`, to the output of the test that has started it.
    Panicked {
        /// The panic's message, its first 1024 bytes.
        message: String,
        /// File, line and column.
        location: String,
        /// The method in progress, if it was handling a message.
        method: Option<String>,
    },
    /// Its `#[init]` returned this error.
    InitFailed(String),
    /// A handler ran longer than the actor's deadline allows, and was killed.
    DeadlineExceeded {
        /// The method.
        method: String,
        /// How long it had run.
        after: Duration,
    },
    /// An allocation failed under the actor's memory limit.
    OutOfMemory,
    /// An actor that it was linked to has crashed.
    Linked {
        /// That actor.
        to: String,
        /// How that one ended.
        reason: String,
    },
    /// Something of its own that it needs was broken: code in it closed or shut down its mailbox, say, by a
    /// stale number. The text names what, and what the system said.
    Broken(String),
    /// It was replaced on purpose, after its current message.
    Recycled,
    /// Its supervisor was killed, and it with it.
    SupervisorDied,
    /// A supervisor that gave up: too many restarts in too short a time.
    IntensityReached,
    /// It ended once more than it may be restarted, and stays dead. Also for a child whose supervisor gave up
    /// because of it.
    GaveUp {
        /// How its last process ended.
        last: Box<ExitReason>,
    },
}

/// The exit code of a process that has panicked: that of a Rust program.
pub(crate) const PANIC_CODE: i32 = 101;

word_enum! {
    /// What asked for a graceful stop.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[non_exhaustive]
    pub enum StoppedBy {
        /// The end of the program (or of the actor that had spawned it).
        Program = 0,
        /// A holder of a ref: `terminate` or `stop`.
        Ref = 1,
        /// Its supervisor.
        Supervisor = 2,
        /// SIGTERM from outside, for instance by `kill`.
        Signal = 3,
        /// Its own code.
        Itself = 4,
    }
}

impl ExitReason {
    /// Python's exit code: the code of an exit, −N for signal N, 101 for a panic, 0 for an orderly end.
    ///
    /// `exit_code()` of a handle returns what the operating system reported: for a process that was killed
    /// because of its deadline, for instance, the signal.
    pub fn code(&self) -> i32 {
        match self {
            ExitReason::Normal | ExitReason::Stopped(_) | ExitReason::Recycled => 0,
            ExitReason::Exited(code) => *code,
            ExitReason::Signaled { signal, .. } => -signal,
            ExitReason::Killed { .. } => -9,
            ExitReason::GaveUp { last } => last.code(),
            ExitReason::Panicked { .. } => PANIC_CODE,
            ExitReason::InitFailed(_)
            | ExitReason::IntensityReached
            | ExitReason::Linked { .. }
            | ExitReason::Broken(_) => 1,
            ExitReason::DeadlineExceeded { .. } | ExitReason::OutOfMemory => -6,
            ExitReason::SupervisorDied => -9,
        }
    }

    /// The signal that ended it, if one did.
    pub fn signal(&self) -> Option<i32> {
        match self {
            ExitReason::Signaled { signal, .. } => Some(*signal),
            ExitReason::Killed { .. } => Some(9),
            ExitReason::GaveUp { last } => last.signal(),
            _ => None,
        }
    }

    /// Whether it ended without anything going wrong: [`Normal`](Self::Normal), [`Stopped`](Self::Stopped),
    /// [`Recycled`](Self::Recycled).
    pub fn is_orderly(&self) -> bool {
        matches!(self, ExitReason::Normal | ExitReason::Stopped(_) | ExitReason::Recycled)
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            ExitReason::Normal => f.write_str("ended normally"),
            ExitReason::Stopped(by) => write!(f, "stopped by {by}"),
            ExitReason::Exited(code) => write!(f, "exited with code {code}"),
            ExitReason::Signaled { signal, core_dumped } => {
                write!(f, "killed by {}", crate::sys::signal::name(*signal))?;
                if *core_dumped { f.write_str(" (core dumped)") } else { Ok(()) }
            }
            ExitReason::Killed { by, after: None } => write!(f, "killed by {by}"),
            ExitReason::Killed { after: Some(after), .. } => match after.subsec_millis() {
                0 => write!(f, "did not stop within {} s", after.as_secs()),
                _ => write!(f, "did not stop within {} ms", after.as_millis()),
            },
            ExitReason::Panicked { message, location, method } => {
                write!(f, "panicked at {location}: {message}")?;
                method.as_ref().map_or(Ok(()), |method| write!(f, " (in `{method}`)"))
            }
            ExitReason::InitFailed(error) => write!(f, "init failed: {error}"),
            ExitReason::DeadlineExceeded { method, after } => {
                write!(f, "`{method}` exceeded its deadline, killed after {after:.1?}")
            }
            ExitReason::OutOfMemory => f.write_str("out of memory under its limit"),
            ExitReason::Linked { to, reason } => {
                write!(f, "ended with `{to}`, which it was linked to: {reason}")
            }
            ExitReason::Broken(what) => f.write_str(what),
            ExitReason::Recycled => f.write_str("recycled"),
            ExitReason::SupervisorDied => f.write_str("its supervisor died"),
            ExitReason::IntensityReached => f.write_str("restart intensity reached"),
            ExitReason::GaveUp { last } => {
                write!(f, "not restarted any more, after too many restarts: {last}")
            }
        })
    }
}

impl fmt::Display for StoppedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StoppedBy::Program => "the end of the program",
            StoppedBy::Ref => "a holder of its ref",
            StoppedBy::Supervisor => "its supervisor",
            StoppedBy::Signal => "SIGTERM",
            StoppedBy::Itself => "itself",
        })
    }
}
