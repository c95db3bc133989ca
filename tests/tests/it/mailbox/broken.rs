//! Actors whose own descriptors are closed or shut down under them, by code that took a number for its own.

use std::time::Duration;

use phalanx::Restart;
use phalanx::prelude::*;
use phalanx_clumsy as clumsy;
use phalanx_tests::{alone, eventually, processes};

use super::LIMIT;

/// Shorter than the deadline of a call, longer than any answer takes.
const AT_ONCE: Duration = Duration::from_secs(10);

#[actor]
struct Clumsy;

#[actor]
impl Clumsy {
    fn ping(&self) -> u64 {
        phalanx::current().incarnation()
    }

    fn descriptors(&self) -> Vec<(i32, String)> {
        clumsy::descriptors()
    }

    #[tell]
    fn close(&self, number: i32) {
        // One that is gone already has been closed by the process itself.
        let _ = clumsy::close(number);
    }

    #[tell]
    fn close_all(&self) {
        for (number, _) in clumsy::descriptors() {
            let _ = clumsy::close(number);
        }
    }
}

/// What a call comes to; no wait may be cut off by a deadline, which is what spinning looks like from outside.
#[track_caller]
fn answer_or_end(actor: &ActorRef<Clumsy>, what: &str) -> Option<ExitReason> {
    match actor.within(AT_ONCE).ping().wait() {
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
        let waiting = actor.within(AT_ONCE).ping();
        let error = waiting.wait().unwrap_err();
        let reason = actor.join_timeout(AT_ONCE).expect("its end is seen");
        assert!(is_told(&reason), "{reason:?}");
        assert!(matches!(error, CallError::Died(..) | CallError::Gone(_)), "{error:?}");
        eventually("the end of the process", LIMIT, || !processes::runs(pid));
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
        let clumsy = Clumsy.builder().restart(Restart::Permanent).reserve().unwrap();
        let actor = clumsy.actor_ref();
        let supervisor =
            Supervisor::one_for_one().intensity(1000, LIMIT).child("clumsy", clumsy).start().unwrap();
        let count = actor.descriptors().wait().unwrap().len();
        for index in 0..count {
            let before = actor.descriptors().wait().unwrap();
            let Some((number, what)) = before.get(index) else { break };
            actor.close(*number).unwrap();
            // A call that came too late for the old process is the next one's.
            let _ = answer_or_end(&actor, what);
            assert_eq!(answer_or_end(&actor, what), None, "{what}");
        }
        assert!(actor.incarnation() > 1);
        assert!(supervisor.stop(LIMIT).unwrap().is_orderly());
    });
}
