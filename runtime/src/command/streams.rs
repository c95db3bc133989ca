//! Where the input of a command comes from, and where its output goes.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::control::output::open;
use crate::ipc::codec;
use crate::sys::fd;
use crate::types::output::Output;

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

impl Output {
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
