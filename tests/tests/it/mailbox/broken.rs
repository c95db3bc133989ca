//! Actors whose own descriptors are closed or shut down under them, by code that took a number for its own.

use std::collections::BTreeSet;
use std::time::Duration;

use phalanx::Restart;
use phalanx::prelude::*;
use phalanx_clumsy as clumsy;
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, processes};

#[actor]
struct Clumsy;

#[actor]
impl Clumsy {
    fn ping(&self) -> u64 {
        phalanx::current().incarnation()
    }

    fn slow(&self) {
        std::thread::sleep(Duration::from_millis(200));
    }

    fn descriptors(&self) -> Vec<(i32, String)> {
        clumsy::descriptors()
    }

    #[tell]
    fn close(&self, number: i32) {
        // One that is gone already has been closed by the process itself.
        let _ = clumsy::close(number);
    }

    /// Shuts its own mailbox down, the one socket that no other process of this test has given it.
    #[tell]
    fn shut_down(&self, number: i32) {
        let _ = clumsy::shut_down(number);
    }

    #[tell]
    fn close_all(&self) {
        for (number, _) in clumsy::descriptors() {
            let _ = clumsy::close(number);
        }
    }
}

/// What a call comes to; no wait may end by a deadline, which is what spinning looks like from outside.
#[track_caller]
fn answer_or_end(actor: &ActorRef<Clumsy>, what: &str) -> Option<ExitReason> {
    match actor.within(EVENT_TIMEOUT).ping().wait() {
        Ok(_) => None,
        Err(CallError::Died(reason, _)) => Some(reason),
        Err(CallError::Gone(at)) => at.ended().cloned(),
        Err(other) => panic!("{what}: {other:?}"),
    }
}

/// Builds without optimisation may be stopped by the standard library first, which looks at what it closes.
fn is_told(reason: &ExitReason) -> bool {
    match reason {
        ExitReason::Broken(text) => text.contains("closed or shut down a descriptor"),
        ExitReason::Signaled { signal: 6, .. } => cfg!(debug_assertions),
        _ => false,
    }
}

#[test]
fn an_actor_that_closes_all_its_descriptors_ends_with_words_that_reach_its_callers() {
    alone(|| {
        let actor = Clumsy.spawn().unwrap();
        actor.ping().wait().unwrap();
        let pid = actor.pid().unwrap();
        actor.close_all().unwrap();
        let waiting = actor.within(EVENT_TIMEOUT).ping();
        let error = waiting.wait().unwrap_err();
        let reason = actor.join_timeout(EVENT_TIMEOUT).expect("its end is seen");
        assert!(is_told(&reason), "{reason:?}");
        assert!(matches!(error, CallError::Died(..) | CallError::Gone(_)), "{error:?}");
        eventually("the end of the process", EVENT_TIMEOUT, || !processes::runs(pid));
    });
}

#[test]
fn an_actor_that_closes_one_of_its_descriptors_serves_or_ends_with_words() {
    alone(|| {
        let count = Clumsy.spawn().unwrap().descriptors().wait().unwrap().len();
        let mut ended = 0;
        for index in 0..count {
            let actor = Clumsy.spawn().unwrap();
            let (number, what) = actor.descriptors().wait().unwrap().swap_remove(index);
            actor.close(number).unwrap();
            if let Some(reason) = answer_or_end(&actor, &what) {
                assert!(is_told(&reason), "{what}: {reason:?}");
                ended += 1;
            } else {
                drop(actor.kill());
            }
        }
        // The mailbox and the reply channel of this program at least.
        assert!(ended >= 2, "{ended} of {count}");
    });
}

