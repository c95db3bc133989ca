//! Callers that do not read their replies hold up no other caller.

use std::process::Command;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};
use serde::{Deserialize, Serialize};

use super::go_on;

/// Replies at length.
#[actor]
struct Talker;

#[actor]
impl Talker {
    fn talk(&self, number: u32, length: usize) -> (u32, String) {
        (number, "x".repeat(length))
    }
}

/// What came of many calls.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    answered: u32,
    dropped: u32,
    wrong: Vec<String>,
}

/// Sends calls, falls asleep without reading a reply, and reads them when it is woken.
#[task]
fn call_and_sleep(talker: ActorRef<Talker>, calls: u32, length: usize) -> Sum {
    let replies: Vec<_> = (0..calls).map(|number| talker.talk(number, length)).collect();
    let stopped = Command::new("sh").args(["-c", "kill -STOP $PPID"]).status();
    assert!(stopped.is_ok_and(|status| status.success()));
    let mut sum = Sum::default();
    for (number, reply) in (0..).zip(replies) {
        match reply.wait() {
            Ok((same, text)) if same == number && text.len() == length => sum.answered += 1,
            Err(CallError::Unreachable(error, _)) if error.contains("did not read") => sum.dropped += 1,
            other => sum.wrong.push(format!("{number}: {other:?}").chars().take(200).collect()),
        }
    }
    sum
}

/// Runs a sleeping caller beside a wakeful one.
fn sum_of(calls: u32, length: usize) -> Sum {
    let talker = Talker.builder().mailbox(4096).spawn().unwrap();
    let sleeper = call_and_sleep::spawn(talker.clone(), calls, length).unwrap();
    let asleep = || processes::stat(sleeper.pid()).is_some_and(|stat| stat.state == 'T');
    eventually("the caller to fall asleep", EVENT_TIMEOUT, asleep);
    for number in 0..50 {
        let reply = talker.within(EVENT_TIMEOUT).talk(number, 10);
        assert_eq!(reply.wait().unwrap(), (number, "x".repeat(10)));
    }
    eventually("all calls to be handled", EVENT_TIMEOUT, || talker.handled() == u64::from(calls) + 50);
    go_on(sleeper.pid());
    let sum = sleeper.join_timeout(EVENT_TIMEOUT).expect("the caller ends").unwrap();
    assert_eq!(talker.talk(0, 1).wait().unwrap(), (0, "x".to_owned()));
    sum
}

#[test]
fn a_caller_that_sleeps_gets_its_answers_later_and_holds_up_nobody() {
    alone(|| {
        for length in [10, 30_000, 100_000] {
            assert_eq!(sum_of(150, length), Sum { answered: 150, dropped: 0, wrong: Vec::new() });
        }
    });
}

#[test]
fn answers_beyond_what_is_kept_are_errors_and_never_silence() {
    alone(|| {
        let sum = sum_of(1500, 20_000);
        assert_eq!((sum.wrong.as_slice(), sum.answered + sum.dropped), (&[][..], 1500), "{sum:?}");
        assert!(sum.answered >= 256, "{sum:?}");
    });
}

#[test]
fn a_caller_that_is_killed_with_answers_unread_holds_up_nobody() {
    alone(|| {
        let talker = Talker.spawn().unwrap();
        for _ in 0..10 {
            let caller = call_and_sleep::spawn(talker.clone(), 100, 30_000).unwrap();
            let asleep = || processes::stat(caller.pid()).is_some_and(|stat| stat.state == 'T');
            eventually("the caller to fall asleep", EVENT_TIMEOUT, asleep);
            caller.kill().unwrap();
            assert!(caller.join_timeout(EVENT_TIMEOUT).is_some());
            assert_eq!(talker.within(EVENT_TIMEOUT).talk(1, 3).wait().unwrap(), (1, "xxx".to_owned()));
        }
        let reason = talker.stop(EVENT_TIMEOUT).unwrap();
        assert!(reason.is_orderly(), "{reason:?}");
    });
}
