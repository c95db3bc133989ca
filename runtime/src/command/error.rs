//! What can go wrong with a command that runs.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::types::escape::escaped;

/// Why a command did not do what a [`CommandRef`](crate::command::CommandRef) asked for. The command is well.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no signal of this number.
    NoSignal(i32),
    /// The system did not let the signal be sent, with its words: the command belongs to another user by
    /// now.
    Refused(String),
    /// The stream of this name is no pipe: `stdin`, `stdout` or `stderr`.
    NoPipe(String),
    /// The pipe of this name was handed out before, for this process of the command.
    Taken(String),
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            CommandError::NoSignal(number) => write!(f, "{number} is not the number of a signal, 1 to 64"),
            CommandError::Refused(error) => write!(f, "cannot signal the command: {error}"),
            CommandError::NoPipe(stream) => {
                write!(f, "the {stream} of the command is no pipe; the option `{stream}` makes it one")
            }
            CommandError::Taken(stream) => write!(f, "the {stream} of the command was handed out before"),
        })
    }
}

impl std::error::Error for CommandError {}

/// Why a pipe of a command could not be written to or read from in time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StreamError {
    /// No process reads it any more: the command has ended, or has closed its input.
    Closed,
    /// Not within this time.
    Timeout {
        /// How many bytes were written before; 0 for a reader.
        done: usize,
        /// The limit.
        after: Duration,
    },
    /// The system refused, with its words.
    Io(String),
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            StreamError::Closed => f.write_str("the command does not read its input any more"),
            StreamError::Timeout { done, after } => {
                write!(f, "the pipe was not ready within {after:?}, after {done} bytes")
            }
            StreamError::Io(error) => write!(f, "pipe of a command: {error}"),
        })
    }
}

impl std::error::Error for StreamError {}
