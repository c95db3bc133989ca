//! Looking at a reply without waiting, dropping it, and moving it about.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, until};

use super::log;

#[test]
fn a_reply_is_not_done_before_its_answer_and_gives_it_out_once() {
    alone(|| {
        let log = log();
        let time = Duration::from_millis(1000);
        let mut reply = log.sleep(time);
        assert!(!reply.is_done());
        assert!(reply.try_get().is_none());
        eventually("the answer", EVENT_TIMEOUT, || reply.is_done());
        assert!(reply.is_done());
        assert_eq!(reply.try_get().unwrap().unwrap(), time);
        assert!(reply.try_get().is_none());
    });
}

#[test]
fn an_answer_can_be_polled_for() {
    alone(|| {
        let log = log();
        let mut replies: Vec<_> = (0..50).map(|number| (number, log.ask(0, number))).collect();
        for (number, reply) in &mut replies {
            let answer = until("an answer", EVENT_TIMEOUT, || reply.try_get());
            assert_eq!(answer.unwrap(), (0, *number));
        }
    });
}

#[test]
fn waiting_for_an_answer_that_was_taken_panics_with_words() {
    alone(|| {
        let log = log();
        let mut reply = log.ask(0, 0);
        let _ = until("the answer", EVENT_TIMEOUT, || reply.try_get());
        let panic = catch_unwind(AssertUnwindSafe(|| reply.wait())).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("taken already") && text.contains("`ask` of actor `Log`"), "{text}");
    });
}

#[test]
fn dropping_a_reply_drops_the_answer_and_not_the_call() {
    alone(|| {
        let log = log();
        for number in 0..500 {
            drop(log.ask(0, number));
        }
        let entries = log.entries().wait().unwrap();
        assert!(entries.into_iter().eq((0..500).map(|number| (0, number))));
    });
}

#[test]
fn answers_that_nobody_wants_cost_later_calls_nothing() {
    alone(|| {
        let log = log();
        for round in 0..5 {
            for number in 0..2000 {
                drop(log.ask(round, number));
            }
            assert_eq!(log.ask(round, 2000).wait().unwrap(), (round, 2000));
        }
        assert_eq!(log.handled(), 5 * 2001);
    });
}

#[test]
fn a_reply_can_be_waited_for_in_another_thread() {
    alone(|| {
        let log = log();
        let replies: Vec<_> = (0..10).map(|number| log.ask(0, number)).collect();
        let threads: Vec<_> =
            replies.into_iter().map(|reply| thread::spawn(move || reply.wait().unwrap())).collect();
        for (number, thread) in (0..).zip(threads) {
            assert_eq!(thread.join().unwrap(), (0, number));
        }
    });
}

#[test]
fn a_call_may_be_made_without_waiting_for_room() {
    alone(|| {
        let log = log();
        assert_eq!(log.try_ask(0, 1).unwrap().wait().unwrap(), (0, 1));
        assert_eq!(log.try_half(4).unwrap().wait(), Ok(2));
        assert_eq!(log.try_half(5).unwrap().wait(), Err(CallError::App("5 is odd".into())));
        log.try_tell(0, 2).unwrap();
        assert_eq!(log.entries().wait().unwrap(), [(0, 1), (0, 2)]);
    });
}

#[test]
fn a_reply_says_in_debug_where_it_comes_from() {
    alone(|| {
        let log = log();
        let reply = log.ask(0, 0);
        let shown = format!("{reply:?}");
        assert!(shown.contains("`ask` of actor `Log`"), "{shown}");
        assert_eq!(reply.wait().unwrap(), (0, 0));
    });
}
