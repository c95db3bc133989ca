//! The payload of a panic that panics again when it is dropped ends its own process, and no other.

use std::panic::panic_any;

use phalanx::pool::TaskError;
use phalanx::prelude::*;
use phalanx::{CallError, ExitReason, Pool, Restart};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually};
use serde::{Deserialize, Deserializer, Serialize};

/// Explodes when it is dropped.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

/// Throws one when it is read.
#[derive(Clone, Copy, Debug, Serialize)]
struct Trap;

impl<'de> Deserialize<'de> for Trap {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Trap, D::Error> {
        panic_any(Grenade)
    }
}

#[actor]
struct Thrower {
    at_start: bool,
    at_stop: bool,
}

#[actor]
impl Thrower {
    #[init]
    fn new((at_start, at_stop): (bool, bool)) -> Thrower {
        if at_start {
            panic_any(Grenade);
        }
        Thrower { at_start, at_stop }
    }

    fn throw(&self) -> bool {
        panic_any(Grenade)
    }

    fn is_here(&self) -> bool {
        !self.at_start
    }

    fn take(&self, _trap: Trap) {}

    #[on_stop]
    fn stop(&mut self) {
        if self.at_stop {
            panic_any(Grenade);
        }
    }
}

fn is_panic(reason: &ExitReason) -> bool {
    matches!(reason, ExitReason::Panicked { .. })
}

#[test]
fn an_actor_that_throws_what_throws_again_has_panicked_and_is_restarted() {
    alone(|| {
        let sibling = Thrower::builder((false, false)).spawn().unwrap();
        let thrower =
            Thrower::builder((false, false)).restart(Restart::Permanent).intensity(100, RESTART_WINDOW);
        let thrower = thrower.spawn().unwrap();
        for _ in 0..2 {
            let error = thrower.throw().wait().unwrap_err();
            assert!(error.exit_reason().is_some_and(is_panic), "{error}");
            eventually("the next", EVENT_TIMEOUT, || thrower.is_here().wait() == Ok(true));
        }
        assert_eq!(sibling.is_here().wait(), Ok(true));
        let late = Thrower::builder((false, true)).spawn().unwrap();
        assert!(is_panic(&late.stop(EVENT_TIMEOUT).unwrap()));
        assert!(Thrower::builder((true, false)).spawn().is_err());
        assert!(matches!(sibling.take(Trap).wait(), Err(CallError::Codec(..))));
        assert_eq!(sibling.is_here().wait(), Ok(true));
    });
}

#[task]
fn throws() -> u32 {
    panic_any(Grenade)
}

#[test]
fn a_task_that_throws_what_throws_again_has_panicked_and_a_pool_works_on() {
    alone(|| {
        let error = throws::spawn().unwrap().join().unwrap_err();
        assert!(error.exit_reason().is_some_and(is_panic), "{error}");
        for builder in [Pool::builder().workers(1), Pool::builder().workers(1).in_process()] {
            let pool = builder.build().unwrap();
            let thrown = pool.submit(|_: u32| -> u32 { panic_any(Grenade) }, 1).wait();
            assert!(matches!(&thrown, Err(TaskError::Died(reason, _)) if is_panic(reason)), "{thrown:?}");
            assert_eq!(pool.submit(|n: u32| n + 1, 1).wait(), Ok(2));
        }
    });
}
