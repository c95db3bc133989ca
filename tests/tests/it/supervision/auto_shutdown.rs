//! Supervisors that end with their significant children.

use phalanx::prelude::*;
use phalanx::{AutoShutdown, ChildState, Restart};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone};

use super::support::stage::{Crash, Stage, Way, Worker, counts, end, reserved, settled, state, stop};

/// A supervisor with one bystander and two significant children.
fn significant(
    stage: &Stage,
    when: AutoShutdown,
    restart: Restart,
) -> (SupervisorRef, [ActorRef<Worker>; 3]) {
    let supervisor = Supervisor::one_for_one().intensity(5, RESTART_WINDOW).auto_shutdown(when);
    let (supervisor, [bystander]) = stage.cast(supervisor, ["bystander"]);
    let [one, two] =
        ["one", "two"].map(|name| reserved(stage.worker(name).restart(restart).significant(true)));
    let supervisor = supervisor.child("one", one.0).child("two", two.0).start().unwrap();
    (supervisor, [bystander, one.1, two.1])
}

#[test]
fn any_significant_child_that_ends_by_itself_ends_the_supervisor() {
    alone(|| {
        for way in [Way::Exit(0), Way::Leave] {
            let stage = Stage::new();
            let (supervisor, [bystander, one, two]) =
                significant(&stage, AutoShutdown::AnySignificant, Restart::Transient);
            // One that was terminated has not ended by itself; one that is restarted has not ended.
            supervisor.terminate_child("one").unwrap();
            assert_eq!((state(&supervisor, "one"), counts(&supervisor)), (ChildState::Down, [3, 2, 0, 3]));
            Crash::Sigkill.hit(&two);
            settled(&supervisor, 2);
            Crash::Panic.hit(&two);
            settled(&supervisor, 2);
            end(&two, way);
            assert_eq!(supervisor.join(), ExitReason::Normal);
            stage.says("+bystander +one +two -one +two +two -bystander");
            for child in [bystander, one, two] {
                assert!(child.join_timeout(EVENT_TIMEOUT).is_some());
                assert!(matches!(child.count().wait(), Err(CallError::Gone(_))));
            }
        }
    });
}

/// The second half of OTP's `significant_transient`.
#[test]
fn all_significant_children_have_to_end() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, [bystander, one, two]) =
            significant(&stage, AutoShutdown::AllSignificant, Restart::Transient);
        end(&one, Way::Exit(0));
        settled(&supervisor, 2);
        assert_eq!((bystander.count().wait(), two.count().wait()), (Ok(1), Ok(1)));
        end(&two, Way::Exit(0));
        assert_eq!(supervisor.join(), ExitReason::Normal);
        stage.says("+bystander +one +two -bystander");
    });
}

#[test]
fn a_temporary_significant_child_counts_also_when_it_crashes() {
    alone(|| {
        for crash in super::support::stage::CRASHES {
            let stage = Stage::new();
            let (supervisor, [_, one, two]) =
                significant(&stage, AutoShutdown::AllSignificant, Restart::Temporary);
            crash.hit(&one);
            settled(&supervisor, 2);
            assert_eq!(counts(&supervisor), [2, 2, 0, 2]);
            crash.hit(&two);
            assert_eq!(supervisor.join(), ExitReason::Normal);
        }
    });
}

/// A supervisor's end with its children is no crash: a transient one is not restarted, a permanent one is.
#[test]
fn an_automatic_end_counts_as_an_end_by_itself_one_level_up() {
    alone(|| {
        for (restart, comes_back) in [(Restart::Transient, false), (Restart::Permanent, true)] {
            let stage = Stage::new();
            let lower =
                Supervisor::one_for_one().auto_shutdown(AutoShutdown::AnySignificant).restart(restart);
            let (one, its_ref) = reserved(stage.worker("one").restart(Restart::Transient).significant(true));
            let lower = lower.child("one", one).reserve().unwrap();
            let lower_ref = lower.actor_ref();
            let upper = Supervisor::one_for_one().child("lower", lower).start().unwrap();
            end(&its_ref, Way::Leave);
            if comes_back {
                phalanx_tests::eventually("it", EVENT_TIMEOUT, || lower_ref.incarnation() == 2);
                // Until it starts, it is down as it was.
                phalanx_tests::eventually("its child", EVENT_TIMEOUT, || its_ref.count().wait() == Ok(1));
                assert_eq!(its_ref.incarnation(), 2);
            } else {
                assert_eq!(lower_ref.join(), ExitReason::Normal);
                settled(&upper, 0);
                assert!(matches!(its_ref.count().wait(), Err(CallError::Gone(_))));
            }
            stop(&upper);
        }
    });
}
