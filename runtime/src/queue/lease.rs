//! An item on lease.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::client::Client;
use super::error::{Fault, QueueError};
use super::server::{Given, Server};
use crate::actor::call_options::CallOptions;
use crate::ipc::codec::Portable;
use crate::sys::per_process::{COPY, Home};
use crate::types::error::{CallError, Never, SendError};

/// An item that is borrowed from a [`Queue`](crate::Queue), until it is [acknowledged](Self::ack).
///
/// The item goes back, as the first in line, when the lease is [given back](Self::nack) or dropped, and when
/// the process that holds it dies, however that happens. So each item is handled at least once; more than
/// once if its holder dies between the work and the `ack`.
///
/// ```
/// use phalanx::prelude::*;
/// use phalanx::Queue;
///
/// /// Dies of the first job that no worker has died of before.
/// #[task]
/// fn work(jobs: Queue<u64>) -> phalanx::Result<()> {
///     for job in jobs.leases() {
///         let job = job?;
///         if *job == 3 && job.deliveries() == 1 {
///             std::process::abort()
///         }
///         job.ack()?;
///     }
///     Ok(())
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let jobs = Queue::bounded(10)?;
/// jobs.put_all([1, 2, 3, 4])?;
/// jobs.close()?;
/// assert!(work::spawn(jobs.clone())?.join().is_err());
/// work::spawn(jobs.clone())?.join()?; // gets 3 again, and then 4
/// jobs.join()?; // all are done
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a lease gives its item back"]
pub struct Lease<T> {
    item: T,
    held: Held,
}

/// The queue's record of the lease.
struct Held {
    client: Arc<Client>,
    holder: u64,
    number: u64,
    deliveries: u32,
    /// It has been acknowledged.
    is_done: bool,
    /// What it tells the queue is parked if there is no room in the queue's mailbox: it was taken in async
    /// code.
    parks: bool,
    /// The process that borrowed it; a forked copy of that process does not hold the lease.
    home: Home,
}

impl<T: Portable> Lease<T> {
    /// # Errors
    /// If the item is not a `T`. It is not given back then: the next consumer could not read it either.
    pub(super) fn open(client: Arc<Client>, holder: u64, given: Given) -> Result<Lease<T>, String> {
        Lease::opened(client, holder, given, false)
    }

    /// As [`open`](Self::open), for a lease that must not block.
    pub(super) fn open_parking(client: Arc<Client>, holder: u64, given: Given) -> Result<Lease<T>, String> {
        Lease::opened(client, holder, given, true)
    }

    fn opened(client: Arc<Client>, holder: u64, given: Given, parks: bool) -> Result<Lease<T>, String> {
        let Given { number, deliveries, raw_value } = given;
        let depth = client.depth();
        let home = Home::here();
        let mut held = Held { client, holder, number, deliveries, is_done: false, parks, home };
        match raw_value.open(depth) {
            Ok(item) => Ok(Lease { item, held }),
            Err(error) => {
                // An error says that the queue has ended: nothing to acknowledge.
                let _ = held.ack();
                Err(error)
            }
        }
    }
}

impl<T> Lease<T> {
    /// The work is done: removes the item from the queue for good, and returns it. Does not wait for the
    /// queue, which takes note in its turn, even if this process ends now.
    ///
    /// # Errors
    /// [`QueueError`] if the queue has ended.
    pub fn ack(self) -> Result<T, QueueError> {
        let Lease { item, mut held } = self;
        held.ack().map(|()| item)
    }

    /// The work is not done: the item is the first in line again, as after a drop of the lease.
    ///
    /// # Errors
    /// [`QueueError`] if the queue has ended.
    pub fn nack(self) -> Result<(), QueueError> {
        let Lease { mut held, .. } = self;
        held.nack()
    }

    /// How often the item has been handed out, this time included. Above 1, an earlier holder has given it
    /// back, or died with it.
    pub fn deliveries(&self) -> u32 {
        self.held.deliveries
    }
}

impl Held {
    fn end(&mut self) -> Result<(), QueueError> {
        self.is_done = true;
        if self.home.is_here() { Ok(()) } else { Err(QueueError::Unreachable(COPY.to_owned())) }
    }

    fn ack(&mut self) -> Result<(), QueueError> {
        self.end()?;
        told(self.queue().ack(self.holder, self.number))
    }

    fn nack(&mut self) -> Result<(), QueueError> {
        self.end()?;
        told(self.queue().nack(self.holder, self.number))
    }

    fn queue(&self) -> CallOptions<Server> {
        let server = &self.client.server;
        if self.parks { server.when_room() } else { server.plain() }
    }
}

fn told(sent: Result<(), SendError>) -> Result<(), QueueError> {
    sent.map_err(|error| Fault::from(CallError::<Never>::from(error)).unrefused())
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.is_done {
            let _ = self.nack();
        }
    }
}

impl<T> Deref for Lease<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

/// A change stays in this process: if the item goes back, it is as it was put.
impl<T> DerefMut for Lease<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.item
    }
}

impl<T: fmt::Debug> fmt::Debug for Lease<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("item", &self.item).field("deliveries", &self.held.deliveries).finish()
    }
}