#[test]
fn an_actor_that_has_closed_its_descriptors_is_restarted_with_its_mailbox() {
    alone(|| {
        let (supervisor, actor) = supervised(1000);
        let mut tried = BTreeSet::new();
        loop {
            // Mailbox and reply channel are what they were in the next process, too, whatever their numbers.
            let mut left =
                actor.descriptors().wait().unwrap().into_iter().filter(|(_, what)| !tried.contains(what));
            let Some((number, what)) = left.next() else { break };
            actor.close(number).unwrap();
            // A call that came too late for the old process is the next one's.
            let _ = answer_or_end(&actor, &what);
            assert_eq!(answer_or_end(&actor, &what), None, "{what}");
            drop(left);
            tried.insert(what);
        }
        assert!(actor.incarnation() > 1);
        assert!(supervisor.stop(EVENT_TIMEOUT).unwrap().is_orderly());
    });
}

/// A permanent one, and its supervisor, which bears so many crashes.
fn supervised(crashes: u32) -> (SupervisorRef, ActorRef<Clumsy>) {
    let clumsy = Clumsy.builder().restart(Restart::Permanent).reserve().unwrap();
    let actor = clumsy.actor_ref();
    let supervisor = Supervisor::one_for_one().intensity(crashes, RESTART_WINDOW).child("clumsy", clumsy);
    (supervisor.start().unwrap(), actor)
}

/// Which of its descriptors are sockets.
fn sockets_of(descriptors: Vec<(i32, String)>) -> Vec<i32> {
    descriptors
        .into_iter()
        .filter(|(_, what)| what.starts_with("socket:"))
        .map(|(number, _)| number)
        .collect()
}

fn sockets(actor: &ActorRef<Clumsy>) -> Vec<i32> {
    sockets_of(actor.descriptors().wait().unwrap())
}

/// Each of its sockets in turn: mailbox, reply channel of this program, attic, control, log, names.
#[test]
fn an_actor_that_shuts_one_of_its_sockets_down_serves_or_ends_with_words() {
    alone(|| {
        let count = sockets(&Clumsy.spawn().unwrap()).len();
        let mut told = 0;
        for index in 0..count {
            let actor = Clumsy.spawn().unwrap();
            let number = sockets(&actor)[index];
            actor.shut_down(number).unwrap();
            // The first call may be in the mailbox before that is shut down, and is served then.
            for is_last in [false, true] {
                match actor.within(EVENT_TIMEOUT).ping().wait() {
                    Ok(_) | Err(CallError::Unreachable(..)) if is_last => drop(actor.kill()),
                    Err(CallError::Timeout(at)) => panic!("socket {index} of {count}: {at:?}"),
                    _ => {}
                }
            }
            let reason = actor.join_timeout(EVENT_TIMEOUT).expect("its end is seen");
            told += usize::from(matches!(&reason, ExitReason::Broken(text) if text.contains("mailbox")));
            // This program is served by others all the same, at the second call at the latest.
            let other = Clumsy.spawn().unwrap();
            let served = (0..2).any(|_| other.within(EVENT_TIMEOUT).ping().wait().is_ok());
            assert!(served, "after socket {index} of {count}");
        }
        assert!(told >= 1, "of {count}");
    });
}

/// As a caller that the actor has not met.
#[task]
fn ask(actor: ActorRef<Clumsy>) -> Result<u64, String> {
    actor.within(EVENT_TIMEOUT).ping().wait().map_err(|error| error.to_string())
}

/// Of one that is started again, only the mailbox cannot be had anew.
#[test]
fn an_actor_that_is_started_again_serves_whichever_socket_but_its_mailbox_was_shut_down() {
    alone(|| {
        let count = {
            let (supervisor, actor) = supervised(0);
            let count = sockets(&actor).len();
            supervisor.stop(EVENT_TIMEOUT).unwrap();
            count
        };
        let mut given_up = 0;
        for index in 0..count {
            let (supervisor, actor) = supervised(3);
            actor.ping().wait().unwrap();
            actor.shut_down(sockets(&actor)[index]).unwrap();
            // What is broken is noticed by the process that uses it, at the latest when a caller comes that
            // it does not know.
            let serves = || actor.within(EVENT_TIMEOUT / 4).ping().wait().is_ok();
            let mut served = 0;
            eventually("it serves again, or is given up", EVENT_TIMEOUT, || {
                served = if serves() { served + 1 } else { 0 };
                served >= 3 || supervisor.join_timeout(Duration::ZERO).is_some()
            });
            if served < 3 {
                assert_eq!(
                    supervisor.join_timeout(EVENT_TIMEOUT),
                    Some(ExitReason::IntensityReached),
                    "{index}"
                );
                given_up += 1;
                continue;
            }
            // A caller that it does not know yet is taken in, by this process or the next.
            eventually("a stranger is served", EVENT_TIMEOUT, || {
                ask::spawn(actor.clone()).unwrap().join().is_ok()
            });
            supervisor.stop(EVENT_TIMEOUT).unwrap();
        }
        // The mailbox, by either end of it.
        assert_eq!(given_up, 2, "of {count}");
    });
}

