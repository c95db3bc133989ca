//! What can go wrong with an operation of a store.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::server::Fault;
use crate::types::error::{At, CallError};
use crate::types::escape::escaped;
use crate::types::exit::ExitReason;

/// Why an operation on an object of a [`Store`](crate::Store) failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StoreError {
    /// The store has ended, and its data with it. An operation that was under way may or may not have been
    /// carried out; no process will ever see its effect.
    Lost {
        /// How it ended; `None` if it was stopped before this operation's turn came.
        reason: Option<ExitReason>,
        /// Which store, and which operation.
        at: At,
    },
    /// The object has been deleted by a [`delete`](crate::store::Map::delete). The store is well.
    Deleted,
    /// The function panicked. The object is as it was before; the store is well.
    Panicked {
        /// The panic's message. Its place in the source is on standard error, as of any panic.
        message: String,
    },
    /// No reply within the time-out. The operation is carried out all the same if its turn had come by then.
    Timeout(At),
    /// The call failed in another way, and was not carried out; the [`CallError`] says why. A function that
    /// runs in the store and uses this store gets [`CallError::CallingSelf`]. With [`CallError::Codec`] the
    /// *result* may be what could not be encoded, after the operation was carried out.
    Call(CallError),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            StoreError::Lost { reason: Some(reason), at } => {
                write!(f, "{at}: the store and its data are gone: {reason}")
            }
            StoreError::Lost { reason: None, at } => write!(f, "{at}: the store and its data are gone"),
            StoreError::Deleted => f.write_str("the object has been deleted from its store"),
            StoreError::Panicked { message } => write!(f, "the function panicked in the store: {message}"),
            StoreError::Timeout(at) => write!(f, "{at}: no reply within the time-out"),
            StoreError::Call(error) => write!(f, "{error}"),
        })
    }
}

impl std::error::Error for StoreError {}

impl From<CallError<Fault>> for StoreError {
    fn from(error: CallError<Fault>) -> StoreError {
        match error.into_app() {
            Ok(Fault::Deleted) => StoreError::Deleted,
            Ok(Fault::Panicked(message)) => StoreError::Panicked { message },
            Err(CallError::Died(reason, at)) => StoreError::Lost { reason: Some(reason), at },
            Err(CallError::Gone(at) | CallError::Stopped(at)) => {
                StoreError::Lost { reason: at.ended().cloned(), at }
            }
            Err(CallError::Timeout(at)) => StoreError::Timeout(at),
            Err(error) => StoreError::Call(error),
        }
    }
}

/// The outcome of a compare-and-swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[must_use = "it may not have been done"]
pub enum Swap<T> {
    /// The expected value was there; now the new one is.
    Done,
    /// Another value was there, and still is: this one.
    Found(T),
}

impl<T> Swap<T> {
    /// Whether the new value is there.
    pub fn is_done(&self) -> bool {
        matches!(self, Swap::Done)
    }
}

impl<T: PartialEq + Clone> Swap<T> {
    /// In the store: replaces the value if it is the expected one.
    pub(super) fn exchange(place: &mut T, expected: &T, new: T) -> Swap<T> {
        if place != expected {
            return Swap::Found(place.clone());
        }
        *place = new;
        Swap::Done
    }
}
