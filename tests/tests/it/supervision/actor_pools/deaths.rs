//! What dies, and what that costs the pool.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

use phalanx::prelude::*;
use phalanx::{ActorPool, Restart, SupervisorError};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, Latch, alone, eventually, processes, until, until_seen};

use super::super::support::stage::{Stage, stop};
use super::{Clerk, clerk, hold, pool};

/// Kills the process of a member; returns when its supervisor knows.
#[track_caller]
fn kill(member: &ActorRef<Clerk>) {
    let pid = until("a process", EVENT_TIMEOUT, || member.pid().ok());
    let mut monitor = member.monitor();
    processes::kill(pid);
    monitor.recv_timeout(EVENT_TIMEOUT).expect("an end is told");
}

#[test]
fn a_member_that_waits_for_its_restart_is_passed_over() {
    alone(|| {
        let pool = pool(2).backoff(FOREVER, FOREVER).start().unwrap();
        let members = pool.members();
        kill(&members[0]);
        (0..10).for_each(|_| assert_eq!(pool.index().wait(), Ok(1)));
        // What belongs to it waits for it.
        let key = (0..).find(|key| pool.by_key(key) == members[0]).unwrap();
        let waiting = pool.by_key(&key).index();
        assert_eq!((members[0].depth(), pool.len()), (1, 2));
        kill(&members[1]);
        assert!(matches!(pool.if_up().index().wait(), Err(CallError::Unavailable(_))));
        assert!(matches!(pool.if_up().note(1), Err(SendError::Unavailable(_))));
        pool.note(1).unwrap();
        assert_eq!(pool.depth(), 2);
        stop(pool.supervisor());
        assert!(waiting.wait().is_err());
    });
}

#[test]
fn a_crash_costs_the_message_in_progress_and_the_others_are_served() {
    alone(|| {
        let (pool, latch) = (pool(2).start().unwrap(), Latch::new("latch"));
        let members = pool.members();
        let held = [hold(&pool, 0, &latch), hold(&pool, 1, &latch)];
        let queued: Vec<_> = (0..6).map(|_| pool.index()).collect();
        assert_eq!(pool.depth(), 6);
        kill(&members[0]);
        let [first, second] = held;
        assert!(matches!(first.wait(), Err(CallError::Died(..))));
        latch.open();
        assert_eq!(second.wait(), Ok(1));
        let mut served: Vec<u32> = queued.into_iter().map(|reply| reply.wait().unwrap()).collect();
        served.sort_unstable();
        assert_eq!(served, [0, 0, 0, 1, 1, 1]);
        assert_eq!((pool.restarts(), pool.handled() >= 7), (1, true));
        assert_eq!([members[0].incarnation(), members[1].incarnation()], [2, 1]);
        stop(pool.supervisor());
        latch.remove();
    });
}

/// Calls until the latch is there; returns the calls that got a reply, and how many were lost.
fn call(pool: &ActorPool<Clerk>, book: &Path, caller: u64, end: &Latch) -> (Vec<u64>, usize) {
    let (mut answered, mut lost) = (Vec::new(), 0);
    for number in (1..).take_while(|_| !end.is_open()) {
        match pool.within(EVENT_TIMEOUT).enter(book.to_owned(), caller, number).wait() {
            Ok(answer) if answer == number => answered.push(number),
            Err(CallError::Died(..)) => lost += 1,
            other => panic!("{caller} {number}: {other:?}"),
        }
    }
    (answered, lost)
}

#[test]
fn each_call_has_one_outcome_while_members_are_killed() {
    alone(|| {
        let stage = Stage::new();
        let (book, end) = (stage.latch("book").path(), Latch::new("end"));
        let pool = pool(4).start().unwrap();
        let members = pool.members();
        let (deaths, calls) = thread::scope(|scope| {
            let callers: Vec<_> = (0..4)
                .map(|caller| {
                    let (pool, book, end) = (&pool, &book, &end);
                    scope.spawn(move || call(pool, book, caller, end))
                })
                .collect();
            let mut deaths = 0;
            for round in 0..32 {
                let handled = pool.handled();
                kill(&members[round % 4]);
                deaths += 1;
                eventually("others to go on", EVENT_TIMEOUT, || pool.handled() > handled + 4);
            }
            end.open();
            (deaths, callers.into_iter().map(|caller| caller.join().unwrap()).collect::<Vec<_>>())
        });
        let lost: usize = calls.iter().map(|(_, lost)| lost).sum();
        assert!(lost as u64 <= deaths, "{lost} calls were lost by {deaths} deaths");
        until_seen("restarts", EVENT_TIMEOUT, || pool.restarts(), |&restarts| restarts == deaths);
        let mut handled: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for line in fs::read_to_string(&book).unwrap().lines() {
            let words: Vec<u64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
            handled.entry(words[0]).or_default().push(words[1]);
        }
        for (caller, (answered, _)) in (0..).zip(&calls) {
            // In the order of the calls, since each waited for the one before, and none twice.
            assert!(handled[&caller].is_sorted_by(|one, next| one < next), "{:?}", handled[&caller]);
            assert!(answered.iter().all(|number| handled[&caller].binary_search(number).is_ok()));
            assert!(answered.len() > 20, "{}", answered.len());
        }
        stop(pool.supervisor());
        end.remove();
    });
}

