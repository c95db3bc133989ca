//! Replies that are sent after the handler has returned.

use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{Answer, Later, Restart, StoppedBy};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, processes};
use serde::{Deserialize, Serialize};

/// Owes replies.
#[actor]
struct Desk {
    owed: Vec<Answer<u64>>,
    judged: Vec<Answer<Result<u64, String>>>,
}

/// No reader can decode it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Answered {
    #[serde(serialize_with = "refuse")]
    value: u64,
}

fn refuse<S: serde::Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    if *value == 13 { Err(serde::ser::Error::custom("unlucky")) } else { serializer.serialize_u64(*value) }
}

#[actor]
impl Desk {
    #[init]
    fn new() -> Self {
        Desk { owed: Vec::new(), judged: Vec::new() }
    }

    fn ask(&mut self) -> Later<u64> {
        let (later, answer) = phalanx::later();
        self.owed.push(answer);
        later
    }

    fn judge(&mut self) -> Later<Result<u64, String>> {
        let (later, answer) = phalanx::later();
        self.judged.push(answer);
        later
    }

    /// Replies before it has returned.
    fn at_once(&self, number: u64) -> Later<u64> {
        let (later, answer) = phalanx::later();
        assert!(answer.is_wanted());
        answer.send(number).unwrap();
        later
    }

    fn on_a_thread(&self, number: u64, after: Duration) -> Later<u64> {
        let (later, answer) = phalanx::later();
        thread::spawn(move || {
            thread::sleep(after);
            answer.send(number)
        });
        later
    }

    /// A thread replies at the very moment of the return.
    fn raced(&self, number: u64) -> Later<u64> {
        let (later, answer) = phalanx::later();
        thread::spawn(move || answer.send(number));
        later
    }

    fn bytes(&self, len: usize) -> Later<Vec<u8>> {
        let (later, answer) = phalanx::later();
        thread::spawn(move || answer.send(vec![7; len]));
        later
    }

    fn unencodable(&self, value: u64) -> Later<Answered> {
        let (later, answer) = phalanx::later();
        answer.send(Answered { value }).unwrap();
        later
    }

    /// Returns a half that belongs to another pair.
    fn mixed_up(&self) -> Later<u64> {
        let (_, answer) = phalanx::later::<u64>();
        assert!(!answer.is_wanted());
        assert_eq!(answer.send(1), Err(1));
        phalanx::later().0
    }

    fn itself(&self) -> Later<ActorRef<Desk>> {
        let (later, answer) = phalanx::later();
        answer.send(phalanx::myself::<Desk>().unwrap()).unwrap();
        later
    }

    /// Replies to all callers, from the last to the first; returns how many of them still waited.
    fn settle(&mut self, number: u64) -> usize {
        self.owed.drain(..).rev().filter_map(|answer| answer.send(number).ok()).count()
    }

    fn settle_judged(&mut self, verdict: Result<u64, String>) {
        for answer in self.judged.drain(..) {
            let _ = answer.send(verdict.clone());
        }
    }

    fn forget(&mut self) {
        self.owed.clear();
    }

    fn wanted(&self) -> usize {
        self.owed.iter().filter(|answer| answer.is_wanted()).count()
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir("/proc/self/fd").unwrap().count()
    }

    fn crash(&self) {
        std::process::abort()
    }

    fn panic(&self) {
        panic!("enough")
    }
}

fn desk() -> ActorRef<Desk> {
    Desk::spawn().unwrap()
}

#[task]
fn ask_and_wait(desk: ActorRef<Desk>) {
    let _ = desk.ask().wait();
}

#[test]
fn answers_come_when_they_are_sent_and_others_are_served_meanwhile() {
    alone(|| {
        let desk = desk();
        let mut replies: Vec<_> = (0..100).map(|_| desk.ask()).collect();
        assert_eq!(desk.wanted().wait().unwrap(), 100);
        assert!(replies.iter_mut().all(|reply| !reply.is_done()));
        assert_eq!(desk.settle(7).wait().unwrap(), 100);
        assert!(replies.into_iter().all(|reply| reply.wait().unwrap() == 7));
        assert_eq!(desk.at_once(3).wait().unwrap(), 3);
        assert_eq!(desk.on_a_thread(4, Duration::from_millis(20)).wait().unwrap(), 4);
        assert_eq!(desk.itself().wait().unwrap(), desk);
        assert_eq!(desk.bytes(1 << 20).wait().unwrap(), vec![7; 1 << 20]);
    });
}

