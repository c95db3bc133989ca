//! The mailbox outlives the actor: what a crash costs, and what it does not.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{Restart, StoppedBy};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, processes};

/// Counts, and dies on request.
#[actor]
struct Frail {
    count: u64,
    notes: Option<PathBuf>,
}

#[actor]
impl Frail {
    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn number(&mut self, number: u64, die_at: u64) -> (u64, u64, u64) {
        if number == die_at {
            std::process::exit(255);
        }
        self.count += 1;
        (number, self.count, phalanx::current().incarnation())
    }

    fn abort(&self) {
        std::process::abort()
    }

    fn panic(&self) {
        panic!("on purpose")
    }

    fn exit(&self, code: i32) {
        std::process::exit(code)
    }

    fn leave(&self, for_good: bool) {
        if for_good { phalanx::exit_actor_for_good() } else { phalanx::exit_actor() }
    }

    fn nap(&self, millis: u64) {
        std::thread::sleep(Duration::from_millis(millis));
    }

    #[tell]
    fn note(&mut self, text: String) {
        if let Some(path) = &self.notes {
            let earlier = fs::read_to_string(path).unwrap_or_default();
            fs::write(path, format!("{earlier}{text} ")).unwrap();
        }
    }
}

fn frail() -> Frail {
    Frail { count: 0, notes: None }
}

fn permanent() -> ActorRef<Frail> {
    frail()
        .builder()
        .restart(Restart::Permanent)
        .intensity(100, RESTART_WINDOW)
        .mailbox(1000)
        .spawn()
        .unwrap()
}

#[test]
fn a_ref_stays_valid_over_a_crash_and_only_the_call_in_progress_is_lost() {
    alone(|| {
        let frail = permanent();
        assert_eq!(frail.next().wait().unwrap(), 1);
        let first = frail.pid().unwrap();
        let error = frail.abort().wait().unwrap_err();
        assert_eq!(error.exit_reason().and_then(ExitReason::signal), Some(6), "{error}");
        assert_eq!(frail.next().wait().unwrap(), 1);
        assert_eq!(frail.incarnation(), 2);
        assert_ne!(frail.pid().unwrap(), first);
        let error = frail.panic().wait().unwrap_err();
        assert!(error.to_string().contains("on purpose"), "{error}");
        assert_eq!(frail.next().wait().unwrap(), 1);
    });
}

#[test]
fn what_is_queued_is_served_in_order_by_the_next_process() {
    alone(|| {
        let frail = permanent();
        let replies: Vec<_> = (1..=200).map(|number| frail.number(number, 100)).collect();
        for (number, reply) in (1..=200).zip(replies) {
            match (number, reply.wait()) {
                (100, Err(CallError::Died(ExitReason::Exited(255), _))) => {}
                (1..100, Ok(answer)) => assert_eq!(answer, (number, number, 1)),
                (101.., Ok(answer)) => assert_eq!(answer, (number, number - 100, 2)),
                (_, other) => panic!("{number}: {other:?}"),
            }
        }
    });
}

#[test]
fn a_caller_in_another_process_is_told_and_served_too() {
    alone(|| {
        let frail = permanent();
        let replies: Vec<_> = (0..4)
            .map(|caller| {
                Process::spawn(
                    |(frail, caller): (ActorRef<Frail>, u64)| {
                        let die_at = 10 + caller;
                        let calls: Vec<_> = (0..50).map(|number| frail.number(number, die_at)).collect();
                        let calls = (0..).zip(calls).map(|(number, call)| (number, call.wait()));
                        calls
                            .filter_map(|(number, call)| call.is_err().then_some(number))
                            .collect::<Vec<u64>>()
                    },
                    (frail.clone(), caller),
                )
                .unwrap()
            })
            .collect();
        for (caller, lost) in (0..).zip(replies) {
            assert_eq!(lost.join().unwrap(), [10 + caller]);
        }
        assert_eq!(frail.incarnation(), 5);
    });
}

#[test]
fn when_the_allowance_is_used_up_all_callers_are_told() {
    alone(|| {
        let frail =
            frail().builder().restart(Restart::Permanent).intensity(1, RESTART_WINDOW).spawn().unwrap();
        assert!(frail.exit(3).wait().is_err());
        let (nap, exit, queued) = (frail.nap(50), frail.exit(4), frail.next());
        nap.wait().unwrap();
        for call in [exit.wait().unwrap_err(), queued.wait().map(drop).unwrap_err()] {
            assert!(matches!(&call, CallError::Died(ExitReason::Exited(4), _)), "{call}");
        }
        assert_eq!(frail.join(), ExitReason::GaveUp { last: Box::new(ExitReason::Exited(4)) });
        assert!(!frail.is_alive());
        assert!(matches!(frail.next().wait(), Err(CallError::Gone(_))));
    });
}

#[test]
fn a_death_that_was_ordered_restarts_nothing() {
    alone(|| {
        let [stopped, killed, left] = [(); 3].map(|()| permanent());
        assert_eq!(stopped.stop(EVENT_TIMEOUT).unwrap(), ExitReason::Stopped(StoppedBy::Ref));
        killed.kill().unwrap();
        assert_eq!(killed.join().signal(), Some(9));
        assert!(matches!(left.leave(true).wait(), Err(CallError::Stopped(_))));
        assert_eq!(left.join(), ExitReason::Stopped(StoppedBy::Itself));
        for dead in [stopped, killed, left] {
            assert!(!dead.is_alive());
            assert_eq!(dead.incarnation(), 1);
        }
    });
}

