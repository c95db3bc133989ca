//! Exits and signals are reported as what they are, to the caller and to all others.

use phalanx::ExitReason;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, processes};

use super::{Mortal, mortal};

/// Ends a fresh actor by a call; its caller is told what all others are told.
#[track_caller]
fn ended_by<T: phalanx::Portable + std::fmt::Debug>(
    call: impl FnOnce(&ActorRef<Mortal>) -> Reply<T>,
) -> ExitReason {
    let mortal = mortal();
    let (pid, mut monitor) = (mortal.pid().unwrap(), mortal.monitor());
    let told = call(&mortal).wait().unwrap_err();
    let CallError::Died(reason, at) = told else { panic!("{told:?}") };
    assert_eq!((at.actor(), at.pid()), ("Mortal", Some(pid)));
    assert_eq!(mortal.join_timeout(EVENT_TIMEOUT), Some(reason.clone()));
    assert_eq!(mortal.exit_reason(), Some(reason.clone()));
    let down = monitor.recv_timeout(EVENT_TIMEOUT).unwrap();
    assert_eq!((&down.reason, down.in_progress.unwrap().method.as_str()), (&reason, at.method()));
    assert_eq!(mortal.exit_code(), Some(reason.code()));
    assert!(!mortal.is_alive() && !processes::exists(pid));
    reason
}

#[test]
fn an_exit_is_reported_with_its_code_zero_included() {
    alone(|| {
        for (given, seen) in [(0, 0), (3, 3), (1, 1), (255, 255), (256 + 3, 3), (-1, 255), (101, 101)] {
            assert_eq!(ended_by(|mortal| mortal.exit(given)), ExitReason::Exited(seen));
            assert_eq!(ended_by(|mortal| mortal.exit_in_thread(given)), ExitReason::Exited(seen));
        }
    });
}

#[test]
fn an_exit_with_137_is_not_a_kill() {
    alone(|| {
        let exited = ended_by(|mortal| mortal.exit(137));
        assert_eq!((exited.code(), exited.signal()), (137, None));
        let killed = ended_by(|mortal| mortal.signal("KILL".into()));
        assert_eq!((killed.code(), killed.signal()), (-9, Some(9)));
        assert_eq!(
            (exited.to_string(), killed.to_string()),
            ("exited with code 137".to_owned(), "killed by SIGKILL".to_owned())
        );
    });
}

#[test]
fn an_abort_is_the_signal_that_it_is() {
    alone(|| assert_eq!(ended_by(|mortal| mortal.abort()).signal(), Some(6)));
}

#[test]
fn a_stack_overflow_is_a_segmentation_fault_in_whatever_thread() {
    alone(|| {
        assert_eq!(ended_by(|mortal| mortal.overflow()).signal(), Some(11));
        let in_thread = ended_by(|mortal| mortal.overflow_in_thread());
        // Threads made by Rust have a handler that says so and aborts, where one is installed.
        assert!(matches!(in_thread.signal(), Some(6 | 11)), "{in_thread:?}");
    });
}

#[test]
fn every_signal_that_kills_is_reported_by_its_number() {
    let signals = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ILL", 4),
        ("TRAP", 5),
        ("ABRT", 6),
        ("BUS", 7),
        ("FPE", 8),
        ("KILL", 9),
        ("USR1", 10),
        ("SEGV", 11),
        ("USR2", 12),
        ("ALRM", 14),
        ("XCPU", 24),
        ("SYS", 31),
    ];
    alone(move || {
        for (name, number) in signals {
            let reason = ended_by(|mortal| mortal.signal(name.to_owned()));
            assert!(
                matches!(reason, ExitReason::Signaled { signal, .. } if signal == number),
                "{name}: {reason:?}"
            );
            assert!(reason.to_string().contains(&format!("SIG{name}")), "{reason}");
            assert_eq!(reason.code(), -number);
        }
    });
}

#[test]
fn signals_from_outside_reach_an_idle_actor_too() {
    alone(|| {
        for (name, number) in [("KILL", 9), ("SEGV", 11), ("BUS", 7), ("ABRT", 6), ("INT", 2)] {
            let mortal = mortal();
            processes::signal(name, i64::from(mortal.pid().unwrap()));
            let reason = mortal.join_timeout(EVENT_TIMEOUT).unwrap();
            assert_eq!(reason.signal(), Some(number), "{reason:?}");
            assert_eq!(mortal.monitor().recv().in_progress, None);
        }
    });
}

#[test]
fn signals_that_are_ignored_by_default_do_nothing() {
    alone(|| {
        let mortal = mortal();
        for name in ["CHLD", "URG", "WINCH", "CONT", "PIPE"] {
            processes::signal(name, i64::from(mortal.pid().unwrap()));
            assert_eq!(mortal.answer().wait().unwrap(), 42);
        }
    });
}

#[test]
fn the_death_of_one_actor_is_nothing_to_its_siblings() {
    alone(|| {
        let siblings: Vec<_> = (0..5).map(|_| mortal()).collect();
        let pids: Vec<u32> = siblings.iter().map(|sibling| sibling.pid().unwrap()).collect();
        let _ = ended_by(|mortal| mortal.abort());
        let _ = ended_by(|mortal| mortal.overflow());
        let _ = ended_by(|mortal| mortal.exit(0));
        let _ = ended_by(|mortal| mortal.panic("boom".into()));
        for (sibling, pid) in siblings.iter().zip(pids) {
            assert_eq!((sibling.answer().wait().unwrap(), sibling.pid().unwrap()), (42, pid));
        }
    });
}
