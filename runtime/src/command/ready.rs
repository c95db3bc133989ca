//! When a command is ready.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::types::output::as_bytes;

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
/// assert_eq!(Ready::shell("true"), Ready::command("/bin/sh", ["-c", "true"]));
/// assert_eq!(Ready::default(), Ready::AtOnce);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Ready {
    /// As soon as the executable runs.
    #[default]
    AtOnce,
    /// With the first line, on standard output or error, in which this text occurs (a plain text, no regular
    /// expression). A stream that is a [pipe](crate::command::Output::Pipe) is read by its reader only.
    Line(String),
    /// As soon as a server listens at this TCP address, `host:port`.
    Port(String),
    /// As soon as a server listens at the Unix socket of this path; a relative one begins in the directory of
    /// the command.
    Socket(#[serde(with = "as_bytes")] PathBuf),
    /// As soon as this other command, a program with its arguments, ends with code 0.
    ///
    /// It is run again and again, 100 ms after its last end, beside the command: with the same environment,
    /// directory, user and limits, without input and output. A run that takes more than 5 s is killed, and
    /// another one follows. When a run has ended, what it has left in its process group is killed, and what
    /// still has the variable `PHALANX_PROBE` of its environment, in whatever group; the rest of it, if there
    /// is any, when the command ends.
    Command(Vec<OsString>),
    /// As soon as it says so: the protocol of sd_notify(3).
    ///
    /// The command finds the variable `NOTIFY_SOCKET`, and sends `READY=1` to that socket. Its `STATUS=` is
    /// kept, see [`status`](crate::command::CommandCalls::status); `BARRIER=1` is heeded; other assignments
    /// are passed over. Only messages of the command and its descendants count. A sender that has ended
    /// before its message was read cannot be told from a stranger, so a helper waits for the barrier, as
    /// systemd-notify(1) does.
    Notify,
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

    /// [`Ready::Command`].
    ///
    /// ```
    /// use std::ffi::OsStr;
    ///
    /// use phalanx::command::{Command, Ready};
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let place = std::env::temp_dir().join(format!("ready-{}", std::process::id()));
    /// let server = Command::shell("sleep 0.2; touch $PLACE; exec sleep 1000").env("PLACE", &place);
    /// let _server = server.ready(Ready::command("test", [OsStr::new("-e"), place.as_os_str()])).spawn()?;
    /// assert!(place.exists());
    /// # std::fs::remove_file(place)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn command(program: impl AsRef<OsStr>, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ready {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
        Ready::Command([program.as_ref().to_owned()].into_iter().chain(args).collect())
    }

    /// [`Ready::Command`] of a line for the shell: `/bin/sh -c line`.
    pub fn shell(line: impl AsRef<OsStr>) -> Ready {
        Ready::command("/bin/sh", [OsStr::new("-c"), line.as_ref()])
    }

    /// [`Ready::Notify`].
    pub fn notify() -> Ready {
        Ready::Notify
    }

    /// What must happen before the command counts as started, in words.
    pub(super) fn awaited(&self) -> String {
        match self {
            Ready::AtOnce => "the start of the executable".to_owned(),
            Ready::Line(text) => format!("a line with `{text}`"),
            Ready::Port(address) => format!("a listener at `{address}`"),
            Ready::Socket(path) => format!("a listener at `{}`", path.display()),
            Ready::Command(words) => {
                let program = words.first().map(Path::new).unwrap_or(Path::new("")).display();
                format!("`{program}` to end with code 0")
            }
            Ready::Notify => "a notification `READY=1`".to_owned(),
        }
    }
}
