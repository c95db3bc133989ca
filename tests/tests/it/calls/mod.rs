//! Asking and telling: from threads, from executors, with deadlines, through signals.

mod cancels;
mod deadlines;
mod futures;
mod later;
mod nested;
mod passed_on;
mod refs;
mod replies;
mod signals;
mod wakers;

use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::alone;

/// Remembers what it was told, in order.
#[actor]
struct Log {
    entries: Vec<(u32, u32)>,
}

#[actor]
impl Log {
    fn ask(&mut self, from: u32, number: u32) -> (u32, u32) {
        self.entries.push((from, number));
        (from, number)
    }

    #[tell]
    fn tell(&mut self, from: u32, number: u32) {
        self.entries.push((from, number));
    }

    fn entries(&self) -> Vec<(u32, u32)> {
        self.entries.clone()
    }

    fn sleep(&self, time: Duration) -> Duration {
        thread::sleep(time);
        time
    }

    /// Halves only what is even.
    fn half(&mut self, number: u32) -> Result<u32, String> {
        if number.is_multiple_of(2) { Ok(number / 2) } else { Err(format!("{number} is odd")) }
    }

    fn own_pid(&self) -> u32 {
        std::process::id()
    }
}

fn log() -> ActorRef<Log> {
    Log { entries: Vec::new() }.spawn().unwrap()
}

#[test]
fn tells_are_handled_before_an_ask_that_follows_them() {
    alone(|| {
        let log = log();
        for round in 0..100 {
            log.tell(0, 2 * round).unwrap();
            assert_eq!(log.ask(0, 2 * round + 1).wait().unwrap(), (0, 2 * round + 1));
        }
        let expected: Vec<_> = (0..200).map(|number| (0, number)).collect();
        assert_eq!(log.entries().wait().unwrap(), expected);
    });
}

#[test]
fn a_thousand_pipelined_asks_are_handled_and_answered_in_order() {
    alone(|| {
        let log = log();
        let replies: Vec<_> = (0..1000).map(|number| log.ask(0, number)).collect();
        for (number, reply) in (0..).zip(replies) {
            assert_eq!(reply.wait().unwrap(), (0, number));
        }
        let expected: Vec<_> = (0..1000).map(|number| (0, number)).collect();
        assert_eq!(log.entries().wait().unwrap(), expected);
        assert_eq!(log.depth(), 0);
    });
}

#[test]
fn answers_may_be_waited_for_in_any_order() {
    alone(|| {
        let log = log();
        let mut replies: Vec<_> = (0..100).map(|number| (number, log.ask(1, number))).collect();
        while let Some((number, reply)) = replies.pop() {
            assert_eq!(reply.wait().unwrap(), (1, number));
        }
    });
}

#[test]
fn eight_threads_are_answered_each_in_its_own_order() {
    alone(|| {
        let log = log();
        thread::scope(|scope| {
            for from in 0..8 {
                let log = &log;
                scope.spawn(move || {
                    // Some waiting each for its own reply, some pipelined.
                    for number in 0..100 {
                        assert_eq!(log.ask(from, number).wait().unwrap(), (from, number));
                    }
                    let replies: Vec<_> = (100..300).map(|number| log.ask(from, number)).collect();
                    for (number, reply) in (100..).zip(replies) {
                        assert_eq!(reply.wait().unwrap(), (from, number));
                    }
                });
            }
        });
        let entries = log.entries().wait().unwrap();
        assert_eq!(entries.len(), 8 * 300);
        for thread in 0..8 {
            let own = entries.iter().filter(|(from, _)| *from == thread).map(|(_, number)| *number);
            assert!(own.eq(0..300), "thread {thread} was not handled in order");
        }
    });
}

#[test]
fn one_thread_waits_while_others_come_and_go() {
    alone(|| {
        let (slow, quick) = (log(), log());
        let sleeping = Duration::from_secs(1);
        thread::scope(|scope| {
            // The first to wait leads; the later ones must not depend on its end.
            let waiting = scope.spawn(|| slow.sleep(sleeping).wait());
            for number in 0..200 {
                assert_eq!(quick.ask(0, number).wait().unwrap(), (0, number));
            }
            assert_eq!(waiting.join().unwrap().unwrap(), sleeping);
        });
    });
}

#[test]
fn a_handlers_error_reaches_its_caller_and_is_not_a_crash() {
    alone(|| {
        let log = log();
        let pid = log.own_pid().wait().unwrap();
        assert_eq!(log.half(8).wait(), Ok(4));
        assert_eq!(log.half(7).wait(), Err(CallError::App("7 is odd".to_owned())));
        assert_eq!(log.half(7).wait().unwrap_err().to_string(), "7 is odd");
        assert_eq!(log.half(6).wait(), Ok(3));
        assert_eq!(log.own_pid().wait().unwrap(), pid);
        assert_eq!((log.pid().unwrap(), log.incarnation()), (pid, 1));
    });
}

#[test]
fn many_actors_are_asked_at_once_and_all_answer() {
    alone(|| {
        let logs: Vec<_> = (0..20).map(|_| log()).collect();
        let replies: Vec<_> =
            (0..200_u32).map(|number| logs[number as usize % 20].ask(number % 20, number)).collect();
        for (number, reply) in (0..).zip(replies) {
            assert_eq!(reply.wait().unwrap(), (number % 20, number));
        }
    });
}
