//! What runs in a new process between the fork and user code: set-up, spawn attributes, and the report of a
//! panic. It must not import `supervisor`, `spawn` or `actor`.

pub(crate) mod attributes;
pub(crate) mod panic;
mod report;
pub(crate) mod setup;
