//! How supervisors and their children are stopped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{ChildState, Restart, Shutdown, StoppedBy, SupervisorBuilder};
use phalanx_tests::{EVENT_TIMEOUT, LATCH_TIMEOUT, alone, eventually, processes};

use super::support::stage::{
    Last, Stage, Way, child, counts, reserved, settled, state, stop, stopped_by_supervisor, within,
};

const SECOND: Duration = Duration::from_secs(1);

fn both() -> [fn() -> SupervisorBuilder; 2] {
    [Supervisor::one_for_one, Supervisor::dynamic]
}

#[test]
fn a_child_that_hangs_at_its_end_is_killed_when_its_time_is_up() {
    alone(|| {
        for supervisor in both() {
            let stage = Stage::new();
            let limit = Shutdown::Timeout(SECOND);
            let (obeys, obeys_ref) = reserved(stage.worker("obeys").shutdown(limit));
            let (hangs, hangs_ref) = reserved(stage.worker_with("hangs", Last::Hangs).shutdown(limit));
            let supervisor = supervisor().child("obeys", obeys).child("hangs", hangs).start().unwrap();
            let start = Instant::now();
            stop(&supervisor);
            assert!(start.elapsed() >= SECOND);
            within(start, Duration::from_millis(1300));
            assert_eq!(obeys_ref.join(), stopped_by_supervisor());
            assert_eq!(hangs_ref.join().signal(), Some(9));
        }
    });
}

#[test]
fn children_to_be_killed_are_killed_at_once_and_run_no_hook() {
    alone(|| {
        let stage = Stage::new();
        let brutal =
            |name: &str| reserved(stage.worker_with(name, Last::Hangs).shutdown(Shutdown::BrutalKill));
        let (one, one_ref) = brutal("static");
        let supervisor = Supervisor::one_for_one().child("static", one).start().unwrap();
        stop(&supervisor);
        assert_eq!(one_ref.join().signal(), Some(9));
        stage.says("+static");

        let supervisor = Supervisor::dynamic().start().unwrap();
        let children: Vec<_> = (0..10)
            .map(|number| {
                let (worker, its_ref) = brutal(&format!("{number}"));
                supervisor.start_child(format!("{number}"), worker).unwrap();
                its_ref
            })
            .collect();
        let start = Instant::now();
        stop(&supervisor);
        within(start, SECOND);
        assert!(children.iter().all(|child| child.join().signal() == Some(9)));
        assert!(!stage.said().contains('-'));
    });
}

/// As in OTP's `sup_stop_race`. Each is in a handler that ends it in its own way when the stop has begun.
#[test]
fn children_that_end_by_themselves_while_they_are_stopped_keep_their_reasons_and_are_not_started() {
    alone(|| {
        for supervisor in [Supervisor::one_for_one, Supervisor::one_for_all, Supervisor::dynamic] {
            let stage = Stage::new();
            let latch = stage.latch("stopping");
            let ways = [Way::Exit(0), Way::Leave, Way::Panic, Way::Sigkill];
            let types = [Restart::Permanent, Restart::Transient, Restart::Temporary];
            let mut builder = supervisor().intensity(0, SECOND);
            let mut children = Vec::new();
            for (way, restart) in
                ways.iter().flat_map(|way| types.iter().map(move |restart| (*way, *restart)))
            {
                let name = format!("{way:?}-{restart:?}");
                let (worker, its_ref) = reserved(stage.worker(&name).restart(restart));
                builder = builder.child(&*name, worker);
                children.push((its_ref, way));
            }
            let supervisor = builder.start().unwrap();
            for (child, way) in &children {
                child.end_at(latch.path(), *way).unwrap();
                eventually("the message", EVENT_TIMEOUT, || child.depth() == 0);
            }
            thread::scope(|scope| {
                let stopping = scope.spawn(|| stop(&supervisor));
                eventually("the stop", EVENT_TIMEOUT, || {
                    let children = supervisor.which_children().unwrap();
                    children.last().is_some_and(|child| child.state == ChildState::Stopping)
                });
                latch.open();
                stopping.join().unwrap();
            });
            for (child, way) in &children {
                let reason = child.join();
                assert!(way.is(&reason), "{reason} instead of {way:?}");
                assert_eq!(child.incarnation(), 1);
            }
            assert_eq!(stage.said().matches('+').count(), 12);
        }
    });
}

