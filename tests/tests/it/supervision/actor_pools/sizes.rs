//! Pools that grow and shrink.

use std::thread;

use phalanx::prelude::*;
use phalanx::{Drain, SupervisorError};
use phalanx_tests::{EVENT_TIMEOUT, Latch, RESTART_WINDOW, alone, eventually, processes};

use super::super::support::stage::{counts, stop};
use super::{Clerk, clerk, depths, hold, pool};

#[test]
fn a_pool_grows_and_shrinks_behind_the_same_refs() {
    alone(|| {
        let pool = pool(1..=4).start().unwrap();
        assert_eq!((pool.len(), pool.max_len(), counts(pool.supervisor())), (1, 4, [4, 1, 0, 4]));
        (0..4).for_each(|_| assert_eq!(pool.index().wait(), Ok(0)));
        pool.resize(4).unwrap();
        let members = pool.members();
        let names: Vec<_> =
            members.iter().map(|member| processes::stat(member.pid().unwrap()).unwrap().name).collect();
        assert_eq!(names, ["clerks-0", "clerks-1", "clerks-2", "clerks-3"]);
        for (index, member) in (0..).zip(&members) {
            assert_eq!((member.index().wait(), member.incarnation()), (Ok(index), 1));
        }
        pool.resize(2).unwrap();
        assert_eq!(pool.members(), members[..2]);
        assert!(!members[2].is_alive() && !members[3].is_alive());
        assert!(matches!(members[3].index().wait(), Err(CallError::Gone(_))));
        (0..8).for_each(|_| assert!(pool.index().wait().unwrap() < 2));
        pool.resize(2).unwrap();
        pool.resize(3).unwrap();
        assert_eq!((pool.members(), members[2].incarnation()), (members[..3].to_vec(), 2));
        assert_eq!(members[2].index().wait(), Ok(2));
        // One that was stopped through its ref is started by the next one.
        members[0].stop(EVENT_TIMEOUT).unwrap();
        eventually("two members", EVENT_TIMEOUT, || pool.len() == 2);
        pool.resize(3).unwrap();
        assert_eq!(members[0].index().wait(), Ok(0));
        stop(pool.supervisor());
    });
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    alone(|| {
        #[allow(clippy::reversed_empty_ranges, reason = "that is what is refused")]
        let faults = [pool(0), pool(0..=2), pool(3..=2), pool(1025), pool(1..1)].map(|pool| pool.start());
        for refused in faults {
            assert!(matches!(refused, Err(SpawnError::Option { .. })), "{refused:?}");
        }
        let pool = pool(1..3).start().unwrap();
        for wanted in [0, 3, u32::MAX] {
            let refused = pool.resize(wanted).unwrap_err();
            let SupervisorError::Size { wanted: said, most: 2, .. } = &refused else { panic!("{refused:?}") };
            assert_eq!(*said, wanted);
            assert!(refused.to_string().contains("1 to 2 members"), "{refused}");
        }
        assert_eq!(pool.len(), 1);
        stop(pool.supervisor());
    });
}

#[test]
fn a_member_that_is_taken_away_serves_what_is_queued_and_gets_nothing_more() {
    alone(|| {
        let pool = pool(3).start().unwrap();
        let (latch, stays) = (Latch::new("latch"), Latch::new("stays"));
        let mut held = vec![hold(&pool, 1, &latch), hold(&pool, 2, &latch)];
        let keeps = hold(&pool, 0, &stays);
        held.extend((0..9).map(|_| pool.index()));
        assert_eq!(depths(&pool), [3, 3, 3]);
        let last = pool.members()[2].clone();
        thread::scope(|scope| {
            let resizing = scope.spawn(|| pool.resize(1));
            // The last one is told first. Before that, a message may go to it.
            let sends = || {
                let before = last.depth();
                held.push(pool.index());
                held.push(pool.index());
                held.push(pool.index());
                last.depth() == before
            };
            eventually("three messages that pass it over", EVENT_TIMEOUT, sends);
            let before = last.depth();
            held.extend((0..9).map(|_| pool.index()));
            assert_eq!(last.depth(), before);
            latch.open();
            stays.open();
            assert_eq!(resizing.join().unwrap(), Ok(()));
        });
        assert_eq!(keeps.wait(), Ok(0));
        let served: Vec<_> = held.into_iter().map(|reply| reply.wait().unwrap()).collect();
        assert!([0, 1, 2].iter().all(|index| served.contains(index)), "{served:?}");
        assert_eq!((pool.len(), pool.depth(), pool.index().wait()), (1, 0, Ok(0)));
        stop(pool.supervisor());
        latch.remove();
        stays.remove();
    });
}

