//! Why a put or a get failed: one small error type per method; those of the puts give the item back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::server::Refusal;
use crate::types::error::{CallError, Executed};
use crate::types::escape::escaped;
use crate::types::exit::ExitReason;

/// Why a queue cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum QueueError {
    /// Its process has ended, with all its items; with the reason, if it is known.
    Gone(Option<ExitReason>),
    /// The items in the queue hold as many refs, files and other descriptors as the queue's process may have
    /// (`RLIMIT_NOFILE`). The new one was not put.
    Descriptors,
    /// It is on another host, and the link to it is lost. It comes back by itself.
    Disconnected {
        /// Whether the call was executed all the same. An item that had not left the other host is in the
        /// queue again; one that had, and was taken without a lease, is lost.
        executed: Executed,
        /// How the link was lost, or why it does not exist.
        why: String,
    },
    /// The call or its result cannot be encoded or decoded; or it cannot go to another host, because it
    /// contains a descriptor or is too large.
    Codec(String),
    /// No reply within a minute, or the operating system refused.
    Unreachable(String),
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            QueueError::Gone(Some(reason)) => write!(f, "the queue has ended: {reason}"),
            QueueError::Gone(None) => f.write_str("the queue has ended"),
            QueueError::Descriptors => f.write_str("the items of the queue hold too many descriptors"),
            QueueError::Disconnected { executed: Executed::No, why } => {
                write!(f, "there is no link to the queue: {why}")
            }
            QueueError::Disconnected { executed: Executed::Unknown, why } => {
                write!(f, "the link to the queue was lost: {why}")
            }
            QueueError::Codec(error) | QueueError::Unreachable(error) => f.write_str(error),
        })
    }
}

impl std::error::Error for QueueError {}

/// Why a call to the queue's process failed.
pub(super) enum Fault<R = Refusal> {
    Refused(R),
    Queue(QueueError),
    /// No reply in time.
    Late,
}

impl<R> From<CallError<R>> for Fault<R> {
    fn from(error: CallError<R>) -> Fault<R> {
        let reason = error.exit_reason().cloned();
        match error {
            CallError::App(refusal) => Fault::Refused(refusal),
            CallError::Died(..) | CallError::Gone(_) | CallError::Stopped(_) => {
                Fault::Queue(QueueError::Gone(reason))
            }
            CallError::Timeout(_) => Fault::Late,
            CallError::Codec(error, _) => Fault::Queue(QueueError::Codec(error)),
            CallError::Disconnected { executed, why, .. } => {
                Fault::Queue(QueueError::Disconnected { executed, why })
            }
            other => Fault::Queue(QueueError::Unreachable(text(&other))),
        }
    }
}

/// The message of an error; never used for the handler's own error.
fn text<R>(error: &CallError<R>) -> String {
    match error {
        CallError::Unreachable(text, _) => text.clone(),
        CallError::Full(at) => format!("{at}: the mailbox is full"),
        other => other.at().map_or_else(String::new, |at| format!("{at}: no reply")),
    }
}

impl<R> Fault<R> {
    /// The error of a call that cannot be refused.
    pub(super) fn unrefused(self) -> QueueError {
        match self {
            Fault::Queue(error) => error,
            Fault::Late => QueueError::Unreachable("the queue does not reply".to_owned()),
            Fault::Refused(_) => {
                QueueError::Unreachable("the queue refused what cannot be refused".to_owned())
            }
        }
    }
}

