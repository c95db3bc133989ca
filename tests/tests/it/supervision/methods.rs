//! Messages of actors that are restarted: what is repeated, what is limited, and fresh processes on purpose.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{Restart, Shutdown};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, LATCH_TIMEOUT, RESTART_WINDOW, alone, eventually, processes};

use super::support::stage::{Stage, stop};

const KILL_AFTER: Duration = Duration::from_millis(300);

/// Writes down each message that it begins.
#[actor]
struct Diligent {
    log: PathBuf,
    ready: PathBuf,
    ballast: Vec<u8>,
}

#[actor]
impl Diligent {
    #[on_start]
    fn begin(&mut self) {
        eventually("the latch", LATCH_TIMEOUT, || self.ready.exists());
        self.write("begun");
    }

    /// The first process hangs in this one message.
    #[idempotent]
    fn work(&mut self, number: u64, hang_at: u64) -> u64 {
        self.write(&number.to_string());
        if number == hang_at && phalanx::current().incarnation() == 1 {
            thread::sleep(FOREVER);
        }
        number
    }

    #[idempotent(3)]
    fn fail(&mut self) {
        self.write("fail");
        panic!("each time")
    }

    fn lose(&mut self) {
        self.write("lose");
        panic!("once")
    }

    fn spin(&self) {
        thread::sleep(FOREVER);
    }

    #[tell]
    fn hang(&self) {
        thread::sleep(FOREVER);
    }

    fn served_by(&self) -> u64 {
        phalanx::current().incarnation()
    }

    fn grow(&mut self, bytes: usize) -> usize {
        self.ballast.resize(self.ballast.len() + bytes, 1);
        self.ballast.len()
    }

    #[on_stop]
    fn end(&mut self) {
        self.write("ended");
    }
}

impl Diligent {
    fn write(&self, text: &str) {
        let log = fs::OpenOptions::new().create(true).append(true).open(&self.log);
        log.and_then(|mut log| log.write_all(format!("{text} ").as_bytes())).unwrap();
    }
}

/// An actor to be, and where it writes.
fn diligent(stage: &Stage) -> (phalanx::ActorBuilder<Diligent>, PathBuf) {
    let (log, ready) = (stage.latch("log").path(), stage.latch("ready"));
    ready.open();
    (Diligent { log: log.clone(), ready: ready.path(), ballast: Vec::new() }.builder().mailbox(1000), log)
}

fn said(log: &PathBuf) -> String {
    fs::read_to_string(log).unwrap_or_default().trim_end().to_owned()
}

#[test]
fn what_is_done_at_the_start_is_done_after_the_start_and_before_the_first_message() {
    alone(|| {
        let stage = Stage::new();
        let (log, ready) = (stage.latch("log").path(), stage.latch("ready"));
        let actor = Diligent { log: log.clone(), ready: ready.path(), ballast: Vec::new() }.builder();
        let actor = actor.reserve().unwrap();
        let its_ref = actor.actor_ref();
        let queued = its_ref.work(1, 0);
        let supervisor = Supervisor::one_for_one().child("a", actor).start().unwrap();
        // It has started, and is not done with that.
        assert_eq!(said(&log), "");
        assert!(its_ref.is_alive());
        ready.open();
        assert_eq!(queued.wait(), Ok(1));
        assert_eq!(said(&log), "begun 1");
        // A reply is out before its message is done with.
        its_ref.served_by().wait().unwrap();
        processes::kill(its_ref.pid().unwrap());
        eventually("the next", EVENT_TIMEOUT, || its_ref.incarnation() == 2);
        assert_eq!(its_ref.work(2, 0).wait(), Ok(2));
        assert_eq!(said(&log), "begun 1 begun 2");
        stop(&supervisor);
    });
}

