//! How many restarts are bearable, and what a supervisor does while it waits for one.

use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{ChildState, Restart, SupervisorError};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually};

use super::support::stage::{
    CRASHES, Crash, Stage, Trouble, Worker, child, counts, processes_of, reserved, settled, state, stop,
    within,
};

const WAIT: Duration = Duration::from_millis(200);
const SECOND: Duration = Duration::from_secs(1);

/// A child that has crashed and cannot be started from then on.
fn in_a_restart_loop(stage: &Stage, crash: Crash) -> (SupervisorRef, ActorRef<Worker>) {
    let supervisor =
        Supervisor::one_for_one().name("looping").intensity(8, RESTART_WINDOW).backoff(WAIT, WAIT);
    let (supervisor, [a]) = stage.cast(supervisor, ["a"]);
    let supervisor = supervisor.start().unwrap();
    stage.says("+a");
    stage.spoil("a", Trouble::Refuses, u32::MAX);
    crash.hit(&a);
    stage.says("!a");
    (supervisor, a)
}

#[test]
fn a_restart_loop_deafens_nobody() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let (supervisor, a) = in_a_restart_loop(&stage, crash);
            let start = Instant::now();
            let added = supervisor.start_child("a", stage.worker("a"));
            assert!(matches!(added, Err(SpawnError::AlreadyPresent { .. })), "{added:?}");
            let restarted = supervisor.restart_child("a");
            assert!(matches!(restarted, Err(SupervisorError::Restarting { .. })), "{restarted:?}");
            let deleted = supervisor.delete_child("a");
            assert!(matches!(deleted, Err(SupervisorError::Restarting { .. })), "{deleted:?}");
            assert_eq!(state(&supervisor, "a"), ChildState::Restarting);
            assert_eq!(counts(&supervisor), [1, 0, 0, 1]);
            within(start, Duration::from_millis(100));
            let unavailable = a.if_up().count().wait();
            assert!(matches!(unavailable, Err(CallError::Unavailable(_))), "{unavailable:?}");

            let start = Instant::now();
            supervisor.terminate_child("a").unwrap();
            within(start, Duration::from_millis(100));
            assert_eq!((state(&supervisor, "a"), child(&supervisor, "a").pid), (ChildState::Down, None));
            stage.said();
            thread::sleep(3 * WAIT);
            assert_eq!(stage.said(), "", "no attempt after the terminate");
            stage.mend("a");
            supervisor.restart_child("a").unwrap();
            assert_eq!(a.count().wait(), Ok(1));
            stop(&supervisor);
        }
    });
}

/// As in OTP's `hanging_restart_loop`.
#[test]
fn a_stop_in_a_restart_loop_is_prompt() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let (supervisor, a) = in_a_restart_loop(&stage, crash);
            let start = Instant::now();
            stop(&supervisor);
            within(start, SECOND);
            assert!(a.join_timeout(EVENT_TIMEOUT).is_some());
        }
    });
}

#[test]
fn a_restart_loop_ends_with_the_intensity() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, a) = in_a_restart_loop(&stage, Crash::Sigkill);
        let waiting = a.count();
        assert_eq!(supervisor.join(), ExitReason::IntensityReached);
        // The crash was the first of eight that are bearable.
        stage.says("!a !a !a !a !a !a !a");
        let error = waiting.wait().unwrap_err();
        assert!(matches!(&error, CallError::Died(ExitReason::InitFailed(_), _)), "{error}");
    });
}

#[test]
fn later_siblings_wait_with_a_child_that_cannot_restart() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let supervisor = Supervisor::rest_for_one().intensity(50, RESTART_WINDOW).backoff(WAIT, WAIT);
            let (supervisor, [a, b, c]) = stage.cast(supervisor, ["a", "b", "c"]);
            let supervisor = supervisor.start().unwrap();
            let before = processes_of(std::array::from_ref(&a));
            stage.says("+a +b +c");
            stage.spoil("b", Trouble::Refuses, u32::MAX);
            crash.hit(&b);
            stage.says("-c !b");
            let states = ["a", "b", "c"].map(|id| state(&supervisor, id));
            assert_eq!(states, [ChildState::Up, ChildState::Restarting, ChildState::Down]);
            assert_eq!(counts(&supervisor), [3, 1, 0, 3]);
            assert_eq!(processes_of(std::array::from_ref(&a)), before);
            supervisor.terminate_child("b").unwrap();
            assert_eq!(counts(&supervisor), [3, 1, 0, 3]);
            // A holder of its ref gets them back by asking.
            stage.mend("b");
            supervisor.restart_child("b").unwrap();
            supervisor.restart_child("c").unwrap();
            assert_eq!((a.count().wait(), b.count().wait(), c.count().wait()), (Ok(1), Ok(1), Ok(1)));
            stop(&supervisor);
        }
    });
}

/// In real time. That restarts expire exactly, and count until then, is tested in the policy.
#[test]
fn old_restarts_expire() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, [a]) = stage.cast(Supervisor::one_for_one().intensity(1, SECOND), ["a"]);
        let supervisor = supervisor.start().unwrap();
        for (crash, incarnation) in CRASHES.into_iter().zip(2..) {
            if incarnation > 2 {
                thread::sleep(Duration::from_millis(1200));
            }
            crash.hit(&a);
            settled(&supervisor, 1);
            assert_eq!(a.incarnation(), incarnation);
        }
        stop(&supervisor);
    });
}

