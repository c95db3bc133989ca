//! Where standard output and standard error go.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::policy::Destination;

/// Where a stream of a [`Command`](crate::command::Command), an actor or a task goes.
///
/// A command's goes to the log unless it is told otherwise; that of an actor, a task or a worker of a pool is
/// inherited.
///
/// ```
/// # use phalanx::{ExitReason, command::{Command, Output}};
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let chatty = Command::shell("yes | head -c 100000000").output(Output::Null).spawn()?;
/// assert_eq!(chatty.join(), ExitReason::Exited(0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Output {
    /// Each line is an event of `tracing` with the field `stream`: standard output at level INFO, standard
    /// error at level WARN. The events arrive in the program's subscriber if it had one at the spawn, see
    /// [`logging`](crate::logging). Without one, the lines are read and dropped.
    ///
    /// Those of a command have the target `phalanx::command` and the field `command` (its name); their levels
    /// are options ([`stdout_level`](crate::command::Command::stdout_level),
    /// [`stderr_level`](crate::command::Command::stderr_level)). Those of an actor or a task have the target
    /// `phalanx::output` and the fields `actor`, `pid` and `incarnation`.
    ///
    /// A process that writes more than the log takes waits, 5 s at most; then lines are dropped, and counted.
    /// What it has written when it dies arrives, before the event of its end.
    ///
    /// Bytes that are not UTF-8 are replaced. Of a line of more than 64 KiB the beginning is kept, with a
    /// note of how many bytes are missing.
    #[default]
    Log,
    /// The stream of the program.
    Inherit,
    /// Thrown away.
    Null,
    /// Appended to this file, which is made if it is not there. It is opened anew for each process, with the
    /// rights of the program. A relative path begins in the directory of the process (`current_dir`).
    File(#[serde(with = "as_bytes")] PathBuf),
    /// A pipe; of commands only. The ref hands out the end to read from, once for each process of the command
    /// ([`stdout`](crate::command::CommandCalls::stdout), [`stderr`](crate::command::CommandCalls::stderr)).
    ///
    /// As with every pipe, a command that writes more than 64 KiB waits until that is read, and gets SIGPIPE
    /// when the reader is gone. What lies in the pipe when the command ends can still be read, by a reader
    /// that was handed out. So that a spawner has the time to ask for it, the end of a command whose reader
    /// was not handed out is reported 5 s late, unless it is stopped.
    Pipe,
}

impl Output {
    /// [`Output::File`].
    pub fn file(path: impl Into<PathBuf>) -> Output {
        Output::File(path.into())
    }

    /// What an attribute says.
    pub(crate) fn of(destination: Destination) -> Output {
        match destination {
            Destination::Inherit => Output::Inherit,
            Destination::Log => Output::Log,
            Destination::Null => Output::Null,
        }
    }
}

/// The two streams to which a process writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Stdout = 0,
    Stderr = 1,
}

impl Channel {
    pub(crate) const BOTH: [Channel; 2] = [Channel::Stdout, Channel::Stderr];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Channel::Stdout => "stdout",
            Channel::Stderr => "stderr",
        }
    }

    /// Its descriptor in every process.
    pub(crate) fn number(self) -> i32 {
        match self {
            Channel::Stdout => 1,
            Channel::Stderr => 2,
        }
    }
}

/// serde wants paths to be UTF-8; the system does not.
pub(crate) mod as_bytes {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        OsString::deserialize(deserializer).map(PathBuf::from)
    }
}
