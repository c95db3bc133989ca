//! The report of an actor's end.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::types::escape::escaped;
use crate::types::exit::ExitReason;
use crate::types::id::ActorId;

/// The report of an actor's end (OTP's `'DOWN'` message).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Down {
    /// The actor that ended.
    pub who: Who,
    /// Which of its processes, counted from 1.
    pub incarnation: u64,
    /// Why it ended.
    pub reason: ExitReason,
    /// The message that it was handling, if any.
    pub in_progress: Option<InProgress>,
    /// How many messages lay in its mailbox: asks, whose callers are told, and tells, which are dead letters.
    pub unserved: usize,
    /// Of a command: the last lines that it wrote on standard error, see
    /// [`last_lines`](crate::command::CommandCalls::last_lines).
    pub last_lines: Option<String>,
}

/// An actor, and one of its processes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Who {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub id: ActorId,
    /// The process that ended.
    pub pid: u32,
}

/// A message that was being handled when its actor died.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InProgress {
    /// The method.
    pub method: String,
    /// How long it had run.
    pub running: Duration,
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| {
            let (who, incarnation) = (&self.who, self.incarnation);
            write!(f, "`{}` (process {}, incarnation {incarnation}): {}", who.name, who.pid, self.reason)?;
            if let Some(busy) = &self.in_progress {
                write!(f, ", {:.1?} into `{}`", busy.running, busy.method)?;
            }
            self.last_lines.as_ref().map_or(Ok(()), |lines| write!(f, "; its last lines: {lines}"))
        })
    }
}
