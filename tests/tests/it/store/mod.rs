//! Shared state: what is done in the store, by which process, and what becomes of it.

mod collections;
mod deaths;
mod functions;

use phalanx::Store;

fn store() -> Store {
    Store::start().unwrap()
}
