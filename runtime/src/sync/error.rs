//! What can go wrong while one waits for others.

use std::fmt;

use super::client::Trouble;
use super::lock_server::Poison;
use crate::types::down::Who;
use crate::types::error::{At, CallError};
use crate::types::escape::{Line, escaped};
use crate::types::exit::ExitReason;

/// Why an operation of a [`Semaphore`](crate::Semaphore) or an [`Event`](crate::Event) was not done, or what a guard could not do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncError {
    /// It would have to wait, and was asked not to.
    Busy,
    /// The time was over first.
    Timeout,
    /// More permits were asked for than there are.
    TooMany {
        /// How many.
        asked: u32,
    },
    /// The server has ended: nobody holds or gets anything of it any more.
    Gone {
        /// How it ended; `None` if it was stopped before this request's turn came.
        reason: Option<ExitReason>,
        /// Which one, and in which of its methods.
        at: At,
    },
    /// The request could not be made, for another reason.
    Call(CallError),
    /// The operating system refused what this process needs to be known to others.
    System(String),
}

/// Why there is no guard; `G` is that guard. Made by [`Lock`](crate::Lock) and [`RwLock`](crate::RwLock).
#[non_exhaustive]
pub enum LockError<G> {
    /// The last holder died, and here is the guard all the same.
    Poisoned(Box<Poisoned<G>>),
    /// This thread holds it already, and would wait for itself.
    HeldByThisThread,
    /// It is held, and the caller did not want to wait.
    Busy,
    /// The time was over first. This caller holds nothing.
    Timeout,
    /// The server has ended, and the value with it.
    Gone {
        /// How it ended; `None` if it was stopped before this request's turn came.
        reason: Option<ExitReason>,
        /// Which one, and in which of its methods.
        at: At,
    },
    /// The request could not be made, for another reason. This caller holds nothing.
    Call(CallError),
    /// The operating system refused what this process needs to be known to others.
    System(String),
}

/// The lock was last held by somebody who died; the value is as it was last committed. Told once, to the next holder.
#[non_exhaustive]
pub struct Poisoned<G> {
    /// The guard: the lock is held. Dropping it gives it back, to somebody who will not be told any more.
    pub guard: G,
    /// Whose death it was.
    pub by: Who,
    /// Which of its processes that was, counted from 1.
    pub incarnation: u64,
    /// Why it died. If a thread panicked while it held the lock, and its process lives, this is [`ExitReason::Panicked`].
    pub reason: ExitReason,
}

impl<G> Poisoned<G> {
    /// The guard, if nobody has died.
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
    /// The guard of a poisoned lock, for those who go on with the value as it is:
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

impl<G> From<Trouble> for LockError<G> {
    fn from(trouble: Trouble) -> LockError<G> {
        match trouble {
            Trouble::Busy => LockError::Busy,
            Trouble::Timeout => LockError::Timeout,
            Trouble::Gone { reason, at } => LockError::Gone { reason, at },
            Trouble::Call(error) => LockError::Call(error),
            Trouble::System(error) => LockError::System(error),
        }
    }
}

impl From<Trouble> for SyncError {
    fn from(trouble: Trouble) -> SyncError {
        match trouble {
            Trouble::Busy => SyncError::Busy,
            Trouble::Timeout => SyncError::Timeout,
            Trouble::Gone { reason, at } => SyncError::Gone { reason, at },
            Trouble::Call(error) => SyncError::Call(error),
            Trouble::System(error) => SyncError::System(error),
        }
    }
}

pub(super) fn gone(f: &mut Line<'_>, reason: Option<&ExitReason>, at: &At) -> fmt::Result {
    match reason {
        Some(reason) => write!(f, "{at}: the server is gone: {reason}"),
        None => write!(f, "{at}: the server is gone"),
    }
}

impl fmt::Display for SyncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            SyncError::Busy => f.write_str("none is free at the moment"),
            SyncError::Timeout => f.write_str("the time was over first"),
            SyncError::TooMany { asked } => write!(f, "there are fewer than {asked} permits"),
            SyncError::Gone { reason, at } => gone(f, reason.as_ref(), at),
            SyncError::Call(error) => write!(f, "{error}"),
            SyncError::System(error) => f.write_str(error),
        })
    }
}

impl std::error::Error for SyncError {}

impl<G> fmt::Display for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            LockError::Poisoned(poisoned) => write!(f, "{poisoned}"),
            LockError::HeldByThisThread => f.write_str("this thread holds the lock already"),
            LockError::Busy => f.write_str("the lock is held at the moment"),
            LockError::Timeout => f.write_str("the lock was not free in time"),
            LockError::Gone { reason, at } => gone(f, reason.as_ref(), at),
            LockError::Call(error) => write!(f, "{error}"),
            LockError::System(error) => f.write_str(error),
        })
    }
}

/// As `Display`: a guard may be in it.
impl<G> fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LockError({self})")
    }
}

impl<G> std::error::Error for LockError<G> {}

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