#[test]
fn a_message_that_may_be_repeated_is_begun_again_in_its_place() {
    alone(|| {
        let stage = Stage::new();
        let (actor, log) = diligent(&stage);
        let actor = actor.reserve().unwrap();
        let its_ref = actor.actor_ref();
        let supervisor = Supervisor::one_for_one().child("a", actor).start().unwrap();
        let calls: Vec<_> = (1..=100).map(|number| its_ref.work(number, 40)).collect();
        eventually("the fortieth", EVENT_TIMEOUT, || said(&log).ends_with(" 40"));
        processes::kill(its_ref.pid().unwrap());
        let answers: Vec<u64> = calls.into_iter().map(|call| call.wait().unwrap()).collect();
        assert_eq!(answers, (1..=100).collect::<Vec<_>>());
        let words = |range: std::ops::RangeInclusive<u64>| {
            range.map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(said(&log), format!("begun {} begun {}", words(1..=40), words(40..=100)));
        stop(&supervisor);
    });
}

/// Its supervisor dies with it, and cannot say so.
#[test]
fn a_message_that_may_be_repeated_outlives_the_supervisor_too() {
    alone(|| {
        let stage = Stage::new();
        let (actor, log) = diligent(&stage);
        let actor = actor.reserve().unwrap();
        let its_ref = actor.actor_ref();
        let supervisor = Supervisor::one_for_one().restart(Restart::Permanent).child("a", actor);
        let supervisor = supervisor.start().unwrap();
        let calls: Vec<_> = (1..=20).map(|number| its_ref.work(number, 10)).collect();
        eventually("the tenth", EVENT_TIMEOUT, || said(&log).ends_with(" 10"));
        let mut monitor = its_ref.monitor();
        processes::kill(supervisor.pid().unwrap());
        for (number, call) in (1..).zip(calls) {
            assert_eq!(call.wait(), Ok(number));
        }
        let down = monitor.recv_timeout(EVENT_TIMEOUT).unwrap();
        assert_eq!(
            (down.reason, down.in_progress.unwrap().method),
            (ExitReason::SupervisorDied, "work".into())
        );
        assert_eq!(its_ref.served_by().wait(), Ok(2));
        stop(&supervisor);
    });
}

#[test]
fn a_message_is_repeated_so_often_and_then_its_caller_is_told() {
    alone(|| {
        let stage = Stage::new();
        let (actor, log) = diligent(&stage);
        let actor = actor.restart(Restart::Permanent).intensity(10, RESTART_WINDOW).spawn().unwrap();
        let (failing, losing, behind) = (actor.fail(), actor.lose(), actor.served_by());
        for (call, text) in [(failing, "each time"), (losing, "once")] {
            match call.wait() {
                Err(CallError::Died(ExitReason::Panicked { message, .. }, _)) => assert_eq!(message, text),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(behind.wait(), Ok(5));
        assert_eq!(said(&log), "begun fail begun fail begun fail begun lose begun");
    });
}

/// The actor has no deadline of its own.
#[test]
fn a_handler_past_the_limit_of_its_caller_is_killed_and_the_reason_says_which_and_when() {
    alone(|| {
        let stage = Stage::new();
        let (actor, _) = diligent(&stage);
        let actor = actor.reserve().unwrap();
        let its_ref = actor.actor_ref();
        let supervisor =
            Supervisor::one_for_one().intensity(10, RESTART_WINDOW).child("a", actor).start().unwrap();
        // Within the limit it does no harm.
        assert_eq!(its_ref.kill_after(EVENT_TIMEOUT).served_by().wait(), Ok(1));
        for incarnation in 2..5 {
            let queued = its_ref.kill_after(KILL_AFTER).spin();
            let behind = its_ref.served_by();
            let start = Instant::now();
            let error = queued.wait().unwrap_err();
            match error.exit_reason() {
                Some(ExitReason::DeadlineExceeded { method, after }) => {
                    assert_eq!(method, "spin");
                    assert!(*after >= KILL_AFTER, "{after:?}");
                }
                other => panic!("{other:?}"),
            }
            super::support::stage::within(start, KILL_AFTER + Duration::from_millis(500));
            assert_eq!(behind.wait(), Ok(incarnation));
        }
        // A tell can have a limit, too.
        let mut monitor = its_ref.monitor();
        its_ref.kill_after(KILL_AFTER).hang().unwrap();
        let down = monitor.recv_timeout(EVENT_TIMEOUT).unwrap();
        assert!(
            matches!(&down.reason, ExitReason::DeadlineExceeded { method, .. } if method == "hang"),
            "{down}"
        );
        assert_eq!(its_ref.served_by().wait(), Ok(5));
        stop(&supervisor);
    });
}

/// As systemd's `WatchdogSec`, under a supervisor.
#[test]
fn an_actor_that_is_stopped_in_a_handler_is_killed_at_its_deadline_and_restarted() {
    alone(|| {
        let stage = Stage::new();
        let (actor, _) = diligent(&stage);
        let limit = Duration::from_millis(500);
        let actor = actor.deadline(limit).reserve().unwrap();
        let its_ref = actor.actor_ref();
        let supervisor = Supervisor::one_for_one().child("a", actor).start().unwrap();
        let start = Instant::now();
        let spinning = its_ref.spin();
        eventually("the call", EVENT_TIMEOUT, || its_ref.depth() == 0);
        processes::signal("STOP", i64::from(its_ref.pid().unwrap()));
        let behind = its_ref.served_by();
        let error = spinning.wait().unwrap_err();
        assert!(start.elapsed() >= limit);
        match error.exit_reason() {
            Some(ExitReason::DeadlineExceeded { method, after }) => {
                assert!(method == "spin" && *after >= limit);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(behind.wait(), Ok(2));
        stop(&supervisor);
    });
}

#[test]
fn an_actor_is_replaced_at_its_age_and_loses_nothing() {
    alone(|| {
        let stage = Stage::new();
        let (actor, log) = diligent(&stage);
        let actor = actor.recycle_at_age(KILL_AFTER).reserve().unwrap();
        let its_ref = actor.actor_ref();
        // Not one restart is bearable: a recycling is none.
        let supervisor = Supervisor::one_for_all().intensity(0, RESTART_WINDOW).child("a", actor);
        let (supervisor, [bystander]) = stage.cast(supervisor, ["bystander"]);
        let supervisor = supervisor.start().unwrap();
        let mut served = 0;
        eventually("the fourth process", EVENT_TIMEOUT, || {
            served += 1;
            assert_eq!(its_ref.work(served, 0).wait(), Ok(served));
            its_ref.incarnation() >= 4
        });
        // One that is idle is replaced as well, once it has served.
        let before = its_ref.incarnation();
        served += 1;
        assert_eq!(its_ref.work(served, 0).wait(), Ok(served));
        eventually("the next", EVENT_TIMEOUT, || its_ref.incarnation() > before);
        assert_eq!(
            (bystander.incarnation(), super::support::stage::child(&supervisor, "a").restarts),
            (1, 0)
        );
        // The last of them counts before it says so.
        eventually("the beginning of the next", EVENT_TIMEOUT, || {
            said(&log).matches("ended begun").count() >= 4
        });
        let log = said(&log);
        let numbers: Vec<u64> = log.split(' ').filter_map(|word| word.parse().ok()).collect();
        assert_eq!(numbers, (1..=served).collect::<Vec<_>>());
        stop(&supervisor);
    });
}

#[test]
fn an_age_shorter_than_the_start_costs_a_process_for_each_message_and_no_more() {
    alone(|| {
        let stage = Stage::new();
        let (actor, _) = diligent(&stage);
        let actor = actor.before_start(|| thread::sleep(Duration::from_millis(30)));
        let actor = actor.recycle_at_age(Duration::from_millis(1)).spawn().unwrap();
        for number in 1..=5 {
            assert_eq!(actor.work(number, 0).wait(), Ok(number));
        }
        let calls: Vec<_> = (1..=5).map(|number| actor.work(number, 0)).collect();
        assert_eq!(calls.into_iter().map(|call| call.wait().unwrap()).sum::<u64>(), 15);
        eventually("the last one's successor", EVENT_TIMEOUT, || {
            actor.incarnation() > 2 && actor.is_alive() && actor.depth() == 0
        });
        // A process that has not served yet is not replaced.
        thread::sleep(KILL_AFTER);
        let incarnation = actor.incarnation();
        assert!(incarnation <= 11, "{incarnation} processes for 10 messages");
        thread::sleep(KILL_AFTER);
        assert_eq!(actor.incarnation(), incarnation);
    });
}

#[test]
fn a_stop_drains_the_mailbox_of_an_actor_that_is_due_for_a_fresh_process() {
    alone(|| {
        let stage = Stage::new();
        let (log, ready) = (stage.latch("log").path(), stage.latch("ready"));
        let actor = Diligent { log: log.clone(), ready: ready.path(), ballast: Vec::new() }.builder();
        let actor = actor.recycle_after(1).drain(phalanx::Drain::Always).spawn().unwrap();
        let calls: Vec<_> = (1..=20).map(|number| actor.work(number, 0)).collect();
        // The first message begins when the stop has been asked for already.
        actor.terminate().unwrap();
        ready.open();
        for (number, call) in (1..).zip(calls) {
            assert_eq!(call.wait(), Ok(number));
        }
        assert_eq!(actor.join(), ExitReason::Stopped(phalanx::StoppedBy::Ref));
    });
}

#[test]
fn an_actor_is_replaced_above_its_size() {
    alone(|| {
        let stage = Stage::new();
        let (actor, _) = diligent(&stage);
        let actor = actor.recycle_above(64 << 20).spawn().unwrap();
        for incarnation in 1..4 {
            assert_eq!(actor.served_by().wait(), Ok(incarnation));
            let mut monitor = actor.monitor();
            assert_eq!(actor.grow(1 << 20).wait(), Ok(1 << 20));
            assert_eq!(actor.served_by().wait(), Ok(incarnation));
            // Its size is looked at now and then.
            thread::sleep(Duration::from_millis(20));
            assert_eq!(actor.grow(100 << 20).wait(), Ok(101 << 20));
            assert_eq!(monitor.recv_timeout(EVENT_TIMEOUT).unwrap().reason, ExitReason::Recycled);
        }
    });
}

/// A stop while the process is being replaced is a stop.
#[test]
fn a_stop_finds_an_actor_that_is_being_recycled() {
    alone(|| {
        for round in 0..20 {
            let stage = Stage::new();
            let (actor, _) = diligent(&stage);
            let actor = actor.recycle_after(1).shutdown(Shutdown::Timeout(EVENT_TIMEOUT)).reserve().unwrap();
            let its_ref = actor.actor_ref();
            let supervisor = Supervisor::one_for_one().child("a", actor).start().unwrap();
            let calls: Vec<_> = (0..10).map(|_| its_ref.served_by()).collect();
            if round % 2 == 0 {
                eventually("some", EVENT_TIMEOUT, || its_ref.incarnation() > 3);
            }
            supervisor.terminate_child("a").unwrap();
            let answered = calls.into_iter().map(Reply::wait).filter(Result::is_ok).count();
            assert!(answered <= 10 && !its_ref.is_alive());
            assert!(matches!(its_ref.served_by().wait(), Err(CallError::Gone(_))));
            supervisor.restart_child("a").unwrap();
            assert!(its_ref.work(1, 0).wait().is_ok());
            stop(&supervisor);
        }
    });
}

#[test]
fn a_crash_while_a_call_is_repeated_costs_nobody_else_anything() {
    alone(|| {
        let stage = Stage::new();
        let (actor, log) = diligent(&stage);
        let actor = actor.restart(Restart::Permanent).intensity(10, RESTART_WINDOW).spawn().unwrap();
        let first: Vec<_> = (1..=20).map(|number| actor.work(number, 10)).collect();
        eventually("the tenth", EVENT_TIMEOUT, || said(&log).ends_with(" 10"));
        let second: Vec<_> = (21..=40).map(|number| actor.work(number, 0)).collect();
        for _ in 0..2 {
            let before = actor.pid().unwrap();
            processes::kill(before);
            eventually("the next", EVENT_TIMEOUT, || actor.pid().is_ok_and(|pid| pid != before));
        }
        for (number, call) in (1..).zip(first.into_iter().chain(second)) {
            assert_eq!(call.wait(), Ok(number));
        }
    });
}
