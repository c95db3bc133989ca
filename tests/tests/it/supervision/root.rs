//! What comes back when the program's root supervisor has died, and what does not.

use std::process::id;
use std::thread;

use phalanx::prelude::*;
use phalanx::{Monitor, Restart, SpawnError, SupervisorBuilder, names};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, processes};

use super::support::stage::{Stage, Trouble, Way, Worker, settled, stop};

fn root() -> u32 {
    processes::root_supervisor(id()).expect("there is a tree")
}

/// Kills the root supervisor; returns when there is another one.
fn lose_the_root() {
    let before = root();
    processes::kill(before);
    eventually("another root supervisor", EVENT_TIMEOUT, || {
        processes::root_supervisor(id()).is_some_and(|now| now != before)
    });
}

fn permanent(name: &str) -> SupervisorBuilder {
    Supervisor::one_for_one().name(name).restart(Restart::Permanent)
}

fn down(monitor: &mut Monitor) -> ExitReason {
    monitor.recv_timeout(EVENT_TIMEOUT).expect("an end is told").reason
}

#[test]
fn a_permanent_tree_comes_back_and_its_refs_stay_valid() {
    alone(|| {
        let stage = Stage::new();
        let (lower, [b]) = stage.cast(Supervisor::one_for_one().name("lower"), ["b"]);
        let (upper, [a]) = stage.cast(permanent("upper"), ["a"]);
        let upper = upper.child("lower", lower).start().unwrap();
        for worker in [&a, &b] {
            assert_eq!((worker.count().wait(), worker.count().wait()), (Ok(1), Ok(2)));
        }
        let before = [a.pid(), b.pid(), upper.pid()];
        let mut monitors = [a.monitor(), b.monitor()];
        stage.says("+a +b");

        let (in_progress, queued) = (a.hang(), a.number(7));
        eventually("the message in progress", EVENT_TIMEOUT, || a.depth() == 1);
        lose_the_root();
        let error = in_progress.wait().unwrap_err();
        assert_eq!(error.exit_reason(), Some(&ExitReason::SupervisorDied), "{error}");
        // What was queued is served by the next process, which begins anew.
        assert_eq!(queued.wait(), Ok((7, 1, 2)));
        assert_eq!((a.count().wait(), b.count().wait()), (Ok(2), Ok(1)));
        assert_eq!(monitors.each_mut().map(down), [ExitReason::SupervisorDied, ExitReason::SupervisorDied]);
        assert_eq!([a.incarnation(), b.incarnation(), upper.incarnation()], [2, 2, 2]);
        let after = [a.pid(), b.pid(), upper.pid()];
        assert!(before.iter().all(|pid| !after.contains(pid)), "{before:?} {after:?}");
        stage.says("+a +b");

        // And works as before.
        let error = b.end(Way::Panic).wait().unwrap_err();
        assert!(matches!(&error, CallError::Died(reason, _) if Way::Panic.is(reason)), "{error}");
        assert_eq!((b.count().wait(), b.incarnation()), (Ok(1), 3));
        assert_eq!(upper.count_children().unwrap().active, 2);
        stop(&upper);
        assert!(matches!(a.count().wait(), Err(CallError::Gone(_))));
    });
}

#[test]
fn what_is_temporary_or_is_to_stay_dead_does_not_come_back() {
    alone(|| {
        let stage = Stage::new();
        let (temporary, [a]) = stage.cast(Supervisor::one_for_one().name("temporary"), ["a"]);
        let (refused, [b]) = stage.cast(permanent("refused").outlives_root(false), ["b"]);
        let trees = [temporary.start().unwrap(), refused.start().unwrap()];
        let ended = stage.worker("ended").restart(Restart::Transient).spawn().unwrap();
        ended.end(Way::Leave).wait().unwrap_err();
        ended.join_timeout(EVENT_TIMEOUT).expect("it has ended");
        let (stopped, [c]) = stage.cast(permanent("stopped"), ["c"]);
        stop(&stopped.start().unwrap());
        let (witness, [d]) = stage.cast(permanent("witness"), ["d"]);
        let witness = witness.start().unwrap();

        lose_the_root();
        settled(&witness, 1);
        assert_eq!(d.count().wait(), Ok(1));
        for tree in trees {
            assert_eq!(tree.join_timeout(EVENT_TIMEOUT), Some(ExitReason::SupervisorDied));
        }
        for worker in [a, b, c, ended] {
            assert!(matches!(worker.count().wait(), Err(CallError::Gone(_))));
            assert_eq!(worker.incarnation(), 1);
        }
    });
}

