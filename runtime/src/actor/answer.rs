//! Encodes the outcome of a message, or its bytes that another process has encoded.

use std::fmt;
use std::sync::Arc;

use crate::actor::deferred::{Later, Promise};
use crate::ipc::bounds;
use crate::ipc::codec::{self, Encoded, Portable};
use crate::ipc::envelope::Status;

/// The outcome of a message, encoded.
#[doc(hidden)]
pub struct Answer {
    pub(crate) status: Status,
    pub(crate) encoded: Encoded,
    /// Set if the answer comes later: then the two above say nothing.
    pub(crate) later: Option<Arc<Promise>>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Answer {
    pub(crate) fn new(status: Status, encoded: Encoded) -> Answer {
        Answer { status, encoded, later: None }
    }

    pub(crate) fn empty(status: Status) -> Answer {
        Answer::new(status, Encoded::default())
    }

    pub(crate) fn codec(text: &str) -> Answer {
        Answer::text(Status::Codec, text)
    }

    pub(crate) fn text(status: Status, text: &str) -> Answer {
        Answer::new(status, Encoded::of_bytes(text.as_bytes().to_vec()))
    }

    /// The handler's own error.
    pub(crate) fn app<E: Portable>(error: E) -> Answer {
        Answer::of(Status::App, error)
    }

    pub(crate) fn of<T: Portable>(status: Status, value: T) -> Answer {
        codec::encode_away(value, bounds::here())
            .map_or_else(|error| Answer::codec(&error), |encoded| Answer::new(status, encoded))
    }

    pub(crate) fn of_result<T: Portable, E: Portable>(result: Result<T, E>) -> Answer {
        match result {
            Ok(value) => Answer::of(Status::Value, value),
            Err(error) => Answer::app(error),
        }
    }

    pub(crate) fn of_later<T>(later: Later<T>) -> Answer {
        Answer { later: later.into_promise(), ..Answer::empty(Status::Value) }
    }

    /// Like [`Answer::of`], but borrows the value; also returns the number of its levels.
    pub(crate) fn of_ref<T: Portable>(status: Status, value: &T) -> (Answer, u32) {
        let (encoded, levels) = codec::encode_within(value, bounds::here());
        let answer =
            encoded.map_or_else(|error| Answer::codec(&error), |encoded| Answer::new(status, encoded));
        (answer, levels)
    }
}
