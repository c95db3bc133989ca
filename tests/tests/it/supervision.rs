//! Restarts, and supervisors that are declared.

mod intensity;
mod order;
mod restarts;
mod stage;
mod starting;
mod strategies;
mod types;

use std::time::Duration;

/// How long anything may take that should be there at once.
const PATIENCE: Duration = Duration::from_secs(10);
