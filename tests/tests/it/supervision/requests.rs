//! What is asked of supervisors while they run: children added, terminated, restarted, deleted, listed.

use std::thread;

use phalanx::prelude::*;
use phalanx::{ChildState, Restart, Shutdown, SupervisorError};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, processes};

use super::support::stage::{
    CRASHES, Last, Stage, Trouble, Worker, child, counts, reserved, settled, state, stop,
    stopped_by_supervisor,
};

#[test]
fn a_child_is_added_terminated_restarted_and_deleted() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, [a]) = stage.cast(Supervisor::one_for_one().name("admin"), ["a"]);
        let supervisor = supervisor.start().unwrap();
        let first = a.pid().unwrap();
        let again = || supervisor.start_child("a", stage.worker("a"));
        assert!(matches!(again(), Err(SpawnError::AlreadyStarted { pid, .. }) if pid == first));
        assert_eq!(supervisor.terminate_child("a"), Ok(()));
        assert_eq!(supervisor.terminate_child("a"), Ok(()));
        assert!(!processes::exists(first));
        assert!(matches!(again(), Err(SpawnError::AlreadyPresent { .. })));
        assert_eq!(counts(&supervisor), [1, 0, 0, 1]);
        assert_eq!(supervisor.restart_child("a"), Ok(()));
        let second = a.pid().unwrap();
        assert_ne!(first, second);
        let running = SupervisorError::Running {
            supervisor: "admin".into(),
            child: "a".into(),
            pid: second,
            incarnation: 2,
        };
        assert!(
            running.to_string().ends_with(&format!("runs (process {second}, incarnation 2)")),
            "{running}"
        );
        let running = Err(running);
        assert_eq!(supervisor.restart_child("a"), running);
        assert_eq!(supervisor.delete_child("a"), running);
        assert_eq!(supervisor.terminate_child("a"), Ok(()));
        assert_eq!(supervisor.delete_child("a"), Ok(()));
        let not_found = Err(SupervisorError::NotFound { supervisor: "admin".into(), child: "a".into() });
        assert_eq!(supervisor.terminate_child("a"), not_found);
        assert_eq!(supervisor.restart_child("a"), not_found);
        assert_eq!(supervisor.delete_child("a"), not_found);
        assert_eq!((counts(&supervisor), supervisor.which_children().unwrap()), ([0; 4], vec![]));
        assert_eq!(a.join(), stopped_by_supervisor());
        stage.says("+a -a +a -a");

        stop(&supervisor);
        let gone = |answer: Result<(), SupervisorError>| {
            assert!(matches!(answer, Err(SupervisorError::Gone { reason: Some(_), .. })), "{answer:?}");
        };
        gone(supervisor.terminate_child("a"));
        gone(supervisor.restart_child("a"));
        gone(supervisor.delete_child("a"));
        gone(supervisor.which_children().map(drop));
        gone(supervisor.count_children().map(drop));
        let late = again();
        assert!(
            matches!(late, Err(SpawnError::SupervisorDied { .. } | SpawnError::ShuttingDown { .. })),
            "{late:?}"
        );
        assert!(supervisor.join_timeout(EVENT_TIMEOUT).is_some());
    });
}

/// What was queued before the terminate is told to its callers, and is not run by the next process.
#[test]
fn a_terminated_child_is_gone_until_it_is_restarted_and_then_the_same_ref_works() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, [a]) = stage.cast(Supervisor::one_for_one(), ["a"]);
        let supervisor = supervisor.start().unwrap();
        for round in 1..4 {
            let latch = stage.latch(&format!("{round}"));
            let busy = a.wait_for(latch.path());
            eventually("the call", EVENT_TIMEOUT, || a.depth() == 0);
            let queued: Vec<_> = (0..50).map(|number| a.number(number)).collect();
            a.note("never".into()).unwrap();
            thread::scope(|scope| {
                let terminating = scope.spawn(|| supervisor.terminate_child("a"));
                eventually("the stop", EVENT_TIMEOUT, || state(&supervisor, "a") == ChildState::Stopping);
                latch.open();
                terminating.join().unwrap().unwrap();
            });
            // The message in progress was finished.
            busy.wait().unwrap();
            for call in queued {
                assert!(matches!(call.wait(), Err(CallError::Stopped(_))));
            }
            assert_eq!(a.depth(), 0);
            assert!(matches!(a.count().wait(), Err(CallError::Gone(_))));
            assert!(matches!(a.note("no".into()), Err(SendError::Gone(_))));
            assert!(matches!(a.if_up().count().wait(), Err(CallError::Gone(_) | CallError::Unavailable(_))));
            assert!(matches!(a.pid(), Err(SendError::Gone(_))));
            assert_eq!((a.join(), a.is_alive()), (stopped_by_supervisor(), false));
            supervisor.restart_child("a").unwrap();
            assert_eq!((a.count().wait(), a.incarnation()), (Ok(1), round + 1));
            assert_eq!((a.is_alive(), a.exit_reason()), (true, None));
        }
        stage.says("+a -a +a -a +a -a +a");
        stop(&supervisor);
    });
}

