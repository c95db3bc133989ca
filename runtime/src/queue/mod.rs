//! Queues between processes: many producers, many consumers, one order; a [`Queue`] is a process that holds
//! encoded items.
//!
//! Imports no other service, and never `spawn`, `supervisor` or `child`.
//!
//! The process is an actor ([`server`]), and a waiting call is one with a deferred reply. The actor knows
//! each process that holds a lease by an [`AnyRef`](crate::AnyRef), which it watches. `docs/queues.md` is for
//! users.

mod asked;
mod builder;
mod client;
mod error;
mod get;
pub(crate) mod item_size;
mod iter;
mod lease;
mod put;
#[cfg(feature = "remote")]
pub(crate) mod remote;
mod server;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use client::{Client, Patience};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::actor::any_ref::AnyRef;
use crate::actor::spawning::Spawning;
use crate::ipc::codec::Portable;
use crate::types::error::SpawnError;
use crate::types::escape::escaped;

pub use builder::QueueBuilder;
pub use error::{
    GetError, GetTimeoutError, PutAllError, PutError, PutTimeoutError, QueueError, TryGetError, TryPutError,
};
pub use iter::{Items, Leases};
pub use lease::Lease;

/// A queue that has not ended within this time after a stop is killed.
const GRACE: Duration = Duration::from_secs(5);

/// A queue that any number of processes put into and take out of; Python's `multiprocessing.Queue`,
/// `JoinableQueue` and `SimpleQueue` in one.
///
/// It is a process of its own that holds the items as they were encoded. A handle is cheap to clone, can be
/// used from any thread, and travels: as an argument of tasks and pools, in messages and state, through other
/// queues. All consumers see one order: items come out as they were put in, those of each producer in its own
/// order.
///
/// **After a put.** [`put`](Self::put) returns when the item lies in the queue: the producer may end at once.
/// No thread feeds anything in the background, so a queue never delays the end of a process that uses it, and
/// a child may be joined before its items are read.
///
/// **After a get.** [`get`](Self::get) gives an item away: if the consumer's process dies with it, it is
/// lost. A [`lease`](Self::lease) lends it until it is [acknowledged](Lease::ack): if the holder's process
/// dies before that, or drops the lease, the item is the first in line again, for another consumer.
/// [`join`](Self::join) waits until nothing is queued and nothing leased.
///
/// **Encoding** happens in `put`: an item that cannot be encoded fails there and takes no room. The queue
/// never decodes an item. One of more than 8 KiB is a sealed memory file, of which only the descriptor is
/// passed on; a [`Blob`](crate::Blob) is not even copied for that.
///
/// **Its life.** A queue is started by the process that makes it, like an actor, and ends with that process,
/// or by [`stop`](Self::stop); dropping handles ends nothing. Items still in it are lost with it, and all
/// calls end with [`QueueError::Gone`], also waiting ones. It does not keep the program alive: at the end of
/// `main` it is there until the daemons have been terminated and all tasks have ended, and is then stopped
/// with the actors, in the reverse order of their starts. It is not restarted: an empty one behind the old
/// handles would look like the old one.
///
/// **Blocking.** `put` waits for room and `get` for an item, as long as it takes; the other calls wait for
/// the queue's reply, a minute at most. An actor whose handler waits in a call handles no other message
/// meanwhile. In async code, [`put_async`](Self::put_async), [`get_async`](Self::get_async) and their like
/// block no thread.
///
/// ```
/// use phalanx::prelude::*;
/// use phalanx::Queue;
///
/// #[task]
/// fn square(jobs: Queue<u64>, results: Queue<u64>) -> phalanx::Result<()> {
///     for job in jobs.iter() {
///         let job = job?;
///         results.put(job * job)?;
///     }
///     Ok(())
/// }
///
/// #[phalanx::main]
/// fn main() -> phalanx::Result<()> {
///     let (jobs, results) = (Queue::bounded(16)?, Queue::bounded(100)?);
///     let start = || square::spawn(jobs.clone(), results.clone());
///     let workers = [start()?, start()?];
///     for job in 1..=10 {
///         jobs.put(job)?;
///     }
///     jobs.close()?; // the workers end when it is empty
///     for worker in workers {
///         worker.join()?;
///     }
///     assert_eq!(results.len()?, 10); // nothing had to be read before
///     let mut squares = results.get_up_to(10)?;
///     squares.sort();
///     assert_eq!(squares[9], 100);
///     Ok(())
/// }
/// ```
pub struct Queue<T> {
    client: Arc<Client>,
    kind: PhantomData<fn(T) -> T>,
}

