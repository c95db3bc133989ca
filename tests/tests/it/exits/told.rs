//! A process that waits for an actor that dies is told once, at once, and what the actor was doing.

use std::thread;
use std::time::{Duration, Instant};

use phalanx::ExitReason;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually};

use super::{Mortal, Note, busy, mortal};

#[test]
fn the_caller_in_progress_and_all_that_are_queued_are_told() {
    alone(|| {
        let mortal = Mortal.builder().mailbox(300).spawn().unwrap();
        let hanging = mortal.hang();
        busy(&mortal, 0);
        let queued: Vec<_> = (0..200).map(|_| mortal.answer()).collect();
        mortal.kill().unwrap();
        let start = Instant::now();
        let told = hanging.wait().unwrap_err();
        let CallError::Died(reason, at) = &told else { panic!("{told:?}") };
        assert_eq!((reason.signal(), at.method()), (Some(9), "hang"));
        for reply in queued {
            let told = reply.wait().unwrap_err();
            assert!(
                matches!(&told, CallError::Died(r, at) if r == reason && at.method() == "answer"),
                "{told:?}"
            );
        }
        assert!(start.elapsed() < EVENT_TIMEOUT);
    });
}

#[test]
fn answers_given_before_the_death_are_answers() {
    alone(|| {
        for _ in 0..10 {
            let mortal = mortal();
            let before: Vec<_> = (0..50).map(|_| mortal.answer()).collect();
            let deadly = mortal.exit(1);
            let behind: Vec<_> = (0..50).map(|_| mortal.answer()).collect();
            assert_eq!(mortal.join(), ExitReason::Exited(1));
            // Read only now, when the actor is long gone.
            assert!(before.into_iter().all(|reply| reply.wait() == Ok(42)));
            assert_eq!(deadly.wait().unwrap_err().exit_reason(), Some(&ExitReason::Exited(1)));
            for reply in behind {
                // Those that were sent too late have not been sent.
                assert_eq!(reply.wait().unwrap_err().exit_reason(), Some(&ExitReason::Exited(1)));
            }
        }
    });
}

#[test]
fn a_down_names_the_method_in_progress_and_how_long_it_ran() {
    alone(|| {
        let mortal = mortal();
        let mut monitor = mortal.monitor();
        let begun = Note::new("begun");
        drop(mortal.hang_after(begun.clone()));
        begun.wait();
        let since = Instant::now();
        assert_eq!(monitor.recv_timeout(Duration::from_millis(300)), None);
        let at_least = since.elapsed();
        mortal.kill().unwrap();
        let down = monitor.recv();
        let busy = down.in_progress.clone().unwrap();
        assert_eq!(busy.method, "hang_after");
        assert!(busy.running >= at_least && busy.running < EVENT_TIMEOUT, "{:?}", busy.running);
        assert_eq!((down.who.name.as_str(), down.who.id, down.incarnation), ("Mortal", mortal.id(), 1));
        assert!(down.to_string().contains("into `hang_after`"), "{down}");
        assert!(begun.remove());
    });
}

#[test]
fn an_idle_actor_that_dies_had_nothing_in_progress() {
    alone(|| {
        let mortal = mortal();
        assert_eq!(mortal.answer().wait().unwrap(), 42);
        // The reply is sent when the message is finished, or just before.
        eventually("the message to be finished", EVENT_TIMEOUT, || mortal.handled() == 1);
        mortal.kill().unwrap();
        let down = mortal.monitor().recv();
        assert_eq!((down.reason.signal(), down.in_progress), (Some(9), None));
    });
}

/// Asks another actor.
#[actor]
struct Caller {
    mortal: ActorRef<Mortal>,
}

#[actor]
impl Caller {
    fn told(&self) -> Option<ExitReason> {
        self.mortal.answer().wait().err().and_then(|error| error.exit_reason().cloned())
    }
}

#[test]
fn callers_in_several_processes_and_threads_are_all_told() {
    alone(|| {
        let mortal = mortal();
        let callers: Vec<_> = (0..3).map(|_| Caller { mortal: mortal.clone() }.spawn().unwrap()).collect();
        let hanging = mortal.hang();
        busy(&mortal, 0);
        let told: Vec<_> = callers.iter().map(|caller| caller.told()).collect();
        thread::scope(|scope| {
            let ask = || mortal.answer().wait().unwrap_err().exit_reason().cloned();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            busy(&mortal, 7);
            mortal.kill().unwrap();
            let reason = mortal.join();
            assert!(threads.into_iter().all(|thread| thread.join().unwrap() == Some(reason.clone())));
            assert!(told.into_iter().all(|reply| reply.wait() == Ok(Some(reason.clone()))));
        });
        assert_eq!(hanging.wait().unwrap_err().exit_reason().and_then(ExitReason::signal), Some(9));
    });
}

#[test]
fn a_death_at_any_moment_ends_every_wait() {
    alone(|| {
        for round in 0..40 {
            let mortal = mortal();
            let killer = mortal.clone();
            let killing = thread::spawn(move || {
                // Somewhere in the stream of calls below, each time elsewhere.
                eventually("some calls", EVENT_TIMEOUT, || killer.handled() >= round * 3);
                killer.kill().unwrap();
            });
            let reason = loop {
                match mortal.answer().wait() {
                    Ok(answer) => assert_eq!(answer, 42),
                    Err(error @ (CallError::Died(..) | CallError::Gone(_))) => {
                        break error.exit_reason().cloned();
                    }
                    Err(other) => panic!("{other:?}"),
                }
            };
            assert_eq!(reason.and_then(|reason| reason.signal()), Some(9));
            killing.join().unwrap();
        }
    });
}