#[test]
fn an_answer_that_is_sent_while_its_handler_returns_arrives_once() {
    alone(|| {
        let desk = desk();
        for round in 0..500 {
            assert_eq!(desk.raced(round).wait().unwrap(), round);
        }
    });
}

#[test]
fn later_results_are_values_or_errors_of_the_handler() {
    alone(|| {
        let desk = desk();
        let (one, other) = (desk.judge(), desk.try_judge().unwrap());
        desk.settle_judged(Ok(1)).wait().unwrap();
        assert_eq!((one.wait(), other.wait()), (Ok(1), Ok(1)));
        let one = desk.judge();
        desk.settle_judged(Err("no".to_owned())).wait().unwrap();
        assert_eq!(one.wait(), Err(CallError::App("no".to_owned())));
    });
}

#[test]
fn what_cannot_be_encoded_is_an_error_at_its_caller_alone() {
    alone(|| {
        let desk = desk();
        assert_eq!(desk.unencodable(12).wait().unwrap(), Answered { value: 12 });
        let error = desk.unencodable(13).wait().unwrap_err();
        assert!(matches!(&error, CallError::Codec(text, _) if text.contains("unlucky")), "{error}");
        assert_eq!(desk.at_once(1).wait().unwrap(), 1);
    });
}

#[test]
fn dropped_answers_end_the_wait_and_unreturned_ones_are_unwanted() {
    alone(|| {
        let desk = desk();
        let replies = [desk.ask(), desk.ask()];
        desk.forget().wait().unwrap();
        for reply in replies {
            assert!(matches!(reply.wait(), Err(CallError::Unanswered(_))));
        }
        assert!(matches!(desk.mixed_up().wait(), Err(CallError::Unanswered(_))));
    });
}

#[test]
fn callers_hear_of_the_end_of_an_actor_that_owes_them_an_answer() {
    alone(|| {
        let ends: [fn(&ActorRef<Desk>); 4] = [
            |desk| desk.kill().unwrap(),
            |desk| drop(desk.crash().wait()),
            |desk| drop(desk.panic().wait()),
            |desk| drop(desk.stop(EVENT_TIMEOUT)),
        ];
        for (number, end) in ends.into_iter().enumerate() {
            let desk = desk();
            let (kept, judged) = (desk.ask(), desk.judge());
            assert_eq!(desk.wanted().wait().unwrap(), 1);
            end(&desk);
            for error in [kept.wait().unwrap_err().to_string(), judged.wait().unwrap_err().to_string()] {
                let wanted = if number == 3 { "was stopped" } else { "the actor died" };
                assert!(error.contains(wanted), "{number}: {error}");
            }
        }
        // The caller is told of the stop, not that the reply was dropped.
        let desk = desk();
        let kept = desk.ask();
        assert_eq!(desk.wanted().wait().unwrap(), 1);
        assert_eq!(desk.stop(EVENT_TIMEOUT).unwrap(), ExitReason::Stopped(StoppedBy::Ref));
        assert!(matches!(kept.wait(), Err(CallError::Stopped(_))));
    });
}

#[test]
fn an_actor_that_is_restarted_owes_nothing_and_its_callers_are_told() {
    alone(|| {
        let builder = Desk::builder().restart(Restart::Permanent).intensity(50, RESTART_WINDOW);
        let desk = builder.spawn().unwrap();
        for round in 1..=5_u64 {
            let kept: Vec<_> = (0..3).map(|_| desk.ask()).collect();
            assert_eq!(desk.wanted().wait().unwrap(), 3);
            assert!(matches!(desk.crash().wait(), Err(CallError::Died(..))));
            for reply in kept {
                let error = reply.wait().unwrap_err();
                assert!(
                    matches!(error, CallError::Died(ExitReason::Signaled { signal: 6, .. }, _)),
                    "{error}"
                );
            }
            assert_eq!(desk.wanted().wait().unwrap(), 0);
            assert_eq!(desk.incarnation(), round + 1);
        }
        // A call that was replied to is owed no more: one that is queued when the actor dies is served by the
        // next process.
        let kept = desk.ask();
        assert_eq!(desk.settle(5).wait().unwrap(), 1);
        assert_eq!(kept.wait().unwrap(), 5);
        let (crash, queued) = (desk.crash(), desk.at_once(9));
        assert!(crash.wait().is_err());
        assert_eq!(queued.wait().unwrap(), 9);
    });
}

