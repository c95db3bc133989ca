//! What the operating system does to processes, and what it sees of them.

mod deaths;
mod descriptors;
mod image;
mod limits;
mod rights;
mod signals;
mod strays;

use std::time::Duration;

/// Longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longer than any case.
const FOREVER: Duration = Duration::from_secs(1000);