/// The error types of the puts: each contains the item.
macro_rules! put_errors {
    ($($(#[$doc:meta])* $name:ident { $($(#[$own_doc:meta])* $own:ident $said:literal)? })*) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name<T> {
            $($(#[$own_doc])* $own(T),)?
            /// The queue is closed.
            Closed(T),
            /// The item cannot be encoded, and why. It takes no room in the queue.
            Codec(T, String),
            /// The queue cannot be used.
            Failed(T, QueueError),
        }

        impl<T> $name<T> {
            /// The item.
            pub fn into_inner(self) -> T {
                match self {
                    $($name::$own(item) => item,)?
                    $name::Closed(item) | $name::Codec(item, _) | $name::Failed(item, _) => item,
                }
            }
        }

        impl<T> fmt::Display for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                escaped(f, |f| match self {
                    $($name::$own(_) => f.write_str($said),)?
                    $name::Closed(_) => f.write_str("the queue is closed"),
                    $name::Codec(_, error) => f.write_str(error),
                    $name::Failed(_, error) => write!(f, "{error}"),
                })
            }
        }

        /// The item need not be `Debug`, and is not shown.
        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $($name::$own(_) => f.write_str(concat!(stringify!($own), "(..)")),)?
                    $name::Closed(_) => f.write_str("Closed(..)"),
                    $name::Codec(_, error) => write!(f, "Codec(.., {error:?})"),
                    $name::Failed(_, error) => write!(f, "Failed(.., {error:?})"),
                }
            }
        }

        impl<T> std::error::Error for $name<T> {}
    )* };
}

put_errors! {
    /// Why [`Queue::put`](crate::Queue::put) did not store an item; it is given back.
    PutError {}
    /// Why [`Queue::try_put`](crate::Queue::try_put) did not store an item; it is given back.
    TryPutError {
        /// The queue has no room.
        Full "the queue is full"
    }
    /// Why [`Queue::put_timeout`](crate::Queue::put_timeout) did not store an item; it is given back.
    PutTimeoutError {
        /// The queue had no room for that long.
        Timeout "the queue stayed full"
    }
}

/// Why [`Queue::put_all`](crate::Queue::put_all) did not store everything.
pub struct PutAllError<T> {
    /// How many were stored.
    pub stored: usize,
    /// The others, in order.
    pub rest: Vec<T>,
    /// The error: of the first of them, or of the queue.
    pub error: PutError<()>,
}

impl<T> fmt::Display for PutAllError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} items are stored, {} are not)", self.error, self.stored, self.rest.len())
    }
}

impl<T> fmt::Debug for PutAllError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PutAllError");
        shown.field("stored", &self.stored).field("rest", &self.rest.len()).field("error", &self.error);
        shown.finish()
    }
}

impl<T> std::error::Error for PutAllError<T> {}

/// The error types of the gets and leases.
macro_rules! get_errors {
    ($($(#[$doc:meta])* $name:ident { $($(#[$own_doc:meta])* $own:ident $said:literal)? })*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$own_doc])* $own,)?
            /// The queue is closed, all items have been taken, and no lease could come back.
            Closed,
            /// The item cannot be decoded, and why. It is taken all the same.
            Codec(String),
            /// The queue cannot be used.
            Failed(QueueError),
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                escaped(f, |f| match self {
                    $($name::$own => f.write_str($said),)?
                    $name::Closed => f.write_str("the queue is closed and empty"),
                    $name::Codec(error) => f.write_str(error),
                    $name::Failed(error) => write!(f, "{error}"),
                })
            }
        }

        impl std::error::Error for $name {}
    )* };
}

get_errors! {
    /// Why [`Queue::get`](crate::Queue::get), [`Queue::lease`](crate::Queue::lease) and the iterators have no
    /// item.
    GetError {}
    /// Why [`Queue::try_get`](crate::Queue::try_get) and [`Queue::try_lease`](crate::Queue::try_lease) have
    /// no item.
    TryGetError {
        /// The queue is empty now.
        Empty "the queue is empty"
    }
    /// Why [`Queue::get_timeout`](crate::Queue::get_timeout) and
    /// [`Queue::lease_timeout`](crate::Queue::lease_timeout) have no item.
    GetTimeoutError {
        /// The queue was empty for that long.
        Timeout "the queue stayed empty"
    }
}
