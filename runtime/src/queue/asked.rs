//! The futures of a queue: calls that are taken back if nobody waits for them any more.
//!
//! A call to the queue's process is sent without waiting for room in its mailbox, and its reply is a future.
//! What is dropped before its reply has come is withdrawn. Items are taken on lease, also by a `get`: those of
//! a reply that came after all go back to their place, so that no item is lost with a future.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Queue;
use super::client::{Client, FOR_EVER, SLACK, ticket};
use super::error::{Fault, GetError, PutAllError, PutError, QueueError};
use super::item_size::RawValue;
use super::lease::Lease;
use super::put::{Puts, Unput, unput};
use super::server::{Given, Refusal, Unstored, Wish};
use crate::actor::current::current;
use crate::actor::reply::Reply;
use crate::ipc::codec::Portable;
use crate::reactor::offload;
use crate::sys::per_process::Home;

/// A call under way.
struct Asked<T: Portable + Send, E: Portable + Send> {
    client: Arc<Client>,
    ticket: u64,
    /// `None`: it has its reply.
    reply: Option<Reply<T, E>>,
    /// Undoes a reply that no future waits for.
    undo: Option<fn(&Client, T)>,
    home: Home,
}

impl<T: Portable + Send, E: Portable + Send> Unpin for Asked<T, E> {}

impl<T: Portable + Send, E: Portable + Send> Future for Asked<T, E> {
    type Output = Result<T, Fault<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(reply) = &mut self.reply else { return Poll::Pending };
        let Poll::Ready(replied) = Pin::new(reply).poll(context) else { return Poll::Pending };
        self.reply = None;
        Poll::Ready(replied.map_err(|error| self.client.fault(error)))
    }
}

impl<T: Portable + Send, E: Portable + Send> Drop for Asked<T, E> {
    fn drop(&mut self) {
        let Some(mut reply) = self.reply.take() else { return };
        if !self.home.is_here() {
            return;
        }
        let (client, ticket) = (Arc::clone(&self.client), self.ticket);
        let Some(undo) = self.undo else {
            // No caller needs to know whether it came in time.
            drop(client.server.when_room().withdraw(ticket));
            return;
        };
        offload::soon(move || {
            let withdrawn = client.server.within(SLACK).withdraw(ticket).wait();
            // `false`: it has its reply. Nothing is lost with a queue that has ended.
            if let Ok(false) = withdrawn
                && let Ok(taken) = reply.wait_timeout(SLACK)
            {
                undo(&client, taken);
            }
        });
    }
}

/// Items on lease, as they came, with the number of their holder.
struct Taken {
    holder: u64,
    given: Vec<Given>,
}

impl Client {
    fn asked<T: Portable + Send, E: Portable + Send>(
        self: &Arc<Client>,
        ticket: u64,
        reply: Reply<T, E>,
        undo: Option<fn(&Client, T)>,
    ) -> Asked<T, E> {
        Asked { client: Arc::clone(self), ticket, reply: Some(reply), undo, home: Home::here() }
    }

    async fn put_async(self: &Arc<Client>, parcels: Vec<RawValue>) -> Result<(), Fault<Unstored>> {
        let ticket = ticket();
        let reply = self.server.when_room().within(FOR_EVER).put(ticket, parcels, true);
        self.asked(ticket, reply, None).await
    }

    /// Takes up to `most` items on lease, one at least.
    async fn take_async(self: &Arc<Client>, most: u32) -> Result<Taken, Fault> {
        let (holder, ticket) = (self.holder_async().await.map_err(Fault::Queue)?, ticket());
        let wish = Wish { ticket, most, holder: Some(holder), waits: true };
        let reply = self.server.when_room().within(FOR_EVER).take(wish);
        let given = self.asked(ticket, reply, Some(give_back)).await?;
        Ok(Taken { holder, given })
    }

    async fn holder_async(self: &Arc<Client>) -> Result<u64, QueueError> {
        if let Some(&holder) = self.holder.here().get() {
            return Ok(holder);
        }
        let own = current().any().map_err(|error| QueueError::Unreachable(error.to_string()))?;
        let reply = self.server.when_room().introduce(own, std::process::id());
        let holder = reply.await.map_err(|error| self.fault(error).unrefused())?;
        // The queue gives one number to one process, however often that asks.
        Ok(*self.holder.here().get_or_init(|| holder))
    }
}

/// The reply does not say by which number this process holds its items; it has one only.
fn give_back(client: &Client, given: Vec<Given>) {
    let Some(&holder) = client.holder.here().get() else { return };
    for given in given {
        // An error says that the queue has ended.
        let _ = client.server.nack(holder, given.number);
    }
}

impl<T: Portable> Queue<T> {
    /// Like [`put`](Self::put), as a future: it blocks no thread, and works under any executor.
    ///
    /// If the future is dropped while it waits for room, the item is not put; if the item was put just then,
    /// it stays.
    ///
    /// ```
    /// use phalanx::Queue;
    ///
    /// #[phalanx::main]
    /// #[tokio::main(flavor = "current_thread")]
    /// async fn main() -> phalanx::Result<()> {
    ///     let queue = Queue::builder().capacity(1).spawn_async().await?;
    ///     queue.put_async("one".to_owned()).await?;
    ///     let (put, got) = tokio::join!(queue.put_async("two".to_owned()), queue.get_async());
    ///     put?; // waited for the get
    ///     assert_eq!((got?, queue.get_async().await?), ("one".to_owned(), "two".to_owned()));
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_async(&self, item: T) -> impl Future<Output = Result<(), PutError<T>>> + use<T> {
        let queue = self.clone();
        async move {
            // On its own, so that no reference to the item is kept while the future waits.
            let packed = RawValue::pack(&item, queue.client.depth()).0;
            let stored = match packed {
                Ok(raw_value) => queue.client.put_async(vec![raw_value]).await.map_err(unput),
                Err(error) => Err(Unput::Codec(error)),
            };
            queue.put_done(item, stored)
        }
    }

