//! What can go wrong with an operation of a store.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::server::Fault;
use crate::types::error::{At, CallError};
use crate::types::escape::escaped;
use crate::types::exit::ExitReason;

/// Why an operation on an object of a [`Store`](crate::Store) has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The store has ended, and its data with it. An operation that was under way may or may not have been carried out; nobody will ever see it.
    Lost {
        /// How it ended; `None` if it was stopped before this operation's turn came.
        reason: Option<ExitReason>,
        /// Which store, and which operation.
        at: At,
    },
    /// The object has been deleted (by somebody's [`delete`](crate::Map::delete)). The store is well.
    Deleted,
    /// The function panicked. What it was to change is as it was before; the store is well.
    Panicked {
        /// The panic's message. Where it was is on standard error, as of any panic.
        message: String,
    },
    /// No answer within the time-out. If its turn had come by then, the operation is carried out all the same.
    Timeout(At),
    /// The call went wrong in another way, and was not carried out: see there. A function that runs in the store and uses the same store gets
    /// [`CallError::CallingSelf`]. With [`CallError::Codec`] the *answer* may be what could not be encoded, after the operation was carried out.
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

/// What a compare-and-swap has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "it may not have been done"]
pub enum Swap<T> {
    /// What was there was what was expected; now the new value is.
    Done,
    /// This was there instead, and still is.
    Found(T),
}

impl<T> Swap<T> {
    /// Whether the new value is there.
    pub fn is_done(&self) -> bool {
        matches!(self, Swap::Done)
    }
}

impl<T: PartialEq + Clone> Swap<T> {
    /// In the store: exchanges what is there.
    pub(super) fn exchange(place: &mut T, expected: &T, new: T) -> Swap<T> {
        if place != expected {
            return Swap::Found(place.clone());
        }
        *place = new;
        Swap::Done
    }
}
