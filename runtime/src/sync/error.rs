//! The errors of waiting for other processes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::client::Trouble;
use super::lock_server::Poison;
use crate::types::down::Who;
use crate::types::error::{At, CallError};
use crate::types::escape::escaped;
use crate::types::exit::ExitReason;

/// Why an operation of a [`Semaphore`](crate::sync::Semaphore) or an [`Event`](crate::sync::Event) failed, or a method of
/// a guard did.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SyncError {
    /// The caller would have to wait, and asked not to.
    Busy,
    /// The time limit ended first.
    Timeout,
    /// More permits were asked for than there are.
    TooMany {
        /// How many.
        asked: u32,
    },
    /// The server has ended: nothing of it is held or can be had any more.
    Gone {
        /// How it ended; `None` if it was stopped before this request's turn came.
        reason: Option<ExitReason>,
        /// Which server, and in which of its methods.
        at: At,
    },
    /// The request could not be made, for another reason.
    Call(CallError),
    /// The operating system refused what this process needs to be known to others.
    System(String),
}

/// Why there is no guard; `G` is the guard's type. Made by [`Lock`](crate::sync::Lock) and
/// [`RwLock`](crate::sync::RwLock).
#[non_exhaustive]
pub enum LockError<G> {
    /// The last holder died. The guard is in the error.
    Poisoned(Box<Poisoned<G>>),
    /// This thread holds the lock already, and would wait for itself.
    HeldByThisThread,
    /// The lock is held, and the caller asked not to wait.
    Busy,
    /// The time limit ended first. This caller holds nothing.
    Timeout,
    /// The server has ended, and the value with it.
    Gone {
        /// How it ended; `None` if it was stopped before this request's turn came.
        reason: Option<ExitReason>,
        /// Which server, and in which of its methods.
        at: At,
    },
    /// The request could not be made, for another reason. This caller holds nothing.
    Call(CallError),
    /// The operating system refused what this process needs to be known to others.
    System(String),
}

/// The last holder of the lock died; the value is as it was last committed. Only the next holder gets this.
#[non_exhaustive]
pub struct Poisoned<G> {
    /// The guard: the lock is held. The holder after this one does not get this error.
    pub guard: G,
    /// The process that died.
    pub by: Who,
    /// Which incarnation of it, counted from 1.
    pub incarnation: u64,
    /// Why it died. If a thread panicked with the lock and its process lives: [`ExitReason::Panicked`].
    pub reason: ExitReason,
}

impl<G> Poisoned<G> {
    /// The guard, or the error that contains it, if the last holder died.
    pub(super) fn check(guard: G, poison: Option<Poison>) -> Result<G, LockError<G>> {
        match poison {
            None => Ok(guard),
            Some(Poison { by, incarnation, reason }) => {
                Err(LockError::Poisoned(Box::new(Poisoned { guard, by, incarnation, reason })))
            }
        }
    }
}

impl<G> LockError<G> {
    /// The guard of a poisoned lock, for callers that go on with the value as it is:
    /// `lock.lock().or_else(LockError::into_guard)?`.
    ///
    /// # Errors
    /// The error itself, if it is another one.
    pub fn into_guard(self) -> Result<G, LockError<G>> {
        match self {
            LockError::Poisoned(poisoned) => Ok(poisoned.guard),
            other => Err(other),
        }
    }
}

/// Writes the conversion and the text of an error that has the variants `Gone`, `Call` and `System`: all
/// errors here. `from` turns a wait without success into the error, `says` has the texts of its own variants.
macro_rules! handle_error {
    (
        $error:ident $(<$guard:ident>)?
        from { $($trouble:pat => $own:expr,)* }
        says { $($variant:pat => $text:literal $(, $shown:expr)?;)* }
    ) => {
        impl$(<$guard>)? From<Trouble> for $error$(<$guard>)? {
            fn from(trouble: Trouble) -> Self {
                match trouble {
                    $($trouble => $own,)*
                    Trouble::Gone { reason, at } => $error::Gone { reason, at },
                    Trouble::Call(error) => $error::Call(error),
                    Trouble::System(error) => $error::System(error),
                }
            }
        }

        impl$(<$guard>)? fmt::Display for $error$(<$guard>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                escaped(f, |f| match self {
                    $($variant => write!(f, $text $(, $shown)?),)*
                    $error::Gone { reason: Some(reason), at } => {
                        write!(f, "{at}: the server is gone: {reason}")
                    }
                    $error::Gone { reason: None, at } => write!(f, "{at}: the server is gone"),
                    $error::Call(error) => write!(f, "{error}"),
                    $error::System(error) => f.write_str(error),
                })
            }
        }

        impl$(<$guard>)? std::error::Error for $error$(<$guard>)? {}
    };
}
pub(super) use handle_error;

handle_error! {
    SyncError
    from {
        Trouble::Busy => SyncError::Busy,
        Trouble::Timeout => SyncError::Timeout,
    }
    says {
        SyncError::Busy => "none is free at the moment";
        SyncError::Timeout => "the time was over first";
        SyncError::TooMany { asked } => "there are fewer than {asked} permits";
    }
}

handle_error! {
    LockError<G>
    from {
        Trouble::Busy => LockError::Busy,
        Trouble::Timeout => LockError::Timeout,
    }
    says {
        LockError::Poisoned(poisoned) => "{poisoned}";
        LockError::HeldByThisThread => "this thread holds the lock already";
        LockError::Busy => "the lock is held at the moment";
        LockError::Timeout => "the lock was not free in time";
    }
}

/// As `Display`: the error may contain a guard, which need not be `Debug`.
impl<G> fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LockError({self})")
    }
}

impl<G> fmt::Display for Poisoned<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| {
            let Who { name, pid, .. } = &self.by;
            let place = format_args!("`{name}` (process {pid}, incarnation {})", self.incarnation);
            write!(f, "the last holder of the lock, {place}, died: {}", self.reason)
        })
    }
}

impl<G> fmt::Debug for Poisoned<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Poisoned({self})")
    }
}

impl<G> std::error::Error for Poisoned<G> {}
