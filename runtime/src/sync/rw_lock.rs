//! A lock for many who read, or one who writes.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::client::{self, LockGuard, Mark, Turn, Wait};
use super::error::LockError;
use super::lock::{Guard, handle};
use super::lock_server::{ALL, Kept, LockServer};
use crate::actor::actor_ref::ActorRef;
use crate::actor::any_ref::AnyRef;
use crate::ipc::codec::Portable;
use crate::types::error::{SendError, SpawnError};
use crate::types::exit::ExitReason;

/// A value that many may read at the same time, or one may change; [`Lock`](crate::Lock) says the rest.
///
/// Everybody is served in the order of asking: readers that come after a waiting writer wait behind it, so neither side starves the other. The death of a reader is of no
/// concern to anybody; that of a writer is told to the next holder, reader or writer, with the value as it was last committed (to several readers, if they get it
/// together). A thread that holds it in either way and takes it again gets [`LockError::HeldByThisThread`], since a writer may be waiting in between.
///
/// ```
/// use phalanx::RwLock;
/// use phalanx::prelude::*;
///
/// #[task]
/// fn look(config: RwLock<Vec<String>>) -> usize {
///     config.read().expect("the lock is there").len()
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let config = RwLock::new(vec!["verbose".to_owned()])?;
/// config.write()?.push("fast".to_owned());
/// let readers: Vec<_> = (0..3).map(|_| look::spawn(config.clone())).collect();
/// for reader in readers {
///     assert_eq!(reader?.join()?, 2);
/// }
/// # Ok(())
/// # }
/// ```
pub struct RwLock<T: Portable> {
    server: ActorRef<LockServer<T>>,
}

handle!(RwLock<T>);

/// The right to read the value of a [`RwLock`], and a copy of it. Dropping it gives that right back.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct ReadGuard<T: Portable> {
    /// For its drop.
    _turn: Turn<T>,
    value: Kept<T>,
    /// For its drop.
    _mark: Mark,
}

impl<T: Portable> RwLock<T> {
    /// A new lock around a value, in a process of its own.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn new(value: T) -> Result<RwLock<T>, SpawnError> {
        let server = LockServer::builder(Kept::new(value), ALL, true).name("rw-lock").spawn()?;
        Ok(RwLock { server })
    }

    /// Takes it for reading. Blocks until no writer has it or waits for it before this one, without a limit, but not beyond the death of its server.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn read(&self) -> Result<ReadGuard<T>, LockError<ReadGuard<T>>> {
        self.read_timeout(Duration::MAX)
    }

    /// Waits as [`read`](Self::read) does, for `limit` at most.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn read_timeout(&self, limit: Duration) -> Result<ReadGuard<T>, LockError<ReadGuard<T>>> {
        client::lock(&self.server, Wait::AtMost(limit))
    }

    /// Takes it for reading, if that can be now.
    ///
    /// # Errors
    /// [`LockError::Busy`] if a writer has it, or anybody waits for it; see [`LockError`].
    pub fn try_read(&self) -> Result<ReadGuard<T>, LockError<ReadGuard<T>>> {
        client::lock(&self.server, Wait::Never)
    }

    /// Takes it for changes. Blocks until nobody has it, without a limit, but not beyond the death of its server.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn write(&self) -> Result<Guard<T>, LockError<Guard<T>>> {
        self.write_timeout(Duration::MAX)
    }

    /// Waits as [`write`](Self::write) does, for `limit` at most.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn write_timeout(&self, limit: Duration) -> Result<Guard<T>, LockError<Guard<T>>> {
        client::lock(&self.server, Wait::AtMost(limit))
    }

    /// Takes it for changes, if nobody has it.
    ///
    /// ```
    /// # use phalanx::{LockError, RwLock};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let lock = RwLock::new(1)?;
    /// let reader = lock.try_read()?;
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| assert!(matches!(lock.try_write(), Err(LockError::Busy))));
    ///     scope.spawn(|| assert_eq!(lock.try_read().map(|value| *value).ok(), Some(1)));
    /// });
    /// # drop(reader);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LockError::Busy`] if somebody has it, or waits for it; see [`LockError`].
    pub fn try_write(&self) -> Result<Guard<T>, LockError<Guard<T>>> {
        client::lock(&self.server, Wait::Never)
    }

    /// Waits, with a guard for changes, until the predicate holds of the value; see [`Lock::wait_until`](crate::Lock::wait_until).
    ///
    /// # Errors
    /// See there.
    ///
    /// # Panics
    /// If the guard is that of another lock.
    pub fn wait_until(
        &self,
        guard: Guard<T>,
        predicate: impl FnMut(&T) -> bool,
        limit: Duration,
    ) -> Result<Guard<T>, LockError<Guard<T>>> {
        guard.wait_until(&self.server, predicate, limit)
    }

    /// Whoever keeps the lock: to look at, and to watch.
    pub fn server(&self) -> AnyRef {
        self.server.any()
    }

    /// Ends the server, and with it the value; see [`Lock::stop`](crate::Lock::stop).
    ///
    /// # Errors
    /// [`SendError::Gone`] if it had ended before.
    pub fn stop(&self, grace: Duration) -> Result<ExitReason, SendError> {
        self.server.stop(grace)
    }
}

/// To read the value, which many can together.
impl<T: Portable> LockGuard<T> for ReadGuard<T> {
    const PERMITS: u32 = 1;

    fn new(turn: Turn<T>, value: Kept<T>, mark: Mark) -> Self {
        ReadGuard { _turn: turn, value, _mark: mark }
    }
}

impl<T: Portable> Deref for ReadGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Portable + fmt::Debug> fmt::Debug for ReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
