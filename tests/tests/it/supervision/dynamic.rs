//! Supervisors whose children come and go.

use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{ChildState, Restart, SupervisorError};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, processes};

use super::support::stage::{
    CRASHES, Crash, Stage, Trouble, Way, counts, end, settled, state, stop, stopped_by_supervisor,
};

const WAIT: Duration = Duration::from_millis(200);

#[test]
fn a_restarting_child_counts_against_the_most_there_may_be() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let supervisor =
                Supervisor::dynamic().max_children(1).intensity(100, RESTART_WINDOW).backoff(WAIT, WAIT);
            let supervisor = supervisor.start().unwrap();
            let a = supervisor.start_child("a", stage.worker("a")).unwrap();
            stage.spoil("a", Trouble::Refuses, u32::MAX);
            crash.hit(&a);
            eventually("the loop", EVENT_TIMEOUT, || state(&supervisor, "a") == ChildState::Restarting);
            let refused = supervisor.start_child("b", stage.worker("b"));
            assert!(matches!(refused, Err(SpawnError::MaxChildren { .. })), "{refused:?}");
            supervisor.terminate_child("a").unwrap();
            assert_eq!(counts(&supervisor), [0; 4]);
            assert!(supervisor.start_child("b", stage.worker("b")).is_ok());
            stop(&supervisor);

            let none = Supervisor::dynamic().max_children(0).start().unwrap();
            let refused = none.start_child("b", stage.worker("b"));
            assert!(matches!(refused, Err(SpawnError::MaxChildren { .. })), "{refused:?}");
            stop(&none);
        }
    });
}

/// No process asks for it again, so nothing of it is kept.
#[test]
fn a_dynamic_child_that_has_ended_is_forgotten() {
    alone(|| {
        let stage = Stage::new();
        let supervisor = Supervisor::dynamic().intensity(100, RESTART_WINDOW).start().unwrap();
        let [a, b, c] = ["a", "b", "c"]
            .map(|id| supervisor.start_child(id, stage.worker(id).restart(Restart::Transient)).unwrap());
        end(&a, Way::Exit(0));
        eventually("its end", EVENT_TIMEOUT, || counts(&supervisor) == [2, 2, 0, 2]);
        supervisor.terminate_child("b").unwrap();
        Crash::Panic.hit(&c);
        settled(&supervisor, 1);
        assert_eq!((c.incarnation(), c.count().wait()), (2, Ok(1)));
        let forgotten = [supervisor.restart_child("a"), supervisor.delete_child("b")];
        assert!(forgotten.iter().all(|answer| matches!(answer, Err(SupervisorError::NotFound { .. }))));
        assert_eq!((a.join(), b.join()), (ExitReason::Exited(0), stopped_by_supervisor()));
        for gone in [a, b] {
            assert!(matches!(gone.count().wait(), Err(CallError::Gone(_))));
        }
        stop(&supervisor);
    });
}

#[test]
fn many_add_children_to_one_supervisor_at_the_same_time() {
    alone(|| {
        let stage = Stage::new();
        let supervisor = Supervisor::dynamic().start().unwrap();
        let started: usize = thread::scope(|scope| {
            let adding: Vec<_> = (0..8)
                .map(|thread| {
                    let (supervisor, stage) = (&supervisor, &stage);
                    let workers: Vec<_> =
                        (0..10).map(|number| (number, stage.worker(&format!("{thread}-{number}")))).collect();
                    scope.spawn(move || {
                        let added = workers.into_iter().map(|(number, worker)| {
                            // Each id is wanted by two.
                            supervisor.start_child(format!("{}-{number}", thread / 2), worker)
                        });
                        let (ok, refused): (Vec<_>, Vec<_>) = added.partition(Result::is_ok);
                        assert!(refused.iter().all(|answer| {
                            matches!(answer, Err(SpawnError::AlreadyStarted { pid, .. }) if *pid > 0)
                        }));
                        ok.len()
                    })
                })
                .collect();
            adding.into_iter().map(|adding| adding.join().unwrap()).sum()
        });
        assert_eq!((started, counts(&supervisor)), (40, [40, 40, 0, 40]));
        stop(&supervisor);
    });
}

/// A supervisor can be added to one that runs, with all that is below it.
#[test]
fn supervisors_are_added_as_any_child() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let upper = Supervisor::dynamic().name("upper").intensity(5, RESTART_WINDOW).start().unwrap();
            let (lower, [a, b]) =
                stage.cast(Supervisor::one_for_one().name("lower").intensity(0, WAIT), ["a", "b"]);
            let lower = upper.start_child("lower", lower).unwrap();
            assert_eq!((counts(&upper), counts(&lower)), ([1, 1, 1, 0], [2, 2, 0, 2]));
            assert_eq!(lower.name(), "lower");
            let added = lower.start_child("c", stage.worker("c")).unwrap();
            // It cannot bear any, ends, and is restarted with those that it came with.
            crash.hit(&a);
            eventually("the new one", EVENT_TIMEOUT, || lower.incarnation() == 2 && counts(&upper)[1] == 1);
            assert_eq!((a.count().wait(), b.count().wait()), (Ok(1), Ok(1)));
            assert!(matches!(added.count().wait(), Err(CallError::Gone(_))));
            assert_eq!(counts(&lower), [2, 2, 0, 2]);
            upper.terminate_child("lower").unwrap();
            assert!(lower.join_timeout(EVENT_TIMEOUT).is_some() && !b.is_alive());
            stop(&upper);
        }
    });
}

#[test]
fn three_hundred_children_under_one_supervisor() {
    alone(|| {
        let supervisor = Supervisor::dynamic().intensity(1000, RESTART_WINDOW).start().unwrap();
        let children: Vec<_> =
            (0..300).map(|number| supervisor.start_child(format!("{number}"), Small.builder())).collect();
        let children: Vec<_> = children.into_iter().map(Result::unwrap).collect();
        assert_eq!(counts(&supervisor), [300, 300, 0, 300]);
        let replies: Vec<_> = children.iter().map(|child| child.pid_of_it()).collect();
        let pids: Vec<u32> = replies.into_iter().map(|reply| reply.wait().unwrap()).collect();
        // A third of them at once.
        processes::kill_together(&pids[..100]);
        eventually("new processes", EVENT_TIMEOUT, || {
            children[..100].iter().all(|child| child.incarnation() == 2) && counts(&supervisor)[1] == 300
        });
        for (child, pid) in children.iter().zip(&pids).skip(100) {
            assert_eq!(child.pid().unwrap(), *pid);
        }
        stop(&supervisor);
        assert!(children.iter().all(|child| !child.is_alive()));
    });
}

#[actor]
struct Small;

#[actor]
impl Small {
    fn pid_of_it(&self) -> u32 {
        std::process::id()
    }
}
