//! Children that start processes and supervisors of their own.

use std::thread;

use phalanx::prelude::*;
use phalanx::{Restart, StoppedBy};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, processes};

use super::support::stage::{CRASHES, Crash, Part, Stage, Worker, counts, reserved, settled, stop};

/// Starts others.
#[actor]
struct Parent;

#[actor]
impl Parent {
    fn hire(&self, part: Part) -> phalanx::Result<ActorRef<Worker>> {
        Ok(Worker::builder(part).spawn()?)
    }

    fn found(&self, part: Part, restart: Restart) -> phalanx::Result<(SupervisorRef, ActorRef<Worker>)> {
        let (worker, its_ref) = reserved(Worker::builder(part));
        let supervisor = Supervisor::one_for_one().restart(restart).intensity(100, RESTART_WINDOW);
        Ok((supervisor.child("worker", worker).start()?, its_ref))
    }

    fn panic(&self) {
        panic!("on purpose")
    }
}

fn crash(parent: &ActorRef<Parent>, crash: Crash) {
    let mut monitor = parent.monitor();
    match crash {
        Crash::Panic => drop(parent.panic().wait()),
        Crash::Sigkill => processes::kill(parent.pid().unwrap()),
    }
    monitor.recv_timeout(EVENT_TIMEOUT).unwrap();
}

/// A worker of the same name says so if it meets another one.
#[test]
fn what_a_child_has_spawned_is_gone_before_its_next_process_starts() {
    alone(|| {
        for how in CRASHES {
            let stage = Stage::new();
            let parent = Parent.builder().reserve().unwrap();
            let parent_ref = parent.actor_ref();
            let supervisor = Supervisor::one_for_one().intensity(100, RESTART_WINDOW).child("parent", parent);
            let supervisor = supervisor.start().unwrap();
            for incarnation in 1..6 {
                let hired = parent_ref.hire(stage.part("inner")).wait().unwrap();
                assert_eq!((hired.count().wait(), parent_ref.incarnation()), (Ok(1), incarnation));
                let (busy, queued) = (hired.hang(), hired.count());
                crash(&parent_ref, how);
                assert!(busy.wait().is_err() && queued.wait().is_err());
                assert!(hired.join_timeout(EVENT_TIMEOUT).is_some());
            }
            stage.says("+inner +inner +inner +inner +inner");
            stop(&supervisor);
        }
    });
}

/// Whatever its restart type: it belongs to the actor.
#[test]
fn a_supervisor_that_an_actor_has_started_ends_with_its_process() {
    alone(|| {
        for how in CRASHES {
            for restart in [Restart::Temporary, Restart::Permanent] {
                let stage = Stage::new();
                let parent = Parent.builder().restart(Restart::Permanent).intensity(100, RESTART_WINDOW);
                let parent = parent.spawn().unwrap();
                for _ in 0..3 {
                    let (inner, worker) = parent.found(stage.part("inner"), restart).wait().unwrap();
                    assert_eq!((worker.count().wait(), counts(&inner)), (Ok(1), [1, 1, 0, 1]));
                    // It is used from here, too.
                    let added = inner.start_child("added", stage.worker("added")).unwrap();
                    Crash::Sigkill.hit(&worker);
                    settled(&inner, 2);
                    let left = [inner.pid(), worker.pid(), added.pid()].map(Result::unwrap);
                    crash(&parent, how);
                    assert!(inner.join_timeout(EVENT_TIMEOUT).is_some());
                    for worker in [worker, added] {
                        assert!(worker.join_timeout(EVENT_TIMEOUT).is_some());
                        assert!(matches!(worker.count().wait(), Err(CallError::Gone(_))));
                    }
                    processes::until_none(EVENT_TIMEOUT, || {
                        left.iter().filter_map(|&pid| processes::stat(pid)).collect()
                    });
                    assert!(inner.which_children().is_err());
                }
                assert!(!stage.said().contains("two-"));
            }
        }
    });
}

