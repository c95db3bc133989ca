//! Ends: joins, stops, and that of all.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, Latch, alone};

use super::{Gate, TURN, TURNS, beside, executor, give_up, held, until_no_child_is_left};

/// Short enough to be waited out.
const MOMENT: Duration = Duration::from_millis(50);

#[test]
fn a_stop_waits_for_the_message_in_progress_and_the_executor_goes_on() {
    alone(|| {
        let latch = Latch::new("latch");
        let gate = held(&latch);
        let reason = beside(gate.stop_async(EVENT_TIMEOUT), || latch.open()).unwrap();
        assert!(reason.is_orderly(), "{reason}");
        let again = executor().block_on(gate.stop_async(EVENT_TIMEOUT));
        assert!(matches!(again, Err(SendError::Gone(_))), "{again:?}");
        latch.remove();
    });
}

#[test]
fn a_stop_kills_when_the_grace_is_over() {
    alone(|| {
        let latch = Latch::new("latch");
        let gate = held(&latch);
        let reason = executor().block_on(gate.stop_async(MOMENT)).unwrap();
        assert!(matches!(reason, ExitReason::Killed { .. }), "{reason:?}");
        assert!(!gate.is_alive());
    });
}

#[test]
fn a_stop_that_is_given_up_is_carried_out() {
    alone(|| {
        let latch = Latch::new("latch");
        let gate = held(&latch);
        executor().block_on(give_up(gate.stop_async(FOREVER)));
        assert!(gate.is_alive());
        latch.open();
        assert!(gate.join_timeout(EVENT_TIMEOUT).unwrap().is_orderly());
        latch.remove();
    });
}

#[test]
fn a_stop_that_is_not_polled_stops_nothing() {
    alone(|| {
        let gate = Gate::spawn(None).unwrap();
        drop(gate.stop_async(EVENT_TIMEOUT));
        assert_eq!(gate.add(1).wait(), Ok(1));
        gate.stop(EVENT_TIMEOUT).unwrap();
    });
}

#[test]
fn joins_wait_for_the_end_and_the_executor_goes_on() {
    alone(|| {
        let latch = Latch::new("latch");
        let gate = held(&latch);
        let none = executor().block_on(gate.join_timeout_async(TURNS * TURN));
        assert_eq!(none, None);
        let reason = beside(gate.join_async(), || gate.kill().unwrap());
        assert!(matches!(reason, ExitReason::Killed { .. }), "{reason:?}");
        // However late.
        assert_eq!(executor().block_on(gate.join_async()), reason);
        assert_eq!(executor().block_on(gate.join_timeout_async(EVENT_TIMEOUT)), Some(reason));
    });
}

#[test]
fn a_task_is_joined_and_the_executor_goes_on() {
    alone(|| {
        let latch = Latch::new("latch");
        let pass = |latch: Latch| {
            latch.pass();
            42
        };
        let process = Process::spawn(pass, latch.clone()).unwrap();
        assert_eq!(executor().block_on(process.join_timeout_async(MOMENT)), None);
        assert_eq!(beside(process.join_async(), || latch.open()), Ok(42));
        assert_eq!(executor().block_on(process.join_timeout_async(EVENT_TIMEOUT)), Some(Ok(42)));
        latch.remove();
    });
}

#[test]
fn a_supervisor_is_stopped_and_joined_from_async_code() {
    alone(|| {
        let start = || Supervisor::one_for_one().child("gate", Gate::builder(None)).start_async();
        executor().block_on(async {
            let supervisor = start().await.unwrap();
            assert!(supervisor.stop_async(EVENT_TIMEOUT).await.unwrap().is_orderly());
            assert!(supervisor.join_async().await.is_orderly());
        });
        until_no_child_is_left();
    });
}

#[test]
fn the_end_of_all_waits_and_the_executor_goes_on() {
    alone(|| {
        let latch = Latch::new("latch");
        let gate = held(&latch);
        beside(phalanx::shutdown_async(), || latch.open());
        assert!(!gate.is_alive());
        latch.remove();
    });
}

#[test]
fn the_end_of_all_within_a_time_kills_what_is_left() {
    alone(|| {
        let latch = Latch::new("latch");
        let gate = held(&latch);
        executor().block_on(phalanx::shutdown_within_async(MOMENT));
        assert!(!gate.is_alive());
    });
}
