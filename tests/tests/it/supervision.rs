//! Restarts, and supervisors that are declared.

mod restarts;

use std::time::Duration;

/// How long anything may take that should be there at once.
const PATIENCE: Duration = Duration::from_secs(10);
