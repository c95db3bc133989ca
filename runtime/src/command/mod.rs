//! External commands as supervised children: any executable, with the start, the stop and the end of an
//! actor. A [`Command`] is built, and spawned or made the child of a supervisor.

// Imports no other service, and never `spawn`, `supervisor` or `child`.

mod builder;
mod calls;
mod check;
mod error;
pub(crate) mod exit_race;
mod notify;
mod options;
mod output;
mod pipes;
mod probe;
mod ready;
pub(crate) mod shim;
mod spec;
mod streams;
mod tail;

use std::time::Duration;

pub use builder::Command;
pub use calls::{CommandCalls, CommandRef};
pub use error::{CommandError, StreamError};
pub use pipes::{InputWriter, OutputReader};
pub use ready::Ready;
pub use shim::Shim;
pub use streams::Input;

pub use crate::types::output::Output;

/// How often the shim polls for what wakes no thread: a port that opens, a probe that is due, and SIGTERM.
const TICK: Duration = Duration::from_millis(10);
