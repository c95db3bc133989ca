//! Why a supervisor did not do what was asked of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::escape::escaped;
use crate::types::exit::ExitReason;

/// Why a supervisor did not do what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SupervisorError {
    /// There is no child of this id.
    NotFound {
        /// The supervisor.
        supervisor: String,
        /// The id.
        child: String,
    },
    /// The child has a process.
    Running {
        /// The supervisor.
        supervisor: String,
        /// The id.
        child: String,
        /// That process.
        pid: u32,
        /// How many processes the child has had, this one included.
        incarnation: u64,
    },
    /// The child is being restarted.
    Restarting {
        /// The supervisor.
        supervisor: String,
        /// The id.
        child: String,
    },
    /// The child was started, and did not get ready.
    Failed {
        /// The supervisor.
        supervisor: String,
        /// The id.
        child: String,
        /// Why.
        reason: ExitReason,
    },
    /// An [`ActorPool`](crate::ActorPool) cannot have so many members. Nothing was changed.
    Size {
        /// The supervisor.
        supervisor: String,
        /// How many were asked for.
        wanted: u32,
        /// How many it can have at most; at least there is one.
        most: u32,
    },
    /// The supervisor has ended, or is about to.
    Gone {
        /// The supervisor.
        supervisor: String,
        /// How it ended, if it has.
        reason: Option<ExitReason>,
    },
    /// The child was not started: it would have other rights than the asking process, which has given up some
    /// (another user, another group).
    Credentials {
        /// The supervisor.
        supervisor: String,
        /// What differs.
        error: String,
    },
    /// The operating system refused, or the supervisor does not read its requests.
    Unreachable {
        /// The supervisor.
        supervisor: String,
        /// What was asked, and what the system said.
        error: String,
    },
}

impl fmt::Display for SupervisorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            SupervisorError::NotFound { supervisor, child } => {
                write!(f, "supervisor `{supervisor}` has no child `{child}`")
            }
            SupervisorError::Running { supervisor, child, pid, incarnation } => {
                let place = format_args!("process {pid}, incarnation {incarnation}");
                write!(f, "child `{child}` of supervisor `{supervisor}` runs ({place})")
            }
            SupervisorError::Restarting { supervisor, child } => {
                write!(f, "child `{child}` of supervisor `{supervisor}` is being restarted")
            }
            SupervisorError::Failed { supervisor, child, reason } => {
                write!(f, "child `{child}` of supervisor `{supervisor}` did not start: {reason}")
            }
            SupervisorError::Size { supervisor, wanted, most } => {
                write!(f, "the pool of supervisor `{supervisor}` has 1 to {most} members, not {wanted}")
            }
            SupervisorError::Gone { supervisor, reason } => {
                write!(f, "supervisor `{supervisor}` is gone")?;
                reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
            }
            SupervisorError::Credentials { supervisor, error }
            | SupervisorError::Unreachable { supervisor, error } => {
                write!(f, "supervisor `{supervisor}`: {error}")
            }
        })
    }
}

impl std::error::Error for SupervisorError {}
