//! External commands as supervised children: any executable, with the start, the stop and the end of an actor.

mod builder;
mod course;
mod keeper;
mod output;
mod probe;
mod spec;

use std::time::Duration;

pub use builder::Command;
pub use keeper::{CommandCalls, CommandRef, Keeper};
pub use spec::{Output, Ready};

/// How often is looked for what wakes nobody: an address, and SIGTERM.
const TICK: Duration = Duration::from_millis(10);
