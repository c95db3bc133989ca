//! Queues between processes: many who put, many who take, one order; a [`Queue`] is a process that holds encoded items.
//!
//! On the public actor API alone: the process is an actor ([`server`]), waiting calls are answers that it gives later, and whoever holds a lease is known to it
//! by an [`AnyRef`](crate::AnyRef), which it watches. `docs/queues.md` is for users.

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
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use client::{Client, Patience};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::actor::any_ref::AnyRef;
use crate::ipc::codec::Portable;
use crate::types::error::SpawnError;
use crate::types::escape::escaped;

pub use builder::QueueBuilder;
pub use error::{
    GetError, GetTimeoutError, PutAllError, PutError, PutTimeoutError, QueueError, TryGetError, TryPutError,
};
pub use iter::{Items, Leases};
pub use lease::Lease;

/// A queue that any number of processes put into and take out of; Python's `multiprocessing.Queue`, `JoinableQueue` and `SimpleQueue` in one.
///
/// It is a process of its own that holds the items as they were encoded. A handle is cheap to clone, can be used from any thread, and travels: as an
/// argument of tasks and pools, in messages and state, through other queues. The order is one for all: items come out in the order in which they were put in, those of each
/// producer in its own.
///
/// **What was put is there.** [`put`](Self::put) returns when the item lies in the queue: the producer may end at once. No thread feeds anything in the background, so nothing of a
/// queue delays the end of a process that uses it, and joining a child before what it has put is read does no harm.
///
/// **What is taken.** [`get`](Self::get) gives an item away: if its process dies with it, it is lost. A [`lease`](Self::lease) lends it until it is
/// [acknowledged](Lease::ack): if the holder's process dies before, or drops it, the item is the first in line again, for another one. [`join`](Self::join) waits until nothing is
/// queued and nothing leased.
///
/// **Encoding** happens in `put`, so that an item that cannot be encoded fails there and uses no place. The queue never decodes an item. One of more than 8 KiB is a sealed memory
/// file, of which only the descriptor is passed on; a [`Blob`](crate::Blob) is not even copied for that.
///
/// **Its life.** A queue is started by whoever makes it, as an actor is, and ends with that process, or by [`stop`](Self::stop); dropping handles ends nothing. What still lies in it is
/// lost with it, and all calls end with [`QueueError::Gone`], also those that wait. It does not keep the program alive: at the end of `main` it is there until the daemons have been
/// terminated and all tasks have ended, and is then stopped with the actors, those first that were started after it. It is not restarted: an empty one behind
/// the old handles would look like the old one.
///
/// **Blocking.** `put` waits for room and `get` for an item, as long as it takes; the others wait for the queue's answer, a minute at most. An
/// actor whose handler waits in here handles no other message meanwhile.
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
///     let workers = [square::spawn(jobs.clone(), results.clone())?, square::spawn(jobs.clone(), results.clone())?];
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
    /// A new queue for so many items. Waits until its process is ready.
    ///
    /// # Errors
    /// See [`SpawnError`]; a capacity of 0 is [`SpawnError::Option`].
    pub fn bounded(capacity: usize) -> Result<Queue<T>, SpawnError> {
        Queue::builder().capacity(capacity).spawn()
    }

    /// A new queue that takes as many items as there is memory for: `put` never waits, and a consumer that is too slow is not noticed.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn unbounded() -> Result<Queue<T>, SpawnError> {
        Queue::builder().unbounded().spawn()
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

    /// Closes it: nothing can be put in any more, what waits to be is refused, and when everything has been taken and acknowledged, whoever takes is told so. As often as you
    /// like.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn close(&self) -> Result<(), QueueError> {
        self.client.close()
    }

    /// Blocks until nothing is queued and nothing leased, as long as it takes (`JoinableQueue.join`, where an `ack` is a `task_done`). What was taken by
    /// [`get`](Self::get) does not count. Not in a process that holds a lease itself: it would wait for itself.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn join(&self) -> Result<(), QueueError> {
        self.client.join(Patience::Endless).map(drop)
    }

    /// As [`join`](Self::join), for `limit` at most; returns whether it has come to that.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn join_timeout(&self, limit: Duration) -> Result<bool, QueueError> {
        self.client.join(Patience::For(limit))
    }

    /// How many items lie in it, at the instant of the answer; those that are leased are not among them (see [`leased`](Self::leased)).
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn len(&self) -> Result<usize, QueueError> {
        Ok(self.client.facts()?.len as usize)
    }

    /// Whether nothing lies in it, at the instant of the answer.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn is_empty(&self) -> Result<bool, QueueError> {
        Ok(self.len()? == 0)
    }

    /// Whether there is no room in it, at the instant of the answer. Items that are leased take no room; when they come back, there may be more in it than its capacity.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn is_full(&self) -> Result<bool, QueueError> {
        Ok(self.client.facts()?.len >= self.client.capacity)
    }

    /// How many items are leased, at the instant of the answer.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn leased(&self) -> Result<usize, QueueError> {
        Ok(self.client.facts()?.leased as usize)
    }

    /// Whether it has been closed. What lies in it can still be taken.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub fn is_closed(&self) -> Result<bool, QueueError> {
        Ok(self.client.facts()?.is_closed)
    }

    /// For how many items there is room; `None` if there is no bound.
    pub fn capacity(&self) -> Option<usize> {
        (self.client.capacity != u64::MAX).then_some(self.client.capacity as usize)
    }

    /// Its name, and that of its process.
    pub fn name(&self) -> &str {
        self.client.server.name()
    }

    /// Its process: to be watched, and to be known again.
    pub fn process(&self) -> AnyRef {
        self.client.server.any()
    }

    /// Ends it, with everything that lies in it: all calls end with [`QueueError::Gone`], also those that wait. Blocks until its process has ended. That it had
    /// ended before is no error.
    pub fn stop(&self) {
        // What keeps it from ending has to be over after so long; then it is killed.
        let _ = self.client.server.stop(Duration::from_secs(5));
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Queue<T> {
        Queue { client: Arc::clone(&self.client), kind: PhantomData }
    }
}

/// Equal if both are of one queue.
impl<T> PartialEq for Queue<T> {
    fn eq(&self, other: &Queue<T>) -> bool {
        self.client.server == other.client.server
    }
}

impl<T> Eq for Queue<T> {}

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
