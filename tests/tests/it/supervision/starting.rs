//! Starts that go wrong, and what is refused before anything starts.

use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{
    AutoShutdown, Backoff, ChildState, Intensity, Restart, Shutdown, SpecError, SupervisorBuilder,
    SupervisorError,
};
use phalanx_tests::{EVENT_TIMEOUT, alone, processes};

use super::support::stage::{Stage, Trouble, child, counts, settled, state, stop, within};

const SECOND: Duration = Duration::from_secs(1);

/// As OTP's `ignore`, as far as it is about children. (A declared supervisor that its starter ignores is
/// heard of by no other supervisor.)
#[test]
fn a_child_that_wants_no_process_is_no_error() {
    alone(|| {
        let stage = Stage::new();
        stage.spoil("b", Trouble::Ignores, 1);
        let (supervisor, [a, b, c]) = stage.cast(Supervisor::one_for_one().name("tolerant"), ["a", "b", "c"]);
        let supervisor = supervisor.start().unwrap();
        stage.says("+a !b +c");
        assert_eq!(counts(&supervisor), [3, 2, 0, 3]);
        assert_eq!((state(&supervisor, "b"), child(&supervisor, "b").pid), (ChildState::Down, None));
        assert!(matches!(b.count().wait(), Err(CallError::Gone(_))));
        assert_eq!((a.count().wait(), c.count().wait()), (Ok(1), Ok(1)));
        supervisor.restart_child("b").unwrap();
        assert_eq!(b.count().wait(), Ok(1));

        stage.spoil("d", Trouble::Ignores, 2);
        let ignored = supervisor.start_child("d", stage.worker("d"));
        assert!(matches!(ignored, Err(SpawnError::Ignored { .. })), "{ignored:?}");
        assert!(matches!(stage.worker("d").spawn(), Err(SpawnError::Ignored { .. })));
        // A temporary one leaves no spec; another can be started later.
        assert_eq!((counts(&supervisor), state(&supervisor, "d")), ([4, 3, 0, 4], ChildState::Down));
        stage.spoil("e", Trouble::Ignores, 1);
        let ignored = supervisor.start_child("e", stage.worker("e").restart(Restart::Temporary));
        assert!(matches!(ignored, Err(SpawnError::Ignored { .. })), "{ignored:?}");
        assert_eq!(counts(&supervisor), [4, 3, 0, 4]);
        stop(&supervisor);
    });
}