/// The reply channel goes with the first call: it must not be lost with it.
#[test]
fn the_first_call_is_swept_and_the_next_is_answered() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, [a]) = stage.cast(Supervisor::one_for_one(), ["a"]);
        let supervisor = supervisor.start().unwrap();
        let latch = stage.latch("stopping");
        a.end_at(latch.path(), super::support::stage::Way::Exit(0)).unwrap();
        eventually("the message", EVENT_TIMEOUT, || a.depth() == 0);
        let first = a.count();
        thread::scope(|scope| {
            let terminating = scope.spawn(|| supervisor.terminate_child("a"));
            eventually("the stop", EVENT_TIMEOUT, || state(&supervisor, "a") == ChildState::Stopping);
            latch.open();
            terminating.join().unwrap().unwrap();
        });
        assert!(first.wait().is_err());
        supervisor.restart_child("a").unwrap();
        assert_eq!(a.within(EVENT_TIMEOUT).count().wait(), Ok(1));
        stop(&supervisor);
    });
}

/// A callee that other processes know, too.
#[test]
fn a_caller_in_another_process_sees_the_terminate_and_the_restart() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, [a]) = stage.cast(Supervisor::one_for_one(), ["a"]);
        let supervisor = supervisor.start().unwrap();
        let caller = Caller.spawn().unwrap();
        assert!(caller.works(a.clone()).wait().unwrap());
        for _ in 0..3 {
            supervisor.terminate_child("a").unwrap();
            assert!(caller.is_gone(a.clone()).wait().unwrap());
            supervisor.restart_child("a").unwrap();
            assert!(caller.works(a.clone()).wait().unwrap());
        }
        stop(&supervisor);
    });
}

#[actor]
struct Caller;

#[actor]
impl Caller {
    fn works(&self, worker: ActorRef<Worker>) -> bool {
        worker.count().wait().is_ok()
    }

    fn is_gone(&self, worker: ActorRef<Worker>) -> bool {
        matches!(worker.count().wait(), Err(CallError::Gone(_)))
    }

    fn add(&self, supervisor: SupervisorRef, id: String) -> Result<ActorRef<Caller>, String> {
        supervisor.start_child(id, Caller.builder()).map_err(|error| error.to_string())
    }

    fn children(&self, supervisor: SupervisorRef) -> Result<Vec<String>, String> {
        let children = supervisor.which_children().map_err(|error| error.to_string())?;
        Ok(children.into_iter().map(|child| child.id).collect())
    }

    fn end_child(&self, supervisor: SupervisorRef, id: String) -> Result<(), String> {
        supervisor.terminate_child(&id).map_err(|error| error.to_string())
    }

    fn crash(&self) {
        panic!("on purpose")
    }

    fn parent(&self) -> u32 {
        processes::stat(std::process::id()).expect("this process").parent
    }
}

/// SupervisorRefs travel; a child may call its own supervisor, also from within a handler.
#[test]
fn an_actor_adds_children_to_a_supervisor_that_it_was_sent_its_own_too() {
    alone(|| {
        let first = Caller.builder().reserve().unwrap();
        let first_ref = first.actor_ref();
        let supervisor = Supervisor::one_for_one().child("first", first).start().unwrap();
        let outside = Caller.spawn().unwrap();
        let second = outside.add(supervisor.clone(), "second".into()).wait().unwrap();
        let third = first_ref.add(supervisor.clone(), "third".into()).wait().unwrap();
        let fourth = third.add(supervisor.clone(), "fourth".into()).wait().unwrap();
        for child in [&second, &third, &fourth] {
            assert_eq!(child.parent().wait().unwrap(), supervisor.pid().unwrap());
        }
        assert!(outside.add(supervisor.clone(), "third".into()).wait().is_err());
        let ids = ["first", "second", "third", "fourth"];
        assert_eq!(fourth.children(supervisor.clone()).wait().unwrap(), ids);
        // They are children like any other: restarted, although the process that added them is gone.
        outside.stop(EVENT_TIMEOUT).unwrap();
        second.crash().wait().unwrap_err();
        settled(&supervisor, 4);
        assert_eq!(
            (second.incarnation(), second.parent().wait()),
            (2, supervisor.pid().map_err(|e| e.into()))
        );
        third.end_child(supervisor.clone(), "second".into()).wait().unwrap();
        assert_eq!(counts(&supervisor), [4, 3, 0, 4]);
        stop(&supervisor);
        assert!(!third.is_alive());
    });
}

/// Its handler is in progress for as long as its supervisor waits for it to stop: the stop goes first.
#[test]
fn a_child_that_has_itself_terminated_is_stopped_when_its_time_is_up() {
    alone(|| {
        let caller = Caller.builder().shutdown(Shutdown::Timeout(std::time::Duration::from_millis(200)));
        let caller = caller.reserve().unwrap();
        let its_ref = caller.actor_ref();
        let supervisor = Supervisor::one_for_one().child("a", caller).start().unwrap();
        let error = its_ref.end_child(supervisor.clone(), "a".into()).wait().unwrap_err();
        assert_eq!(error.exit_reason().and_then(ExitReason::signal), Some(9), "{error}");
        eventually("its end", EVENT_TIMEOUT, || state(&supervisor, "a") == ChildState::Down);
        supervisor.restart_child("a").unwrap();
        assert_eq!(its_ref.children(supervisor.clone()).wait().unwrap(), ["a"]);
        stop(&supervisor);
    });
}