#[test]
fn during_a_backoff_messages_wait_and_if_up_does_not() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let supervisor = Supervisor::one_for_one().backoff(SECOND, SECOND);
            let (supervisor, [a, b]) = stage.cast(supervisor, ["a", "b"]);
            let supervisor = supervisor.start().unwrap();
            let start = Instant::now();
            crash.hit(&a);
            let waits = a.count();
            assert!(matches!(a.if_up().count().wait(), Err(CallError::Unavailable(_))));
            assert!(matches!(a.if_up().note("no".into()), Err(SendError::Unavailable(_))));
            assert!(matches!(a.pid(), Err(SendError::Unavailable(_))));
            assert!(matches!(a.interrupt(), Err(SendError::Unavailable(_))));
            assert!(!a.is_alive() && a.join_timeout(Duration::from_millis(10)).is_none());
            assert_eq!(b.if_up().count().wait(), Ok(1));
            assert_eq!(waits.wait(), Ok(1));
            assert!(start.elapsed() >= SECOND);
            assert_eq!((a.if_up().count().wait(), a.incarnation()), (Ok(2), 2));
            stop(&supervisor);
            stage.says("+a +b +a -b -a");
        }
    });
}

#[test]
fn a_child_with_an_allowance_of_its_own_is_counted_apart() {
    alone(|| {
        let stage = Stage::new();
        let (own, own_ref) = reserved(stage.worker("own").intensity(3, RESTART_WINDOW));
        let (supervisor, [shared]) =
            stage.cast(Supervisor::one_for_one().intensity(1, RESTART_WINDOW).child("own", own), ["shared"]);
        let supervisor = supervisor.start().unwrap();
        for crash in [Crash::Panic, Crash::Sigkill, Crash::Panic] {
            crash.hit(&own_ref);
            settled(&supervisor, 2);
        }
        Crash::Sigkill.hit(&shared);
        settled(&supervisor, 2);
        Crash::Sigkill.hit(&own_ref);
        assert_eq!(supervisor.join(), ExitReason::IntensityReached);
        stage.says("+own +shared +own +own +own +shared -shared");
    });
}

#[test]
fn a_crash_costs_one_of_two_hundred_calls() {
    alone(|| {
        for for_good in [false, true] {
            let stage = Stage::new();
            let (supervisor, [a]) = stage.cast(Supervisor::one_for_one().intensity(1, RESTART_WINDOW), ["a"]);
            let supervisor = supervisor.start().unwrap();
            let latch = stage.latch("start");
            let held = a.wait_for(latch.path());
            eventually("the call", EVENT_TIMEOUT, || a.depth() == 0);
            let before: Vec<_> = (1..100).map(|number| a.number(number)).collect();
            let exit = a.end(super::support::stage::Way::Exit(255));
            let after: Vec<_> = (101..=200).map(|number| a.number(number)).collect();
            latch.open();
            held.wait().unwrap();
            for (number, call) in (1..).zip(before) {
                assert_eq!(call.wait().unwrap(), (number, number, 1));
            }
            let error = exit.wait().unwrap_err();
            assert!(matches!(&error, CallError::Died(ExitReason::Exited(255), _)), "{error}");
            for (number, call) in (101..).zip(after) {
                assert_eq!(call.wait().unwrap(), (number, number - 100, 2));
            }

            let latch = stage.latch("again");
            let held = a.wait_for(latch.path());
            eventually("the call", EVENT_TIMEOUT, || a.depth() == 0);
            let way = if for_good {
                super::support::stage::Way::LeaveForGood
            } else {
                super::support::stage::Way::Exit(255)
            };
            let exit = a.end(way);
            let lost: Vec<_> = (0..100).map(|number| a.number(number)).collect();
            latch.open();
            held.wait().unwrap();
            exit.wait().unwrap_err();
            for call in lost {
                let error = call.wait().unwrap_err();
                if for_good {
                    assert!(matches!(&error, CallError::Stopped(_)), "{error}");
                } else {
                    assert!(matches!(&error, CallError::Died(ExitReason::Exited(255), _)), "{error}");
                }
            }
            assert_eq!(a.incarnation(), 2);
            if for_good {
                assert_eq!(state(&supervisor, "a"), ChildState::Down);
                stop(&supervisor);
            } else {
                assert_eq!(supervisor.join(), ExitReason::IntensityReached);
            }
        }
    });
}

/// A permanent actor outside of a declared supervisor has an allowance of its own, and failed starts count
/// against it.
#[test]
fn a_spawned_actor_whose_init_fails_from_the_second_process_on_ends_with_its_error() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let worker = stage.worker("a").restart(Restart::Permanent).intensity(3, RESTART_WINDOW);
            let a = worker.spawn().unwrap();
            stage.spoil("a", Trouble::Refuses, u32::MAX);
            let held = a.hang();
            let queued = a.count();
            crash_from_outside(&a, crash);
            held.wait().unwrap_err();
            let error = queued.wait().unwrap_err();
            let init_failed = ExitReason::InitFailed("a is broken".into());
            assert!(matches!(&error, CallError::Died(reason, _) if *reason == init_failed), "{error}");
            assert_eq!(a.join(), ExitReason::GaveUp { last: Box::new(init_failed) });
            assert!(matches!(a.count().wait(), Err(CallError::Gone(_))));
            stage.says("+a !a !a !a");
        }
    });
}

/// The worker is busy: it cannot be told to panic.
fn crash_from_outside(worker: &ActorRef<Worker>, crash: Crash) {
    eventually("the call", EVENT_TIMEOUT, || worker.depth() == 1);
    let signal = if crash == Crash::Panic { "ABRT" } else { "KILL" };
    phalanx_tests::processes::signal(signal, i64::from(worker.pid().unwrap()));
}
