//! The description of a command that travels to its shim, and is kept for a restart.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fmt, io};

use serde::{Deserialize, Serialize};

use crate::control::boot_env::TREE;

/// A command that any process can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandSpec {
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
    /// The complete environment: that of the defining process, with the changes asked for.
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) directory: Option<OsString>,
    pub(super) stop_signal: i32,
    /// `None`: the program's value.
    pub(super) oom_score_adj: Option<i32>,
    pub(super) output: Output,
    pub(super) ready: Ready,
}

/// Where the output of a [`Command`](crate::command::Command) goes.
///
/// ```
/// # use phalanx::{ExitReason, command::{Command, Output}};
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let chatty = Command::shell("yes | head -c 100000000").output(Output::Discard).spawn()?;
/// assert_eq!(chatty.join(), ExitReason::Exited(0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Output {
    /// Each line is an event of `tracing`, with the target `phalanx::command` and the fields `command` (the
    /// name) and `stream`: standard output at level INFO, standard error at level WARN. The events arrive in
    /// the program's subscriber if it had one when the command was spawned, see [`logging`](crate::logging).
    ///
    /// A command that writes more than the log takes waits, 100 ms at most; then lines are dropped, and
    /// counted.
    ///
    /// Bytes that are not UTF-8 are replaced. Of a line of more than 64 KiB the beginning is kept, with a
    /// note of how many bytes are missing.
    #[default]
    Log,
    /// Standard output and error are those of the program.
    Inherit,
    /// Thrown away.
    Discard,
}

/// When a [`Command`](crate::command::Command) is ready, and its `spawn` returns.
///
/// ```
/// use std::net::{Ipv4Addr, SocketAddr};
///
/// use phalanx::command::Ready;
///
/// let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 6379));
/// assert_eq!(Ready::port(address), Ready::port("127.0.0.1:6379"));
/// assert_eq!(Ready::line("Ready to accept connections"), Ready::Line("Ready to accept connections".into()));
/// assert_eq!(Ready::default(), Ready::AtOnce);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Ready {
    /// As soon as the executable runs.
    #[default]
    AtOnce,
    /// With the first line, on standard output or error, in which this text occurs (a plain text, no regular
    /// expression).
    Line(String),
    /// As soon as a server listens at this TCP address, `host:port`.
    Port(String),
    /// As soon as a server listens at the Unix socket of this path; a relative one begins in the directory of
    /// the command.
    Socket(#[serde(with = "as_bytes")] PathBuf),
}

impl Ready {
    /// [`Ready::Line`].
    pub fn line(text: impl Into<String>) -> Ready {
        Ready::Line(text.into())
    }

    /// [`Ready::Port`]: a text `host:port`, or a `SocketAddr`.
    pub fn port(address: impl fmt::Display) -> Ready {
        Ready::Port(address.to_string())
    }

    /// [`Ready::Socket`].
    pub fn path(socket: impl Into<PathBuf>) -> Ready {
        Ready::Socket(socket.into())
    }
}

impl CommandSpec {
    /// Whether the shim reads the output, instead of handing the command its own descriptors.
    pub(super) fn is_read(&self) -> bool {
        self.output == Output::Log || matches!(self.ready, Ready::Line(_))
    }

    /// The command, for the standard library to execute.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        // Also after `env_clear`: by this mark the tree finds remaining processes.
        command.envs(std::env::var_os(TREE).map(|tree| (TREE, tree)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let stream = || match self.output {
            _ if self.is_read() => Stdio::piped(),
            Output::Discard => Stdio::null(),
            Output::Inherit | Output::Log => Stdio::inherit(),
        };
        command.stdin(Stdio::null()).stdout(stream()).stderr(stream());
        command
    }

    /// What must happen before the command counts as started, in words.
    pub(super) fn awaited(&self) -> String {
        match &self.ready {
            Ready::AtOnce => "the start of the executable".to_owned(),
            Ready::Line(text) => format!("a line with `{text}`"),
            Ready::Port(address) => format!("a listener at `{address}`"),
            Ready::Socket(path) => format!("a listener at `{}`", path.display()),
        }
    }

    pub(super) fn program(&self) -> impl fmt::Display {
        Path::new(&self.program).display()
    }

    /// In words why it could not be executed. The system reports the same error for a missing program and for
    /// a missing directory.
    pub(super) fn explain(&self, error: &io::Error) -> String {
        match self.directory.as_ref().map(Path::new).filter(|directory| !directory.is_dir()) {
            Some(directory) => {
                format!("cannot run `{}` in the directory `{}`: {error}", self.program(), directory.display())
            }
            None => format!("cannot run `{}`: {error}", self.program()),
        }
    }
}

/// serde wants paths to be UTF-8; the system does not.
mod as_bytes {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        OsString::deserialize(deserializer).map(PathBuf::from)
    }
}
