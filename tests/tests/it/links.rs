//! Actors that end together, refs to oneself, and calls that go round in a circle.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{Drain, Restart, StoppedBy};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, processes};

#[actor]
struct Half;

#[actor]
impl Half {
    fn here(&self) {}

    fn exit(&self, code: i32) {
        std::process::exit(code)
    }

    fn nap(&self, millis: u64) -> u64 {
        std::thread::sleep(Duration::from_millis(millis));
        millis
    }

    /// Links itself with another one.
    fn join_with(&self, other: ActorRef<Half>) -> phalanx::Result<()> {
        let me = phalanx::myself::<Half>().ok_or_else(|| phalanx::Error::new("nobody"))?;
        Ok(me.link(&other)?)
    }

    /// Hands out the ref of itself.
    fn itself(&self) -> Option<ActorRef<Half>> {
        phalanx::myself()
    }

    fn of_another_type(&self) -> bool {
        phalanx::myself::<Other>().is_some()
    }
}

#[actor]
struct Other;

#[actor]
impl Other {}

fn linked() -> (ActorRef<Half>, ActorRef<Half>) {
    let (left, right) = (Half.spawn().unwrap(), Half.spawn().unwrap());
    left.link(&right).unwrap();
    // The links have arrived before these.
    left.here().wait().unwrap();
    right.here().wait().unwrap();
    (left, right)
}

#[test]
fn a_crash_ends_the_other_one_too_and_says_so() {
    alone(|| {
        for by_kill in [false, true] {
            let (left, right) = linked();
            let nap = right.nap(100_000);
            eventually("the nap", EVENT_TIMEOUT, || right.depth() == 0);
            if by_kill {
                processes::kill(left.pid().unwrap());
            } else {
                let _ = left.exit(3).wait();
            }
            let ExitReason::Linked { to, reason } = right.join() else { panic!("{:?}", right.exit_reason()) };
            assert_eq!(to, "Half");
            assert_eq!(reason, if by_kill { "killed by SIGKILL" } else { "exited with code 3" });
            assert!(matches!(nap.wait(), Err(CallError::Died(ExitReason::Linked { .. }, _))));
        }
    });
}

#[test]
fn a_link_works_in_both_directions() {
    alone(|| {
        let (left, right) = linked();
        let _ = right.exit(3).wait();
        assert!(matches!(left.join(), ExitReason::Linked { .. }));
    });
}

#[test]
fn an_orderly_end_ends_nobody_else() {
    alone(|| {
        let (left, right) = linked();
        assert_eq!(left.stop(EVENT_TIMEOUT).unwrap(), ExitReason::Stopped(StoppedBy::Ref));
        let (early, late) = linked();
        let _ = early.exit(0).wait();
        for survivor in [right, late] {
            assert_eq!(survivor.nap(50).wait().unwrap(), 50);
        }
    });
}

#[test]
fn a_link_that_is_ended_is_ended() {
    alone(|| {
        let (left, right) = linked();
        left.unlink(&right).unwrap();
        left.here().wait().unwrap();
        right.here().wait().unwrap();
        let _ = left.exit(3).wait();
        assert_eq!(right.nap(50).wait().unwrap(), 50);
    });
}

#[test]
fn a_link_with_one_that_is_gone_counts_as_its_crash() {
    alone(|| {
        let (left, right) = (Half.spawn().unwrap(), Half.spawn().unwrap());
        left.kill().unwrap();
        left.join();
        // The one sends to itself first, and the other is gone.
        assert!(matches!(right.link(&left), Err(SendError::Gone(_))));
        assert!(matches!(right.join(), ExitReason::Linked { .. }));
    });
}

#[test]
fn an_actor_can_link_itself_from_inside() {
    alone(|| {
        let (left, right) = (Half.spawn().unwrap(), Half.spawn().unwrap());
        left.join_with(right.clone()).wait().unwrap();
        left.here().wait().unwrap();
        right.here().wait().unwrap();
        processes::kill(right.pid().unwrap());
        assert!(matches!(left.join(), ExitReason::Linked { .. }));
    });
}

#[test]
fn a_chain_of_links_ends_as_a_whole() {
    alone(|| {
        let chain: Vec<_> = (0..8).map(|_| Half.spawn().unwrap()).collect();
        for pair in chain.windows(2) {
            pair[0].link(&pair[1]).unwrap();
        }
        chain.iter().for_each(|half| half.here().wait().unwrap());
        processes::kill(chain[3].pid().unwrap());
        for (index, half) in chain.iter().enumerate() {
            let reason = half.join();
            assert!(index == 3 || matches!(reason, ExitReason::Linked { .. }), "{index}: {reason}");
        }
    });
}

