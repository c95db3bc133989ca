//! Barriers.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx::sync::Breakage;
use phalanx::{
    ExitReason,
    store::Counter,
    sync::{Barrier, BarrierError},
};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes, until_handled};

use super::{REQUEST, counter, for_ever, killed, until};

fn broken<T: std::fmt::Debug>(result: Result<T, BarrierError>) -> (u32, Breakage) {
    match result.unwrap_err() {
        BarrierError::Broken { by, why } => (by.pid, why),
        other => panic!("{other}"),
    }
}

#[task]
fn rounds(barrier: Barrier, passed: Counter, count: i64, parties: i64) -> Vec<u32> {
    (0..count)
        .map(|round| {
            // No process is in the next round while another is in this one.
            let before = passed.get().unwrap();
            assert!((round * parties..(round + 1) * parties).contains(&before), "{round} {before}");
            passed.add(1).unwrap();
            barrier.wait().unwrap()
        })
        .collect()
}

#[test]
fn all_pass_together_round_after_round_each_in_a_place_of_its_own() {
    alone(|| {
        let (barrier, passed) = (Barrier::new(3).unwrap(), counter());
        let parties: Vec<_> =
            (0..3).map(|_| rounds::spawn(barrier.clone(), passed.clone(), 30, 3).unwrap()).collect();
        let places: Vec<Vec<u32>> = parties.iter().map(|party| party.join().unwrap()).collect();
        for round in 0..30 {
            let mut round: Vec<u32> = places.iter().map(|places| places[round]).collect();
            round.sort_unstable();
            assert_eq!(round, [0, 1, 2]);
        }
        // They have ended in good order, which breaks nothing.
        assert_eq!((barrier.is_broken(), barrier.waiting()), (Ok(false), Ok(0)));
    });
}

#[task]
fn arrive(barrier: Barrier) -> Result<u32, String> {
    barrier.wait().map_err(|error| error.to_string())
}

#[test]
fn a_party_that_dies_while_it_waits_breaks_it_for_all() {
    alone(|| {
        let barrier = Barrier::new(4).unwrap();
        let parties: Vec<_> = (0..3).map(|_| arrive::spawn(barrier.clone()).unwrap()).collect();
        eventually("three to wait", EVENT_TIMEOUT, || barrier.waiting() == Ok(3));
        parties[0].kill().unwrap();
        for party in &parties[1..] {
            let error = party.join().unwrap_err();
            let text = format!(
                "the barrier was broken by `{}` (process {}): it ended: killed by a holder of its ref",
                parties[0].name(),
                parties[0].pid()
            );
            assert_eq!(error, phalanx::CallError::App(text));
        }
        assert_eq!(broken(barrier.wait()), (parties[0].pid(), Breakage::Ended(killed())));
        barrier.reset().unwrap();
        let parties: Vec<_> = (0..3).map(|_| arrive::spawn(barrier.clone()).unwrap()).collect();
        barrier.wait().unwrap();
        assert!(parties.iter().all(|party| party.join().is_ok()));
    });
}

/// Killed in the moment in which the last one comes: it was counted, or it breaks the barrier. None hangs.
#[test]
fn a_death_at_the_last_moment_is_one_or_the_other() {
    alone(|| {
        for _ in 0..20 {
            let barrier = Barrier::new(2).unwrap();
            let party = arrive::spawn(barrier.clone()).unwrap();
            eventually("it waits", EVENT_TIMEOUT, || barrier.waiting() == Ok(1));
            party.kill().unwrap();
            match barrier.wait_timeout(EVENT_TIMEOUT) {
                Ok(place) => assert_eq!(place, 1),
                other => assert_eq!(broken(other), (party.pid(), Breakage::Ended(killed()))),
            }
        }
    });
}

#[task]
fn come_once_and_crash(barrier: Barrier) {
    barrier.wait().unwrap();
    std::process::abort();
}

#[test]
fn a_party_of_the_last_round_that_crashes_breaks_the_next() {
    alone(|| {
        let barrier = Barrier::new(2).unwrap();
        let party = come_once_and_crash::spawn(barrier.clone()).unwrap();
        barrier.wait().unwrap();
        let (by, why) = broken(barrier.wait_timeout(EVENT_TIMEOUT));
        assert_eq!(by, party.pid());
        assert!(matches!(why, Breakage::Ended(ExitReason::Signaled { signal: 6, .. })), "{why:?}");
    });
}

