//! What can go wrong with names.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::escape::escaped;

/// Why a name or a group could not be used. Each variant says which.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NameError {
    /// No actor has this name.
    NotFound {
        /// The name.
        name: String,
    },
    /// An actor has this name already.
    AlreadyRegistered {
        /// The name.
        name: String,
        /// The process id of that actor.
        pid: u32,
    },
    /// Another caller is starting an actor for this name, and did not finish in time.
    Starting {
        /// The name.
        name: String,
    },
    /// The actor, or the members of the group, are of another type.
    WrongType {
        /// The name.
        name: String,
        /// The type of the actors that are there.
        is: String,
        /// The type that was asked for.
        asked: String,
    },
    /// The actor to be entered is gone.
    Dead {
        /// The name.
        name: String,
    },
    /// There is no room for another one.
    Full {
        /// The name.
        name: String,
        /// What is used up.
        limit: Cow<'static, str>,
    },
    /// A name has 1 to 255 bytes.
    BadName {
        /// Its first 255 bytes.
        name: String,
    },
    /// The program did not reply, or could not be asked.
    Unreachable {
        /// The name; empty if the question was about all of them.
        name: String,
        /// Why.
        error: String,
    },
}

impl NameError {
    /// The name, or the group; its first 255 bytes.
    pub fn name(&self) -> &str {
        match self {
            NameError::NotFound { name }
            | NameError::AlreadyRegistered { name, .. }
            | NameError::Starting { name }
            | NameError::WrongType { name, .. }
            | NameError::Dead { name }
            | NameError::Full { name, .. }
            | NameError::BadName { name }
            | NameError::Unreachable { name, .. } => name,
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            NameError::NotFound { name } => write!(f, "no actor is registered as `{name}`"),
            NameError::AlreadyRegistered { name, pid } => {
                write!(f, "the name `{name}` is that of process {pid}")
            }
            NameError::Starting { name } => write!(f, "another process is still starting `{name}`"),
            NameError::WrongType { name, is, asked } => {
                write!(f, "`{name}` is for actors of type {is}, and {asked} was asked for")
            }
            NameError::Dead { name } => write!(f, "cannot enter `{name}`: the actor is gone"),
            NameError::Full { name, limit } => write!(f, "cannot enter `{name}`: {limit} are used up"),
            NameError::BadName { name } if name.is_empty() => write!(f, "a name has 1 to 255 bytes, not 0"),
            NameError::BadName { name } => write!(f, "a name has 1 to 255 bytes, and `{name}`.. has more"),
            NameError::Unreachable { name, error } if name.is_empty() => {
                write!(f, "the names cannot be listed: {error}")
            }
            NameError::Unreachable { name, error } => write!(f, "cannot ask for `{name}`: {error}"),
        })
    }
}

impl std::error::Error for NameError {}
