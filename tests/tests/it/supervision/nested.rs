//! Supervisors below supervisors.

use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{ChildState, Restart};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, processes};

use super::support::stage::{
    CRASHES, Crash, Stage, Trouble, Worker, child, counts, reserved, settled, state, stop, within,
};

#[test]
fn a_lower_supervisor_that_gives_up_is_restarted_with_its_static_children() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let lower = |name: &str| Supervisor::one_for_one().name(name).intensity(0, RESTART_WINDOW);
            let (left, [a]) = stage.cast(lower("left"), ["a"]);
            let (right, [b]) = stage.cast(lower("right"), ["b"]);
            let (left, right) = (left.reserve().unwrap(), right.reserve().unwrap());
            let [left_ref, right_ref] = [&left, &right].map(|lower| lower.actor_ref());
            let root = Supervisor::one_for_all().name("root").child("left", left).child("right", right);
            let root = root.start().unwrap();
            let x = left_ref.start_child("x", stage.worker("x")).unwrap();
            let y = right_ref.start_child("y", stage.worker("y")).unwrap();
            assert_eq!(
                [&root, &left_ref, &right_ref].map(counts),
                [[2, 2, 2, 0], [2, 2, 0, 2], [2, 2, 0, 2]]
            );
            stage.says("+a +b +x +y");

            crash.hit(&a);
            eventually("new ones", EVENT_TIMEOUT, || {
                left_ref.incarnation() == 2 && right_ref.incarnation() == 2
            });
            settled(&root, 2);
            stage.says("-x -y -b +a +b");
            assert_eq!(
                [&root, &left_ref, &right_ref].map(counts),
                [[2, 2, 2, 0], [1, 1, 0, 1], [1, 1, 0, 1]]
            );
            assert_eq!((a.count().wait(), b.count().wait()), (Ok(1), Ok(1)));
            assert_eq!((a.incarnation(), b.incarnation()), (2, 2));
            for gone in [x, y] {
                assert!(gone.join_timeout(EVENT_TIMEOUT).is_some());
                assert!(matches!(gone.count().wait(), Err(CallError::Gone(_))));
            }
            stop(&root);
        }
    });
}

/// Top, middle, worker.
fn three_levels(stage: &Stage) -> (SupervisorRef, SupervisorRef, ActorRef<Worker>) {
    let (worker, its_ref) = reserved(stage.worker("worker").mailbox(500));
    let middle = Supervisor::one_for_one().name("middle").child("worker", worker).reserve().unwrap();
    let middle_ref = middle.actor_ref();
    let top = Supervisor::one_for_one().name("top").intensity(100, RESTART_WINDOW).child("middle", middle);
    (top.start().unwrap(), middle_ref, its_ref)
}

/// As OTP's `simple_global_supervisor`, by refs; by name: module `names`.
#[test]
fn a_supervisor_that_is_killed_is_back_with_its_actor_at_once() {
    alone(|| {
        let stage = Stage::new();
        let (top, middle, worker) = three_levels(&stage);
        assert_eq!(worker.parent().wait().unwrap(), middle.pid().unwrap());
        assert_eq!(processes::stat(middle.pid().unwrap()).unwrap().parent, top.pid().unwrap());
        for round in 2..5 {
            let (old_middle, old_worker) = (middle.pid().unwrap(), worker.pid().unwrap());
            let start = Instant::now();
            processes::kill(old_middle);
            eventually("a new middle", EVENT_TIMEOUT, || middle.incarnation() == round);
            assert_eq!(worker.count().wait(), Ok(1));
            within(start, Duration::from_millis(200));
            assert_eq!((middle.incarnation(), worker.incarnation()), (round, round));
            assert!(!processes::exists(old_middle) && !processes::exists(old_worker));
            assert_eq!(worker.parent().wait().unwrap(), middle.pid().unwrap());
            settled(&top, 1);
            assert_eq!((counts(&middle), child(&middle, "worker").incarnation), ([1, 1, 0, 1], round));
        }
        let left = [top.pid(), middle.pid(), worker.pid()].map(Result::unwrap);
        processes::kill(top.pid().unwrap());
        assert_eq!(top.join().signal(), Some(9));
        assert!(middle.join_timeout(EVENT_TIMEOUT).is_some() && worker.join_timeout(EVENT_TIMEOUT).is_some());
        processes::until_none(EVENT_TIMEOUT, || {
            left.iter().filter_map(|&pid| processes::stat(pid)).collect()
        });
        assert!(matches!(worker.count().wait(), Err(CallError::Gone(_))));
        assert!(middle.which_children().is_err() && top.which_children().is_err());
    });
}