#[test]
fn a_party_that_is_expected_breaks_it_by_whatever_end() {
    alone(|| {
        let barrier = Barrier::new(2).unwrap();
        let party = Process::spawn(|()| (), ()).unwrap();
        barrier.expect(&party.any()).unwrap();
        assert_eq!(
            broken(barrier.wait_timeout(EVENT_TIMEOUT)),
            (party.pid(), Breakage::Ended(ExitReason::Normal))
        );
        barrier.reset().unwrap();
        // It need not have been there at all: it is dead already.
        barrier.expect(&party.any()).unwrap();
        eventually("it is broken", EVENT_TIMEOUT, || barrier.is_broken() == Ok(true));
    });
}

#[task]
fn arrive_with_patience(barrier: Barrier, patience: Duration) -> Result<u32, String> {
    barrier.wait_timeout(patience).map_err(|error| error.to_string())
}

/// Time-outs and the last arrival cross each other on the way: all pass, or all are told that it is broken.
#[test]
fn a_time_out_at_the_last_moment_is_the_same_for_all() {
    alone(|| {
        let (mut passes, mut breaks) = (0, 0);
        for round in 0..30u64 {
            let barrier = Barrier::new(2).unwrap();
            let patience = Duration::from_millis(20);
            let party = arrive_with_patience::spawn(barrier.clone(), patience).unwrap();
            eventually("it waits", EVENT_TIMEOUT, || {
                barrier.waiting() == Ok(1) || barrier.is_broken() == Ok(true)
            });
            std::thread::sleep(patience.mul_f64(0.85 + round as f64 / 100.0));
            let (mine, its) = (barrier.wait_timeout(EVENT_TIMEOUT).is_ok(), party.join().is_ok());
            assert_eq!(mine, its, "in round {round}");
            if mine { passes += 1 } else { breaks += 1 }
        }
        assert_eq!(passes + breaks, 30);
    });
}

#[test]
fn abort_and_reset_end_the_waits_of_others() {
    alone(|| {
        let barrier = Barrier::new(3).unwrap();
        for why in [Breakage::Aborted, Breakage::Reset] {
            let party = arrive::spawn(barrier.clone()).unwrap();
            eventually("it waits", EVENT_TIMEOUT, || barrier.waiting() == Ok(1));
            if why == Breakage::Aborted {
                barrier.abort().unwrap();
                assert_eq!(broken(barrier.wait()), (std::process::id(), Breakage::Aborted));
            }
            barrier.reset().unwrap();
            party.join().unwrap_err();
            assert_eq!(barrier.is_broken(), Ok(false));
        }
    });
}

#[task]
fn never_come(started: Counter) {
    started.add(1).unwrap();
    for_ever();
}

#[test]
fn one_who_has_nothing_to_do_with_it_may_die() {
    alone(|| {
        let (barrier, started) = (Barrier::new(2).unwrap(), counter());
        let stranger = never_come::spawn(started.clone()).unwrap();
        until(&started, 1);
        stranger.kill().unwrap();
        let party = arrive::spawn(barrier.clone()).unwrap();
        barrier.wait_timeout(EVENT_TIMEOUT).unwrap();
        party.join().unwrap();
        // Two have come, and the server has been told that the party has ended.
        until_handled(&barrier.server(), 2 * REQUEST + 1);
        assert_eq!(barrier.is_broken(), Ok(false));
    });
}

#[test]
fn the_death_of_the_server_ends_every_wait() {
    alone(|| {
        let barrier = Barrier::new(2).unwrap();
        let party = arrive::spawn(barrier.clone()).unwrap();
        eventually("it waits", EVENT_TIMEOUT, || barrier.waiting() == Ok(1));
        processes::kill(barrier.server().pid());
        let error = party.join().unwrap_err().to_string();
        assert!(error.ends_with("the server is gone: killed by SIGKILL"), "{error}");
        assert!(matches!(barrier.wait(), Err(BarrierError::Gone { .. })));
        assert!(Barrier::new(0).is_err());
    });
}
