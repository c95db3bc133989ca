//! External commands as supervised children: any executable, with the start, the stop and the end of an
//! actor. A [`Command`] is built, and spawned or made the child of a supervisor.

// Imports no other service, and never `spawn`, `supervisor` or `child`.

mod builder;
pub(crate) mod exit_race;
mod output;
mod probe;
pub(crate) mod shim;
mod spec;

use std::time::Duration;

pub use builder::Command;
pub use shim::{CommandCalls, CommandRef, Shim};
pub use spec::{Output, Ready};

/// How often the shim polls for what wakes no thread: a port that opens, and SIGTERM.
const TICK: Duration = Duration::from_millis(10);