/// The mailboxes belong to the supervisor above: they stay, whatever dies below it.
#[test]
fn what_is_queued_survives_the_sigkill_of_the_supervisor() {
    alone(|| {
        let stage = Stage::new();
        let (top, middle, worker) = three_levels(&stage);
        let dynamic = middle.start_child("dynamic", stage.worker("dynamic")).unwrap();
        for round in 2..6 {
            let held = worker.hang();
            eventually("the call", EVENT_TIMEOUT, || worker.depth() == 0);
            let queued: Vec<_> = (0..300).map(|number| worker.number(number)).collect();
            let lost = (round == 2).then(|| (dynamic.hang(), dynamic.count()));
            processes::kill(middle.pid().unwrap());
            // Only what it was busy with is lost.
            let error = held.wait().unwrap_err();
            assert!(matches!(error, CallError::Died(..)), "{error}");
            for (number, call) in (0..300).zip(queued) {
                assert_eq!(call.wait().unwrap(), (number, number + 1, round));
            }
            if let Some((busy, queued)) = lost {
                assert!(busy.wait().is_err() && queued.wait().is_err());
                assert!(matches!(dynamic.count().wait(), Err(CallError::Gone(_))));
            }
            eventually("its supervisor", EVENT_TIMEOUT, || middle.is_alive());
            settled(&top, 1);
            assert_eq!(counts(&middle), [1, 1, 0, 1]);
        }
        stop(&top);
    });
}

/// Also one that is never restarted by itself is started with its supervisor.
#[test]
fn a_temporary_static_child_comes_back_with_its_supervisor_and_answers() {
    alone(|| {
        let stage = Stage::new();
        let (worker, its_ref) = reserved(stage.worker("worker").restart(Restart::Temporary));
        let supervisor = Supervisor::one_for_one().restart(Restart::Permanent).child("worker", worker);
        let supervisor = supervisor.start().unwrap();
        assert_eq!(its_ref.count().wait(), Ok(1));
        processes::kill(supervisor.pid().unwrap());
        eventually("the next", EVENT_TIMEOUT, || supervisor.incarnation() == 2);
        assert_eq!(its_ref.within(EVENT_TIMEOUT).count().wait(), Ok(1));
        stop(&supervisor);
    });
}

