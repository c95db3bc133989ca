//! Waiting for each other, and what becomes of it when a process dies.

mod barriers;
mod conditions;
mod deaths;
mod events;
mod locks;
mod rw_locks;
mod semaphores;

use std::time::Duration;

use phalanx::{ExitReason, Store, store::Counter};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, eventually};

/// Short, to be sure that it passes.
const MOMENT: Duration = Duration::from_millis(60);

/// What a server hears from a process that uses it for the first time and then waits: a name and a request.
const REQUEST: u64 = 2;

/// What a lock's server hears from a new holder: its name, its request, and that it has the lock.
const GRANT: u64 = 3;

/// Counts how far processes have come.
fn counter() -> Counter {
    Store::start().unwrap().counter(0).unwrap()
}

fn until(counter: &Counter, count: i64) {
    eventually("so many to have come so far", EVENT_TIMEOUT, || counter.get().unwrap() >= count);
}

fn killed() -> ExitReason {
    ExitReason::Killed { by: phalanx::StoppedBy::Ref, after: None }
}

/// Does not end by itself.
fn for_ever() -> ! {
    loop {
        std::thread::sleep(FOREVER);
    }
}