#[test]
fn restart_types_decide_after_an_end_by_itself() {
    alone(|| {
        let with = |restart| frail().builder().restart(restart).intensity(9, RESTART_WINDOW).spawn().unwrap();
        let permanent = with(Restart::Permanent);
        for times in 1..4 {
            match times {
                1 => drop(permanent.leave(false).wait()),
                2 => drop(permanent.exit(0).wait()),
                _ => processes::kill(permanent.pid().unwrap()),
            }
            eventually("the next process", EVENT_TIMEOUT, || permanent.incarnation() == times + 1);
            assert_eq!(permanent.next().wait().unwrap(), 1);
        }
        let [left, done] = [(); 2].map(|()| with(Restart::Transient));
        let _ = left.leave(false).wait();
        let _ = done.exit(0).wait();
        assert_eq!(left.join(), ExitReason::Stopped(StoppedBy::Itself));
        assert_eq!(done.join(), ExitReason::Exited(0));
        let transient = with(Restart::Transient);
        let _ = transient.exit(1).wait();
        assert_eq!(transient.next().wait().unwrap(), 1);
        assert_eq!(transient.incarnation(), 2);
    });
}

#[test]
fn tells_that_are_queued_survive_too() {
    alone(|| {
        let notes = std::env::temp_dir().join(format!("notes-{}", std::process::id()));
        let frail = Frail { count: 0, notes: Some(notes.clone()) };
        let frail = frail.builder().restart(Restart::Permanent).intensity(5, RESTART_WINDOW).spawn().unwrap();
        let nap = frail.nap(100);
        for word in ["a", "b"] {
            frail.note(word.into()).unwrap();
        }
        let abort = frail.abort();
        for word in ["c", "d"] {
            frail.note(word.into()).unwrap();
        }
        nap.wait().unwrap();
        abort.wait().unwrap_err();
        frail.next().wait().unwrap();
        assert_eq!(fs::read_to_string(&notes).unwrap(), "a b c d ");
        fs::remove_file(notes).unwrap();
    });
}

#[test]
fn a_monitor_tells_the_end_of_each_process() {
    alone(|| {
        let frail = permanent();
        for incarnation in 1..4 {
            let mut monitor = frail.monitor();
            let nap = frail.nap(100_000);
            eventually("the nap", EVENT_TIMEOUT, || frail.depth() == 0);
            processes::kill(frail.pid().unwrap());
            let down = monitor.recv_timeout(EVENT_TIMEOUT).unwrap();
            assert_eq!((down.incarnation, down.reason.signal()), (incarnation, Some(9)));
            assert_eq!(down.in_progress.unwrap().method, "nap");
            assert!(nap.wait().is_err());
            eventually("the next process", EVENT_TIMEOUT, || frail.incarnation() == incarnation + 1);
            frail.next().wait().unwrap();
        }
    });
}

#[test]
fn an_actor_that_is_recycled_loses_nothing() {
    alone(|| {
        let frail = frail().builder().recycle_after(10).mailbox(1000).spawn().unwrap();
        let replies: Vec<_> = (0..95).map(|_| frail.next()).collect();
        for (number, reply) in (0..).zip(replies) {
            assert_eq!(reply.wait().unwrap(), number % 10 + 1);
        }
        assert_eq!(frail.incarnation(), 10);
    });
}

#[test]
fn a_monitor_that_is_there_before_the_start_watches_the_first_process() {
    alone(|| {
        let reserved = frail().builder().reserve().unwrap();
        let frail = reserved.actor_ref();
        let mut monitor = frail.monitor();
        assert_eq!(monitor.try_recv(), None);
        let supervisor = Supervisor::one_for_one().child("frail", reserved).start().unwrap();
        assert_eq!(frail.next().wait().unwrap(), 1);
        assert_eq!(monitor.try_recv(), None);
        processes::kill(frail.pid().unwrap());
        let down = monitor.recv_timeout(EVENT_TIMEOUT).unwrap();
        assert_eq!((down.incarnation, down.reason.signal()), (1, Some(9)));
        assert_eq!(frail.next().wait().unwrap(), 1);
        supervisor.stop(EVENT_TIMEOUT).unwrap();
    });
}

#[test]
fn one_that_was_stopped_costs_its_supervisor_nothing_more() {
    alone(|| {
        let first = Frail { count: 0, notes: None }.spawn().unwrap();
        let supervisor = processes::root_supervisor(std::process::id()).unwrap();
        let open = || std::fs::read_dir(format!("/proc/{supervisor}/fd")).unwrap().count();
        let before = open();
        for _ in 0..20 {
            let builder = Frail { count: 0, notes: None }.builder().restart(Restart::Permanent);
            builder.spawn().unwrap().stop(EVENT_TIMEOUT).unwrap();
        }
        // It lets go after it has told of the end. `before` may have been taken while it started `first`,
        // with a few more descriptors than it keeps.
        eventually("no more descriptors than before", EVENT_TIMEOUT, || open() <= before);
        assert!(first.is_alive());
    });
}
