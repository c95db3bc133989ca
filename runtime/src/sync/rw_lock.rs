//! A lock for many who read, or one who writes.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::client::{self, Mark, Turn};
use super::error::{LockError, Poisoned};
use super::lock::{Guard, handle};
use super::lock_server::{Kept, LockServer};
use crate::actor::actor_ref::ActorRef;
use crate::actor::any_ref::AnyRef;
use crate::ipc::codec::Portable;
use crate::types::error::{SendError, SpawnError};
use crate::types::exit::ExitReason;

/// More readers than there can be. Who writes takes the places of all of them.
const PLACES: u32 = u32::MAX;

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
    thread: PhantomData<*const ()>,
}

impl<T: Portable> RwLock<T> {
    /// A new lock around a value, in a process of its own.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn new(value: T) -> Result<RwLock<T>, SpawnError> {
        let server = LockServer::builder(Kept::new(value), PLACES, true).name("rw-lock").spawn()?;
        Ok(RwLock { server })
    }

    /// Takes it for reading. Blocks until no writer has it or waits for it before this one, without a limit, but not beyond the death of its server.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn read(&self) -> Result<ReadGuard<T>, LockError<ReadGuard<T>>> {
        self.take_to_read(true, None)
    }

    /// Waits as [`read`](Self::read) does, for `limit` at most.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn read_timeout(&self, limit: Duration) -> Result<ReadGuard<T>, LockError<ReadGuard<T>>> {
        self.take_to_read(true, client::deadline(limit))
    }

    /// Takes it for reading, if that can be now.
    ///
    /// # Errors
    /// [`LockError::Busy`] if a writer has it, or anybody waits for it; see [`LockError`].
    pub fn try_read(&self) -> Result<ReadGuard<T>, LockError<ReadGuard<T>>> {
        self.take_to_read(false, client::deadline(client::ANSWER))
    }

    /// Takes it for changes. Blocks until nobody has it, without a limit, but not beyond the death of its server.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn write(&self) -> Result<Guard<T>, LockError<Guard<T>>> {
        self.take_to_write(true, None)
    }

    /// Waits as [`write`](Self::write) does, for `limit` at most.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn write_timeout(&self, limit: Duration) -> Result<Guard<T>, LockError<Guard<T>>> {
        self.take_to_write(true, client::deadline(limit))
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
        self.take_to_write(false, client::deadline(client::ANSWER))
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
        assert!(guard.server() == Some(&self.server), "the guard is that of another lock");
        guard.wait_until(predicate, limit)
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

    fn take_to_read(
        &self,
        waits: bool,
        deadline: Option<Instant>,
    ) -> Result<ReadGuard<T>, LockError<ReadGuard<T>>> {
        let mark = Mark::set(self.server.id()).ok_or(LockError::HeldByThisThread)?;
        let (turn, value, poison) = client::take(&self.server, 1, waits, deadline)?;
        Poisoned::check(ReadGuard { _turn: turn, value, _mark: mark, thread: PhantomData }, poison)
    }

    fn take_to_write(&self, waits: bool, deadline: Option<Instant>) -> Result<Guard<T>, LockError<Guard<T>>> {
        let mark = Mark::set(self.server.id()).ok_or(LockError::HeldByThisThread)?;
        Guard::of(client::take(&self.server, PLACES, waits, deadline)?, mark)
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