#[test]
fn a_failed_addition_leaves_nothing_and_a_failed_restart_keeps_the_spec() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, [a]) = stage.cast(Supervisor::one_for_one().name("strict"), ["a"]);
        let supervisor = supervisor.start().unwrap();

        stage.spoil("b", Trouble::Refuses, 1);
        match supervisor.start_child("b", stage.worker("b")) {
            Err(SpawnError::InitFailed { actor, error }) => {
                assert_eq!((&*actor, &*error), ("b", "b is broken"));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(counts(&supervisor), [1, 1, 0, 1]);
        let b = supervisor.start_child("b", stage.worker("b")).unwrap();
        assert_eq!(b.count().wait(), Ok(1));

        supervisor.terminate_child("a").unwrap();
        stage.spoil("a", Trouble::Refuses, 1);
        match supervisor.restart_child("a") {
            Err(SupervisorError::Failed { supervisor, child, reason }) => {
                assert_eq!((&*supervisor, &*child), ("strict", "a"));
                assert_eq!(reason, ExitReason::InitFailed("a is broken".into()));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!((state(&supervisor, "a"), child(&supervisor, "a").pid), (ChildState::Down, None));
        assert!(matches!(a.count().wait(), Err(CallError::Gone(_))));
        supervisor.restart_child("a").unwrap();
        assert_eq!(a.count().wait(), Ok(1));
        stage.says("+a !b +b -a !a +a");
        stop(&supervisor);
    });
}

#[test]
fn a_failed_boot_undoes_what_was_started_and_says_where_and_why() {
    alone(|| {
        for trouble in [Trouble::Panics, Trouble::Refuses] {
            let stage = Stage::new();
            stage.spoil("broken", trouble, 1);
            let (lower, _) = stage.cast(Supervisor::one_for_all().name("lower"), ["c", "d", "broken", "e"]);
            let (root, [a, b]) = stage.cast(Supervisor::rest_for_one().name("root"), ["a", "b"]);
            let (last, its_ref) = stage.reserve("f");
            let root = root.child("lower", lower).child("f", last);
            let error = root.start().unwrap_err();
            let SpawnError::InitFailed { actor, error } = &error else { panic!("{error:?}") };
            assert_eq!(actor, "root");
            let parts = match trouble {
                Trouble::Panics => ["`lower`", "`broken`", "supervision/support/worker.rs", "broken panics"],
                _ => ["`lower`", "init failed", "`broken`", "broken is broken"],
            };
            let found = parts.map(|part| error.find(part).unwrap_or_else(|| panic!("no {part} in {error}")));
            assert!(found.is_sorted(), "{error}");
            stage.says("+a +b +c +d !broken -d -c -b -a");
            for worker in [&a, &b, &its_ref] {
                assert!(worker.join_timeout(EVENT_TIMEOUT).is_some());
                assert!(matches!(worker.count().wait(), Err(CallError::Gone(_))));
            }
            let root = processes::root_supervisor(std::process::id()).unwrap();
            let left = processes::descendants(root);
            assert_eq!(left, []);
        }
    });
}

#[test]
fn what_is_not_said_is_as_in_otp() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, _) = stage.cast(Supervisor::one_for_one(), ["worker"]);
        let task = Process::builder(|()| std::thread::park(), ());
        let supervisor =
            supervisor.child("lower", Supervisor::one_for_one()).child("task", task).start().unwrap();
        let children = supervisor.which_children().unwrap();
        assert_eq!(children.iter().map(|child| &*child.id).collect::<Vec<_>>(), ["worker", "lower", "task"]);
        for child in &children {
            let shutdown =
                if child.id == "lower" { Shutdown::Infinity } else { Shutdown::Timeout(5 * SECOND) };
            assert_eq!(
                (child.restart, child.shutdown, child.significant, child.is_supervisor, child.daemon),
                (Restart::Permanent, shutdown, false, child.id == "lower", false)
            );
            assert_eq!((child.state, child.incarnation, child.restarts), (ChildState::Up, 1, 0));
        }
        assert_eq!(counts(&supervisor), [3, 3, 1, 2]);
        assert_eq!(supervisor.name(), "supervisor");
        let unknown = ["terminate", "restart", "delete"].map(|what| match what {
            "terminate" => supervisor.terminate_child("nobody"),
            "restart" => supervisor.restart_child("nobody"),
            _ => supervisor.delete_child("nobody"),
        });
        for answer in unknown {
            match answer {
                Err(SupervisorError::NotFound { child, .. }) => assert_eq!(child, "nobody"),
                other => panic!("{other:?}"),
            }
        }
        stop(&supervisor);
    });
}

