//! External commands as supervised children: any executable, with the start, the stop and the end of an actor.

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

/// How often is looked for what wakes nobody: an address, and SIGTERM.
const TICK: Duration = Duration::from_millis(10);