#[test]
fn a_caller_in_another_process_is_served_over_the_deaths_of_two_levels() {
    alone(|| {
        let stage = Stage::new();
        let (top, middle, worker) = three_levels(&stage);
        let latch = stage.latch("done");
        let calling = Process::spawn(
            |(worker, latch): (ActorRef<Worker>, std::path::PathBuf)| {
                let (mut ok, mut lost, mut sessions) = (0_u64, 0_u64, 0_u64);
                let mut last = 0;
                while !latch.exists() {
                    match worker.number(ok).wait() {
                        Ok((number, _, incarnation)) if number == ok && incarnation >= last => {
                            ok += 1;
                            sessions += u64::from(incarnation != last);
                            last = incarnation;
                        }
                        Err(CallError::Died(..)) => lost += 1,
                        other => panic!("{other:?}"),
                    }
                }
                (ok, lost, sessions)
            },
            (worker.clone(), latch.path()),
        )
        .unwrap();
        eventually("calls", EVENT_TIMEOUT, || worker.handled() > 5);
        for round in 1..11 {
            let (pid, before) = match round % 2 {
                0 => (worker.pid(), worker.incarnation()),
                _ => (middle.pid(), worker.incarnation()),
            };
            processes::kill(pid.unwrap());
            eventually("the next", EVENT_TIMEOUT, || {
                worker.incarnation() == before + 1 && worker.is_alive() && middle.is_alive()
            });
            let handled = worker.handled();
            eventually("calls", EVENT_TIMEOUT, || worker.handled() > handled + 5);
            settled(&top, 1);
        }
        latch.open();
        let (ok, lost, sessions) = calling.join().unwrap();
        assert!(ok > 50 && lost <= 10 && sessions == 11, "{ok} served, {lost} lost, by {sessions} processes");
        stop(&top);
    });
}

/// A supervisor that gives up stops its other children; the one above decides whether they come back.
#[test]
fn what_is_queued_survives_a_supervisor_that_gives_up() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let latch = stage.latch("busy");
            let low = Supervisor::one_for_one().name("low").intensity(0, RESTART_WINDOW);
            let (low, [a, b]) = stage.cast(low, ["a", "b"]);
            let low = low.reserve().unwrap();
            let its_ref = low.actor_ref();
            // There is a while in which neither of them has a process.
            let wait = Duration::from_millis(50);
            let top = Supervisor::one_for_one().backoff(wait, wait).child("low", low).start().unwrap();
            let mut monitor = its_ref.monitor();
            let busy = b.wait_for(latch.path());
            eventually("the call", EVENT_TIMEOUT, || b.depth() == 0);
            let queued: Vec<_> = (0..100).map(|number| b.number(number)).collect();
            crash.hit(&a);
            latch.open();
            busy.wait().unwrap();
            assert_eq!(monitor.recv_timeout(EVENT_TIMEOUT).unwrap().reason, ExitReason::IntensityReached);
            let behind: Vec<_> = (0..100).map(|number| a.number(number)).collect();
            for (number, call) in (0..100).zip(behind) {
                assert_eq!(call.wait().unwrap(), (number, number + 1, 2), "{crash:?}");
            }
            // The first ones perhaps before it was told to stop.
            for (number, call) in (0..100).zip(queued) {
                assert_eq!(call.wait().unwrap().0, number, "{crash:?}");
            }
            stage.says("+a +b -b +a +b");
            stop(&top);
        }
    });
}

/// What cannot be borne is passed on from level to level.
#[test]
fn a_supervisor_that_gives_up_is_a_crash_one_level_up() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let (low, [worker]) =
                stage.cast(Supervisor::one_for_one().name("low").intensity(1, RESTART_WINDOW), ["w"]);
            let low = low.reserve().unwrap();
            let low_ref = low.actor_ref();
            let middle =
                Supervisor::one_for_one().name("middle").intensity(1, RESTART_WINDOW).child("low", low);
            let middle = middle.reserve().unwrap();
            let middle_ref = middle.actor_ref();
            let top =
                Supervisor::one_for_one().name("top").intensity(0, RESTART_WINDOW).child("middle", middle);
            let top = top.start().unwrap();
            // Two are too many for `low`, two of its ends are too many for `middle`, one of its for `top`.
            for (low, middle) in [(1, 1), (2, 1), (2, 1)] {
                crash.hit(&worker);
                eventually("the next", EVENT_TIMEOUT, || {
                    low_ref.incarnation() == low && worker.if_up().count().wait().is_ok()
                });
                assert_eq!(middle_ref.incarnation(), middle);
            }
            crash.hit(&worker);
            assert_eq!(top.join(), ExitReason::IntensityReached);
            for reason in [low_ref.join(), middle_ref.join()] {
                assert_eq!(reason, ExitReason::GaveUp { last: Box::new(ExitReason::IntensityReached) });
            }
            assert!(matches!(worker.count().wait(), Err(CallError::Gone(_))));
            assert_eq!(stage.said(), "+w +w +w +w");
        }
    });
}

