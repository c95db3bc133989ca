//! Queues between processes: order, room, waiting, leases, closing, and deaths on all sides.

mod closing;
mod deaths;
mod items;
mod leases;
mod lives;
mod producers;
mod room;

use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{AnyRef, Queue, QueueError};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, processes};

/// Short enough to be waited out.
const MOMENT: Duration = Duration::from_millis(50);

#[task]
fn put_numbers(queue: Queue<u64>, from: u64, to: u64) {
    (from..to).for_each(|number| queue.put(number).unwrap());
}

/// Takes so many, and returns them.
#[task]
fn get_numbers(queue: Queue<u64>, count: usize) -> Vec<u64> {
    (0..count).map(|_| queue.get().unwrap()).collect()
}

/// Says by a second queue that it is about to wait, and waits for an item.
#[task]
fn wait_for_one(queue: Queue<u64>, waiting: Queue<()>) -> Option<u64> {
    waiting.put(()).unwrap();
    queue.get().ok()
}

/// Leases one, says which, and holds it.
#[task]
fn hold_one(queue: Queue<u64>, held: Queue<u64>) {
    let lease = queue.lease().unwrap();
    held.put(*lease).unwrap();
    thread::sleep(FOREVER);
}

fn numbers(capacity: usize) -> Queue<u64> {
    Queue::bounded(capacity).unwrap()
}

/// Waits until so many calls, or more, have reached the queue's process since `before`.
#[track_caller]
fn until_handled<T>(queue: &Queue<T>, before: u64, calls: u64) {
    phalanx_tests::until_handled(&queue.process(), before + calls);
}

/// How many calls have reached the queue's process.
fn handled<T>(queue: &Queue<T>) -> u64 {
    phalanx_tests::handled(&queue.process())
}

fn kill(process: &AnyRef) {
    processes::kill(process.pid());
    process.monitor().recv_timeout(EVENT_TIMEOUT).unwrap();
}

fn is_gone(error: &QueueError) -> bool {
    matches!(error, QueueError::Gone(Some(ExitReason::Signaled { signal: 9, .. })))
}
