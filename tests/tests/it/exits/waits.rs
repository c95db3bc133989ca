//! Joining: from everywhere, any number of times, however late.

use std::thread;
use std::time::{Duration, Instant};

use phalanx::ExitReason;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

use super::{Mortal, busy, mortal};

#[test]
fn a_join_with_a_limit_ends_at_the_limit_and_never_early() {
    alone(|| {
        let mortal = mortal();
        assert_eq!(mortal.join_timeout(Duration::ZERO), None);
        let start = Instant::now();
        let limit = Duration::from_millis(200);
        assert_eq!(mortal.join_timeout(limit), None);
        assert!(start.elapsed() >= limit && start.elapsed() < EVENT_TIMEOUT);
        assert!(mortal.is_alive());
        assert_eq!((mortal.exit_code(), mortal.exit_reason()), (None, None));
    });
}

#[test]
fn an_exit_status_is_never_lost_however_late_and_often_it_is_asked_for() {
    alone(|| {
        let mortal = mortal();
        let copy = mortal.clone();
        drop(mortal.exit(7));
        let pid = mortal.pid().unwrap_or_default();
        eventually("its end", EVENT_TIMEOUT, || !copy.is_alive());
        // Reaped although no process has asked.
        eventually("it is reaped", EVENT_TIMEOUT, || pid == 0 || !processes::exists(pid));
        for _ in 0..3 {
            assert_eq!(mortal.join(), ExitReason::Exited(7));
            assert_eq!(copy.join_timeout(Duration::ZERO), Some(ExitReason::Exited(7)));
            assert_eq!((copy.exit_code(), copy.exit_reason()), (Some(7), Some(ExitReason::Exited(7))));
        }
    });
}

#[test]
fn many_threads_join_one_actor() {
    alone(|| {
        let mortal = mortal();
        thread::scope(|scope| {
            let patient: Vec<_> = (0..8).map(|_| scope.spawn(|| mortal.join())).collect();
            let limited: Vec<_> =
                (0..8).map(|_| scope.spawn(|| mortal.join_timeout(EVENT_TIMEOUT))).collect();
            let quick: Vec<_> =
                (0..8).map(|_| scope.spawn(|| mortal.join_timeout(Duration::from_millis(5)))).collect();
            assert!(quick.into_iter().all(|thread| thread.join().unwrap().is_none()));
            drop(mortal.exit(9));
            let reasons = patient.into_iter().map(|thread| thread.join().unwrap());
            let reasons = reasons.chain(limited.into_iter().filter_map(|thread| thread.join().unwrap()));
            assert_eq!(reasons.collect::<Vec<_>>(), vec![ExitReason::Exited(9); 16]);
        });
    });
}

#[test]
fn a_join_does_not_keep_others_from_their_answers() {
    alone(|| {
        let (patient, other) = (mortal(), mortal());
        thread::scope(|scope| {
            let joining = scope.spawn(|| patient.join());
            for _ in 0..200 {
                assert_eq!(other.answer().wait().unwrap(), 42);
            }
            patient.kill().unwrap();
            assert_eq!(joining.join().unwrap().signal(), Some(9));
        });
    });
}

/// Waits for others.
#[actor]
struct Mourner;

#[actor]
impl Mourner {
    fn join_it(&self, mortal: ActorRef<Mortal>) -> (ExitReason, Option<i32>, bool) {
        let reason = mortal.join();
        (reason, mortal.exit_code(), mortal.is_alive())
    }

    fn watch(&self, mortal: ActorRef<Mortal>) -> (String, Option<String>) {
        let down = mortal.monitor().recv();
        (down.reason.to_string(), down.in_progress.map(|busy| busy.method))
    }
}

#[test]
fn actors_join_and_watch_actors_that_others_have_started() {
    alone(|| {
        let mortal = mortal();
        let mourners: Vec<_> = (0..3).map(|_| Mourner.spawn().unwrap()).collect();
        let joins: Vec<_> = mourners.iter().map(|mourner| mourner.join_it(mortal.clone())).collect();
        let watches: Vec<_> = mourners.iter().map(|mourner| mourner.watch(mortal.clone())).collect();
        mourners.iter().for_each(|mourner| busy(mourner, 1));
        drop(mortal.exit(5));
        for reply in joins {
            assert_eq!(reply.wait().unwrap(), (ExitReason::Exited(5), Some(5), false));
        }
        for reply in watches {
            // The watching began after the end, and reports it all the same.
            assert_eq!(reply.wait().unwrap(), ("exited with code 5".into(), Some("exit".into())));
        }
    });
}

#[test]
fn the_dead_are_gone_from_the_list_of_children() {
    alone(|| {
        let mortals: Vec<_> = (0..5).map(|_| mortal()).collect();
        assert_eq!(phalanx::children().len(), 5);
        for (index, mortal) in mortals.iter().enumerate() {
            mortal.kill().unwrap();
            let _ = mortal.join();
            assert_eq!(phalanx::children().len(), 4 - index);
        }
    });
}
