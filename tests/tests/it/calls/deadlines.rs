//! Deadlines of calls: seen by the callee, never early, and what becomes of late replies.

use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually};

use super::log;

/// Sees how much time it is given, and counts what it runs.
#[actor]
struct Clock {
    runs: u32,
}

#[actor]
impl Clock {
    fn time_left(&mut self) -> Option<Duration> {
        self.runs += 1;
        phalanx::current().deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    #[tell]
    fn count(&mut self) {
        self.runs += 1;
    }

    #[tell]
    fn stall(&self) {
        std::thread::sleep(Duration::from_secs(1000));
    }

    #[tell]
    fn count_without_deadline(&mut self) {
        self.runs += u32::from(phalanx::current().deadline().is_none());
    }

    fn runs(&self) -> u32 {
        self.runs
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

fn clock() -> ActorRef<Clock> {
    Clock { runs: 0 }.spawn().unwrap()
}

#[test]
fn the_callee_sees_the_deadline_of_a_call() {
    alone(|| {
        let clock = clock();
        let limit = Duration::from_secs(9);
        let left = clock.within(limit).time_left().wait().unwrap().expect("there is a deadline");
        assert!(left <= limit && left > Duration::from_secs(1), "{left:?}");
        let left = clock.time_left().wait().unwrap().expect("the default is a deadline too");
        assert!(left > limit && left <= Duration::from_secs(60), "{left:?}");
        clock.count_without_deadline().unwrap();
        assert_eq!(clock.runs().wait().unwrap(), 3);
        assert_eq!(phalanx::current().deadline(), None);
    });
}

#[test]
fn a_call_without_an_answer_times_out_never_early_and_says_where() {
    alone(|| {
        let log = log();
        for millis in [1, 50, 300] {
            let limit = Duration::from_millis(millis);
            let start = Instant::now();
            let error = log.within(limit).sleep(Duration::from_secs(2)).wait().unwrap_err();
            let took = start.elapsed();
            let CallError::Timeout(at) = &error else { panic!("{error:?}") };
            assert!(took >= limit && took < EVENT_TIMEOUT, "{took:?}");
            assert_eq!((at.actor(), at.method(), at.pid()), ("Log", "sleep", Some(log.pid().unwrap())));
            let text = error.to_string();
            assert!(text.contains("`sleep` of actor `Log`") && text.contains("deadline"), "{text}");
        }
        // Its handler would hold up the end of the case.
        log.kill().unwrap();
    });
}

#[test]
fn a_late_answer_is_dropped_and_the_next_call_gets_its_own() {
    alone(|| {
        let log = log();
        for number in 0..3 {
            let late = log.within(Duration::from_millis(30)).sleep(Duration::from_millis(600));
            assert!(matches!(late.wait(), Err(CallError::Timeout(_))));
            assert_eq!(log.ask(0, number).wait().unwrap(), (0, number));
        }
        assert_eq!(log.handled(), 6);
    });
}

#[test]
fn a_message_whose_deadline_has_passed_is_not_run() {
    alone(|| {
        let clock = clock();
        let busy = clock.sleep(Duration::from_millis(1500));
        let soon = Duration::from_millis(50);
        let asks: Vec<_> = (0..5).map(|_| clock.within(soon).time_left()).collect();
        clock.within(soon).count().unwrap();
        // Without a deadline a tell is run whenever its turn comes.
        clock.count().unwrap();
        for ask in asks {
            assert!(matches!(ask.wait(), Err(CallError::Timeout(_))));
        }
        busy.wait().unwrap();
        assert_eq!(clock.runs().wait().unwrap(), 1);
    });
}

#[test]
fn a_deadline_that_has_passed_before_the_call_is_a_timeout() {
    alone(|| {
        let log = log();
        let error = log.within(Duration::ZERO).ask(0, 0).wait().unwrap_err();
        assert!(matches!(error, CallError::Timeout(_)), "{error:?}");
        assert_eq!(log.ask(0, 1).wait().unwrap(), (0, 1));
        assert_eq!(log.entries().wait().unwrap(), [(0, 1)]);
    });
}

#[test]
fn options_of_a_call_are_set_in_any_order() {
    alone(|| {
        let clock = clock();
        let (long, limit) = (EVENT_TIMEOUT * 2, EVENT_TIMEOUT);
        let all = [
            clock.within(limit).kill_after(long).if_up(),
            clock.if_up().within(limit).kill_after(long),
            clock.kill_after(long).if_up().within(limit),
            clock.within(long).within(limit),
            clock.within_or_kill(limit).if_up().kill_after(long),
            clock.if_up().kill_after(limit).within_or_kill(limit).clone(),
        ];
        for calls in &all {
            let left = calls.time_left().wait().unwrap().expect("there is a deadline");
            assert!(left <= limit && left > limit / 2, "{left:?}");
            let left = calls.try_time_left().unwrap().wait().unwrap().expect("there is a deadline");
            assert!(left <= limit && left > limit / 2, "{left:?}");
            calls.count().unwrap();
        }
        assert_eq!(clock.runs().wait(), Ok(3 * all.len() as u32));
        assert_eq!(format!("{:?}", all[0]), format!("CallOptions(Clock, {})", clock.id()));
    });
}

#[test]
fn an_option_that_is_set_earlier_holds_when_another_one_is_added() {
    alone(|| {
        let stuck = clock();
        let ages = Duration::from_secs(1000);
        // Each by its limit on the handler: the deadline of the call is far away.
        let error = stuck.kill_after(SOON).within(ages).if_up().sleep(ages).wait().unwrap_err();
        assert!(matches!(error.exit_reason(), Some(ExitReason::DeadlineExceeded { .. })), "{error}");
        let error = clock().kill_after(SOON).within_or_kill(ages).sleep(ages).wait().unwrap_err();
        assert!(matches!(error.exit_reason(), Some(ExitReason::DeadlineExceeded { .. })), "{error}");
        // A later `within` takes back what an earlier `within_or_kill` has said.
        let patient = clock();
        let late = patient.within_or_kill(ages).within(SOON).sleep(3 * SOON);
        assert!(matches!(late.wait(), Err(CallError::Timeout(_))));
        assert_eq!(patient.runs().wait(), Ok(0));
        assert_eq!(patient.incarnation(), 1);
        let gone = stuck.if_up().within(ages).runs().wait();
        assert!(matches!(gone, Err(CallError::Gone(_))), "{gone:?}");
    });
}

const SOON: Duration = Duration::from_millis(100);

#[test]
fn a_deadline_that_kills_counts_the_wait_in_the_mailbox() {
    alone(|| {
        let clock = clock();
        let limit = Duration::from_secs(2);
        let busy = clock.sleep(limit * 3 / 4);
        let stuck = clock.within_or_kill(limit).sleep(Duration::from_secs(1000));
        let error = stuck.wait().unwrap_err();
        assert!(matches!(error, CallError::Timeout(_) | CallError::Died(..)), "{error}");
        busy.wait().unwrap();
        let ExitReason::DeadlineExceeded { method, after } = clock.join_timeout(EVENT_TIMEOUT).unwrap()
        else {
            panic!("{:?}", clock.exit_reason())
        };
        assert!(method == "sleep" && after < limit, "it ran for {after:?}, a part of {limit:?}");
    });
}

#[test]
fn a_tell_can_have_a_deadline_that_kills() {
    alone(|| {
        let clock = clock();
        clock.within_or_kill(SOON).stall().unwrap();
        let ended = clock.join_timeout(EVENT_TIMEOUT).unwrap();
        assert!(matches!(ended, ExitReason::DeadlineExceeded { .. }), "{ended}");
    });
}

#[test]
fn a_very_long_deadline_is_no_deadline_in_practice() {
    alone(|| {
        let log = log();
        for limit in [Duration::MAX, Duration::from_secs(u64::MAX / 2)] {
            assert_eq!(log.within(limit).ask(0, 0).wait().unwrap(), (0, 0));
            assert_eq!(log.ask(0, 0).wait_timeout(limit).unwrap(), (0, 0));
        }
    });
}

#[test]
fn a_wait_that_was_given_up_can_be_taken_up_again() {
    alone(|| {
        let log = log();
        let time = Duration::from_millis(1500);
        let mut reply = log.sleep(time);
        let start = Instant::now();
        for _ in 0..3 {
            let limit = Duration::from_millis(20);
            let start = Instant::now();
            assert!(matches!(reply.wait_timeout(limit), Err(CallError::Timeout(_))));
            assert!(start.elapsed() >= limit);
        }
        // No other call has got it meanwhile.
        let other = log.ask(0, 1);
        assert_eq!(reply.wait().unwrap(), time);
        assert!(start.elapsed() >= time - Duration::from_millis(60));
        assert_eq!(other.wait().unwrap(), (0, 1));
    });
}

#[test]
fn the_deadline_of_the_call_bounds_a_longer_wait() {
    alone(|| {
        let log = log();
        let start = Instant::now();
        let mut reply = log.within(Duration::from_millis(200)).sleep(Duration::from_secs(3));
        let error = reply.wait_timeout(EVENT_TIMEOUT).unwrap_err();
        assert!(matches!(error, CallError::Timeout(_)), "{error:?}");
        assert!(start.elapsed() >= Duration::from_millis(200) && start.elapsed() < Duration::from_secs(3));
        // Its handler would hold up the end of the case.
        log.kill().unwrap();
    });
}

#[test]
fn calls_that_timed_out_leave_the_mailbox_as_it_was() {
    alone(|| {
        let log = log();
        for _ in 0..10 {
            let _ = log.within(Duration::from_millis(2)).sleep(Duration::from_millis(5)).wait();
        }
        eventually("an empty mailbox", EVENT_TIMEOUT, || log.depth() == 0 && log.handled() == 10);
        assert_eq!(log.ask(0, 1).wait().unwrap(), (0, 1));
    });
}
