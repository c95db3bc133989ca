//! A lock for many readers or one writer.

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

/// A value that many holders may read at one time, or one may change; see also [`Lock`](crate::sync::Lock).
///
/// Callers get the lock in the order in which they asked: readers that come after a waiting writer wait
/// behind it, so neither side starves the other. The death of a reader has no effect. After that of a writer
/// the next holder, reader or writer, gets [`LockError::Poisoned`] with the value as it was last committed
/// (several readers, if they get the lock together). A thread that holds it in either way and takes it again
/// gets [`LockError::HeldByThisThread`], since a writer may be waiting in between.
///
/// ```
/// use phalanx::sync::RwLock;
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

/// The right to read the value of a [`RwLock`], and a copy of it. Dropping it gives the right back.
///
/// It belongs to the thread that has taken the lock:
///
/// ```compile_fail,E0277
/// # fn elsewhere(guard: phalanx::sync::ReadGuard<u32>) {
/// std::thread::spawn(move || drop(guard));
/// # }
/// ```
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

    /// Takes it for reading. Blocks while a writer has it, or waits since before this call; without a limit,
    /// but not beyond the death of the server.
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

    /// Takes it for reading, if that is possible at once.
    ///
    /// # Errors
    /// [`LockError::Busy`] if a writer has it, or any caller waits for it; see [`LockError`].
    pub fn try_read(&self) -> Result<ReadGuard<T>, LockError<ReadGuard<T>>> {
        client::lock(&self.server, Wait::Never)
    }

    /// Takes it for changes. Blocks until it is free, without a limit, but not beyond the server's death.
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

    /// Takes it for changes, if it is free.
    ///
    /// ```
    /// # use phalanx::sync::{LockError, RwLock};
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
    /// [`LockError::Busy`] if it is held, or others wait for it; see [`LockError`].
    pub fn try_write(&self) -> Result<Guard<T>, LockError<Guard<T>>> {
        client::lock(&self.server, Wait::Never)
    }

    /// Waits, with a guard for changes, until the predicate is true of the value; see
    /// [`Lock::wait_until`](crate::sync::Lock::wait_until).
    ///
    /// # Errors
    /// See [`Lock::wait_until`](crate::sync::Lock::wait_until).
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

    /// The server of the lock: to look at, and to watch.
    pub fn server(&self) -> AnyRef {
        self.server.any()
    }

    /// Ends the server, and with it the value; see [`Lock::stop`](crate::sync::Lock::stop).
    ///
    /// # Errors
    /// [`SendError::Gone`] if it had ended before.
    pub fn stop(&self, grace: Duration) -> Result<ExitReason, SendError> {
        self.server.stop(grace)
    }
}

/// Shared: it stands for one permit.
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
