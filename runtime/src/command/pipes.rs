//! The pipes of a command: its shim has the other ends, until it hands them out.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{CommandError, StreamError};
use crate::resources::fd::Fd;
use crate::sys::{clock, fd, poll};

/// The three standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Stdin = 0,
    Stdout = 1,
    Stderr = 2,
}

impl End {
    fn name(self) -> String {
        match self {
            End::Stdin => "stdin",
            End::Stdout => "stdout",
            End::Stderr => "stderr",
        }
        .to_owned()
    }
}

/// What the shim keeps of them.
#[derive(Debug)]
pub(super) struct Pipes {
    are: [bool; 3],
    ends: Mutex<[Option<OwnedFd>; 3]>,
}

impl Pipes {
    pub(super) fn new(ends: [Option<OwnedFd>; 3]) -> Pipes {
        Pipes { are: ends.each_ref().map(Option::is_some), ends: Mutex::new(ends) }
    }

    /// Hands out an end, once.
    pub(super) fn take(&self, end: End) -> Result<Fd, CommandError> {
        if !self.are[end as usize] {
            return Err(CommandError::NoPipe(end.name()));
        }
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends[end as usize].take().map(Fd::from).ok_or_else(|| CommandError::Taken(end.name()))
    }

    /// Whether an end to read from was not handed out.
    pub(super) fn has_unread(&self) -> bool {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends[1..].iter().any(Option::is_some)
    }
}

/// The end to write to of a command's standard input.
///
/// The pipe holds 64 KiB; [`write`](Write::write) blocks while it is full, until the command has read some of
/// it. When the command has ended, or has closed its input, a write fails with
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe); this end is for one process of the command, and a restart makes
/// another pipe. Dropping it is the end of the command's input. It travels, as any descriptor does.
///
/// ```
/// use std::time::Duration;
///
/// use phalanx::command::{Command, Input, StreamError};
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let deaf = Command::new("sleep").arg("1000").stdin(Input::Pipe).spawn()?;
/// let mut input = deaf.stdin()?;
/// let error = input.write_all_within(&[0; 1 << 20], Duration::from_millis(50)).unwrap_err();
/// assert!(matches!(error, StreamError::Timeout { done, .. } if done >= 1 << 12));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Serialize, Deserialize)]
pub struct InputWriter(Fd);

impl InputWriter {
    /// # Errors
    /// If the descriptor is none.
    pub(super) fn of(fd: Fd) -> io::Result<InputWriter> {
        fd::never_block(fd.as_fd())?;
        Ok(InputWriter(fd))
    }

    /// Writes all of it. Blocks until it is in the pipe, at most for `limit`.
    ///
    /// # Errors
    /// [`StreamError::Closed`] if no process reads any more; [`StreamError::Timeout`], with the number of
    /// bytes that are in the pipe.
    pub fn write_all_within(&mut self, bytes: &[u8], limit: Duration) -> Result<(), StreamError> {
        let deadline = clock::after(limit);
        let mut done = 0;
        while done < bytes.len() {
            match fd::write(self.as_fd(), &bytes[done..]) {
                Ok(written) => done += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let left = clock::until(deadline);
                    if left.is_zero() {
                        return Err(StreamError::Timeout { done, after: limit });
                    }
                    uninterrupted(poll::writable(self.as_fd(), Some(left))).map_err(failed)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }
}

impl Write for InputWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match fd::write(self.as_fd(), bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    uninterrupted(poll::writable(self.as_fd(), None))?;
                }
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for InputWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The end to read from of a command's standard output or error.
///
/// [`read`](Read::read) blocks until there is something; it returns 0 when no process writes any more. What
/// lies in the pipe when the command ends can be read after it. Dropping it lets the command's next write
/// fail, by SIGPIPE as a rule. It travels, as any descriptor does.
///
/// ```
/// use std::io::Read;
///
/// use phalanx::command::{Command, Output};
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let date = Command::shell("echo 2026; echo oops >&2").stdout(Output::Pipe).stderr(Output::Null).spawn()?;
/// let mut text = String::new();
/// date.stdout()?.read_to_string(&mut text)?;
/// assert_eq!(text, "2026\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Serialize, Deserialize)]
pub struct OutputReader(Fd);

impl OutputReader {
    pub(super) fn of(fd: Fd) -> OutputReader {
        OutputReader(fd)
    }

    /// Reads what is there, as [`read`](Read::read) does. Blocks until there is something or the end, at most
    /// for `limit`.
    ///
    /// # Errors
    /// [`StreamError::Timeout`].
    pub fn read_within(&mut self, buffer: &mut [u8], limit: Duration) -> Result<usize, StreamError> {
        let deadline = clock::after(limit);
        loop {
            match poll::readable(self.as_fd(), Some(clock::until(deadline))) {
                Ok(true) => return self.read(buffer).map_err(failed),
                Ok(false) => return Err(StreamError::Timeout { done: 0, after: limit }),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

impl Read for OutputReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        fd::read(self.as_fd(), buffer)
    }
}

impl AsFd for OutputReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A wait that a signal handler has ended was a short one.
fn uninterrupted(waited: io::Result<bool>) -> io::Result<()> {
    match waited {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        other => other.map(drop),
    }
}

fn failed(error: io::Error) -> StreamError {
    match error.kind() {
        io::ErrorKind::BrokenPipe => StreamError::Closed,
        _ => StreamError::Io(error.to_string()),
    }
}
