//! Why a process could not be started, in the form that its supervisor and its caller share.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::SpecError;
use crate::sys::process;
use crate::types::error::SpawnError;
use crate::types::exit::ExitReason;

/// A [`SpawnError`] without the actor's name. A supervisor writes it to the status page of what it did not
/// start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SpawnErrorKind {
    ShuttingDown,
    Mismatch,
    /// The requesting process has other credentials than the supervisor.
    Credentials(String),
    /// An error of the operating system: its number if it has one, and its text.
    System(Option<i32>, String),
    Died(ExitReason),
    /// The limit, and what the start was waiting for, if it reported that.
    StartTimeout(Duration, String),
    Codec(String),
    /// An option, and why it cannot be applied.
    Option(String),
    /// A child with this id exists and has a process (its pid), or has none (`AlreadyPresent`).
    AlreadyStarted(u32),
    AlreadyPresent,
    MaxChildren,
    /// Its `init` declined to start.
    Ignored,
    /// The supervisor cannot have such a child.
    Specs(SpecError),
    NotInExecutable,
    /// The supervisor has no descriptor left.
    Descriptors,
    SupervisorDied,
}

impl SpawnErrorKind {
    /// An error of the operating system, with a text that says what it prevented.
    pub(crate) fn system(error: &io::Error, text: String) -> SpawnErrorKind {
        SpawnErrorKind::System(process::number_of(error), text)
    }

    /// The error for the caller that spawned this actor.
    pub(crate) fn named(self, actor: &str) -> SpawnError {
        use SpawnErrorKind as Kind;
        let actor = actor.to_owned();
        match self {
            Kind::ShuttingDown => SpawnError::ShuttingDown { actor },
            Kind::Mismatch => SpawnError::Mismatch { actor },
            Kind::Credentials(error) => SpawnError::Credentials { actor, error },
            Kind::System(number, error) => {
                match number.and_then(|number| process::limit_of(&io::Error::from_raw_os_error(number))) {
                    Some(limit) => SpawnError::Limit { actor, limit: limit.into(), error },
                    None => SpawnError::Io { actor, error },
                }
            }
            Kind::Died(ExitReason::InitFailed(error)) => SpawnError::InitFailed { actor, error },
            Kind::Died(reason) => SpawnError::Died { actor, reason },
            Kind::StartTimeout(after, awaited) => SpawnError::StartTimeout { actor, after, awaited },
            Kind::Codec(error) => SpawnError::Codec { actor, error },
            Kind::Option(error) => SpawnError::Option { actor, error },
            Kind::AlreadyStarted(pid) => SpawnError::AlreadyStarted { actor, pid },
            Kind::AlreadyPresent => SpawnError::AlreadyPresent { actor },
            Kind::MaxChildren => SpawnError::MaxChildren { actor },
            Kind::Ignored => SpawnError::Ignored { actor },
            Kind::Specs(error) => SpawnError::Specs { supervisor: actor, error },
            Kind::NotInExecutable => SpawnError::NotInExecutable { actor },
            Kind::Descriptors => {
                let error = "the supervisor has no descriptor left".to_owned();
                SpawnError::Limit { actor, limit: "RLIMIT_NOFILE".into(), error }
            }
            Kind::SupervisorDied => SpawnError::SupervisorDied { actor },
        }
    }
}

impl From<io::Error> for SpawnErrorKind {
    fn from(error: io::Error) -> SpawnErrorKind {
        SpawnErrorKind::system(&error, error.to_string())
    }
}
