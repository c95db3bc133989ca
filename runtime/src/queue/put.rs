//! Putting items into a queue.

use std::time::Duration;

use super::Queue;
use super::client::Patience;
use super::error::{Fault, PutAllError, PutError, PutTimeoutError, QueueError, TryPutError};
use super::item_size::{RawValue, Room};
use super::server::{Refusal, Unstored};
use crate::ipc::bounds;
use crate::ipc::codec::Portable;

impl<T: Portable> Queue<T> {
    /// Puts an item in, and waits for room as long as it takes. When this returns, the item lies in the
    /// queue, even if this process ends.
    ///
    /// # Errors
    /// [`PutError`], with the item: the queue is closed (before the call or during it), the item cannot be
    /// encoded, or the queue cannot be used.
    pub fn put(&self, item: T) -> Result<(), PutError<T>> {
        let stored = self.send(&item, Patience::Endless);
        self.put_done(item, stored)
    }

    pub(super) fn put_done(&self, item: T, stored: Result<(), Unput>) -> Result<(), PutError<T>> {
        match stored {
            Ok(()) => {
                self.drop_item(item);
                Ok(())
            }
            Err(Unput::Codec(error)) => Err(PutError::Codec(item, error)),
            Err(Unput::Refused(Refusal::Closed)) => Err(PutError::Closed(item)),
            Err(other) => Err(PutError::Failed(item, other.other())),
        }
    }

    /// Puts an item in if the queue has room now.
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// # use phalanx::{Queue, TryPutError};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let queue = Queue::bounded(1)?;
    /// queue.try_put("one".to_owned())?;
    /// let error = queue.try_put("two".to_owned()).unwrap_err();
    /// assert_eq!(error, TryPutError::Full("two".to_owned())); // nothing is lost
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`TryPutError`], with the item.
    pub fn try_put(&self, item: T) -> Result<(), TryPutError<T>> {
        match self.send(&item, Patience::None) {
            Ok(()) => {
                self.drop_item(item);
                Ok(())
            }
            Err(Unput::Codec(error)) => Err(TryPutError::Codec(item, error)),
            Err(Unput::Refused(Refusal::Closed)) => Err(TryPutError::Closed(item)),
            Err(Unput::Refused(Refusal::Full)) => Err(TryPutError::Full(item)),
            Err(other) => Err(TryPutError::Failed(item, other.other())),
        }
    }

    /// As [`put`](Self::put), but waits for room for `limit` at most, and never gives up earlier.
    ///
    /// # Errors
    /// [`PutTimeoutError`], with the item. After `Timeout` it is not in the queue and never will be.
    pub fn put_timeout(&self, item: T, limit: Duration) -> Result<(), PutTimeoutError<T>> {
        match self.send(&item, Patience::For(limit)) {
            Ok(()) => {
                self.drop_item(item);
                Ok(())
            }
            Err(Unput::Codec(error)) => Err(PutTimeoutError::Codec(item, error)),
            Err(Unput::Refused(Refusal::Closed)) => Err(PutTimeoutError::Closed(item)),
            Err(Unput::Late) => Err(PutTimeoutError::Timeout(item)),
            Err(other) => Err(PutTimeoutError::Failed(item, other.other())),
        }
    }

    /// Puts several items in, in this order, with one message for many of them; waits for room as long as it
    /// takes.
    ///
    /// Items of other producers may come in between where it has to wait. On an error the rest of the
    /// iterator is collected, so it must be finite.
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// # use phalanx::Queue;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let queue = Queue::bounded(10_000)?;
    /// queue.put_all(0..5_000_u64)?;
    /// assert_eq!(queue.len()?, 5_000);
    /// assert_eq!(queue.get_up_to(3)?, [0, 1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`PutAllError`], with the items that are not stored.
    pub fn put_all(&self, items: impl IntoIterator<Item = T>) -> Result<(), PutAllError<T>> {
        let mut puts = Puts::new(items.into_iter(), self.client.depth());
        while let Some(parcels) = puts.next_message() {
            let put = if parcels.is_empty() { Ok(()) } else { self.client.put(parcels, Patience::Endless) };
            puts.note(put)?;
        }
        Ok(())
    }

    /// Drops an item that lies in the queue and is not needed here any more.
    fn drop_item(&self, item: T) {
        bounds::drop_deep(item, self.client.depth());
    }

    fn send(&self, item: &T, patience: Patience) -> Result<(), Unput> {
        let raw_value = RawValue::pack(item, self.client.depth()).0.map_err(Unput::Codec)?;
        self.client.put(vec![raw_value], patience).map_err(unput)
    }
}