#[test]
fn a_supervisor_whose_children_do_not_start_any_more_is_tried_again_and_given_up() {
    alone(|| {
        let stage = Stage::new();
        let (lower, [a, b]) =
            stage.cast(Supervisor::one_for_one().name("lower").intensity(0, RESTART_WINDOW), ["a", "b"]);
        let lower = lower.reserve().unwrap();
        let lower_ref = lower.actor_ref();
        let upper =
            Supervisor::one_for_one().name("upper").intensity(5, RESTART_WINDOW).child("lower", lower);
        let upper = upper.start().unwrap();
        stage.said();
        stage.spoil("b", Trouble::Refuses, 2);
        Crash::Panic.hit(&a);
        stage.says("-b +a !b -a +a !b -a +a +b");
        settled(&upper, 1);
        assert_eq!((a.count().wait(), b.count().wait(), lower_ref.incarnation()), (Ok(1), Ok(1), 4));

        stage.spoil("b", Trouble::Panics, u32::MAX);
        Crash::Sigkill.hit(&a);
        assert_eq!(upper.join(), ExitReason::IntensityReached);
        stage.says("-b +a !b -a +a !b -a");
        let ExitReason::GaveUp { last } = lower_ref.join() else { panic!("{}", lower_ref.join()) };
        let ExitReason::InitFailed(error) = *last else { panic!("{last}") };
        assert!(error.contains("`b`") && error.contains("b panics"), "{error}");
    });
}

/// A permanent supervisor without a declared parent is restarted by the program's own.
#[test]
fn a_supervisor_with_a_restart_type_of_its_own_is_restarted_by_that_of_the_program() {
    alone(|| {
        for (restart, comes_back) in
            [(Restart::Permanent, true), (Restart::Transient, true), (Restart::Temporary, false)]
        {
            let stage = Stage::new();
            let (supervisor, [a]) = stage.cast(Supervisor::one_for_one().restart(restart), ["a"]);
            let supervisor = supervisor.start().unwrap();
            assert_eq!(a.count().wait(), Ok(1));
            processes::kill(supervisor.pid().unwrap());
            if comes_back {
                eventually("the next", EVENT_TIMEOUT, || supervisor.incarnation() == 2);
                assert_eq!((a.count().wait(), a.incarnation()), (Ok(1), 2));
                stop(&supervisor);
            } else {
                assert_eq!(supervisor.join().signal(), Some(9));
            }
            assert!(matches!(a.count().wait(), Err(CallError::Gone(_))));
        }
    });
}

/// Those that were down when their supervisor died start with it; it begins as it did the first time.
#[test]
fn a_restarted_supervisor_begins_anew() {
    alone(|| {
        let stage = Stage::new();
        let (top, middle, worker) = three_levels(&stage);
        middle.terminate_child("worker").unwrap();
        assert_eq!(state(&middle, "worker"), ChildState::Down);
        processes::kill(middle.pid().unwrap());
        eventually("the next", EVENT_TIMEOUT, || middle.incarnation() == 2);
        settled(&top, 1);
        settled(&middle, 1);
        assert_eq!(worker.count().wait(), Ok(1));
        // A child that was deleted comes back, too: it is in the spec.
        middle.terminate_child("worker").unwrap();
        middle.delete_child("worker").unwrap();
        assert!(matches!(worker.count().wait(), Err(CallError::Gone(_))));
        processes::kill(middle.pid().unwrap());
        eventually("the next", EVENT_TIMEOUT, || middle.incarnation() == 3);
        settled(&top, 1);
        settled(&middle, 1);
        assert_eq!(worker.count().wait(), Ok(1));
        stop(&top);
    });
}
