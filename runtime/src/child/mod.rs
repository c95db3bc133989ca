//! What runs in a new process between the fork and user code: set-up, and the report of a panic.
//!
//! It knows neither supervisors nor those who spawn.

pub(crate) mod attributes;
pub(crate) mod panic;
pub(crate) mod setup;