#[test]
fn dynamic_children_are_stopped_in_parallel_and_the_slow_one_is_killed() {
    alone(|| {
        let stage = Stage::new();
        let limit = Shutdown::Timeout(2 * SECOND);
        let takes = |name: &str, seconds| {
            reserved(stage.worker_with(name, Last::Takes(seconds * SECOND)).shutdown(limit))
        };
        let [one, two, slow] = [("one", 1), ("two", 1), ("slow", 5)].map(|(name, time)| takes(name, time));
        let supervisor = Supervisor::dynamic()
            .child("one", one.0)
            .child("two", two.0)
            .child("slow", slow.0)
            .start()
            .unwrap();
        let start = Instant::now();
        stop(&supervisor);
        assert!(start.elapsed() >= 2 * SECOND);
        within(start, 3 * SECOND);
        assert_eq!([one.1.join(), two.1.join()], [stopped_by_supervisor(), stopped_by_supervisor()]);
        assert_eq!(slow.1.join().signal(), Some(9));
    });
}

/// Of children of a supervisor; by name: module `names`.
#[test]
fn a_child_is_stopped_by_its_ref_as_any_actor() {
    alone(|| {
        let stage = Stage::new();
        let (slow, slow_ref) = reserved(stage.worker_with("slow", Last::Takes(SECOND / 5)));
        let (hangs, hangs_ref) = reserved(stage.worker_with("hangs", Last::Hangs));
        let (supervisor, [a]) =
            stage.cast(Supervisor::one_for_all().child("slow", slow).child("hangs", hangs), ["a"]);
        let supervisor = supervisor.start().unwrap();
        stage.said();
        // It lives on, and does what it is asked.
        assert!(a.stop_yourself(a.clone()).wait().unwrap());
        assert_eq!(a.count().wait(), Ok(1));

        let start = Instant::now();
        assert_eq!(slow_ref.stop(EVENT_TIMEOUT), Ok(ExitReason::Stopped(StoppedBy::Ref)));
        assert!(start.elapsed() >= SECOND / 5);
        stage.says("-slow");
        assert!(matches!(slow_ref.stop(EVENT_TIMEOUT), Err(SendError::Gone(_))));
        let start = Instant::now();
        assert_eq!(hangs_ref.stop(SECOND / 10).unwrap().signal(), Some(9));
        assert!(start.elapsed() >= SECOND / 10);
        settled(&supervisor, 1);
        assert_eq!((counts(&supervisor), a.incarnation()), ([3, 1, 0, 3], 1));
        stop(&supervisor);
    });
}

#[test]
fn a_hook_that_hangs_is_killed_one_that_panics_is_reported_and_a_kill_runs_none() {
    alone(|| {
        let stage = Stage::new();
        let half = SECOND / 2;
        let (hangs, hangs_ref) =
            reserved(stage.worker_with("hangs", Last::Hangs).shutdown(Shutdown::Timeout(half)));
        let (panics, panics_ref) = reserved(stage.worker_with("panics", Last::Panics));
        let (again, again_ref) = reserved(stage.worker_with("again", Last::Panics));
        let supervisor = Supervisor::one_for_one().intensity(0, SECOND);
        let supervisor = supervisor.child("hangs", hangs).child("panics", panics).child("again", again);
        let (supervisor, [killed]) = stage.cast(supervisor, ["killed"]);
        let supervisor = supervisor.start().unwrap();
        stage.said();

        let start = Instant::now();
        supervisor.terminate_child("hangs").unwrap();
        assert!(start.elapsed() >= half);
        within(start, half + SECOND);
        assert_eq!(hangs_ref.join().signal(), Some(9));
        killed.kill().unwrap();
        assert_eq!(killed.join().signal(), Some(9));
        stage.says("-hangs");

        let in_hook = |reason: &ExitReason, name: &str| match reason {
            ExitReason::Panicked { message, method, .. } => {
                assert_eq!(*message, format!("{name} panics at its end"));
                assert_eq!(method.as_deref(), Some("on_stop"));
            }
            other => panic!("{other:?}"),
        };
        in_hook(&panics_ref.stop(EVENT_TIMEOUT).unwrap(), "panics");
        supervisor.terminate_child("again").unwrap();
        in_hook(&again_ref.join(), "again");
        settled(&supervisor, 0);
        assert_eq!(counts(&supervisor), [4, 0, 0, 4]);
        for id in ["hangs", "panics", "again", "killed"] {
            supervisor.restart_child(id).unwrap();
        }
        assert_eq!(counts(&supervisor), [4, 4, 0, 4]);
        supervisor.terminate_child("hangs").unwrap();
        stop(&supervisor);
    });
}

