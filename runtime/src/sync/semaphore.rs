//! A semaphore: a number of permits.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::client::{self, Trouble, Turn, Wait};
use super::error::SyncError;
use super::lock::handle;
use super::lock_server::{Kept, LockServer};
use crate::actor::actor_ref::ActorRef;
use crate::actor::any_ref::AnyRef;
use crate::types::error::{CallError, SendError, SpawnError};
use crate::types::exit::ExitReason;

/// A number of permits for processes of the tree: Python's `BoundedSemaphore`.
///
/// A permit is a value ([`Permit`]). It is given back when it is dropped, or when the process that holds it
/// dies. So a release can be neither forgotten nor done twice. Callers get permits in the order in which they
/// asked, however many they want.
///
/// ```
/// use phalanx::sync::Semaphore;
/// use phalanx::prelude::*;
///
/// #[task]
/// fn download(connections: Semaphore, url: String) -> usize {
///     let _permit = connections.acquire().expect("the semaphore is there");
///     url.len() // not more than two at the same time
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let connections = Semaphore::new(2)?;
/// let tasks: Vec<_> = (0..5).map(|n| download::spawn(connections.clone(), format!("/{n}"))).collect();
/// for task in tasks {
///     task?.join()?;
/// }
/// assert_eq!(connections.available()?, 2);
/// # Ok(())
/// # }
/// ```
pub struct Semaphore {
    server: ActorRef<LockServer<()>>,
}

handle!(Semaphore);

/// One or more permits of a [`Semaphore`]. Dropping it gives them back, in any thread.
///
/// They are given back once; more does not compile:
///
/// ```compile_fail,E0382
/// # fn twice(permit: phalanx::sync::Permit) {
/// permit.release();
/// permit.release();
/// # }
/// ```
#[must_use = "the permits are given back when this is dropped"]
pub struct Permit {
    turn: Turn<()>,
    permits: u32,
}

impl Semaphore {
    /// A new semaphore with `permits` permits, in a process of its own. With none, asking for one is
    /// [`SyncError::TooMany`].
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn new(permits: u32) -> Result<Semaphore, SpawnError> {
        let server = LockServer::builder(Kept::new(()), permits, false).name("semaphore").spawn()?;
        Ok(Semaphore { server })
    }

    /// Takes a permit. Blocks until one is free, without a limit, but not beyond the death of the server.
    ///
    /// # Errors
    /// See [`SyncError`].
    pub fn acquire(&self) -> Result<Permit, SyncError> {
        self.acquire_timeout(Duration::MAX)
    }

    /// Waits as [`acquire`](Self::acquire) does, for `limit` at most. Never returns [`SyncError::Timeout`]
    /// early.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use phalanx::sync::{Semaphore, SyncError};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let semaphore = Semaphore::new(2)?;
    /// let held = (semaphore.acquire()?, semaphore.acquire()?);
    /// assert_eq!(semaphore.acquire_timeout(Duration::from_millis(50)).map(drop), Err(SyncError::Timeout));
    /// drop(held.0);
    /// assert!(semaphore.acquire_timeout(Duration::from_secs(10)).is_ok());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`SyncError`].
    pub fn acquire_timeout(&self, limit: Duration) -> Result<Permit, SyncError> {
        self.acquire_many(1, limit)
    }

    /// Takes a permit, if one is free and no caller waits for it.
    ///
    /// # Errors
    /// [`SyncError::Busy`]; see [`SyncError`].
    pub fn try_acquire(&self) -> Result<Permit, SyncError> {
        self.take(1, Wait::Never)
    }

    /// Takes several permits at once. Waits for `limit` at most ([`Duration::MAX`]: without a limit).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use phalanx::sync::{Semaphore, SyncError};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let semaphore = Semaphore::new(3)?;
    /// let two = semaphore.acquire_many(2, Duration::MAX)?;
    /// assert_eq!((two.count(), semaphore.available()?), (2, 1));
    /// assert_eq!(semaphore.try_acquire().map(|one| one.count()), Ok(1));
    /// assert_eq!(semaphore.acquire_many(4, Duration::MAX).map(drop), Err(SyncError::TooMany { asked: 4 }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::TooMany`] if there are fewer in all; see [`SyncError`].
    pub fn acquire_many(&self, permits: u32, limit: Duration) -> Result<Permit, SyncError> {
        self.take(permits, Wait::AtMost(limit))
    }

    /// How many permits are free at this instant.
    ///
    /// # Errors
    /// See [`SyncError`].
    pub fn available(&self) -> Result<u32, SyncError> {
        Ok(self.server.free().wait().map_err(Trouble::from)?)
    }

    /// The server of the semaphore: to look at, and to watch.
    pub fn server(&self) -> AnyRef {
        self.server.any()
    }

    /// Ends the server. All present and later calls get [`SyncError::Gone`]. Blocks for `grace` at most; then
    /// the server is killed.
    ///
    /// # Errors
    /// [`SendError::Gone`] if it had ended before.
    pub fn stop(&self, grace: Duration) -> Result<ExitReason, SendError> {
        self.server.stop(grace)
    }

    fn take(&self, permits: u32, wait: Wait) -> Result<Permit, SyncError> {
        match client::take(&self.server, permits, wait) {
            Ok((turn, _, _)) => Ok(Permit { turn, permits }),
            // The server drops a request for more permits than there are.
            Err(Trouble::Call(CallError::Unanswered(_))) => Err(SyncError::TooMany { asked: permits }),
            Err(trouble) => Err(trouble.into()),
        }
    }
}

impl Permit {
    /// How many permits it holds.
    pub fn count(&self) -> u32 {
        self.permits
    }

    /// Gives them back, like dropping them, but waits until the server has them.
    ///
    /// # Errors
    /// [`SyncError::Gone`] if the server has ended.
    pub fn release(self) -> Result<(), SyncError> {
        Ok(self.turn.release()?)
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("permits", &self.permits).finish_non_exhaustive()
    }
}
