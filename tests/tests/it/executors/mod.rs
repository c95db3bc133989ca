//! What waits in async code blocks no executor: its one thread goes on with other tasks meanwhile.

mod actor_pools;
mod drops;
mod ends;
mod pools;
mod programs;
mod queues;
mod sends;
mod starts;

use std::future::Future;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, Latch, eventually};
use tokio::runtime::{Builder, Runtime};

/// How often the other task has its turn before it lets the operation end.
const TURNS: u32 = 5;

/// A turn of the other task; the executor's thread sleeps in between.
const TURN: Duration = Duration::from_millis(2);

/// An executor with one thread.
fn executor() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// Awaits the operation on an executor with one thread, beside another task that calls `free` after some
/// turns of its own. An operation that cannot end before that ends only if the thread is not blocked.
fn beside<T>(operation: impl Future<Output = T>, free: impl FnOnce()) -> T {
    executor().block_on(with_turns(operation, free))
}

async fn with_turns<T>(operation: impl Future<Output = T>, free: impl FnOnce()) -> T {
    let other = async {
        for _ in 0..TURNS {
            tokio::time::sleep(TURN).await;
        }
        free();
    };
    let both = async { tokio::join!(operation, other).0 };
    tokio::time::timeout(EVENT_TIMEOUT, both).await.expect("the operation ends")
}

/// Polls the future for some turns, in which it must not be ready, and drops it.
async fn give_up<T>(future: impl Future<Output = T>) {
    let given_up = tokio::time::timeout(TURNS * TURN, future).await;
    assert!(given_up.is_err(), "it did not wait");
}

/// Is not ready before its latch is open.
#[actor(mailbox = 2)]
struct Gate {
    seen: Vec<u64>,
}

#[actor]
impl Gate {
    #[init]
    fn open(latch: Option<Latch>) -> Result<Self, String> {
        if let Some(latch) = latch {
            latch.mark("begun");
            latch.pass();
        }
        Ok(Gate { seen: Vec::new() })
    }

    /// Is busy until the latch opens.
    #[tell]
    fn hold(&self, latch: Latch) {
        latch.mark("held");
        latch.pass();
    }

    fn add(&mut self, number: u64) -> u64 {
        self.seen.push(number);
        number
    }

    #[tell]
    fn note(&mut self, number: u64) {
        self.seen.push(number);
    }

    fn seen(&self) -> Vec<u64> {
        self.seen.clone()
    }
}

/// A gate that is busy until the latch opens.
fn held(latch: &Latch) -> ActorRef<Gate> {
    let gate = Gate::spawn(None).unwrap();
    gate.hold(latch.clone()).unwrap();
    latch.await_mark("held");
    gate
}

/// Fills the mailbox of a held gate.
fn fill(gate: &ActorRef<Gate>) -> Vec<u64> {
    let filled: Vec<u64> = (0..).take_while(|&number| gate.try_note(number).is_ok()).collect();
    assert_eq!(gate.depth(), gate.capacity());
    filled
}

/// Waits until this process has no child any more.
fn until_no_child_is_left() {
    eventually("no child", EVENT_TIMEOUT, || phalanx::children().is_empty());
}
