//! Taking items out of a queue, for good or on lease.

use std::sync::Arc;
use std::time::Duration;

use super::Queue;
use super::client::Patience;
use super::error::{Fault, GetError, GetTimeoutError, QueueError, TryGetError};
use super::iter::{Items, Leases};
use super::lease::Lease;
use super::server::{Given, Refusal};
use crate::ipc::codec::Portable;

impl<T: Portable> Queue<T> {
    /// Takes the first item out, and waits for one as long as it takes.
    ///
    /// # Errors
    /// See [`GetError`]. [`GetError::Closed`] says that no item will ever come again.
    pub fn get(&self) -> Result<T, GetError> {
        match self.receive(Patience::Endless) {
            Ok(item) => item.map_err(GetError::Codec),
            Err(Fault::Refused(Refusal::Closed)) => Err(GetError::Closed),
            Err(fault) => Err(GetError::Failed(fault.unrefused())),
        }
    }

    /// Takes the first item out, if the queue has one now.
    ///
    /// # Errors
    /// See [`TryGetError`].
    pub fn try_get(&self) -> Result<T, TryGetError> {
        match self.receive(Patience::None) {
            Ok(item) => item.map_err(TryGetError::Codec),
            Err(Fault::Refused(Refusal::Closed)) => Err(TryGetError::Closed),
            Err(Fault::Refused(Refusal::Empty)) => Err(TryGetError::Empty),
            Err(fault) => Err(TryGetError::Failed(fault.unrefused())),
        }
    }

    /// As [`get`](Self::get), but waits for `limit` at most, and never gives up earlier.
    ///
    /// # Errors
    /// See [`GetTimeoutError`]. After `Timeout` nothing has been taken.
    pub fn get_timeout(&self, limit: Duration) -> Result<T, GetTimeoutError> {
        match self.receive(Patience::For(limit)) {
            Ok(item) => item.map_err(GetTimeoutError::Codec),
            Err(Fault::Refused(Refusal::Closed)) => Err(GetTimeoutError::Closed),
            Err(Fault::Late) => Err(GetTimeoutError::Timeout),
            Err(fault) => Err(GetTimeoutError::Failed(fault.unrefused())),
        }
    }

    /// Takes up to `most` items out, in order, with one message; waits until there is at least one. May take
    /// fewer than the queue has: large items are not sent all at once.
    ///
    /// # Errors
    /// See [`GetError`]. If one of the items cannot be decoded, the others are lost with it.
    pub fn get_up_to(&self, most: usize) -> Result<Vec<T>, GetError> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        match self.client.take(most, None, Patience::Endless) {
            Ok(given) => {
                let items = given.into_iter().map(|given| given.raw_value.open(self.client.depth()));
                items.collect::<Result<_, _>>().map_err(GetError::Codec)
            }
            Err(Fault::Refused(Refusal::Closed)) => Err(GetError::Closed),
            Err(fault) => Err(GetError::Failed(fault.unrefused())),
        }
    }

    /// Takes the first item, and decodes it.
    fn receive(&self, patience: Patience) -> Result<Result<T, String>, Fault> {
        one(self.client.take(1, None, patience)?).map(|given| given.raw_value.open(self.client.depth()))
    }

    /// Borrows the first item, and waits for one as long as it takes. The item goes back if this process
    /// dies, or drops the lease without [`Lease::ack`].
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// # use phalanx::Queue;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let queue = Queue::bounded(10)?;
    /// queue.put_all(["one".to_owned(), "two".to_owned()])?;
    /// let lease = queue.lease()?;
    /// assert_eq!((lease.as_str(), lease.deliveries()), ("one", 1));
    /// drop(lease); // not done
    /// let again = queue.lease()?;
    /// assert_eq!((again.as_str(), again.deliveries()), ("one", 2)); // before "two"
    /// again.ack()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`GetError`].
    pub fn lease(&self) -> Result<Lease<T>, GetError> {
        match self.borrow(Patience::Endless) {
            Ok(lease) => lease.map_err(GetError::Codec),
            Err(Fault::Refused(Refusal::Closed)) => Err(GetError::Closed),
            Err(fault) => Err(GetError::Failed(fault.unrefused())),
        }
    }

    /// Borrows the first item, if the queue has one now.
    ///
    /// # Errors
    /// See [`TryGetError`].
    pub fn try_lease(&self) -> Result<Lease<T>, TryGetError> {
        match self.borrow(Patience::None) {
            Ok(lease) => lease.map_err(TryGetError::Codec),
            Err(Fault::Refused(Refusal::Closed)) => Err(TryGetError::Closed),
            Err(Fault::Refused(Refusal::Empty)) => Err(TryGetError::Empty),
            Err(fault) => Err(TryGetError::Failed(fault.unrefused())),
        }
    }

    /// As [`lease`](Self::lease), but waits for `limit` at most, and never gives up earlier.
    ///
    /// # Errors
    /// See [`GetTimeoutError`].
    pub fn lease_timeout(&self, limit: Duration) -> Result<Lease<T>, GetTimeoutError> {
        match self.borrow(Patience::For(limit)) {
            Ok(lease) => lease.map_err(GetTimeoutError::Codec),
            Err(Fault::Refused(Refusal::Closed)) => Err(GetTimeoutError::Closed),
            Err(Fault::Late) => Err(GetTimeoutError::Timeout),
            Err(fault) => Err(GetTimeoutError::Failed(fault.unrefused())),
        }
    }

    fn borrow(&self, patience: Patience) -> Result<Result<Lease<T>, String>, Fault> {
        let holder = self.client.holder().map_err(Fault::Queue)?;
        let given = one(self.client.take(1, Some(holder), patience)?)?;
        Ok(Lease::open(Arc::clone(&self.client), holder, given))
    }

    /// Takes items out one after the other, waiting for each, until the queue is closed and empty.
    ///
    /// An item that cannot be decoded is one `Err` among the items. When the queue has ended, the iterator
    /// ends after the `Err` that says so. A `&Queue` in a `for` loop iterates in this way.
    pub fn iter(&self) -> Items<'_, T> {
        Items::new(self)
    }

    /// Iterates as [`iter`](Self::iter) does, with a lease of each item.
    pub fn leases(&self) -> Leases<'_, T> {
        Leases::new(self)
    }
}

/// The one item of a reply.
pub(super) fn one(given: Vec<Given>) -> Result<Given, Fault> {
    let none = || Fault::Queue(QueueError::Unreachable("a reply without an item".to_owned()));
    given.into_iter().next().ok_or_else(none)
}
