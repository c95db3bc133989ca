//! Stops that no supervisor has ordered, of actors that do not come to an end.

use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{ActorBuilder, ExitReason, Process, Restart, StoppedBy};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, alone, eventually, processes};

use super::Note;

/// Takes its time once it stops.
#[actor]
struct Slow {
    stopping: Note,
    takes: Duration,
}

#[actor]
impl Slow {
    fn answer(&self) -> u32 {
        42
    }

    #[on_stop]
    fn linger(&mut self) {
        self.stopping.write();
        thread::sleep(self.takes);
    }
}

const GRACE: Duration = Duration::from_millis(300);

fn slow(takes: Duration) -> ActorBuilder<Slow> {
    Slow { stopping: stopping(), takes }.builder().restart(Restart::Permanent).shutdown(GRACE)
}

fn stopping() -> Note {
    Note::new("stopping")
}

/// The end of its first process.
#[track_caller]
fn assert_killed(slow: &ActorRef<Slow>, mut monitor: Monitor, by: StoppedBy, grace: Duration) {
    let down = monitor.recv_timeout(EVENT_TIMEOUT).expect("the process is killed");
    assert_eq!(down.reason, ExitReason::Killed { by, after: Some(grace) });
    assert!(stopping().remove());
    match by {
        // That is an order, and no crash.
        StoppedBy::Ref => assert_eq!(slow.join_timeout(EVENT_TIMEOUT), Some(down.reason)),
        _ => {
            eventually("the next process", EVENT_TIMEOUT, || slow.incarnation() == 2);
            assert_eq!(slow.answer().wait(), Ok(42));
            slow.kill().unwrap();
        }
    }
}

#[test]
fn an_actor_that_is_stopped_from_outside_has_its_grace_and_no_more() {
    alone(|| {
        let slow = slow(FOREVER).spawn().unwrap();
        let monitor = slow.monitor();
        processes::signal("TERM", i64::from(slow.pid().unwrap()));
        assert_killed(&slow, monitor, StoppedBy::Signal, GRACE);
    });
}

#[test]
fn an_actor_that_is_recycled_has_its_grace_and_no_more() {
    alone(|| {
        let slow = slow(FOREVER).recycle_after(2).spawn().unwrap();
        let monitor = slow.monitor();
        assert_eq!((slow.answer().wait(), slow.answer().wait()), (Ok(42), Ok(42)));
        assert_killed(&slow, monitor, StoppedBy::Itself, GRACE);
    });
}

/// As a debugger, or `kill -STOP`, stops it.
#[test]
fn an_actor_that_is_frozen_while_it_stops_is_killed_after_its_grace() {
    alone(|| {
        let slow = slow(FOREVER).spawn().unwrap();
        let monitor = slow.monitor();
        let pid = i64::from(slow.pid().unwrap());
        processes::signal("TERM", pid);
        stopping().wait();
        processes::signal("STOP", pid);
        assert_killed(&slow, monitor, StoppedBy::Signal, GRACE);
    });
}

#[test]
fn an_actor_that_is_terminated_has_its_grace_and_no_more() {
    alone(|| {
        let slow = slow(FOREVER).spawn().unwrap();
        let monitor = slow.monitor();
        slow.terminate().unwrap();
        assert_killed(&slow, monitor, StoppedBy::Ref, GRACE);
    });
}

#[test]
fn a_stop_by_a_ref_may_give_more_time_than_the_actor_has() {
    alone(|| {
        let slow = slow(3 * GRACE).spawn().unwrap();
        assert_eq!(slow.stop(EVENT_TIMEOUT), Ok(ExitReason::Stopped(StoppedBy::Ref)));
        assert!(stopping().remove());
    });
}

#[test]
fn a_stop_whose_caller_dies_meanwhile_is_limited_too() {
    alone(|| {
        let slow = slow(FOREVER).spawn().unwrap();
        let monitor = slow.monitor();
        let stop = |slow: ActorRef<Slow>| drop(slow.stop(2 * GRACE));
        let caller = Process::spawn(stop, slow.clone()).unwrap();
        stopping().wait();
        caller.kill().unwrap();
        assert_killed(&slow, monitor, StoppedBy::Ref, 2 * GRACE);
    });
}