#[test]
fn a_supervisor_answers_while_a_child_starts_and_while_one_stops() {
    alone(|| {
        let stage = Stage::new();
        let (slow, slow_ref) = reserved(stage.worker_with("slow", Last::Hangs).shutdown(Shutdown::Infinity));
        let (supervisor, [a]) = stage.cast(Supervisor::one_for_one().child("slow", slow), ["a"]);
        let supervisor = supervisor.start().unwrap();
        stage.spoil("stuck", Trouble::Hangs, 1);
        thread::scope(|scope| {
            let starting = scope.spawn(|| supervisor.start_child("stuck", stage.worker("stuck")));
            let terminating = scope.spawn(|| supervisor.terminate_child("slow"));
            eventually("both", EVENT_TIMEOUT, || {
                let children = supervisor.which_children().unwrap();
                let state = |id| children.iter().find(|child| child.id == id).map(|child| child.state);
                (state("stuck"), state("slow")) == (Some(ChildState::Starting), Some(ChildState::Stopping))
            });
            super::support::stage::Crash::Panic.hit(&a);
            assert_eq!(a.count().wait(), Ok(1));
            let other = supervisor.start_child("other", stage.worker("other")).unwrap();
            assert_eq!(other.count().wait(), Ok(1));
            // A terminate ends the start, too.
            supervisor.terminate_child("stuck").unwrap();
            assert!(starting.join().unwrap().is_err());
            assert!(!terminating.is_finished());
            processes::kill(slow_ref.pid().unwrap());
            terminating.join().unwrap().unwrap();
        });
        assert_eq!(counts(&supervisor), [3, 2, 0, 3]);
        stop(&supervisor);
    });
}

#[test]
fn whoever_waits_for_a_request_is_told_when_the_supervisor_is_killed() {
    alone(|| {
        for restart in [Restart::Temporary, Restart::Permanent] {
            let stage = Stage::new();
            let (slow, _) = reserved(stage.worker_with("slow", Last::Hangs).shutdown(Shutdown::Infinity));
            let supervisor = Supervisor::one_for_one().restart(restart).child("slow", slow).start().unwrap();
            stage.spoil("stuck", Trouble::Hangs, 1);
            thread::scope(|scope| {
                let starting = scope.spawn(|| supervisor.start_child("stuck", stage.worker("stuck")));
                let terminating = scope.spawn(|| supervisor.terminate_child("slow"));
                eventually("both", EVENT_TIMEOUT, || stage.said().contains("!stuck"));
                eventually("the stop", EVENT_TIMEOUT, || state(&supervisor, "slow") == ChildState::Stopping);
                processes::kill(supervisor.pid().unwrap());
                assert!(starting.join().unwrap().is_err());
                let answer = terminating.join().unwrap();
                assert!(matches!(answer, Err(SupervisorError::Gone { .. })), "{answer:?}");
            });
            if restart == Restart::Permanent {
                eventually("a new one", EVENT_TIMEOUT, || {
                    supervisor.incarnation() == 2 && supervisor.is_alive()
                });
                settled(&supervisor, 1);
                assert_eq!(child(&supervisor, "slow").incarnation, 2);
                processes::kill(child(&supervisor, "slow").pid.unwrap());
                stop_hard(&supervisor);
            }
        }
    });
}

fn stop_hard(supervisor: &SupervisorRef) {
    supervisor.kill().unwrap();
    supervisor.join();
}

#[test]
fn a_crash_of_one_child_and_requests_about_others_do_not_meet() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let (supervisor, [a, b]) =
                stage.cast(Supervisor::rest_for_one().intensity(100, RESTART_WINDOW), ["a", "b"]);
            let supervisor = supervisor.start().unwrap();
            thread::scope(|scope| {
                let crashing = scope.spawn(|| {
                    for _ in 0..5 {
                        eventually("a", EVENT_TIMEOUT, || a.if_up().count().wait().is_ok());
                        crash.hit(&a);
                    }
                });
                let mut round = 0;
                while !crashing.is_finished() {
                    let id = format!("c{round}");
                    let added = supervisor.start_child(&*id, stage.worker(&id));
                    assert!(added.is_ok(), "{added:?}");
                    supervisor.terminate_child(&id).unwrap();
                    supervisor.delete_child(&id).unwrap();
                    round += 1;
                }
                assert!(round > 0);
            });
            settled(&supervisor, 2);
            assert_eq!((a.incarnation(), b.incarnation(), b.count().wait()), (6, 6, Ok(1)));
            assert_eq!(counts(&supervisor), [2, 2, 0, 2]);
            stop(&supervisor);
        }
    });
}
