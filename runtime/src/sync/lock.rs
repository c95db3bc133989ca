//! A lock with the value that it protects.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::client::{self, LockGuard, Mark, Trouble, Turn, Wait};
use super::error::{LockError, SyncError};
use super::lock_server::{ALL, Kept, LockServer};
use crate::actor::actor_ref::ActorRef;
use crate::actor::any_ref::AnyRef;
use crate::ipc::codec::Portable;
use crate::types::error::{SendError, SpawnError};
use crate::types::exit::ExitReason;

/// A value for one holder at a time, in any process: Python's `Lock` and `Condition`, with the value inside.
///
/// The value travels with the grant: a [`Guard`] holds a copy of it. Dropping the guard *commits* what was
/// changed there; [`Guard::commit`] does so before. Handles are `Clone + Serialize + Deserialize`. Callers
/// get the lock in the order in which they asked.
///
/// **Death of a holder.** It gives the lock back. The next caller gets [`LockError::Poisoned`] with the
/// guard, the dead process and the reason; the value is as it was last committed. A thread that panics while
/// it has the guard counts as a death. The kernel's robust futexes tell no more than `EOWNERDEAD`; Python's
/// locks stay locked. A process that dies while it waits leaves nothing behind.
///
/// **Twice.** A thread that holds the lock and takes it again gets [`LockError::HeldByThisThread`], not a
/// deadlock; pass the guard on instead (Python's `RLock`). Two locks taken in different orders do deadlock,
/// as everywhere: use [`lock_timeout`](Self::lock_timeout).
///
/// **Server.** Each lock is a small process of its own, a child of the process that made it. If the server
/// dies, the value is lost: all calls get [`LockError::Gone`].
///
/// **Blocking.** Taking the lock and giving it back costs one call and two messages without a reply, a change
/// one message more.
///
/// ```
/// use phalanx::sync::Lock;
/// use phalanx::prelude::*;
///
/// #[task]
/// fn deposit(balance: Lock<u64>, amount: u64) {
///     let mut balance = balance.lock().expect("the lock is there");
///     *balance += amount; // committed when the guard goes
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let balance = Lock::new(0u64)?;
/// let tasks: Vec<_> = (1..=4).map(|amount| deposit::spawn(balance.clone(), amount)).collect();
/// for task in tasks {
///     task?.join()?;
/// }
/// assert_eq!(*balance.lock()?, 10);
/// # Ok(())
/// # }
/// ```
pub struct Lock<T: Portable> {
    server: ActorRef<LockServer<T>>,
}

/// The right to use and to change the value of a [`Lock`] or a [`RwLock`](crate::sync::RwLock), and a copy of it.
/// Dropping it commits what was changed and gives the lock back.
///
/// It belongs to the thread that has taken the lock, like the standard library's. If the thread panics and
/// drops it, nothing is committed, and the next holder gets [`LockError::Poisoned`]. Dropping sends one or
/// two messages and does not wait for their arrival; [`release`](Self::release) does.
///
/// No other thread can have it:
///
/// ```compile_fail,E0277
/// # fn elsewhere(guard: phalanx::sync::Guard<u32>) {
/// std::thread::spawn(move || drop(guard));
/// # }
/// ```
#[must_use = "the lock is given back when the guard is dropped"]
pub struct Guard<T: Portable> {
    /// `None` only at the end of the guard's own methods.
    turn: Option<Turn<T>>,
    value: Kept<T>,
    /// The value was borrowed for changes after the last commit.
    dirty: bool,
    mark: Option<Mark>,
}

