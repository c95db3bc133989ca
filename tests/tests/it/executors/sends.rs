//! Calls and tells: room in the mailbox is waited for without the executor's thread, in the order of sending.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, Latch, alone};

use super::{beside, executor, fill, give_up, held, with_turns};

/// Short enough to be waited out.
const MOMENT: Duration = Duration::from_millis(50);

#[test]
fn without_waiting_for_room_a_full_mailbox_is_an_error() {
    alone(|| {
        let latch = Latch::new("latch");
        let gate = held(&latch);
        let filled = fill(&gate);
        let calls = gate.within(EVENT_TIMEOUT).try_();
        assert!(matches!(calls.add(7).wait(), Err(CallError::Full(_))));
        assert!(matches!(executor().block_on(calls.add(8)), Err(CallError::Full(_))));
        assert!(matches!(gate.try_().if_up().note(9), Err(SendError::Full(_))));
        latch.open();
        gate.hold(latch.clone()).unwrap();
        latch.await_mark("held");
        assert_eq!(gate.try_().seen().wait().unwrap(), filled);
        gate.stop(EVENT_TIMEOUT).unwrap();
        latch.remove();
    });
}

#[test]
fn a_call_waits_for_room_and_the_executor_goes_on() {
    alone(|| {
        let latch = Latch::new("latch");
        let gate = held(&latch);
        fill(&gate);
        let added = beside(async { gate.when_room().add(7).await }, || latch.open());
        assert_eq!(added, Ok(7));
        gate.stop(EVENT_TIMEOUT).unwrap();
        latch.remove();
    });
}

#[test]
fn messages_keep_their_order_however_they_are_sent() {
    alone(|| {
        let latch = Latch::new("latch");
        let gate = held(&latch);
        let mut expected = fill(&gate);
        let calls = gate.when_room();
        let parked: Vec<_> = (10..20).map(|number| calls.add(number)).collect();
        (20..30).for_each(|number| calls.note(number).unwrap());
        // Behind what is parked there is no room.
        let refused = gate.try_note(99).unwrap_err();
        assert!(matches!(refused.error, SendError::Full(_)));
        assert!(matches!(gate.within(MOMENT).note(98), Err(SendError::Full(_))));
        // One that may wait queues up, too.
        let waiting = std::thread::spawn({
            let gate = gate.clone();
            move || gate.within(EVENT_TIMEOUT).note(30)
        });
        beside(async { gate.flush_async().await }, || latch.open()).unwrap();
        waiting.join().unwrap().unwrap();
        expected.extend(10..=30);
        assert_eq!(gate.seen().wait().unwrap(), expected);
        for (reply, number) in parked.into_iter().zip(10..) {
            assert_eq!(reply.wait(), Ok(number));
        }
        gate.stop(EVENT_TIMEOUT).unwrap();
        latch.remove();
    });
}

#[test]
fn a_call_that_finds_no_room_in_time_is_not_sent() {
    alone(|| {
        let latch = Latch::new("latch");
        let gate = held(&latch);
        let filled = fill(&gate);
        let calls = gate.within(MOMENT).when_room();
        let awaited = executor().block_on(async { calls.add(7).await });
        assert!(matches!(awaited, Err(CallError::Full(_))), "{awaited:?}");
        let waited = calls.add(8).wait();
        assert!(matches!(waited, Err(CallError::Full(_))), "{waited:?}");
        calls.note(9).unwrap();
        let lost = executor().block_on(gate.flush_async());
        assert!(matches!(&lost, Err(SendError::Full(at)) if at.actor() == "Gate"), "{lost:?}");
        // It is said once.
        assert_eq!(executor().block_on(gate.flush_async()), Ok(()));
        latch.open();
        assert_eq!(gate.seen().wait().unwrap(), filled);
        gate.stop(EVENT_TIMEOUT).unwrap();
        latch.remove();
    });
}

#[test]
fn what_is_parked_ends_with_the_actor() {
    alone(|| {
        let latch = Latch::new("latch");
        let gate = held(&latch);
        fill(&gate);
        let (parked, calls) = (gate.when_room().add(7), gate.when_room());
        calls.note(8).unwrap();
        let died = beside(parked, || gate.kill().unwrap());
        assert!(matches!(died, Err(CallError::Died(ExitReason::Killed { .. }, _))), "{died:?}");
        let lost = executor().block_on(gate.flush_async());
        assert!(matches!(lost, Err(SendError::Gone(_))), "{lost:?}");
        let gone = executor().block_on(async { calls.add(9).await });
        assert!(matches!(gone, Err(CallError::Gone(_))), "{gone:?}");
    });
}

#[test]
fn a_reply_that_is_dropped_takes_nothing_back() {
    alone(|| {
        let latch = Latch::new("latch");
        let gate = held(&latch);
        let mut expected = fill(&gate);
        executor().block_on(async {
            give_up(gate.when_room().add(7)).await;
            give_up(gate.flush_async()).await;
            with_turns(gate.flush_async(), || latch.open()).await.unwrap();
        });
        expected.push(7);
        assert_eq!(gate.seen().wait().unwrap(), expected);
        gate.stop(EVENT_TIMEOUT).unwrap();
        latch.remove();
    });
}

#[test]
fn a_reply_that_cancels_takes_a_parked_call_back() {
    alone(|| {
        let latch = Latch::new("latch");
        let gate = held(&latch);
        let filled = fill(&gate);
        executor().block_on(async {
            give_up(gate.when_room().add(7).cancel_on_drop()).await;
            with_turns(gate.flush_async(), || {}).await.unwrap();
        });
        latch.open();
        assert_eq!(gate.seen().wait().unwrap(), filled);
        gate.stop(EVENT_TIMEOUT).unwrap();
        latch.remove();
    });
}

#[test]
fn several_full_mailboxes_are_served_by_one_thread() {
    alone(|| {
        let latches = [Latch::new("one"), Latch::new("two"), Latch::new("three")];
        let gates: Vec<_> = latches.iter().map(held).collect();
        let filled: Vec<_> = gates.iter().map(fill).collect();
        let replies: Vec<_> = gates.iter().map(|gate| gate.when_room().add(7)).collect();
        // In another order than they were parked in.
        latches.iter().rev().for_each(Latch::open);
        executor().block_on(async {
            for reply in replies {
                assert_eq!(reply.await, Ok(7));
            }
        });
        for ((gate, mut expected), latch) in gates.into_iter().zip(filled).zip(latches) {
            expected.push(7);
            assert_eq!(gate.seen().wait().unwrap(), expected);
            gate.stop(EVENT_TIMEOUT).unwrap();
            latch.remove();
        }
    });
}