    /// Like [`put_all`](Self::put_all), as a future: it blocks no thread, and works under any executor. The
    /// items are pulled when it is polled. If it is dropped, what it has put stays, and the rest is not put.
    ///
    /// # Errors
    /// As [`put_all`](Self::put_all).
    pub fn put_all_async<I: IntoIterator<Item = T>>(
        &self,
        items: I,
    ) -> impl Future<Output = Result<(), PutAllError<T>>> + use<T, I> {
        let client = Arc::clone(&self.client);
        async move {
            let mut puts = Puts::new(items.into_iter(), client.depth());
            while let Some(parcels) = puts.next_message() {
                let put = if parcels.is_empty() { Ok(()) } else { client.put_async(parcels).await };
                puts.note(put)?;
            }
            Ok(())
        }
    }

    /// Like [`get`](Self::get), as a future: it blocks no thread, and works under any executor.
    ///
    /// If the future is dropped, no item is lost: one that was on its way is the first in line again. So
    /// `timeout(limit, queue.get_async())` of an executor is safe.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_async(&self) -> impl Future<Output = Result<T, GetError>> + Send + use<T> {
        let lease = self.lease_async();
        async move { lease.await?.ack().map_err(GetError::Failed) }
    }

    /// Like [`get_up_to`](Self::get_up_to), as a future: it blocks no thread, and works under any executor.
    /// Items that were on their way to a future that is dropped go back to their places.
    ///
    /// # Errors
    /// As [`get_up_to`](Self::get_up_to).
    pub fn get_up_to_async(
        &self,
        most: usize,
    ) -> impl Future<Output = Result<Vec<T>, GetError>> + Send + use<T> {
        let client = Arc::clone(&self.client);
        async move {
            if most == 0 {
                return Ok(Vec::new());
            }
            let most = u32::try_from(most).unwrap_or(u32::MAX);
            let Taken { holder, given } = client.take_async(most).await.map_err(ungot)?;
            let open = |given| Lease::open_parking(Arc::clone(&client), holder, given);
            let leases: Vec<Result<Lease<T>, String>> = given.into_iter().map(open).collect();
            let items = leases.into_iter().map(|lease| {
                lease.map_err(GetError::Codec).and_then(|lease| lease.ack().map_err(GetError::Failed))
            });
            items.collect()
        }
    }

    /// Like [`lease`](Self::lease), as a future: it blocks no thread, and works under any executor. Nor does
    /// what the lease does later: its `ack`, its `nack` and its drop wait for no room in the mailbox of the
    /// queue.
    ///
    /// If the future is dropped, an item that was on its way is the first in line again.
    ///
    /// # Errors
    /// As [`lease`](Self::lease).
    pub fn lease_async(&self) -> impl Future<Output = Result<Lease<T>, GetError>> + Send + use<T> {
        let client = Arc::clone(&self.client);
        async move {
            let Taken { holder, given } = client.take_async(1).await.map_err(ungot)?;
            let given = super::get::one(given).map_err(ungot)?;
            Lease::open_parking(client, holder, given).map_err(GetError::Codec)
        }
    }
}

impl<T> Queue<T> {
    /// Like [`join`](Self::join), as a future: it blocks no thread, and works under any executor. Dropping it
    /// changes nothing.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_async(&self) -> impl Future<Output = Result<(), QueueError>> + Send + use<T> {
        let client = Arc::clone(&self.client);
        async move {
            let ticket = ticket();
            let reply = client.server.when_room().within(FOR_EVER).done(ticket);
            client.asked(ticket, reply, None).await.map_err(Fault::unrefused)
        }
    }

    /// Like [`close`](Self::close), as a future: it blocks no thread, and works under any executor. The queue
    /// is closed even if the future is dropped after its first poll.
    ///
    /// # Errors
    /// As [`close`](Self::close).
    pub fn close_async(&self) -> impl Future<Output = Result<(), QueueError>> + Send + use<T> {
        let client = Arc::clone(&self.client);
        async move {
            let closed = client.server.when_room().close().await;
            closed.map_err(|error| client.fault(error).unrefused())
        }
    }

    /// Like [`stop`](Self::stop), as a future: it blocks no thread of the caller, and works under any
    /// executor. The queue ends even if the future is dropped after its first poll.
    pub fn stop_async(&self) -> impl Future<Output = ()> + Send + use<T> {
        let stopping = self.client.server.stop_async(super::GRACE);
        async move { drop(stopping.await) }
    }
}

/// Why nothing was taken.
fn ungot(fault: Fault) -> GetError {
    match fault {
        Fault::Refused(Refusal::Closed) => GetError::Closed,
        fault => GetError::Failed(fault.unrefused()),
    }
}