impl<T: Portable> Lock<T> {
    /// A new lock around a value, in a process of its own.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn new(value: T) -> Result<Lock<T>, SpawnError> {
        let server = LockServer::builder(Kept::new(value), ALL, true).name("lock").spawn()?;
        Ok(Lock { server })
    }

    /// Takes the lock. Blocks until it is free, without a limit, but not beyond the death of the server.
    ///
    /// # Errors
    /// See [`LockError`]; [`LockError::Poisoned`] contains the guard.
    pub fn lock(&self) -> Result<Guard<T>, LockError<Guard<T>>> {
        self.lock_timeout(Duration::MAX)
    }

    /// Waits as [`lock`](Self::lock) does, for `limit` at most. Never returns [`LockError::Timeout`] early.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use phalanx::sync::{Lock, LockError};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let lock = Lock::new(())?;
    /// let other = lock.clone();
    /// let guard = lock.lock()?;
    /// let limit = Duration::from_millis(50);
    /// let late = std::thread::spawn(move || matches!(other.lock_timeout(limit), Err(LockError::Timeout)));
    /// assert!(late.join().expect("it does not panic"));
    /// # drop(guard);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn lock_timeout(&self, limit: Duration) -> Result<Guard<T>, LockError<Guard<T>>> {
        client::lock(&self.server, Wait::AtMost(limit))
    }

    /// Takes the lock if it is free. Waits for the reply of the server, not for the holder.
    ///
    /// ```
    /// # use phalanx::sync::{Lock, LockError};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let lock = Lock::new(5)?;
    /// let guard = lock.lock()?;
    /// // In another thread; this one would get an error because it has it already.
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| assert!(matches!(lock.try_lock(), Err(LockError::Busy))));
    /// });
    /// assert!(matches!(lock.try_lock(), Err(LockError::HeldByThisThread)));
    /// drop(guard);
    /// assert_eq!(*lock.try_lock()?, 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LockError::Busy`] if it is held, or others wait for it; see [`LockError`].
    pub fn try_lock(&self) -> Result<Guard<T>, LockError<Guard<T>>> {
        client::lock(&self.server, Wait::Never)
    }

    /// Waits until the predicate is true of the value, for `limit` at most ([`Duration::MAX`]: without a
    /// limit), and returns with the lock held: a condition variable. Commits what was changed in the guard,
    /// and gives the lock back while it waits. Calls the predicate first, and again after each commit by
    /// another holder. It misses none of them: giving back and waiting is one step for the server.
    ///
    /// If the limit ends first, the lock is not held.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use phalanx::sync::Lock;
    /// use phalanx::prelude::*;
    ///
    /// #[task]
    /// fn work(done: Lock<u32>) {
    ///     *done.lock().expect("the lock is there") += 1;
    /// }
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let done = Lock::new(0)?;
    /// let tasks = (work::spawn(done.clone())?, work::spawn(done.clone())?);
    /// let guard = done.wait_until(done.lock()?, |&done| done == 2, Duration::from_secs(10))?;
    /// assert_eq!(*guard, 2);
    /// # drop((guard, tasks));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LockError::Timeout`]; [`LockError::Poisoned`] if the last holder died: it may have been the one to
    /// make the predicate true. See [`LockError`].
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

    /// Ends the server, and with it the value. All present and later calls get [`LockError::Gone`]. Blocks
    /// for `grace` at most; then the server is killed.
    ///
    /// # Errors
    /// [`SendError::Gone`] if it had ended before.
    pub fn stop(&self, grace: Duration) -> Result<ExitReason, SendError> {
        self.server.stop(grace)
    }
}

/// Exclusive: it stands for all permits.
impl<T: Portable> LockGuard<T> for Guard<T> {
    const PERMITS: u32 = ALL;

    fn new(turn: Turn<T>, value: Kept<T>, mark: Mark) -> Self {
        Guard { turn: Some(turn), value, dirty: false, mark: Some(mark) }
    }
}

impl<T: Portable> Guard<T> {
    /// Waits until the predicate holds; see [`Lock::wait_until`].
    pub(super) fn wait_until(
        mut self,
        server: &ActorRef<LockServer<T>>,
        mut predicate: impl FnMut(&T) -> bool,
        limit: Duration,
    ) -> Result<Guard<T>, LockError<Guard<T>>> {
        let own = self.turn.as_ref().map(Turn::server);
        assert!(own == Some(server), "the guard is that of another lock");
        let deadline = client::deadline(limit);
        while !predicate(&self) {
            // The server would not look at a request whose time is over.
            if client::remaining(deadline).is_zero() {
                return Err(LockError::Timeout);
            }
            self = self.park(deadline)?;
        }
        Ok(self)
    }

    fn park(mut self, deadline: Option<Instant>) -> Result<Guard<T>, LockError<Guard<T>>> {
        let (Some(mut turn), Some(mark)) = (self.turn.take(), self.mark.take()) else {
            return Err(LockError::Timeout);
        };
        if self.dirty {
            turn = turn.put(&self.value)?;
        }
        Guard::granted(turn.park(deadline)?, mark)
    }