impl<T: Portable> Queue<T> {
    /// A new queue with room for `capacity` items. Waits until its process is ready.
    ///
    /// # Errors
    /// See [`SpawnError`]; a capacity of 0 is [`SpawnError::Option`].
    pub fn bounded(capacity: usize) -> Result<Queue<T>, SpawnError> {
        Queue::builder().capacity(capacity).spawn()
    }

    /// A new queue without a bound, as large as memory allows: `put` never waits, and nothing slows down
    /// producers that are faster than the consumers.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn unbounded() -> Result<Queue<T>, SpawnError> {
        Queue::builder().unbounded().spawn()
    }

    /// Like [`bounded`](Self::bounded), as a future: see [`Spawning`].
    ///
    /// # Errors
    /// As [`bounded`](Self::bounded).
    pub fn bounded_async(capacity: usize) -> Spawning<Queue<T>> {
        Queue::builder().capacity(capacity).spawn_async()
    }

    /// Like [`unbounded`](Self::unbounded), as a future: see [`Spawning`].
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn unbounded_async() -> Spawning<Queue<T>> {
        Queue::builder().unbounded().spawn_async()
    }

    /// A queue with options.
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// # use phalanx::Queue;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let jobs: Queue<String> = Queue::builder().capacity(8).name("jobs").spawn()?;
    /// assert_eq!((jobs.capacity(), jobs.name()), (Some(8), "jobs"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> QueueBuilder<T> {
        QueueBuilder::new()
    }
}

impl<T> Queue<T> {
    fn of(client: Client) -> Queue<T> {
        Queue { client: Arc::new(client), kind: PhantomData }
    }

    /// Closes it. Later puts and puts that wait are refused; when every item has been taken and acknowledged,
    /// gets and leases fail with `Closed`. Can be called more than once.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn close(&self) -> Result<(), QueueError> {
        self.client.close()
    }

    /// Blocks until nothing is queued and nothing leased, as long as it takes (`JoinableQueue.join`, where an
    /// `ack` is a `task_done`). Items taken by [`get`](Self::get) do not count. Must not be called in a
    /// process that holds a lease itself: it would wait for itself.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn join(&self) -> Result<(), QueueError> {
        self.client.join(Patience::Endless).map(drop)
    }

    /// As [`join`](Self::join), for `limit` at most; returns whether the queue became idle.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn join_timeout(&self, limit: Duration) -> Result<bool, QueueError> {
        self.client.join(Patience::For(limit))
    }

    /// How many items lie in it, at the instant of the reply, without leased ones (see
    /// [`leased`](Self::leased)).
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn len(&self) -> Result<usize, QueueError> {
        Ok(self.client.facts()?.len as usize)
    }

    /// Whether it has no items, at the instant of the reply.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn is_empty(&self) -> Result<bool, QueueError> {
        Ok(self.len()? == 0)
    }

    /// Whether it has no room, at the instant of the reply. Leased items take no room; when they come back,
    /// the queue may hold more than its capacity.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn is_full(&self) -> Result<bool, QueueError> {
        Ok(self.client.facts()?.len >= self.client.capacity)
    }

    /// How many items are leased, at the instant of the reply.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn leased(&self) -> Result<usize, QueueError> {
        Ok(self.client.facts()?.leased as usize)
    }

    /// Whether it has been closed. Items in it can still be taken.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn is_closed(&self) -> Result<bool, QueueError> {
        Ok(self.client.facts()?.is_closed)
    }

    /// The capacity in items; `None` without a bound.
    pub fn capacity(&self) -> Option<usize> {
        (self.client.capacity != u64::MAX).then_some(self.client.capacity as usize)
    }

    /// Its name, which is also that of its process.
    pub fn name(&self) -> &str {
        self.client.server.name()
    }

    /// Its process: to watch it, and to compare it with others.
    pub fn process(&self) -> AnyRef {
        self.client.server.any()
    }

    /// Ends it, with all its items: all calls end with [`QueueError::Gone`], also waiting ones. Blocks until
    /// its process has ended. No error if it had ended before.
    pub fn stop(&self) {
        let _ = self.client.server.stop(GRACE);
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Queue<T> {
        Queue { client: Arc::clone(&self.client), kind: PhantomData }
    }
}

/// Two handles are equal if they are of one queue.
impl<T> PartialEq for Queue<T> {
    fn eq(&self, other: &Queue<T>) -> bool {
        self.client.server == other.client.server
    }
}

impl<T> Eq for Queue<T> {}

impl<T> Hash for Queue<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.client.server.hash(state);
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| write!(f, "Queue({})", self.name()))
    }
}

impl<T> Serialize for Queue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.client.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Queue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Queue<T>, D::Error> {
        Client::deserialize(deserializer).map(Queue::of)
    }
}
