//! Why a process could not be started.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::SpecError;
use crate::types::escape::escaped;
use crate::types::exit::ExitReason;
use crate::types::name_error::NameError;

/// Why a process could not be started. Nothing of it is left running.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SpawnError {
    /// Its `#[init]` returned an error.
    InitFailed {
        /// The actor's name.
        actor: String,
        /// The error's text.
        error: String,
    },
    /// It died before it was ready.
    Died {
        /// The actor's name.
        actor: String,
        /// How.
        reason: ExitReason,
    },
    /// It was not ready within its start limit, and was killed.
    StartTimeout {
        /// The actor's name.
        actor: String,
        /// The limit.
        after: Duration,
        /// What it waited for, and the last line that it wrote, if it is a [`Command`](crate::command::Command); else
        /// empty.
        awaited: String,
    },
    /// Its state or arguments could not be encoded or decoded.
    Codec {
        /// The actor's name.
        actor: String,
        /// Which, and why.
        error: String,
    },
    /// Its code does not lie in the program's executable, so a new process would not find it.
    NotInExecutable {
        /// The actor's name.
        actor: String,
    },
    /// This process now has other rights than its supervisor, which has those that the process had at its
    /// first spawn and passes them on.
    ///
    /// A program that gives up rights (by `setuid` and the like) must do so before its first spawn, or call
    /// [`shutdown`](crate::shutdown) first: then the next spawn starts a tree with the rights of that moment.
    Credentials {
        /// The actor's name.
        actor: String,
        /// What differs.
        error: String,
    },
    /// The supervisor runs another build of the program, and refused to start foreign code.
    Mismatch {
        /// The actor's name.
        actor: String,
    },
    /// A limit of the operating system is reached.
    Limit {
        /// The actor's name.
        actor: String,
        /// Which limit, by its name in setrlimit(2) where it has one.
        limit: Cow<'static, str>,
        /// What the system said.
        error: String,
    },
    /// An option has an invalid value.
    Option {
        /// The actor's name.
        actor: String,
        /// Which, and what it may be.
        error: String,
    },
    /// An actor of that name exists already (see [`registered`](crate::ActorBuilder::registered)), or the
    /// supervisor has a running child of that id.
    AlreadyStarted {
        /// The name by which it is registered, or the id.
        actor: String,
        /// Its process id.
        pid: u32,
    },
    /// It could not get the name under which it was to be registered. If it had been started, it was killed.
    Name {
        /// That name.
        actor: String,
        /// Why.
        error: NameError,
    },
    /// A child of this id exists, without a process: it can be started again, or deleted.
    AlreadyPresent {
        /// The id.
        actor: String,
    },
    /// The supervisor has as many children as it may have; those being restarted count too.
    MaxChildren {
        /// The actor's name.
        actor: String,
    },
    /// Its `#[init]` wants no process ([`ignore`](crate::ignore)). Not a failure.
    Ignored {
        /// The actor's name.
        actor: String,
    },
    /// The specs of a supervisor, or of a child, contradict each other.
    Specs {
        /// The supervisor's name, or that of the actor.
        supervisor: String,
        /// What is wrong with them.
        error: SpecError,
    },
    /// The supervisor was killed. The next spawn starts a new tree.
    SupervisorDied {
        /// The actor's name.
        actor: String,
    },
    /// The program is ending.
    ShuttingDown {
        /// The actor's name.
        actor: String,
    },
    /// Another error of the operating system.
    Io {
        /// The actor's name.
        actor: String,
        /// What was being done, and what the system said.
        error: String,
    },
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            SpawnError::InitFailed { actor, error } => {
                write!(f, "cannot start `{actor}`: init failed: {error}")
            }
            SpawnError::Died { actor, reason } => write!(f, "cannot start `{actor}`: {reason}"),
            SpawnError::StartTimeout { actor, after, awaited } => {
                write!(f, "cannot start `{actor}`: not ready after {after:?}")?;
                if awaited.is_empty() { Ok(()) } else { write!(f, "; it waited for {awaited}") }
            }
            SpawnError::NotInExecutable { actor } => {
                write!(
                    f,
                    "cannot start `{actor}`: its code is not in the program's executable but in a shared library"
                )
            }
            SpawnError::Mismatch { actor } => {
                write!(f, "cannot start `{actor}`: the supervisor runs another build")
            }
            SpawnError::Limit { actor, limit, error } => {
                write!(f, "cannot start `{actor}`: {limit} is reached: {error}")
            }
            SpawnError::AlreadyStarted { actor, pid } => {
                write!(f, "cannot start `{actor}`: it is there already, process {pid}")
            }
            SpawnError::Name { actor, error } => write!(f, "cannot start `{actor}`: {error}"),
            SpawnError::SupervisorDied { actor } => write!(f, "cannot start `{actor}`: the supervisor died"),
            SpawnError::Specs { supervisor, error } => write!(f, "cannot start `{supervisor}`: {error}"),
            SpawnError::AlreadyPresent { actor } => {
                write!(f, "cannot start `{actor}`: there is a child of this id already, without a process")
            }
            SpawnError::MaxChildren { actor } => {
                write!(f, "cannot start `{actor}`: its supervisor has as many children as it may have")
            }
            SpawnError::Ignored { actor } => write!(f, "`{actor}` wants no process"),
            SpawnError::ShuttingDown { actor } => write!(f, "cannot start `{actor}`: the program is ending"),
            SpawnError::Codec { actor, error }
            | SpawnError::Credentials { actor, error }
            | SpawnError::Option { actor, error }
            | SpawnError::Io { actor, error } => {
                write!(f, "cannot start `{actor}`: {error}")
            }
        })
    }
}

impl std::error::Error for SpawnError {}