#[test]
fn an_actor_that_is_stopped_stops_the_supervisors_that_it_has_started() {
    alone(|| {
        let stage = Stage::new();
        let parent = Parent.builder().reserve().unwrap();
        let parent_ref = parent.actor_ref();
        let supervisor = Supervisor::one_for_one().child("parent", parent).start().unwrap();
        let (inner, worker) = parent_ref.found(stage.part("a"), Restart::Permanent).wait().unwrap();
        let hired = parent_ref.hire(stage.part("b")).wait().unwrap();
        supervisor.terminate_child("parent").unwrap();
        stage.says("+a +b -b -a");
        assert_eq!(hired.join(), ExitReason::Stopped(StoppedBy::Program));
        assert!(inner.join_timeout(EVENT_TIMEOUT).is_some() && worker.join_timeout(EVENT_TIMEOUT).is_some());
        supervisor.restart_child("parent").unwrap();
        let again = parent_ref.hire(stage.part("b")).wait().unwrap();
        assert_eq!(again.count().wait(), Ok(1));
        stop(&supervisor);
        stage.says("+b -b");
    });
}

/// What is asked of a supervisor that is being restarted, the next process does.
#[test]
fn requests_survive_the_restart_of_a_supervisor() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, [a]) = stage.cast(Supervisor::one_for_one().restart(Restart::Permanent), ["a"]);
        let supervisor = supervisor.own_intensity(100, RESTART_WINDOW).start().unwrap();
        for round in 2..12 {
            let id = format!("{round}");
            processes::kill(supervisor.pid().unwrap());
            eventually("its end", EVENT_TIMEOUT, || {
                supervisor.pid().is_err() || supervisor.incarnation() == round
            });
            // Sent before or after the start of the next one.
            let (added, listed) = thread::scope(|scope| {
                let adding = scope.spawn(|| supervisor.start_child(&*id, stage.worker(&id)));
                let listing = scope.spawn(|| supervisor.which_children());
                (adding.join().unwrap(), listing.join().unwrap())
            });
            let added = added.unwrap();
            assert_eq!(added.count().wait(), Ok(1));
            assert!(listed.unwrap().iter().any(|child| child.id == "a"));
            settled(&supervisor, 2);
            assert_eq!((a.incarnation(), counts(&supervisor)), (round, [2, 2, 0, 2]));
        }
        stop(&supervisor);
    });
}

/// The program does it for the root supervisor.
#[test]
fn a_root_supervisor_that_is_stopped_by_a_signal_goes_on() {
    alone(|| {
        let stage = Stage::new();
        let (worker, _) = reserved(stage.worker("a"));
        let supervisor = Supervisor::one_for_one().child("a", worker).start().unwrap();
        let root = processes::root_supervisor(std::process::id()).unwrap();
        for _ in 0..3 {
            processes::signal("STOP", i64::from(root));
            eventually("that it goes on", EVENT_TIMEOUT, || {
                processes::stat(root).is_some_and(|root| root.state != 'T')
            });
        }
        let (worker, its_ref) = reserved(stage.worker("b"));
        let another = Supervisor::one_for_one().child("b", worker).start().unwrap();
        assert_eq!(its_ref.count().wait(), Ok(1));
        stop(&another);
        stop(&supervisor);
    });
}

/// A supervisor that a signal has stopped is continued by its own supervisor, and by no other process.
#[test]
fn a_supervisor_that_is_stopped_by_a_signal_goes_on() {
    alone(|| {
        let stage = Stage::new();
        let (worker, its_ref) = reserved(stage.worker("a"));
        let inner = Supervisor::one_for_one().child("a", worker).reserve().unwrap();
        let inner_ref = inner.actor_ref();
        let supervisor = Supervisor::one_for_one().child("inner", inner).start().unwrap();
        for pid in [inner_ref.pid().unwrap(), supervisor.pid().unwrap()] {
            processes::signal("STOP", i64::from(pid));
        }
        Crash::Sigkill.hit(&its_ref);
        assert_eq!(its_ref.count().wait(), Ok(1));
        assert_eq!((counts(&inner_ref), counts(&supervisor)), ([1, 1, 0, 1], [1, 1, 1, 0]));
        stop(&supervisor);
    });
}
