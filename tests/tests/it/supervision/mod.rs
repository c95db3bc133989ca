//! Restarts, and supervisors that are declared.

mod auto_shutdown;
mod declared;
mod dynamic;
mod families;
mod forged;
mod grabber;
mod hurt;
mod intensity;
mod methods;
mod nested;
mod order;
mod programs;
mod requests;
mod restarts;
mod root;
mod spares;
mod stage;
mod starting;
mod stopping;
mod storm;
mod strategies;
mod system;
mod types;
mod wiped;
mod worker;

use std::time::Duration;

/// How long anything may take that should be there at once.
const PATIENCE: Duration = Duration::from_secs(10);