/// Why the one item of a put was not put.
pub(super) fn unput(fault: Fault<Unstored>) -> Unput {
    match fault {
        Fault::Refused(unstored) => Unput::Refused(unstored.why),
        Fault::Late => Unput::Late,
        Fault::Queue(error) => Unput::Queue(error),
    }
}

/// Why an item was not put, without the item.
pub(super) enum Unput {
    Codec(String),
    Refused(Refusal),
    Late,
    Queue(QueueError),
}

impl Unput {
    /// The error of a put that depends neither on the item nor on the queue's state.
    fn other(self) -> QueueError {
        match self {
            Unput::Queue(error) => error,
            Unput::Refused(Refusal::Descriptors) => QueueError::Descriptors,
            _ => Fault::<Refusal>::Late.unrefused(),
        }
    }
}

/// How many items of a batch are stored after all, and the error of the others.
fn unstored(fault: Fault<Unstored>) -> (usize, PutError<()>) {
    match fault {
        Fault::Refused(Unstored { stored, why: Refusal::Closed }) => (stored as usize, PutError::Closed(())),
        Fault::Refused(Unstored { stored, why }) => {
            (stored as usize, PutError::Failed((), Unput::Refused(why).other()))
        }
        Fault::Late => (0, PutError::Failed((), Unput::Late.other())),
        Fault::Queue(error) => (0, PutError::Failed((), error)),
    }
}

/// The messages of a put of many items, one after the other.
pub(super) struct Puts<I, T> {
    items: I,
    depth: u32,
    stored: usize,
    /// Left over from the last message.
    carried: Option<(T, RawValue)>,
    /// The items of the message under way.
    sent: Vec<T>,
    /// The item after them, if one was pulled.
    next: Option<(T, Result<RawValue, String>)>,
    is_over: bool,
}

impl<T: Portable, I: Iterator<Item = T>> Puts<I, T> {
    pub(super) fn new(items: I, depth: u32) -> Puts<I, T> {
        Puts { items, depth, stored: 0, carried: None, sent: Vec::new(), next: None, is_over: false }
    }

    /// The next message; an empty one need not be sent. What becomes of it must be [noted](Self::note).
    pub(super) fn next_message(&mut self) -> Option<Vec<RawValue>> {
        if self.is_over {
            return None;
        }
        let batch = Batch::gather(&mut self.items, self.carried.take(), self.depth);
        (self.sent, self.next) = (batch.items, batch.next);
        Some(batch.parcels)
    }

    /// # Errors
    /// If not everything was stored: then this is the end.
    pub(super) fn note(&mut self, put: Result<(), Fault<Unstored>>) -> Result<(), PutAllError<T>> {
        let sent = std::mem::take(&mut self.sent);
        let next = self.next.take();
        if let Err(fault) = put {
            let (done, error) = unstored(fault);
            let rest = sent.into_iter().skip(done).chain(next.map(|(item, _)| item)).chain(&mut self.items);
            return Err(PutAllError { stored: self.stored + done, rest: rest.collect(), error });
        }
        self.stored += sent.len();
        sent.into_iter().for_each(|item| bounds::drop_deep(item, self.depth));
        match next {
            None => self.is_over = true,
            Some((item, Ok(raw_value))) => self.carried = Some((item, raw_value)),
            Some((item, Err(error))) => {
                let rest = std::iter::once(item).chain(&mut self.items).collect();
                return Err(PutAllError { stored: self.stored, rest, error: PutError::Codec((), error) });
            }
        }
        Ok(())
    }
}

/// The items of one message.
struct Batch<T> {
    items: Vec<T>,
    parcels: Vec<RawValue>,
    /// An item left out of the batch, because it does not fit or cannot be encoded.
    next: Option<(T, Result<RawValue, String>)>,
}

impl<T: Portable> Batch<T> {
    /// As many items as fit into a message; `carried` was left over from the last one.
    fn gather(items: &mut impl Iterator<Item = T>, carried: Option<(T, RawValue)>, depth: u32) -> Batch<T> {
        let mut batch = Batch { items: Vec::new(), parcels: Vec::new(), next: None };
        let mut room = Room::for_items(usize::MAX);
        let encoded = |item: T| {
            let raw_value = RawValue::pack(&item, depth).0;
            (item, raw_value)
        };
        let carried = carried.map(|(item, raw_value)| (item, Ok(raw_value)));
        for (item, raw_value) in carried.into_iter().chain(items.map(encoded)) {
            match raw_value {
                Ok(raw_value) if room.take(&raw_value, batch.parcels.is_empty()) => {
                    batch.items.push(item);
                    batch.parcels.push(raw_value);
                }
                other => {
                    batch.next = Some((item, other));
                    break;
                }
            }
        }
        batch
    }
}
