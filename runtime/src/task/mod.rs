//! Functions as processes (Python's `Process`, with types), and functions as values that travel.
//!
//! Never import `supervision` or any service.

pub(crate) mod declared;
pub(crate) mod function;
mod process;
pub(crate) mod run;

pub use function::{TaskDef, TaskFn};
pub use process::{Joining, Process, ProcessBuilder};