#[test]
fn actors_that_are_restarted_and_their_names_come_back() {
    alone(|| {
        let stage = Stage::new();
        let [permanent, transient] = [Restart::Permanent, Restart::Transient].map(|restart| {
            let name = format!("{restart:?}");
            stage.worker(&name).restart(restart).registered(name).spawn().unwrap()
        });
        let plain = stage.worker("plain").registered("plain").spawn().unwrap();
        lose_the_root();
        for worker in [&permanent, &transient] {
            assert_eq!((worker.count().wait(), worker.incarnation()), (Ok(1), 2));
            let found = names::lookup::<Worker>(worker.name()).unwrap();
            assert_eq!((found.count().wait(), found.pid()), (Ok(2), worker.pid()));
        }
        assert_eq!(plain.join_timeout(EVENT_TIMEOUT), Some(ExitReason::SupervisorDied));
        eventually("a free name", EVENT_TIMEOUT, || names::lookup::<Worker>("plain").is_err());
    });
}

#[test]
fn a_supervisor_that_comes_back_takes_children_again() {
    alone(|| {
        let stage = Stage::new();
        let supervisor = Supervisor::dynamic().name("dynamic").restart(Restart::Permanent).start().unwrap();
        let first = supervisor.start_child("one", stage.worker("one")).unwrap();
        lose_the_root();
        // What was added later was not kept.
        assert_eq!(first.join_timeout(EVENT_TIMEOUT), Some(ExitReason::SupervisorDied));
        let second = supervisor.start_child("one", stage.worker("one")).unwrap();
        assert_eq!((second.count().wait(), second.incarnation()), (Ok(1), 1));
        stop(&supervisor);
    });
}

#[test]
fn a_tree_comes_back_when_the_reaper_is_killed() {
    alone(|| {
        let stage = Stage::new();
        let (tree, [a]) = stage.cast(permanent("tree"), ["a"]);
        let _tree = tree.start().unwrap();
        let plain = stage.worker("plain").spawn().unwrap();
        let before = root();
        processes::kill(processes::reaper(id()).unwrap());
        eventually("another root supervisor", EVENT_TIMEOUT, || {
            processes::root_supervisor(id()).is_some_and(|now| now != before)
        });
        assert_eq!((a.count().wait(), a.incarnation()), (Ok(1), 2));
        assert!(plain.join_timeout(EVENT_TIMEOUT).is_some());
    });
}

#[test]
fn a_start_that_the_death_of_the_root_interrupts_fails_and_leaves_nothing() {
    alone(|| {
        let stage = Stage::new();
        stage.spoil("a", Trouble::Hangs, 1);
        let (tree, [a]) = stage.cast(permanent("tree"), ["a"]);
        let starting = thread::spawn(move || tree.start());
        stage.says("!a");
        processes::kill(root());
        let error = starting.join().unwrap().unwrap_err();
        assert!(matches!(error, SpawnError::SupervisorDied { .. }), "{error}");
        assert!(matches!(a.count().wait(), Err(CallError::Gone(_) | CallError::Died(..))));
    });
}

#[test]
fn a_start_that_fails_is_tried_again_within_the_allowance() {
    alone(|| {
        let stage = Stage::new();
        let (tree, [a]) = stage.cast(permanent("tree").own_intensity(3, RESTART_WINDOW), ["a"]);
        let tree = tree.start().unwrap();
        stage.says("+a");
        stage.spoil("a", Trouble::Refuses, 2);
        lose_the_root();
        settled(&tree, 1);
        stage.says("!a !a +a");
        assert_eq!(a.count().wait(), Ok(1));

        stage.spoil("a", Trouble::Refuses, 100);
        lose_the_root();
        let reason = tree.join_timeout(EVENT_TIMEOUT).expect("it gives up");
        assert!(matches!(reason, ExitReason::GaveUp { .. }), "{reason}");
        assert!(matches!(a.count().wait(), Err(CallError::Gone(_))));
    });
}

