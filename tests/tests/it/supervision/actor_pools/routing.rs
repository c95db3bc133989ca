//! Which member gets a message.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use phalanx::ActorId;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, Latch, alone, processes, until_seen};

use super::super::support::stage::stop;
use super::{depths, hold, pool, small};

#[test]
fn a_message_goes_to_the_member_with_the_fewest_before_it() {
    alone(|| {
        let (pool, latch) = (pool(3).start().unwrap(), Latch::new("latch"));
        let mut held = vec![hold(&pool, 0, &latch)];
        let served: BTreeSet<u32> = (0..12).map(|_| pool.index().wait().unwrap()).collect();
        assert_eq!(served, [1, 2].into());
        // All are busy now, and what waits decides.
        held.extend([hold(&pool, 1, &latch), hold(&pool, 2, &latch)]);
        let members = pool.members();
        members[0].note(0).unwrap();
        (0..2).for_each(|_| members[1].note(0).unwrap());
        assert_eq!((depths(&pool), pool.depth()), (vec![1, 2, 0], 3));
        (1..=3).for_each(|number| pool.note(number).unwrap());
        assert_eq!(depths(&pool), [2, 2, 2]);
        latch.open();
        for held in held {
            held.wait().unwrap();
        }
        assert_eq!(members[1].notes().wait().unwrap(), [0, 0]);
        assert!(members[2].notes().wait().unwrap().starts_with(&[1]));
        stop(pool.supervisor());
        latch.remove();
    });
}

#[test]
fn members_that_are_equally_busy_take_turns() {
    alone(|| {
        let (pool, latch) = (pool(4).start().unwrap(), Latch::new("latch"));
        let turns = |count| -> Vec<ActorId> { (0..count).map(|_| pool.least_busy().id()).collect() };
        let round = turns(4);
        assert_eq!(round.iter().collect::<BTreeSet<_>>().len(), 4);
        assert_eq!(turns(8), [&round[..], &round[..]].concat());
        let mut served = [0; 4];
        (0..40).for_each(|_| served[pool.index().wait().unwrap() as usize] += 1);
        assert!(served.iter().all(|&calls| calls >= 5), "{served:?}");
        // Of those that are left, none gets the share of one that is busy.
        let held = hold(&pool, 1, &latch);
        let idle = || (0..4).filter(|&index| index != 1).map(|index| pool.members()[index].id());
        until_seen(
            "three idle ones",
            EVENT_TIMEOUT,
            || turns(3),
            |round| idle().all(|id| round.contains(&id)),
        );
        let round = turns(3);
        assert_eq!(turns(6), [&round[..], &round[..]].concat());
        latch.open();
        assert_eq!(held.wait(), Ok(1));
        stop(pool.supervisor());
        latch.remove();
    });
}

#[test]
fn a_send_is_full_only_when_all_mailboxes_are_full() {
    alone(|| {
        let (pool, latch) = (small(2).start().unwrap(), Latch::new("latch"));
        let held = [hold(&pool, 0, &latch), hold(&pool, 1, &latch)];
        // A member that is full is passed over.
        let members = pool.members();
        (0..2).for_each(|number| members[0].try_note(number).unwrap());
        (2..4).for_each(|number| pool.try_note(number).unwrap());
        assert_eq!(depths(&pool), [2, 2]);
        let refused = pool.try_note(9).unwrap_err();
        assert_eq!((refused.args, matches!(refused.error, SendError::Full(_))), ((9,), true));
        assert!(matches!(pool.try_index().unwrap_err().error, SendError::Full(_)));
        let (start, limit) = (Instant::now(), Duration::from_millis(200));
        let refused = pool.within(limit).note(9);
        assert!(start.elapsed() >= limit && matches!(refused, Err(SendError::Full(_))), "{refused:?}");
        let error = pool.within(limit).index().wait().unwrap_err();
        assert!(matches!(error, CallError::Full(_) | CallError::Timeout(_)), "{error:?}");
        latch.open();
        for held in held {
            held.wait().unwrap();
        }
        let notes = members.iter().map(|member| member.notes().wait().unwrap());
        assert_eq!(notes.collect::<Vec<_>>(), [[0, 1], [2, 3]]);
        stop(pool.supervisor());
        latch.remove();
    });
}

#[test]
fn a_sender_that_waits_for_room_goes_where_there_is_room_first() {
    alone(|| {
        for first in [0, 1] {
            let latches = [0, 1].map(|index| Latch::new(&format!("latch-{first}-{index}")));
            let pool = small(2).start().unwrap();
            let held = [0, 1].map(|index| hold(&pool, index, &latches[index]));
            (0..4).for_each(|number| pool.note(number).unwrap());
            let (tell, told) = std::sync::mpsc::channel();
            thread::scope(|scope| {
                let pool = &pool;
                let sender = scope.spawn(move || {
                    tell.send(processes::this_thread()).unwrap();
                    (pool.note(9), pool.index().wait())
                });
                processes::until_blocked(told.recv().unwrap());
                latches[first].open();
                assert_eq!(sender.join().unwrap(), (Ok(()), Ok(first as u32)));
            });
            assert!(pool.members()[first].notes().wait().unwrap().contains(&9));
            latches[1 - first].open();
            for held in held {
                held.wait().unwrap();
            }
            stop(pool.supervisor());
            latches.into_iter().for_each(Latch::remove);
        }
    });
}

#[test]
fn a_member_that_asks_its_pool_is_not_asked_itself() {
    alone(|| {
        let two = pool(2).start().unwrap();
        for member in two.members().into_iter().cycle().take(10) {
            let (own, other) = (member.index().wait().unwrap(), member.ask_the_pool(two.clone()).wait());
            assert_eq!(other, Ok(1 - own));
        }
        let one = pool(1).start().unwrap();
        let error = one.ask_the_pool(one.clone()).wait().unwrap_err();
        assert!(matches!(error, CallError::App(CallError::CallingSelf(_))), "{error:?}");
        stop(one.supervisor());
        stop(two.supervisor());
    });
}

#[test]
fn options_hold_for_whichever_member_gets_the_call() {
    alone(|| {
        let (pool, latch) = (pool(2).start().unwrap(), Latch::new("latch"));
        let limit = Duration::from_millis(100);
        let limited = pool.within(EVENT_TIMEOUT).kill_after(limit).if_up();
        for _ in 0..2 {
            let error = limited.hang().wait().unwrap_err();
            assert!(matches!(error.exit_reason(), Some(ExitReason::DeadlineExceeded { .. })), "{error:?}");
        }
        let error = pool.if_up().within_or_kill(limit).hang().wait().unwrap_err();
        let ended = matches!(error.exit_reason(), Some(ExitReason::DeadlineExceeded { .. }));
        assert!(ended || matches!(error, CallError::Timeout(_) | CallError::Unavailable(_)), "{error:?}");
        let error = pool.within(limit).hold(latch.clone()).wait().unwrap_err();
        assert!(matches!(error, CallError::Timeout(_)), "{error:?}");
        assert!(pool.kill_after(EVENT_TIMEOUT).index().wait().is_ok());
        latch.open();
        stop(pool.supervisor());
        for index in ["0", "1"] {
            let mark = std::env::temp_dir().join("latch").with_extension(index);
            let _ = std::fs::remove_file(mark);
        }
        latch.remove();
    });
}
