//! Calls that are taken back when their reply is dropped.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, Latch, alone, eventually};
use serde::{Deserialize, Serialize};

/// Holds a handler up.
#[derive(Clone, Serialize, Deserialize)]
struct Hold {
    begun: Latch,
    go_on: Latch,
}

impl Hold {
    fn new() -> Hold {
        Hold { begun: Latch::new("begun"), go_on: Latch::new("go on") }
    }

    /// In the handler.
    fn up(&self) {
        self.begun.open();
        self.go_on.pass();
    }

    fn until_begun(&self) {
        self.begun.pass();
    }

    fn let_go(&self) {
        self.go_on.open();
    }

    fn remove(self) {
        self.begun.remove();
        self.go_on.remove();
    }
}

/// Notes what it runs, and can be held up.
#[actor]
struct Journal {
    runs: Vec<u32>,
}

#[actor]
impl Journal {
    fn wait(&mut self, hold: Hold) {
        hold.up();
    }

    fn note(&mut self, number: u32) {
        self.runs.push(number);
    }

    #[idempotent]
    fn crash_once(&mut self, hold: Hold, crashed: Latch) {
        hold.up();
        if crashed.open_first() {
            std::process::abort();
        }
        self.runs.push(1000);
    }

    fn runs(&self) -> Vec<u32> {
        self.runs.clone()
    }
}

/// One that keeps its messages for a next process, and one that does not.
fn journals() -> [ActorRef<Journal>; 2] {
    [Restart::Permanent, Restart::Temporary]
        .map(|restart| Journal { runs: Vec::new() }.builder().restart(restart).spawn().unwrap())
}

#[test]
fn a_queued_call_whose_reply_is_dropped_never_runs() {
    alone(|| {
        for journal in journals() {
            let hold = Hold::new();
            let held = journal.wait(hold.clone());
            hold.until_begun();
            let kept = journal.note(1);
            let dropped = journal.note(2).cancel_on_drop();
            let plain = journal.note(3);
            let awaited = journal.note(4).cancel_on_drop();
            drop((dropped, plain));
            hold.let_go();
            held.wait().unwrap();
            kept.wait().unwrap();
            awaited.wait().unwrap();
            assert_eq!(journal.runs().wait().unwrap(), [1, 3, 4]);
            hold.remove();
            eventually("an empty mailbox", EVENT_TIMEOUT, || journal.depth() == 0);
        }
    });
}

#[test]
fn a_call_that_has_begun_or_is_answered_is_not_taken_back() {
    alone(|| {
        for journal in journals() {
            let hold = Hold::new();
            let running = journal.wait(hold.clone()).cancel_on_drop();
            hold.until_begun();
            drop(running);
            hold.let_go();
            let mut answered = journal.note(1).cancel_on_drop();
            answered.wait_timeout(EVENT_TIMEOUT).unwrap();
            drop(answered);
            journal.note(2).wait().unwrap();
            assert_eq!(journal.runs().wait().unwrap(), [1, 2]);
            assert_eq!(journal.handled(), 4);
            hold.remove();
        }
    });
}

#[test]
fn as_many_calls_as_are_promised_are_taken_back_and_their_places_are_free() {
    alone(|| {
        for journal in journals() {
            let hold = Hold::new();
            let held = journal.wait(hold.clone());
            hold.until_begun();
            drop((0..64).map(|number| journal.note(number).cancel_on_drop()).collect::<Vec<_>>());
            hold.let_go();
            held.wait().unwrap();
            let all: Vec<_> = (100..300).map(|number| journal.note(number)).collect();
            all.into_iter().for_each(|reply| reply.wait().unwrap());
            assert_eq!(journal.runs().wait().unwrap(), (100..300).collect::<Vec<_>>());
            hold.remove();
        }
    });
}

#[test]
fn a_call_of_a_future_that_loses_a_race_never_runs() {
    alone(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for journal in journals() {
            let hold = Hold::new();
            let held = journal.wait(hold.clone());
            hold.until_begun();
            runtime.block_on(async {
                let late = journal.note(1).cancel_on_drop();
                tokio::time::timeout(Duration::from_millis(20), late).await.expect_err("it is held up");
            });
            hold.let_go();
            held.wait().unwrap();
            assert_eq!(journal.runs().wait().unwrap(), [0; 0]);
            hold.remove();
        }
    });
}

#[test]
fn a_call_that_was_taken_back_is_not_repeated_after_a_crash() {
    alone(|| {
        let [journal, _] = journals();
        let (hold, crashed) = (Hold::new(), Latch::new("crashed"));
        let call = journal.crash_once(hold.clone(), crashed.clone()).cancel_on_drop();
        hold.until_begun();
        let next = journal.note(1);
        drop(call);
        hold.let_go();
        next.wait().unwrap();
        assert_eq!(journal.runs().wait().unwrap(), [1]);
        crashed.remove();
        hold.remove();
        assert_eq!((journal.incarnation(), journal.depth()), (2, 0));
    });
}
