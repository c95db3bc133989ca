//! Restart types: which actor comes back after which end.

use phalanx::prelude::*;
use phalanx::{ChildState, Restart, SupervisorBuilder};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, processes};

use super::support::stage::{CRASHES, Stage, Way, child, counts, end, reserved, settled, state, stop};

fn bearing() -> SupervisorBuilder {
    Supervisor::one_for_one().intensity(10, RESTART_WINDOW)
}

#[test]
fn a_permanent_child_is_restarted_after_every_end_by_itself() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, [a]) = stage.cast(bearing(), ["a"]);
        let supervisor = supervisor.start().unwrap();
        let mut pids = vec![a.pid().unwrap()];
        for (way, incarnation) in
            [Way::Exit(0), Way::Leave, Way::Panic, Way::Sigkill, Way::Exit(3)].into_iter().zip(2..)
        {
            end(&a, way);
            settled(&supervisor, 1);
            let pid = a.pid().unwrap();
            assert!(!pids.contains(&pid), "{way:?}");
            pids.push(pid);
            assert_eq!((a.incarnation(), a.count().wait()), (incarnation, Ok(1)));
        }
        assert_eq!(child(&supervisor, "a").restarts, 5);
        stage.says("+a +a +a +a +a +a");
        stop(&supervisor);
    });
}

#[test]
fn a_transient_child_is_restarted_after_a_crash_only() {
    alone(|| {
        for (way, restarts) in [
            (Way::Exit(0), false),
            (Way::Leave, false),
            (Way::Panic, true),
            (Way::Sigkill, true),
            (Way::Exit(1), true),
        ] {
            let stage = Stage::new();
            let (a, its_ref) = reserved(stage.worker("a").restart(Restart::Transient));
            let supervisor = bearing().child("a", a).start().unwrap();
            end(&its_ref, way);
            if restarts {
                settled(&supervisor, 1);
                assert_eq!((its_ref.incarnation(), its_ref.count().wait()), (2, Ok(1)), "{way:?}");
            } else {
                assert_eq!(
                    (counts(&supervisor), child(&supervisor, "a").pid),
                    ([1, 0, 0, 1], None),
                    "{way:?}"
                );
                assert_eq!(state(&supervisor, "a"), ChildState::Down);
                assert!(matches!(its_ref.count().wait(), Err(CallError::Gone(_))), "{way:?}");
                supervisor.restart_child("a").unwrap();
                assert_eq!((its_ref.incarnation(), its_ref.count().wait()), (2, Ok(1)), "{way:?}");
            }
            stage.says("+a +a");
            stop(&supervisor);
        }
    });
}

#[test]
fn a_temporary_child_is_never_restarted_and_leaves_no_spec() {
    alone(|| {
        let supervisor = bearing().start().unwrap();
        for way in [Way::Exit(0), Way::Leave, Way::LeaveForGood, Way::Panic, Way::Sigkill, Way::Exit(1)] {
            let stage = Stage::new();
            let a = supervisor.start_child("a", stage.worker("a").restart(Restart::Temporary)).unwrap();
            end(&a, way);
            assert_eq!(counts(&supervisor), [0, 0, 0, 0], "{way:?}");
            assert!(way.is(&a.join()), "{way:?}");
            assert!(matches!(a.count().wait(), Err(CallError::Gone(_))), "{way:?}");
            stage.says("+a");
        }
        stop(&supervisor);
    });
}

#[test]
fn a_temporary_bystander_goes_with_its_spec() {
    alone(|| {
        for crash in CRASHES {
            for supervisor in [Supervisor::one_for_all, Supervisor::rest_for_one] {
                let stage = Stage::new();
                let (permanent, permanent_ref) = stage.reserve("permanent");
                let (temporary, temporary_ref) =
                    reserved(stage.worker("temporary").restart(Restart::Temporary));
                let supervisor =
                    supervisor().child("permanent", permanent).child("temporary", temporary).start().unwrap();
                crash.hit(&permanent_ref);
                settled(&supervisor, 1);
                assert_eq!(counts(&supervisor), [1, 1, 0, 1]);
                assert_eq!((permanent_ref.incarnation(), permanent_ref.count().wait()), (2, Ok(1)));
                assert!(matches!(temporary_ref.count().wait(), Err(CallError::Gone(_))));
                stage.says("+permanent +temporary -temporary +permanent");
                stop(&supervisor);
            }
        }
    });
}

#[test]
fn a_child_that_wants_no_restart_stays_down_whatever_its_type() {
    alone(|| {
        for restart in [Restart::Permanent, Restart::Transient] {
            let stage = Stage::new();
            let (a, its_ref) = reserved(stage.worker("a").restart(restart));
            let supervisor = bearing().child("a", a).start().unwrap();
            end(&its_ref, Way::LeaveForGood);
            assert_eq!((counts(&supervisor), state(&supervisor, "a")), ([1, 0, 0, 1], ChildState::Down));
            supervisor.restart_child("a").unwrap();
            assert_eq!(its_ref.count().wait(), Ok(1));
            stop(&supervisor);
        }
    });
}

#[test]
fn a_stop_by_ref_is_ordered_and_restarts_nothing() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, [a, b, c]) =
            stage.cast(Supervisor::one_for_all().intensity(0, RESTART_WINDOW), ["a", "b", "c"]);
        let supervisor = supervisor.start().unwrap();
        a.stop(EVENT_TIMEOUT).unwrap();
        b.kill().unwrap();
        assert_eq!(b.join().signal(), Some(9));
        settled(&supervisor, 1);
        assert_eq!((state(&supervisor, "a"), state(&supervisor, "b")), (ChildState::Down, ChildState::Down));
        assert_eq!((c.incarnation(), c.count().wait()), (1, Ok(1)));
        supervisor.restart_child("a").unwrap();
        supervisor.restart_child("b").unwrap();
        assert_eq!((a.count().wait(), b.count().wait()), (Ok(1), Ok(1)));
        stage.says("+a +b +c -a +a +b");
        stop(&supervisor);
    });
}

/// A task is a child too: a permanent one that returns is run again.
#[test]
fn tasks_are_restarted_by_the_same_rules() {
    alone(|| {
        let stage = Stage::new();
        let (log, log_ref) = stage.reserve("log");
        let supervisor = Supervisor::one_for_one().intensity(100, RESTART_WINDOW).child("log", log);
        let task = |text: &str| {
            let say = |(log, text): (ActorRef<super::support::stage::Worker>, String)| {
                log.note(text.clone()).unwrap();
                assert_ne!(text, "panics");
                if text == "waits" {
                    std::thread::park();
                }
            };
            Process::builder(say, (log_ref.clone(), text.to_owned()))
        };
        // A task is ready before its function runs, so nothing orders what two of them do.
        let supervisor = supervisor.child("waits", task("waits")).start().unwrap();
        stage.says("+log waits");
        supervisor.start_child("returns", task("returns").restart(Restart::Transient)).unwrap();
        stage.says("returns");
        eventually("its end", EVENT_TIMEOUT, || state(&supervisor, "returns") == ChildState::Down);
        processes::kill(child(&supervisor, "waits").pid.unwrap());
        stage.says("waits");
        assert_eq!(child(&supervisor, "waits").incarnation, 2);
        supervisor.restart_child("returns").unwrap();
        stage.says("returns");

        let task = supervisor.start_child("panics", task("panics").restart(Restart::Temporary)).unwrap();
        assert!(matches!(task.join(), Err(CallError::Died(ExitReason::Panicked { .. }, _))));
        eventually("its end", EVENT_TIMEOUT, || counts(&supervisor)[0] == 3);
        stop(&supervisor);
    });
}
