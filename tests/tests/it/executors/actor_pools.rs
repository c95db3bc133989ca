//! A pool of actors in async code: what finds all members full is parked, and its orders are futures.

use phalanx::ActorPool;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, Latch, alone};

use super::{Gate, beside, executor, give_up, with_turns};

/// Two gates that are busy until the latches open.
fn held(latches: &[Latch; 2]) -> ActorPool<Gate> {
    let pool = Supervisor::pool("gates", 1..=2, |_| Gate::builder(None)).start().unwrap();
    executor().block_on(pool.resize_async(2)).unwrap();
    for (gate, latch) in pool.members().into_iter().zip(latches) {
        gate.hold(latch.clone()).unwrap();
        latch.await_mark("held");
    }
    pool
}

fn fill(pool: &ActorPool<Gate>) -> usize {
    (0..).take_while(|&number| pool.try_note(number).is_ok()).count()
}

fn seen(pool: &ActorPool<Gate>) -> Vec<Vec<u64>> {
    pool.members().iter().map(|gate| gate.seen().wait().unwrap()).collect()
}

#[test]
fn a_call_that_finds_all_members_full_is_parked_and_the_executor_goes_on() {
    alone(|| {
        let latches = [Latch::new("one"), Latch::new("two")];
        let pool = held(&latches);
        let filled = fill(&pool);
        assert_eq!(filled, 4);
        assert!(matches!(executor().block_on(pool.try_().add(8)), Err(CallError::Full(_))));
        let calls = pool.within(EVENT_TIMEOUT).when_room();
        let added = beside(async { tokio::join!(calls.add(10), calls.add(11)) }, || {
            latches.iter().for_each(Latch::open);
        });
        assert_eq!(added, (Ok(10), Ok(11)));
        let stopped = beside(pool.stop_async(EVENT_TIMEOUT), || {});
        assert!(stopped.unwrap().is_orderly());
        latches.into_iter().for_each(Latch::remove);
    });
}

#[test]
fn a_flush_waits_for_what_is_parked_for_any_member() {
    alone(|| {
        let latches = [Latch::new("one"), Latch::new("two")];
        let pool = held(&latches);
        fill(&pool);
        for number in 10..20 {
            pool.when_room().note(number).unwrap();
        }
        executor().block_on(async {
            give_up(pool.flush_async()).await;
            latches[0].open();
            // Whichever it was, the other one has parked messages, or none of them was parked for it.
            with_turns(pool.flush_async(), || latches[1].open()).await.unwrap();
        });
        let mut noted = seen(&pool).concat();
        noted.sort_unstable();
        assert_eq!(noted, (0..4).chain(10..20).collect::<Vec<u64>>());
        pool.stop(EVENT_TIMEOUT).unwrap();
        latches.into_iter().for_each(Latch::remove);
    });
}

#[test]
fn what_is_parked_for_a_member_that_dies_is_an_error_and_the_others_go_on() {
    alone(|| {
        let latches = [Latch::new("one"), Latch::new("two")];
        let pool = held(&latches);
        fill(&pool);
        let parked: Vec<_> = (0..6).map(|number| pool.when_room().add(number)).collect();
        pool.members()[0].kill().unwrap();
        latches[1].open();
        let (mut served, mut died) = (0, 0);
        executor().block_on(async {
            for reply in parked {
                match reply.await {
                    Ok(_) => served += 1,
                    Err(CallError::Died(ExitReason::Killed { .. }, _)) => died += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        });
        assert_eq!((served, died), (3, 3));
        pool.stop(EVENT_TIMEOUT).unwrap();
        let [_, second] = latches;
        second.remove();
    });
}

#[test]
fn a_resize_waits_for_its_members_and_the_executor_goes_on() {
    alone(|| {
        let latch = Latch::new("latch");
        let pool = Supervisor::pool("gates", 1..=2, |_| Gate::builder(None)).start().unwrap();
        let gate = &pool.members()[0];
        gate.hold(latch.clone()).unwrap();
        latch.await_mark("held");
        executor().block_on(pool.resize_async(2)).unwrap();
        assert_eq!(pool.len(), 2);
        assert!(executor().block_on(pool.resize_async(3)).is_err());
        latch.open();
        let resized = beside(pool.resize_async(1), || {});
        assert_eq!((resized.is_ok(), pool.len()), (true, 1));
        pool.stop(EVENT_TIMEOUT).unwrap();
        latch.remove();
    });
}
