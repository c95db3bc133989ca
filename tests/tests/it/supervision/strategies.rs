//! Which children are restarted together.

use phalanx::prelude::*;
use phalanx::{ChildState, Restart};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually};

use super::support::stage::{CRASHES, Stage, Trouble, counts, processes_of, reserved, settled, state, stop};

#[test]
fn one_for_one_restarts_only_the_child_that_crashed() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let (supervisor, [a, b]) =
                stage.cast(Supervisor::one_for_one().intensity(2, RESTART_WINDOW), ["a", "b"]);
            let supervisor = supervisor.start().unwrap();
            let first = processes_of(&[a.clone(), b.clone()]);
            crash.hit(&a);
            settled(&supervisor, 2);
            let second = processes_of(&[a.clone(), b.clone()]);
            assert_eq!((second[0].0, second[1]), (2, first[1]));
            crash.hit(&b);
            settled(&supervisor, 2);
            let third = processes_of(&[a.clone(), b.clone()]);
            assert_eq!((third[0], third[1].0), (second[0], 2));
            crash.hit(&a);
            assert_eq!(supervisor.join(), ExitReason::IntensityReached);
            stage.says("+a +b +a +b -b");
            for child in [a, b] {
                assert!(child.join_timeout(EVENT_TIMEOUT).is_some());
                assert!(matches!(child.count().wait(), Err(CallError::Gone(_))));
            }
        }
    });
}

#[test]
fn one_for_all_restarts_all_and_counts_crashes_and_not_children() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let (supervisor, children) =
                stage.cast(Supervisor::one_for_all().intensity(2, RESTART_WINDOW), ["a", "b"]);
            let supervisor = supervisor.start().unwrap();
            for round in 0..2 {
                let before = processes_of(&children);
                crash.hit(&children[round]);
                settled(&supervisor, 2);
                let after = processes_of(&children);
                for (before, after) in before.iter().zip(&after) {
                    assert_eq!(after.0, before.0 + 1);
                    assert_ne!(after.1, before.1);
                }
            }
            crash.hit(&children[0]);
            assert_eq!(supervisor.join(), ExitReason::IntensityReached);
            stage.says("+a +b -b +a +b -a +a +b -b");
        }
    });
}

#[test]
fn a_start_that_fails_in_a_group_begins_it_again() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let (supervisor, [a, b]) =
                stage.cast(Supervisor::one_for_all().intensity(2, RESTART_WINDOW), ["a", "b"]);
            let supervisor = supervisor.start().unwrap();
            stage.says("+a +b");
            stage.spoil("b", Trouble::Refuses, 1);
            crash.hit(&a);
            stage.says("-b +a !b -a +a +b");
            settled(&supervisor, 2);
            assert_eq!((a.incarnation(), b.incarnation()), (3, 3));
            // Crash and failure were counted, the stop of `a` was not.
            crash.hit(&b);
            assert_eq!(supervisor.join(), ExitReason::IntensityReached);
        }
    });
}

#[test]
fn rest_for_one_restarts_the_child_and_those_after_it() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let (supervisor, children) = stage.cast(Supervisor::rest_for_one(), ["a", "b", "c"]);
            let supervisor = supervisor.start().unwrap();
            let before = processes_of(&children);
            crash.hit(&children[1]);
            settled(&supervisor, 3);
            let after = processes_of(&children);
            assert_eq!(after[0], before[0]);
            assert_eq!(after.map(|(incarnation, _)| incarnation), [1, 2, 2]);
            stage.says("+a +b +c -c +b +c");
            stop(&supervisor);
        }
    });
}

/// Between each sibling's stop and its start, calls lie in its mailbox.
#[test]
fn what_is_queued_at_siblings_survives_the_restart_of_all() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let latch = stage.latch("busy");
            let (a, a_ref) = reserved(stage.worker("a").mailbox(500));
            let (b, b_ref) = reserved(stage.worker("b").mailbox(500));
            let supervisor = Supervisor::one_for_all().child("a", a).child("b", b).start().unwrap();
            // `b` is asked to stop in the middle of a call, finishes that, and no other.
            let busy = b_ref.wait_for(latch.path());
            eventually("the call", EVENT_TIMEOUT, || b_ref.depth() == 0);
            let queued: Vec<_> = (0..200).map(|number| b_ref.number(number)).collect();
            crash.hit(&a_ref);
            let behind: Vec<_> = (0..200).map(|number| a_ref.number(number)).collect();
            eventually("the stop", EVENT_TIMEOUT, || state(&supervisor, "b") == ChildState::Stopping);
            latch.open();
            busy.wait().unwrap();
            for (number, call) in (0..200).zip(queued) {
                assert_eq!(call.wait().unwrap(), (number, number + 1, 2), "{crash:?}");
            }
            for (number, call) in (0..200).zip(behind) {
                assert_eq!(call.wait().unwrap(), (number, number + 1, 2), "{crash:?}");
            }
            stage.says("+a +b -b +a +b");
            stop(&supervisor);
        }
    });
}

#[test]
fn all_that_die_together_are_one_crash() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, children) = stage.cast(Supervisor::one_for_all(), ["a", "b", "c", "d"]);
        let supervisor = supervisor.start().unwrap();
        let pids = processes_of(&children).map(|(_, pid)| pid);
        // They need not all die within one look of the supervisor, which then may see two crashes, and end.
        phalanx_tests::processes::kill_together(&pids);
        eventually("new processes", EVENT_TIMEOUT, || {
            !supervisor.is_alive() || children.iter().all(|child| child.incarnation() == 2)
        });
        if supervisor.is_alive() {
            settled(&supervisor, 4);
            stop(&supervisor);
        }
    });
}

#[test]
fn those_that_are_done_or_terminated_are_not_revived_by_siblings() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let (done, done_ref) = reserved(stage.worker("done").restart(Restart::Transient));
            let (supervisor, [terminated, works]) =
                stage.cast(Supervisor::one_for_all().child("done", done), ["terminated", "works"]);
            let supervisor = supervisor.start().unwrap();
            super::support::stage::end(&done_ref, super::support::stage::Way::Leave);
            supervisor.terminate_child("terminated").unwrap();
            crash.hit(&works);
            settled(&supervisor, 1);
            assert_eq!(counts(&supervisor), [3, 1, 0, 3]);
            assert_eq!([&done_ref, &terminated, &works].map(|worker| worker.incarnation()), [1, 1, 2]);
            stop(&supervisor);
        }
    });
}
