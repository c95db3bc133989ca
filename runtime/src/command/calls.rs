//! What a ref to a command offers.

use super::error::CommandError;
use super::pipes::{InputWriter, OutputReader};
use super::shim::Shim;
use crate::actor::actor_ref::ActorRef;
use crate::actor::raw_ref::RawRef;
use crate::actor::traits::Calls;
use crate::types::error::CallError;
use crate::types::method::Method;

/// A command that runs: a ref to its [`Shim`], with everything that a ref offers of a process, and the
/// methods of [`CommandCalls`].
pub type CommandRef = ActorRef<Shim>;

/// The messages of a [`Shim`], as methods of the reference to it.
#[derive(Clone, Debug)]
pub struct CommandCalls(RawRef);

pub(super) const COMMAND_PID: u32 = 0;
pub(super) const SIGNAL: u32 = 1;
pub(super) const STDIN: u32 = 2;
pub(super) const STDOUT: u32 = 3;
pub(super) const STDERR: u32 = 4;
pub(super) const READY_LINE: u32 = 5;
pub(super) const STATUS: u32 = 6;

/// By these numbers.
pub(super) const METHODS: &[Method] = &[
    Method::ask("command_pid"),
    Method::ask("signal"),
    Method::ask("stdin"),
    Method::ask("stdout"),
    Method::ask("stderr"),
    Method::ask("ready_line"),
    Method::ask("status"),
];

impl CommandCalls {
    /// The process id of the command itself; that of its shim is [`pid`](ActorRef::pid). Blocks until the
    /// shim has replied. Never returns the pid of a command that had ended before the call.
    ///
    /// # Errors
    /// [`CallError::Died`], [`CallError::Gone`] or [`CallError::Stopped`] if the command has ended.
    pub fn command_pid(&self) -> Result<u32, CallError> {
        loop {
            // None: the command has ended, and its shim is about to.
            if let Some(pid) = self.0.ask::<_, Option<u32>>(COMMAND_PID, ()).wait()? {
                return Ok(pid);
            }
        }
    }

    /// Sends a signal to the process of the command, and to no other: its shim, which is its parent, sends
    /// it. Blocks until that is done; the signal may not have been handled by then. A stop by SIGTERM is
    /// [`stop`](ActorRef::stop) or [`terminate`](ActorRef::terminate): a command that ends of a signal sent
    /// by this method has ended by itself, and is restarted as such.
    ///
    /// ```
    /// use phalanx::command::{Command, CommandError, Ready};
    /// use phalanx::prelude::*;
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let line = "trap 'exit 7' HUP; echo listening; while :; do sleep 0.01; done";
    /// let server = Command::shell(line).ready(Ready::line("listening")).spawn()?;
    /// assert!(matches!(server.signal(99), Err(CallError::App(CommandError::NoSignal(99)))));
    /// server.signal(1)?; // SIGHUP
    /// assert_eq!(server.join(), phalanx::ExitReason::Exited(7));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CallError::Died`], [`CallError::Gone`] or [`CallError::Stopped`] if the command has ended;
    /// [`CommandError::NoSignal`] for a number that is none, [`CommandError::Refused`] without the right to.
    pub fn signal(&self, number: i32) -> Result<(), CallError<CommandError>> {
        while !self.0.ask_result::<_, bool, CommandError>(SIGNAL, number).wait()? {
            // The command has ended, and its shim is about to.
        }
        Ok(())
    }

    /// The end to write to of its standard input, which must be an [`Input::Pipe`](super::Input::Pipe): once
    /// for each process of the command. Blocks until the shim has replied.
    ///
    /// # Errors
    /// [`CallError::Died`], [`CallError::Gone`] or [`CallError::Stopped`] if the command has ended;
    /// [`CommandError::NoPipe`], [`CommandError::Taken`].
    pub fn stdin(&self) -> Result<InputWriter, CallError<CommandError>> {
        self.0.ask_result(STDIN, ()).wait()
    }

    /// The end to read from of its standard output, which must be an [`Output::Pipe`](super::Output::Pipe):
    /// once for each process of the command. Blocks until the shim has replied.
    ///
    /// # Errors
    /// As of [`stdin`](Self::stdin).
    pub fn stdout(&self) -> Result<OutputReader, CallError<CommandError>> {
        self.0.ask_result(STDOUT, ()).wait()
    }

    /// The end to read from of its standard error, as [`stdout`](Self::stdout).
    ///
    /// # Errors
    /// As of [`stdin`](Self::stdin).
    pub fn stderr(&self) -> Result<OutputReader, CallError<CommandError>> {
        self.0.ask_result(STDERR, ()).wait()
    }

    /// The line by which the command, its current process, became ready
    /// ([`Ready::Line`](super::Ready::Line)); for instance to read a port from it. `None` if it became ready
    /// otherwise. Blocks until the shim has replied.
    ///
    /// ```
    /// # use phalanx::command::{Command, Ready};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let line = "echo starting; echo listening on port 4711; exec sleep 1000";
    /// let server = Command::shell(line).ready(Ready::line("on port")).spawn()?;
    /// assert_eq!(server.ready_line()?.as_deref(), Some("listening on port 4711"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CallError::Died`], [`CallError::Gone`] or [`CallError::Stopped`] if the command has ended.
    pub fn ready_line(&self) -> Result<Option<String>, CallError> {
        self.0.ask(READY_LINE, ()).wait()
    }

    /// What the command has said of itself last, by a notification with `STATUS=`
    /// ([`Ready::Notify`](super::Ready::Notify)); its first 512 bytes. Blocks until the shim has replied.
    ///
    /// # Errors
    /// [`CallError::Died`], [`CallError::Gone`] or [`CallError::Stopped`] if the command has ended.
    pub fn status(&self) -> Result<Option<String>, CallError> {
        self.0.ask(STATUS, ()).wait()
    }

    /// The last lines on standard error of the process of the command that ended last: ten lines and 512
    /// bytes at most, without blank ones. `None` if no process of it has ended, if it wrote none, if its shim
    /// was killed or does not read them (it does for [`Output::Log`](super::Output::Log) and
    /// [`Ready::Line`](super::Ready::Line)). Read from shared memory; does not block.
    /// [`Down`](crate::Down) has them, too.
    ///
    /// ```
    /// # use phalanx::command::Command;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let failed = Command::shell("echo reading; echo no such table >&2; exit 3").spawn()?;
    /// failed.join();
    /// assert_eq!(failed.last_lines().as_deref(), Some("no such table"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn last_lines(&self) -> Option<String> {
        self.0.endpoint.status_page.last_death().and_then(|(_, record)| record.said)
    }
}

impl Calls for CommandCalls {
    fn from_raw(raw: RawRef) -> CommandCalls {
        CommandCalls(raw)
    }

    fn raw(&self) -> &RawRef {
        &self.0
    }
}
