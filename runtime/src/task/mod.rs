//! Functions as processes: Python's `Process`, with types.

mod process;
pub(crate) mod run;

pub use process::{Joining, Process, ProcessBuilder};