    /// Commits the present value: the next holder gets it, whatever becomes of this one. The lock stays held.
    /// Blocks until the server has the value.
    ///
    /// ```
    /// # use phalanx::sync::Lock;
    /// # use phalanx::prelude::*;
    /// # #[task]
    /// # fn crash(steps: Lock<Vec<u32>>) {
    /// let mut guard = steps.lock().expect("the lock is there");
    /// guard.push(1);
    /// guard.commit().expect("the lock is there");
    /// guard.push(2);
    /// std::process::abort();
    /// # }
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// # let steps = Lock::new(Vec::new())?;
    /// # assert!(crash::spawn(steps.clone())?.join().is_err());
    /// # let Err(phalanx::sync::LockError::Poisoned(poisoned)) = steps.lock() else { panic!("not poisoned") };
    /// # assert_eq!((*poisoned.guard).clone(), [1]); // the next holder
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::Gone`] if the server has ended; [`SyncError::Call`] if the value cannot be encoded. The
    /// lock stays held, and the change uncommitted.
    pub fn commit(&mut self) -> Result<(), SyncError> {
        if let Some(turn) = &self.turn {
            turn.commit(&self.value)?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Commits what was changed and gives the lock back, like dropping the guard, but waits until the server
    /// has done so.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use phalanx::sync::{Lock, SyncError};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let lock = Lock::new(1)?;
    /// let mut guard = lock.lock()?;
    /// *guard += 1;
    /// lock.stop(Duration::from_secs(5))?;
    /// assert!(matches!(guard.release(), Err(SyncError::Gone { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::Gone`] if the server has ended; [`SyncError::Call`] if the value cannot be encoded: then
    /// it is not committed, and the next holder gets [`LockError::Poisoned`].
    pub fn release(mut self) -> Result<(), SyncError> {
        let Some(mut turn) = self.turn.take() else { return Ok(()) };
        if self.dirty {
            turn = turn.put(&self.value)?;
        }
        Ok(turn.release()?)
    }
}

impl<T: Portable> Drop for Guard<T> {
    fn drop(&mut self) {
        let Some(turn) = self.turn.take() else { return };
        if std::thread::panicking() {
            turn.abandon(client::panicked());
        } else if self.dirty
            && let Err(Trouble::Call(error)) = turn.put(&self.value)
        {
            tracing::error!(%error, "a lock is given back without its new value");
        }
    }
}

impl<T: Portable> Deref for Guard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Portable> DerefMut for Guard<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.dirty = true;
        self.value.get_mut().expect("a received value has one owner")
    }
}

impl<T: Portable + fmt::Debug> fmt::Debug for Guard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Portable + fmt::Display> fmt::Display for Guard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The common traits of the handles of this module: `Handle<..> { server }`.
macro_rules! handle {
    ($handle:ident $(<$parameter:ident>)?) => {
        impl$(<$parameter: Portable>)? Clone for $handle$(<$parameter>)? {
            fn clone(&self) -> Self {
                $handle { server: self.server.clone() }
            }
        }

        /// Whether both are handles of one server.
        impl$(<$parameter: Portable>)? PartialEq for $handle$(<$parameter>)? {
            fn eq(&self, other: &Self) -> bool {
                self.server == other.server
            }
        }

        impl$(<$parameter: Portable>)? Eq for $handle$(<$parameter>)? {}

        impl$(<$parameter: Portable>)? std::hash::Hash for $handle$(<$parameter>)? {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.server.hash(state);
            }
        }

        impl$(<$parameter: Portable>)? fmt::Debug for $handle$(<$parameter>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($handle), "({})"), self.server)
            }
        }

        impl$(<$parameter: Portable>)? Serialize for $handle$(<$parameter>)? {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.server.serialize(serializer)
            }
        }

        impl<'de, $($parameter: Portable)?> Deserialize<'de> for $handle$(<$parameter>)? {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                ActorRef::deserialize(deserializer).map(|server| $handle { server })
            }
        }
    };
}
pub(super) use handle;

handle!(Lock<T>);