#[test]
fn the_sixth_death_within_a_minute_is_final() {
    alone(|| {
        let stage = Stage::new();
        let (tree, [a]) = stage.cast(permanent("tree"), ["a"]);
        let tree = tree.start().unwrap();
        for incarnation in 2..=6 {
            lose_the_root();
            assert_eq!((a.count().wait(), a.incarnation()), (Ok(1), incarnation));
        }
        processes::kill(root());
        assert_eq!(tree.join_timeout(EVENT_TIMEOUT), Some(ExitReason::SupervisorDied));
        assert!(matches!(a.count().wait(), Err(CallError::Gone(_))));
        // What is spawned now is new.
        assert_eq!(stage.worker("new").spawn().unwrap().count().wait(), Ok(1));
    });
}

#[test]
fn a_shutdown_ends_what_is_about_to_come_back() {
    alone(|| {
        for _ in 0..5 {
            let stage = Stage::new();
            let (tree, [a]) = stage.cast(permanent("tree"), ["a"]);
            let tree = tree.start().unwrap();
            processes::kill(root());
            phalanx::shutdown();
            assert!(tree.join_timeout(EVENT_TIMEOUT).is_some());
            assert!(!a.is_alive());
            assert_eq!(processes::root_supervisor(id()), None);
        }
    });
}

#[test]
fn a_stop_while_there_is_no_root_supervisor_calls_the_return_off() {
    alone(|| {
        for _ in 0..5 {
            let stage = Stage::new();
            let (tree, [a]) = stage.cast(permanent("tree"), ["a"]);
            let (tree, worker) =
                (tree.start().unwrap(), stage.worker("b").restart(Restart::Permanent).spawn().unwrap());
            processes::kill(root());
            // Refused only if it has come back and is gone again.
            for stopped in [tree.stop(EVENT_TIMEOUT), worker.stop(EVENT_TIMEOUT)] {
                assert!(stopped.is_ok(), "{stopped:?}");
            }
            for worker in [a, worker] {
                assert!(matches!(worker.count().wait(), Err(CallError::Gone(_))));
            }
            phalanx::shutdown();
        }
    });
}

/// The kernel refuses to poll more descriptors than a process may have.
#[test]
fn a_supervisor_that_may_have_fewer_descriptors_than_it_waits_for_goes_on() {
    alone(|| {
        for most in [3, 0] {
            let stage = Stage::new();
            let (a, b) = (stage.worker("a").spawn().unwrap(), stage.worker("b").spawn().unwrap());
            assert_eq!((a.count().wait(), b.count().wait()), (Ok(1), Ok(1)));
            processes::limit_descriptors(root(), most);
            a.kill().unwrap();
            assert!(a.join_timeout(EVENT_TIMEOUT).is_some());
            b.stop(EVENT_TIMEOUT).unwrap();
            phalanx::shutdown();
        }
    });
}

/// The program has ends of its mailboxes, too: they do not close with what did not arrive.
#[test]
fn a_tree_for_which_the_root_supervisor_has_no_descriptors_is_refused_at_once() {
    let set = |soft: u32| processes::limit_descriptors(root(), soft);
    alone(move || {
        let stage = Stage::new();
        stage.worker("first").spawn().unwrap();
        set(3);
        let (tree, [a]) = stage.cast(permanent("tree"), ["a"]);
        let error = tree.start().unwrap_err();
        assert!(matches!(&error, SpawnError::Limit { limit, .. } if limit == "RLIMIT_NOFILE"), "{error}");
        assert!(matches!(a.count().wait(), Err(CallError::Gone(_) | CallError::Died(..))));
        set(1000);
        let (tree, [a]) = stage.cast(permanent("tree"), ["a"]);
        let tree = tree.start().unwrap();
        assert_eq!(a.count().wait(), Ok(1));
        stop(&tree);
    });
}