/// Each key has one member, before and after the deaths.
#[test]
fn what_is_sent_by_a_key_is_handled_in_its_order_across_restarts() {
    alone(|| {
        let stage = Stage::new();
        let book = stage.latch("book").path();
        let pool = pool(3).start().unwrap();
        let members = pool.members();
        let mut replies = Vec::new();
        for number in 0..40 {
            replies.extend((0..6_u64).map(|key| pool.by_key(&key).enter(book.clone(), key, number)));
            if number % 10 == 5 {
                kill(&members[(number / 10 % 3) as usize]);
            }
        }
        let lost = replies.into_iter().map(Reply::wait).filter(Result::is_err).count();
        assert!(lost <= 4, "{lost}");
        let mut by_key: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
        for line in fs::read_to_string(&book).unwrap().lines() {
            let words: Vec<u64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
            by_key.entry(words[0]).or_default().push((words[1], words[2]));
        }
        for (key, entries) in by_key {
            assert!(entries.is_sorted_by(|one, next| one.0 < next.0), "{key}: {entries:?}");
            let member = pool.by_key(&key).index().wait().unwrap();
            assert!(entries.iter().all(|&(_, index)| index == u64::from(member)), "{key}: {entries:?}");
        }
        stop(pool.supervisor());
    });
}

#[test]
fn temporary_members_go_one_by_one() {
    alone(|| {
        let pool = Supervisor::pool("clerks", 2, |index| clerk(index).restart(Restart::Temporary));
        let pool = pool.start().unwrap();
        let members = pool.members();
        assert!(pool.crash().wait().is_err());
        eventually("one member", EVENT_TIMEOUT, || pool.len() == 1);
        let last = pool.index().wait().unwrap() as usize;
        assert_eq!(pool.members(), [members[last].clone()]);
        (0..4).for_each(|key| assert_eq!(pool.by_key(&key), members[last]));
        assert!(pool.crash().wait().is_err());
        eventually("no member", EVENT_TIMEOUT, || pool.is_empty());
        assert!(matches!(pool.index().wait(), Err(CallError::Gone(_))));
        assert!(matches!(pool.resize(1), Err(SupervisorError::NotFound { .. })));
        stop(pool.supervisor());
    });
}

#[test]
fn a_pool_that_is_gone_says_so() {
    alone(|| {
        for in_order in [true, false] {
            let pool = pool(1..=2).start().unwrap();
            pool.resize(2).unwrap();
            if in_order {
                stop(pool.supervisor());
            } else {
                processes::kill(pool.supervisor().pid().unwrap());
                pool.supervisor().join();
            }
            eventually("no member", EVENT_TIMEOUT, || pool.is_empty());
            assert!(matches!(pool.index().wait(), Err(CallError::Gone(_))));
            assert!(matches!(pool.if_up().index().wait(), Err(CallError::Gone(_))));
            assert!(matches!(pool.note(1), Err(SendError::Gone(_))));
            let refused = pool.try_note(1).unwrap_err();
            assert_eq!((refused.args, matches!(refused.error, SendError::Gone(_))), ((1,), true));
            assert!(matches!(pool.least_busy().index().wait(), Err(CallError::Gone(_))));
            assert!(matches!(pool.by_key("key").index().wait(), Err(CallError::Gone(_))));
            assert!(matches!(pool.resize(2), Err(SupervisorError::Gone { .. })));
            assert!(matches!(pool.stop(EVENT_TIMEOUT), Err(SendError::Gone(_))));
        }
    });
}

#[test]
fn a_pool_whose_supervisor_is_restarted_has_as_many_members_as_at_its_start() {
    alone(|| {
        let pool = pool(1..=3).restart(Restart::Permanent).start().unwrap();
        pool.resize(3).unwrap();
        let supervisor = pool.supervisor();
        processes::kill(supervisor.pid().unwrap());
        eventually("the next supervisor", EVENT_TIMEOUT, || supervisor.incarnation() == 2 && pool.len() == 1);
        (0..4).for_each(|_| assert_eq!(pool.index().wait(), Ok(0)));
        pool.resize(2).unwrap();
        assert_eq!(pool.members()[1].index().wait(), Ok(1));
        stop(supervisor);
    });
}
