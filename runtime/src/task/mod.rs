//! Functions as processes: Python's `Process`, with types. And functions as values that travel.

pub(crate) mod function;
mod process;
pub(crate) mod run;

pub use function::{TaskDef, TaskFn};
pub use process::{Joining, Process, ProcessBuilder};
