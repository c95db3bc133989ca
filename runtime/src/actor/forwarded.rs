//! Calls that are forwarded in encoded form, by a process that knows neither their types nor their callers.

use serde::{Deserialize, Serialize};
#[cfg(feature = "remote")]
use serde_bytes::ByteBuf;

#[cfg(feature = "remote")]
use crate::types::error::Never;
use crate::types::error::{At, CallError, Executed};
use crate::types::exit::ExitReason;

/// The outcome of a call, for the process elsewhere that made it.
#[cfg(feature = "remote")]
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// Encoded.
    Value(ByteBuf),
    /// Encoded: the handler's error.
    App(ByteBuf),
    Failed(Failure),
}

/// Why there is no reply. The caller's side adds the place, because there the actor is a ref like any other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Failure {
    Died(ExitReason),
    Timeout,
    Full,
    Stopped,
    Gone(Option<ExitReason>),
    Unavailable,
    Codec(String),
    Unanswered,
    Unreachable(String),
    Disconnected(Executed, String),
}

impl Failure {
    #[cfg(feature = "remote")]
    pub(crate) fn of(error: CallError<Never>) -> Failure {
        match error {
            CallError::App(never) => match never {},
            CallError::Died(reason, _) => Failure::Died(reason),
            CallError::Timeout(_) => Failure::Timeout,
            CallError::Full(_) => Failure::Full,
            CallError::Stopped(_) => Failure::Stopped,
            CallError::Gone(at) => Failure::Gone(at.ended().cloned()),
            CallError::Unavailable(_) => Failure::Unavailable,
            CallError::Codec(error, _) => Failure::Codec(error),
            CallError::Unanswered(_) => Failure::Unanswered,
            CallError::Disconnected { executed, why, .. } => Failure::Disconnected(executed, why),
            error @ (CallError::CallingSelf(_) | CallError::Unreachable(..)) => {
                Failure::Unreachable(error.to_string())
            }
        }
    }

    /// The failure of a call that has no reply.
    #[cfg(feature = "remote")]
    pub(crate) fn of_none(outcome: Result<(), CallError>) -> Failure {
        outcome.map_or_else(Failure::of, |()| Failure::Unreachable("malformed reply".to_owned()))
    }

    /// The error of that call; `at` makes its place, given how the actor ended.
    pub(crate) fn into_error<E>(self, at: impl FnOnce(Option<ExitReason>) -> At) -> CallError<E> {
        match self {
            Failure::Died(reason) => CallError::Died(reason, at(None)),
            Failure::Timeout => CallError::Timeout(at(None)),
            Failure::Full => CallError::Full(at(None)),
            Failure::Stopped => CallError::Stopped(at(None)),
            Failure::Gone(ended) => CallError::Gone(at(ended)),
            Failure::Unavailable => CallError::Unavailable(at(None)),
            Failure::Codec(error) => CallError::Codec(error, at(None)),
            Failure::Unanswered => CallError::Unanswered(at(None)),
            Failure::Unreachable(error) => CallError::Unreachable(error, at(None)),
            Failure::Disconnected(executed, why) => CallError::Disconnected { executed, why, at: at(None) },
        }
    }
}