#[test]
fn a_restarted_actor_has_no_links() {
    alone(|| {
        let left = Half.builder().restart(Restart::Permanent).intensity(9, RESTART_WINDOW).spawn().unwrap();
        let right = Half.builder().restart(Restart::Permanent).intensity(9, RESTART_WINDOW).spawn().unwrap();
        left.link(&right).unwrap();
        left.here().wait().unwrap();
        right.here().wait().unwrap();
        processes::kill(left.pid().unwrap());
        // Both begin anew, each once.
        eventually("both", EVENT_TIMEOUT, || (left.incarnation(), right.incarnation()) == (2, 2));
        left.here().wait().unwrap();
        right.here().wait().unwrap();
        processes::kill(left.pid().unwrap());
        eventually("the third", EVENT_TIMEOUT, || left.incarnation() == 3);
        left.here().wait().unwrap();
        assert_eq!(right.nap(50).wait().unwrap(), 50);
        assert_eq!(right.incarnation(), 2);
    });
}

#[test]
fn an_actor_has_a_ref_of_itself_and_only_of_its_own_type() {
    alone(|| {
        let half = Half.spawn().unwrap();
        let itself = half.itself().wait().unwrap().unwrap();
        assert_eq!(itself, half);
        assert_eq!(itself.nap(1).wait().unwrap(), 1);
        assert!(!half.of_another_type().wait().unwrap());
        assert!(phalanx::myself::<Half>().is_none());
    });
}

#[test]
fn what_is_queued_at_a_stop_is_handled_or_fails_as_the_actor_says() {
    alone(|| {
        let with = |drain| Half.builder().drain(drain).spawn().unwrap();
        let (always, at_end) = (with(Drain::Always), with(Drain::AtEnd));
        let calls: Vec<_> =
            [&always, &at_end].iter().map(|half| (half.nap(200), half.nap(1), half.nap(2))).collect();
        for half in [&always, &at_end] {
            eventually("the first", EVENT_TIMEOUT, || half.depth() == 2);
            half.terminate().unwrap();
        }
        let mut results = calls.into_iter().map(|(one, two, three)| [one.wait(), two.wait(), three.wait()]);
        assert_eq!(results.next().unwrap().map(Result::unwrap), [200, 1, 2]);
        let [first, second, third] = results.next().unwrap();
        assert_eq!(first.unwrap(), 200);
        assert!([second, third].iter().all(|call| matches!(call, Err(CallError::Stopped(_)))));
        assert_eq!(always.join(), ExitReason::Stopped(StoppedBy::Ref));
    });
}

#[test]
fn at_the_end_of_the_program_one_that_does_not_drain_fails_what_is_queued() {
    alone(|| {
        let never = Half.builder().drain(Drain::Never).spawn().unwrap();
        let (first, second) = (never.nap(200), never.nap(1));
        eventually("the first", EVENT_TIMEOUT, || never.depth() == 1);
        phalanx::shutdown();
        assert_eq!(first.wait().unwrap(), 200);
        assert!(matches!(second.wait(), Err(CallError::Stopped(_))));
    });
}

#[test]
fn a_shutdown_takes_no_longer_than_its_budget() {
    alone(|| {
        let half = Half.builder().shutdown(EVENT_TIMEOUT).spawn().unwrap();
        let nap = half.nap(1_000_000);
        eventually("the nap", EVENT_TIMEOUT, || half.depth() == 0);
        let start = std::time::Instant::now();
        phalanx::shutdown_within(Duration::from_millis(300));
        assert!(start.elapsed() >= Duration::from_millis(300));
        assert!(start.elapsed() < EVENT_TIMEOUT);
        assert!(nap.wait().is_err());
    });
}

/// Calls the next one, which calls back.
#[actor]
struct Round;

#[actor]
impl Round {
    fn go(&self, next: ActorRef<Round>, back: ActorRef<Round>) -> String {
        match next.within(Duration::from_millis(300)).come_back(back).wait() {
            Ok(text) => text,
            Err(error) => format!("{error}"),
        }
    }

    fn come_back(&self, back: ActorRef<Round>) -> String {
        match back.within(Duration::from_millis(100)).end().wait() {
            Ok(()) => "fine".to_owned(),
            Err(CallError::Timeout(_)) => "nobody answered".to_owned(),
            Err(error) => format!("{error}"),
        }
    }

    fn end(&self) {}
}

#[test]
fn a_call_cycle_ends_by_its_deadline_and_hangs_nobody() {
    alone(|| {
        let (one, two) = (Round.spawn().unwrap(), Round.spawn().unwrap());
        assert_eq!(one.go(two.clone(), one.clone()).wait().unwrap(), "nobody answered");
        assert!(one.go(two.clone(), two.clone()).wait().unwrap().contains("itself"));
        one.end().wait().unwrap();
    });
}