#[test]
fn a_drain_that_the_builder_sets_counts() {
    alone(|| {
        let pool = Supervisor::pool("clerks", 2, |index| clerk(index).drain(Drain::Never));
        let pool = pool.intensity(1000, RESTART_WINDOW).start().unwrap();
        let latch = Latch::new("latch");
        let held = hold(&pool, 1, &latch);
        let queued = pool.members()[1].index();
        thread::scope(|scope| {
            let resizing = scope.spawn(|| pool.resize(1));
            // By then it has been told.
            eventually("a member that is passed over", EVENT_TIMEOUT, || {
                (0..50).all(|key| pool.by_key(&key) == pool.members()[0])
            });
            latch.open();
            assert_eq!(resizing.join().unwrap(), Ok(()));
        });
        assert_eq!(held.wait(), Ok(1));
        assert!(matches!(queued.wait(), Err(CallError::Stopped(_))));
        stop(pool.supervisor());
        latch.remove();
    });
}

/// Under the hands of callers: what is stopped before its turn was not run, and all else gets its reply.
#[test]
fn calls_go_on_while_the_pool_is_resized() {
    alone(|| {
        let (pool, end) = (pool(1..=4).start().unwrap(), Latch::new("end"));
        let call = || -> (u64, u64) {
            let (mut served, mut stopped) = (0, 0);
            while !end.is_open() {
                match pool.within(EVENT_TIMEOUT).index().wait() {
                    Ok(_) => served += 1,
                    Err(CallError::Stopped(_)) => stopped += 1,
                    Err(other) => panic!("{other:?}"),
                }
            }
            (served, stopped)
        };
        let (served, stopped) = thread::scope(|scope| {
            let callers: Vec<_> = (0..3).map(|_| scope.spawn(call)).collect();
            for size in [4, 1, 3, 2].into_iter().cycle().take(16) {
                pool.resize(size).unwrap();
                assert_eq!(pool.len(), size as usize);
            }
            end.open();
            let outcomes = callers.into_iter().map(|caller| caller.join().unwrap());
            outcomes.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        });
        // Only what is on its way in the very moment of the stop: at most one call of each caller.
        assert!(served > 100 && stopped <= 3 * 4 * 4, "{served} {stopped}");
        stop(pool.supervisor());
        end.remove();
    });
}

#[test]
fn a_reserved_pool_takes_messages_before_its_start() {
    alone(|| {
        let reserved = pool(2..=4).reserve().unwrap();
        let pool = reserved.actor_ref();
        assert_eq!((pool.len(), pool.max_len()), (2, 4));
        let early: Vec<Reply<u32>> = (0..4).map(|_| pool.index()).collect();
        assert_eq!(depths(&pool), [2, 2]);
        let upper = Supervisor::one_for_one().child("clerks", reserved).start().unwrap();
        let mut served: Vec<u32> = early.into_iter().map(|reply| reply.wait().unwrap()).collect();
        served.sort_unstable();
        assert_eq!(served, [0, 0, 1, 1]);
        pool.resize(3).unwrap();
        assert_eq!(pool.len(), 3);
        stop(&upper);
    });
}

#[test]
fn keys_of_the_members_that_stay_stay_with_them() {
    alone(|| {
        let pool = pool(4).start().unwrap();
        let members = pool.members();
        let owners = || -> Vec<ActorRef<Clerk>> { (0..60).map(|key| pool.by_key(&key)).collect() };
        let before = owners();
        assert!(members.iter().all(|member| before.contains(member)));
        pool.resize(3).unwrap();
        for (before, after) in before.iter().zip(owners()) {
            assert!(*before == after || (*before == members[3] && after != members[3]));
        }
        pool.resize(4).unwrap();
        assert_eq!(owners(), before);
        stop(pool.supervisor());
    });
}