/// One that is not restarted by itself comes back with its supervisor, and is another one then.
#[test]
fn callers_hear_of_it_when_the_supervisor_of_an_actor_that_owes_them_is_killed() {
    alone(|| {
        for restart in [Restart::Temporary, Restart::Permanent] {
            let desk = Desk::builder().restart(restart).reserve().unwrap();
            let desk_ref = desk.actor_ref();
            let inner = Supervisor::one_for_one().child("desk", desk).reserve().unwrap();
            let inner_ref = inner.actor_ref();
            let tree = Supervisor::one_for_one()
                .intensity(10, RESTART_WINDOW)
                .child("inner", inner)
                .start()
                .unwrap();
            let (desk, inner) = (desk_ref, inner_ref);
            let kept = desk.ask();
            assert_eq!(desk.wanted().wait().unwrap(), 1);
            processes::kill(inner.pid().unwrap());
            let error = kept.wait().unwrap_err();
            assert!(matches!(error, CallError::Died(ExitReason::SupervisorDied, _)), "{error}");
            assert_eq!(desk.wanted().wait().unwrap(), 0);
            assert_eq!(desk.at_once(4).wait().unwrap(), 4);
            assert_eq!(desk.incarnation(), 2);
            tree.stop(EVENT_TIMEOUT).unwrap();
        }
    });
}

#[test]
fn nobody_wants_the_answer_of_a_caller_that_is_gone_or_late() {
    alone(|| {
        let desk = desk();
        let before = desk.descriptors().wait().unwrap();
        let waiting: Vec<_> = (0..3).map(|_| ask_and_wait::spawn(desk.clone()).unwrap()).collect();
        eventually("three wait", EVENT_TIMEOUT, || desk.wanted().wait().unwrap() == 3);
        let late = desk.within(Duration::from_millis(50)).ask();
        assert!(matches!(late.wait(), Err(CallError::Timeout(_))));
        assert_eq!(desk.wanted().wait().unwrap(), 3);
        processes::kill(waiting[0].pid());
        assert!(waiting[0].join().is_err());
        eventually("one is gone", EVENT_TIMEOUT, || desk.wanted().wait().unwrap() == 2);
        // Four replies are owed. One caller is gone and one has given up: two can get theirs.
        assert_eq!(desk.settle(1).wait().unwrap(), 2);
        assert!(waiting[1].join().is_ok() && waiting[2].join().is_ok());
        // The channels of callers that are gone are closed when others come, without further work.
        for _ in 0..40 {
            ask_and_wait_for_itself::spawn(desk.clone()).unwrap().join().unwrap();
        }
        let after = desk.descriptors().wait().unwrap();
        assert!(after < before + 40, "{before} descriptors, then {after}");
    });
}

#[task]
fn ask_and_wait_for_itself(desk: ActorRef<Desk>) {
    assert_eq!(desk.at_once(1).wait().unwrap(), 1);
}

#[test]
fn answers_for_a_caller_that_does_not_read_wait_for_room() {
    alone(|| {
        let desk = desk();
        // More than a reply channel holds, fewer than are kept beside it.
        let replies: Vec<_> = (0..400).map(|_| desk.within(EVENT_TIMEOUT).ask()).collect();
        assert_eq!(desk.wanted().wait().unwrap(), 400);
        let threads: Vec<_> = (0..100).map(|number| desk.on_a_thread(number, Duration::ZERO)).collect();
        let settled = desk.settle(2);
        // A while in which nothing is read; no reply may be lost in it.
        thread::sleep(Duration::from_millis(100));
        assert_eq!(settled.wait().unwrap(), 400);
        assert!(replies.into_iter().all(|reply| reply.wait().unwrap() == 2));
        let numbers: Vec<u64> = threads.into_iter().map(|reply| reply.wait().unwrap()).collect();
        assert!(numbers.into_iter().eq(0..100));
    });
}
