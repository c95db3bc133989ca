//! Errors between hosts.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::types::error::{CallError, Never, SpawnError};
use crate::types::escape::escaped;

/// Why a connection, a service or a ref to a remote actor failed.
///
/// Errors of the handshake are equal on both sides: the client's is the error of its call, the manager's is
/// in its log and in [`Manager::refusals`](super::Manager::refusals). (Python's `AuthenticationError` and
/// `RemoteError`.)
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RemoteError {
    /// The manager cannot listen at this address.
    Address {
        /// The address.
        address: String,
        /// The operating system's error.
        error: String,
    },
    /// No connection to this address.
    Unreachable {
        /// The address.
        address: String,
        /// The operating system's error.
        error: String,
    },
    /// The two sides do not have the same secret, or an attacker sits between them.
    WrongSecret {
        /// The other side.
        peer: String,
    },
    /// The other side speaks another version of the protocol.
    Version {
        /// The other side.
        peer: String,
        /// The version line of this side.
        ours: String,
        /// The version line of the other side.
        theirs: String,
    },
    /// A message of the other side makes no sense, or was tampered with.
    Garbage {
        /// The other side.
        peer: String,
        /// What was wrong.
        error: String,
    },
    /// The other side did not do its part of the handshake in time.
    TimedOut {
        /// The other side.
        peer: String,
        /// The limit.
        after: Duration,
    },
    /// The other side gave no sign of life, or not the rest of a message.
    Silent {
        /// The other side.
        peer: String,
        /// The limit.
        after: Duration,
    },
    /// The other side hung up.
    HungUp {
        /// The other side.
        peer: String,
    },
    /// The manager is at its limit of connections.
    Busy {
        /// The manager.
        peer: String,
    },
    /// A message larger than the limit. Nothing was allocated for it.
    TooLarge {
        /// The other side.
        peer: String,
        /// The announced size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The manager serves nothing under this name.
    UnknownName {
        /// The name.
        name: String,
    },
    /// The manager serves something of another type under this name.
    OtherType {
        /// The name.
        name: String,
        /// The type that the client expects.
        expected: String,
        /// The type that the manager serves.
        found: String,
    },
    /// The actor is of that type, but of another version of it: this method is missing, or has another
    /// signature.
    OtherVersion {
        /// The name.
        name: String,
        /// The method, as the client knows it.
        expected: String,
        /// The manager's method of that name, if it exists.
        found: Option<String>,
    },
    /// The manager serves something under this name already.
    NameTaken {
        /// The name.
        name: String,
    },
    /// The manager has ended, or is about to.
    Ended,
    /// A process of this host that is needed for it died, or does not reply.
    Local {
        /// The error of that process.
        error: String,
    },
    /// A process of this host that is needed for it could not be started.
    #[serde(skip)]
    Spawn(SpawnError),
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            RemoteError::Address { address, error } => write!(f, "cannot listen at {address}: {error}"),
            RemoteError::Unreachable { address, error } => write!(f, "cannot reach {address}: {error}"),
            RemoteError::WrongSecret { peer } => {
                write!(f, "{peer} and this host do not have the same secret")
            }
            RemoteError::Version { peer, ours, theirs } => {
                write!(f, "{peer} speaks `{theirs}`, this host `{ours}`")
            }
            RemoteError::Garbage { peer, error } => write!(f, "{peer} violates the protocol: {error}"),
            RemoteError::TimedOut { peer, after } => {
                write!(f, "{peer} did not get through the handshake in {after:?}")
            }
            RemoteError::Silent { peer, after } => write!(f, "{peer} has been silent for {after:?}"),
            RemoteError::HungUp { peer } => write!(f, "{peer} hung up"),
            RemoteError::Busy { peer } => write!(f, "{peer} has as many connections as it takes"),
            RemoteError::TooLarge { peer, bytes, limit } => {
                write!(f, "a message of {bytes} bytes from {peer}, at most {limit} are taken")
            }
            RemoteError::UnknownName { name } => write!(f, "nothing is served as `{name}`"),
            RemoteError::OtherType { name, expected, found } => {
                write!(f, "`{name}` is a {found}, not a {expected}")
            }
            RemoteError::OtherVersion { name, expected, found: Some(found) } => {
                write!(f, "`{name}` is of another version: it has `{found}`, not `{expected}`")
            }
            RemoteError::OtherVersion { name, expected, found: None } => {
                write!(f, "`{name}` is of another version: it has no `{expected}`")
            }
            RemoteError::NameTaken { name } => write!(f, "something is served as `{name}` already"),
            RemoteError::Ended => write!(f, "the manager has ended"),
            RemoteError::Local { error } => f.write_str(error),
            RemoteError::Spawn(error) => write!(f, "{error}"),
        })
    }
}

impl std::error::Error for RemoteError {}

impl From<SpawnError> for RemoteError {
    fn from(error: SpawnError) -> RemoteError {
        RemoteError::Spawn(error)
    }
}

impl From<Never> for RemoteError {
    fn from(never: Never) -> RemoteError {
        match never {}
    }
}

impl RemoteError {
    /// The error of a call to a process of this host.
    pub(super) fn of<E: Into<RemoteError> + fmt::Display>(error: CallError<E>) -> RemoteError {
        match error {
            CallError::App(error) => error.into(),
            CallError::Gone(_) | CallError::Stopped(_) => RemoteError::Ended,
            other => RemoteError::Local { error: other.to_string() },
        }
    }
}