/// Those in attributes are refused by the compiler: `tests/ui/`.
#[test]
fn contradictory_specs_start_nothing_and_each_has_its_own_error() {
    alone(|| {
        let stage = Stage::new();
        let worker = || stage.worker("a");
        let significant = || worker().restart(Restart::Transient).significant(true);
        let ends = || Supervisor::one_for_one().auto_shutdown(AutoShutdown::AnySignificant);
        let (one, id) = (Supervisor::one_for_one, || "a".to_owned());
        let cases: [(SupervisorBuilder, SpecError); 11] = [
            (one().intensity(1, Duration::ZERO).child("a", worker()), SpecError::ZeroWindow),
            (one().backoff(Duration::ZERO, SECOND).child("a", worker()), SpecError::ZeroBackoff),
            (one().backoff(2 * SECOND, SECOND), SpecError::BackoffOrder(Backoff::new(2 * SECOND, SECOND))),
            (one().child("a", worker()).child("a", worker()), SpecError::DuplicateId(id())),
            (
                ends().child("a", worker().restart(Restart::Permanent).significant(true)),
                SpecError::SignificantPermanent(id()),
            ),
            (one().child("a", significant()), SpecError::SignificantNever(id())),
            (
                Supervisor::dynamic().auto_shutdown(AutoShutdown::AnySignificant).child("a", significant()),
                SpecError::SignificantDynamic(id()),
            ),
            (
                Supervisor::dynamic().auto_shutdown(AutoShutdown::AllSignificant),
                SpecError::AutoShutdownDynamic,
            ),
            (
                one().max_children(1).child("a", worker()).child("b", worker()),
                SpecError::TooManyChildren { declared: 2, most: 1 },
            ),
            (one().child("a", worker().intensity(3, Duration::ZERO)), SpecError::ZeroWindow),
            // However deep it lies.
            (
                one().child("b", worker()).child("lower", one().child("a", significant())),
                SpecError::SignificantNever(id()),
            ),
        ];
        for (supervisor, expected) in cases {
            match supervisor.start() {
                Err(SpawnError::Specs { error, .. }) => assert_eq!(error, expected),
                other => panic!("{other:?} instead of {expected:?}"),
            }
        }
        assert_eq!("-1 in 10s".parse::<Intensity>(), Err(SpecError::Intensity("-1 in 10s".into())));
        assert_eq!("often".parse::<Intensity>(), Err(SpecError::Intensity("often".into())));
        assert_eq!((stage.said(), processes::root_supervisor(std::process::id())), (String::new(), None));

        // A child that is added is refused as well.
        let supervisor = one().start().unwrap();
        let refused = supervisor.start_child("a", significant());
        let never = SpecError::SignificantNever(id());
        assert!(matches!(&refused, Err(SpawnError::Specs { error, .. }) if *error == never), "{refused:?}");
        assert_eq!(counts(&supervisor), [0, 0, 0, 0]);
        stop(&supervisor);
    });
}

#[test]
fn an_init_beyond_its_limit_is_killed_and_reaped_and_what_has_stopped_is_gone() {
    alone(|| {
        let stage = Stage::new();
        let limit = Duration::from_millis(100);
        let supervisor = Supervisor::one_for_one().start().unwrap();
        stage.spoil("slow", Trouble::Hangs, 1);
        let start = Instant::now();
        match supervisor.start_child("slow", stage.worker("slow").start_timeout(limit)) {
            Err(SpawnError::StartTimeout { actor, after, .. }) => {
                assert_eq!((&*actor, after), ("slow", limit))
            }
            other => panic!("{other:?}"),
        }
        assert!(start.elapsed() >= limit);
        within(start, limit + SECOND);
        assert_eq!(processes::children(supervisor.pid().unwrap()), []);
        assert_eq!(counts(&supervisor), [0, 0, 0, 0]);

        // The id is free, and then it is not.
        let slow = supervisor.start_child("slow", stage.worker("slow")).unwrap();
        match supervisor.start_child("slow", stage.worker("slow")) {
            Err(SpawnError::AlreadyStarted { actor, pid }) => {
                assert_eq!((&*actor, pid), ("slow", slow.pid().unwrap()));
            }
            other => panic!("{other:?}"),
        }
        stop(&supervisor);
        assert!(matches!(slow.count().wait(), Err(CallError::Gone(_))));
        stage.says("!slow +slow -slow");
    });
}

#[test]
fn a_start_that_fails_below_a_running_supervisor_leaves_the_others_alone() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, [a, b]) = stage.cast(Supervisor::one_for_all().intensity(0, SECOND), ["a", "b"]);
        let supervisor = supervisor.start().unwrap();
        for trouble in [Trouble::Refuses, Trouble::Panics, Trouble::Hangs, Trouble::Ignores] {
            stage.spoil("c", trouble, 1);
            let worker =
                stage.worker("c").restart(Restart::Temporary).start_timeout(Duration::from_millis(100));
            assert!(supervisor.start_child("c", worker).is_err(), "{trouble:?}");
        }
        settled(&supervisor, 2);
        assert_eq!((counts(&supervisor), a.incarnation(), b.incarnation()), ([2, 2, 0, 2], 1, 1));
        stop(&supervisor);
    });
}
