//! Where the input of a command comes from, and where its output goes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::spec::as_bytes;
use crate::ipc::codec;
use crate::sys::fd;

/// Where the standard input of a [`Command`](crate::command::Command) comes from.
///
/// ```
/// use std::io::Write;
///
/// use phalanx::{ExitReason, command::{Command, Input}};
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let lines = Command::shell("test $(wc -l) = 2").stdin(Input::Pipe).spawn()?;
/// let mut input = lines.stdin()?;
/// input.write_all(b"one\ntwo\n")?;
/// drop(input); // the end of its input
/// assert_eq!(lines.join(), ExitReason::Exited(0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Input {
    /// It is empty.
    #[default]
    Null,
    /// That of the process that spawns the command, as it is then. (An actor's own is empty.) From a terminal
    /// it cannot read: a command is never in the foreground there.
    Inherit,
    /// A pipe. The ref [hands out](crate::command::CommandCalls::stdin) the end to write to, once for each
    /// process of the command; until then its input is neither there nor at its end. A pipe belongs to one
    /// process: after a restart there is a new one, and what the last process had not read is lost.
    Pipe,
}

/// Where a stream of a [`Command`](crate::command::Command) goes.
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
    /// Each line is an event of `tracing`, with the target `phalanx::command` and the fields `command` (the
    /// name) and `stream`: standard output at level INFO, standard error at level WARN, unless
    /// [`stdout_level`](crate::command::Command::stdout_level) and
    /// [`stderr_level`](crate::command::Command::stderr_level) say otherwise. The events arrive in the
    /// program's subscriber if it had one when the command was spawned, see [`logging`](crate::logging).
    ///
    /// A command that writes more than the log takes waits, 100 ms at most; then lines are dropped, and
    /// counted.
    ///
    /// Bytes that are not UTF-8 are replaced. Of a line of more than 64 KiB the beginning is kept, with a
    /// note of how many bytes are missing.
    #[default]
    Log,
    /// The stream of the program.
    Inherit,
    /// Thrown away.
    Null,
    /// Appended to this file, which is made if it is not there. It is opened anew for each process of the
    /// command, with the rights of the program. A relative path begins in the directory of the command.
    File(#[serde(with = "as_bytes")] PathBuf),
    /// A pipe. The ref hands out the end to read from, once for each process of the command
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

    /// What the command is started with, if its shim does not read the stream.
    ///
    /// # Errors
    /// In words, if the file cannot be opened.
    pub(super) fn stdio(&self, directory: &Path) -> Result<Stdio, String> {
        Ok(match self {
            Output::Log | Output::Pipe => Stdio::piped(),
            Output::Inherit => Stdio::inherit(),
            Output::Null => Stdio::null(),
            Output::File(path) => open(&directory.join(path))?.into(),
        })
    }
}

/// Opens a file to append to.
///
/// # Errors
/// In words.
pub(super) fn open(path: &Path) -> Result<File, String> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(|error| format!("cannot append to `{}`: {error}", path.display()))
}

/// A standard input that travels to the shim, and is kept for a restart.
#[derive(Clone, Debug)]
pub(super) struct Inherited(Arc<OwnedFd>);

impl Inherited {
    /// That of this process; `None` if it has none.
    pub(super) fn here() -> Option<Inherited> {
        fd::duplicate(0).ok().map(|fd| Inherited(Arc::new(fd)))
    }

    pub(super) fn stdio(&self) -> io::Result<Stdio> {
        self.0.try_clone().map(Stdio::from)
    }
}

impl Serialize for Inherited {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        codec::put_fd(&self.0)?;
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Inherited {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Inherited, D::Error> {
        <()>::deserialize(deserializer)?;
        codec::take_fd().map(|fd| Inherited(Arc::new(fd)))
    }
}