/// The kernel gives the lowest number that is free: that of what was closed, to the reply channel of the next
/// caller.
#[test]
fn a_channel_whose_number_has_gone_to_that_of_another_caller_costs_no_more_than_its_process() {
    alone(|| {
        let (supervisor, actor) = supervised(1000);
        let count = sockets(&actor).len();
        for index in 0..count {
            let number = sockets(&actor)[index];
            actor.close(number).unwrap();
            // It replies, or has died of it.
            drop(ask::spawn(actor.clone()).unwrap().join());
            let end = answer_or_end(&actor, &number.to_string());
            assert_eq!(answer_or_end(&actor, "once more"), None, "socket {index} of {count}: {end:?}");
        }
        assert!(actor.incarnation() > 1);
        assert!(supervisor.stop(EVENT_TIMEOUT).unwrap().is_orderly());
    });
}

#[test]
fn a_mailbox_that_is_shut_down_is_a_crash_until_the_supervisor_gives_up() {
    alone(|| {
        let (supervisor, actor) = supervised(3);
        let numbers = sockets(&actor);
        for number in numbers {
            if actor.shut_down(number).is_err() {
                break;
            }
            let end = actor.within(EVENT_TIMEOUT).ping().wait();
            assert!(!matches!(end, Err(CallError::Timeout(_))), "{end:?}");
        }
        assert_eq!(supervisor.join_timeout(EVENT_TIMEOUT), Some(ExitReason::IntensityReached));
        let reason = actor.join_timeout(EVENT_TIMEOUT);
        // As its last process says it, or as its supervisor does, which has given up: this process reads
        // either one first on a mailbox that has hung up.
        let last = match &reason {
            Some(ExitReason::GaveUp { last }) => Some(&**last),
            reason => reason.as_ref(),
        };
        assert!(matches!(last, Some(ExitReason::Broken(text)) if text.contains("mailbox")), "{reason:?}");
    });
}

/// As a stale number in a C library does, but in the program, which no supervisor starts again.
#[test]
fn a_program_whose_sockets_are_shut_down_has_answers_again() {
    alone(|| {
        let actor = Clumsy.spawn().unwrap();
        actor.ping().wait().unwrap();
        let before = clumsy::descriptors();
        // Those of the reply channel are there since the program's first call; actors bring their own.
        let own: Vec<i32> = sockets_of(before);
        for number in own {
            let under_way = actor.within(EVENT_TIMEOUT).slow();
            let _ = clumsy::shut_down(number);
            let settled = under_way.wait();
            assert!(!matches!(settled, Err(CallError::Timeout(_))), "{settled:?}");
            // Whatever it was: with a new actor, if need be in a new tree, calls have replies.
            let served = (0..20).any(|_| {
                std::thread::sleep(Duration::from_millis(50));
                let Ok(new) = Clumsy.spawn() else { return false };
                let answer = new.within(EVENT_TIMEOUT).ping().wait();
                assert!(!matches!(answer, Err(CallError::Timeout(_))), "{answer:?}");
                drop(new.kill());
                answer.is_ok()
            });
            assert!(served, "after socket {number}");
        }
    });
}