/// Ends itself, and does not let go.
#[actor]
struct Stubborn;

#[actor]
impl Stubborn {
    fn leave(&self, latch: PathBuf, marker: PathBuf) {
        eventually("the latch", LATCH_TIMEOUT, || latch.exists());
        let caught = catch_unwind(AssertUnwindSafe(|| phalanx::exit_actor()));
        std::fs::write(marker, "code behind the end").unwrap();
        drop(caught);
    }

    fn nothing(&self, number: u64) -> u64 {
        number
    }
}

/// As Ray's actors exit inside of a `try`. Where the system has no room for so many, as many as there is room
/// for.
#[test]
fn an_end_by_its_own_code_cannot_be_caught_and_each_queued_call_is_told() {
    alone(|| {
        for restart in [Restart::Temporary, Restart::Transient] {
            let stage = Stage::new();
            let (latch, marker) = (stage.latch("latch"), stage.latch("marker"));
            let actor = Stubborn.builder().mailbox(10_000).restart(restart).reserve().unwrap();
            let actor_ref = actor.actor_ref();
            let supervisor = Supervisor::one_for_one().child("a", actor).start().unwrap();
            let leaving = actor_ref.leave(latch.path(), marker.path());
            eventually("the call", EVENT_TIMEOUT, || actor_ref.depth() == 0);
            let queued: Vec<_> = (0..10_000).map_while(|number| actor_ref.try_nothing(number).ok()).collect();
            assert!(queued.len() > 100);
            latch.open();
            let error = leaving.wait().unwrap_err();
            assert!(matches!(error, CallError::Stopped(_)), "{error}");
            for call in queued {
                let error = call.wait().unwrap_err();
                assert!(matches!(error, CallError::Stopped(_)), "{error}");
            }
            assert_eq!(actor_ref.join(), ExitReason::Stopped(StoppedBy::Itself));
            assert!(!marker.path().exists());
            stop(&supervisor);
        }
    });
}

#[test]
fn terminating_a_supervisor_stops_what_is_below_it_and_it_comes_back_with_all_of_it() {
    alone(|| {
        let stage = Stage::new();
        let (lower, [a, b]) = stage.cast(Supervisor::one_for_one().name("lower"), ["a", "b"]);
        let lower = lower.reserve().unwrap();
        let lower_ref = lower.actor_ref();
        let supervisor = Supervisor::one_for_one().child("lower", lower).start().unwrap();
        let pids = [a.pid(), b.pid(), lower_ref.pid()].map(Result::unwrap);
        let queued = a.count();
        queued.wait().unwrap();
        supervisor.terminate_child("lower").unwrap();
        assert!(pids.into_iter().all(|pid| !processes::exists(pid)));
        assert_eq!(lower_ref.join(), stopped_by_supervisor());
        for worker in [&a, &b] {
            assert!(matches!(worker.count().wait(), Err(CallError::Gone(_))));
            assert_eq!(worker.join(), stopped_by_supervisor());
        }
        assert!(lower_ref.which_children().is_err());
        assert_eq!((counts(&supervisor), state(&supervisor, "lower")), ([1, 0, 1, 0], ChildState::Down));
        supervisor.restart_child("lower").unwrap();
        assert_eq!((a.count().wait(), b.count().wait()), (Ok(1), Ok(1)));
        assert_eq!((counts(&lower_ref), child(&lower_ref, "a").incarnation), ([2, 2, 0, 2], 2));
        stage.says("+a +b -b -a +a +b");
        stop(&supervisor);
    });
}
