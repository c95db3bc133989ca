//! Handlers that take too long are killed, and the report names them.

use std::thread;
use std::time::{Duration, Instant};

use phalanx::ExitReason;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, processes};

use super::busy;

const SHORT: Duration = Duration::from_millis(500);

/// Has a limit for all, a shorter one for some and a longer one for others.
#[actor(deadline = "1s")]
struct Limited;

#[actor]
impl Limited {
    fn work(&self, time: Duration) -> Duration {
        thread::sleep(time);
        time
    }

    #[ask(deadline = "500ms")]
    fn hurry(&self, time: Duration) -> Duration {
        self.work(time)
    }

    #[ask(deadline = "1h")]
    fn take_your_time(&self, time: Duration) -> Duration {
        self.work(time)
    }

    #[tell(deadline = "500ms")]
    fn spin(&self) {
        loop {
            std::hint::spin_loop();
        }
    }
}

/// Has a limit for one message only.
#[actor]
struct Patient;

#[actor]
impl Patient {
    fn work(&self, time: Duration) -> Duration {
        thread::sleep(time);
        time
    }

    #[ask(deadline = "500ms")]
    fn hurry(&self, time: Duration) -> Duration {
        self.work(time)
    }
}

#[track_caller]
fn assert_exceeded(reason: Option<&ExitReason>, expected: &str, limit: Duration) {
    match reason {
        Some(ExitReason::DeadlineExceeded { method, after }) => {
            assert_eq!(method, expected);
            assert!(*after >= limit && *after < EVENT_TIMEOUT, "{after:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_handler_over_the_actors_limit_is_killed_and_named() {
    alone(|| {
        let limited = Limited.spawn().unwrap();
        let start = Instant::now();
        let told = limited.work(Duration::from_secs(3600)).wait().unwrap_err();
        assert!(start.elapsed() >= Duration::from_secs(1));
        assert!(matches!(told, CallError::Died(..)), "{told:?}");
        assert_exceeded(told.exit_reason(), "work", Duration::from_secs(1));
        assert_exceeded(limited.exit_reason().as_ref(), "work", Duration::from_secs(1));
        assert!(matches!(limited.exit_code(), Some(-6 | -9)), "{:?}", limited.exit_code());
        let down = limited.monitor().recv();
        assert_eq!(down.in_progress.unwrap().method, "work");
        assert!(down.reason.to_string().contains("`work` exceeded its deadline"), "{}", down.reason);
    });
}

#[test]
fn a_methods_own_limit_counts_over_the_actors() {
    alone(|| {
        let limited = Limited.spawn().unwrap();
        let long = Duration::from_millis(1300);
        assert_eq!(limited.take_your_time(long).wait().unwrap(), long);
        let told = limited.hurry(Duration::from_secs(3600)).wait().unwrap_err();
        assert_exceeded(told.exit_reason(), "hurry", SHORT);
    });
}

#[test]
fn a_limit_of_one_method_is_not_one_of_the_others() {
    alone(|| {
        let patient = Patient.spawn().unwrap();
        let long = Duration::from_millis(900);
        assert_eq!(patient.work(long).wait().unwrap(), long);
        assert_eq!(patient.hurry(Duration::ZERO).wait().unwrap(), Duration::ZERO);
        assert_exceeded(patient.hurry(EVENT_TIMEOUT).wait().unwrap_err().exit_reason(), "hurry", SHORT);
    });
}

#[test]
fn a_limit_of_the_builder_counts() {
    alone(|| {
        let patient = Patient.builder().deadline(SHORT).spawn().unwrap();
        assert_exceeded(patient.work(EVENT_TIMEOUT).wait().unwrap_err().exit_reason(), "work", SHORT);
    });
}

#[test]
fn a_handler_that_spins_is_killed() {
    alone(|| {
        let limited = Limited.spawn().unwrap();
        limited.spin().unwrap();
        assert_exceeded(limited.join_timeout(EVENT_TIMEOUT).as_ref(), "spin", SHORT);
    });
}

#[test]
fn a_handler_of_a_stopped_process_is_killed_all_the_same() {
    alone(|| {
        let patient = Patient.spawn().unwrap();
        let pid = patient.pid().unwrap();
        let reply = patient.hurry(EVENT_TIMEOUT);
        busy(&patient, 0);
        processes::signal("STOP", i64::from(pid));
        assert_exceeded(reply.wait().unwrap_err().exit_reason(), "hurry", SHORT);
        assert!(!processes::exists(pid));
    });
}

#[test]
fn many_short_messages_and_idleness_are_within_any_limit() {
    alone(|| {
        let patient = Patient.builder().deadline(Duration::from_secs(2)).spawn().unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(2500) {
            let time = Duration::from_millis(10);
            assert_eq!(patient.work(time).wait().unwrap(), time);
        }
        assert_eq!(patient.join_timeout(Duration::from_millis(2500)), None);
        assert_eq!(patient.work(Duration::ZERO).wait().unwrap(), Duration::ZERO);
    });
}

#[test]
fn those_behind_a_handler_that_is_killed_are_told_too() {
    alone(|| {
        let limited = Limited.spawn().unwrap();
        limited.spin().unwrap();
        let queued: Vec<_> = (0..20).map(|_| limited.work(Duration::ZERO)).collect();
        for reply in queued {
            assert_exceeded(reply.wait().unwrap_err().exit_reason(), "spin", SHORT);
        }
    });
}

#[test]
fn the_deadline_of_a_call_does_not_kill_the_handler() {
    alone(|| {
        let patient = Patient.spawn().unwrap();
        let time = Duration::from_millis(1000);
        let late = patient.within(Duration::from_millis(50)).work(time);
        assert!(matches!(late.wait(), Err(CallError::Timeout(_))));
        assert_eq!(patient.work(Duration::ZERO).wait().unwrap(), Duration::ZERO);
    });
}
