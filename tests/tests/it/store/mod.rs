//! Shared state: what is done in the store, by whom, and what becomes of it.

mod collections;
mod deaths;
mod functions;

use std::time::Duration;

use phalanx::Store;

/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

fn store() -> Store {
    Store::start().unwrap()
}
