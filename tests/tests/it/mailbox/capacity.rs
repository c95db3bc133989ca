//! A mailbox takes as many messages as it says, and a full one is an error or a bounded wait.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use phalanx::Restart;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

use super::{Inbox, Latch, fill, go_on, hold, inbox, stop};

#[test]
fn a_mailbox_of_four_takes_four_beyond_the_message_in_progress() {
    alone(|| {
        let (inbox, latch) = (inbox(4), Latch::new("latch"));
        let held = hold(&inbox, &latch);
        assert_eq!((inbox.capacity(), inbox.depth()), (4, 0));
        for number in 0..4 {
            inbox.try_put(1, number).unwrap();
            assert_eq!(inbox.depth() as u64, number + 1);
        }
        let refused = inbox.try_put(1, 4).unwrap_err();
        assert_eq!(refused.args, (1, 4));
        let SendError::Full(at) = &refused.error else { panic!("{refused:?}") };
        assert_eq!((at.actor(), at.method(), at.pid()), ("Inbox", "put", Some(inbox.pid().unwrap())));
        let refused = inbox.try_ask(1, 4).unwrap_err();
        assert_eq!((refused.args, matches!(refused.error, SendError::Full(_))), ((1, 4), true));
        assert_eq!(inbox.depth(), 4);
        latch.open();
        held.wait().unwrap();
        assert_eq!(inbox.seen().wait().unwrap(), [(1, 0), (1, 1), (1, 2), (1, 3)]);
        assert_eq!(inbox.depth(), 0);
        latch.remove();
    });
}

#[test]
fn a_reserved_mailbox_keeps_its_capacity_over_restarts() {
    alone(|| {
        let inbox = || Inbox { seen: Vec::new() }.builder().restart(Restart::Permanent);
        let reserved = inbox().mailbox(2).reserve().unwrap().with(inbox().mailbox(7));
        let inbox = reserved.actor_ref();
        let supervisor = Supervisor::one_for_one().child("inbox", reserved).start().unwrap();
        assert_eq!(inbox.capacity(), 2);
        processes::signal("KILL", i64::from(inbox.pid().unwrap()));
        eventually("the next process", EVENT_TIMEOUT, || inbox.incarnation() == 2);
        let latch = Latch::new("latch");
        let held = hold(&inbox, &latch);
        assert_eq!((inbox.capacity(), fill(&inbox, 1)), (2, 2));
        latch.open();
        held.wait().unwrap();
        supervisor.stop(EVENT_TIMEOUT).unwrap();
        latch.remove();
    });
}

#[test]
fn a_full_mailbox_bounds_the_wait_of_a_tell_and_of_an_ask() {
    alone(|| {
        let (inbox, latch) = (inbox(4), Latch::new("latch"));
        let held = hold(&inbox, &latch);
        assert_eq!(fill(&inbox, 1), 4);
        let limit = Duration::from_millis(200);
        let start = Instant::now();
        let error = inbox.within(limit).put(2, 0).unwrap_err();
        assert!(start.elapsed() >= limit, "early: {:?}", start.elapsed());
        assert!(matches!(&error, SendError::Full(at) if at.method() == "put"), "{error:?}");
        let start = Instant::now();
        let error = inbox.within(limit).ask(2, 0).wait().unwrap_err();
        assert!(start.elapsed() >= limit, "early: {:?}", start.elapsed());
        assert!(matches!(error, CallError::Full(_) | CallError::Timeout(_)), "{error:?}");
        assert_eq!(inbox.depth(), 4);
        latch.open();
        held.wait().unwrap();
        // Neither was sent.
        assert!(inbox.seen().wait().unwrap().iter().all(|&(from, _)| from == 1));
        latch.remove();
    });
}

#[test]
fn room_wakes_the_senders_that_wait_for_it() {
    alone(|| {
        let (inbox, latch) = (inbox(2), Latch::new("latch"));
        let held = hold(&inbox, &latch);
        assert_eq!(fill(&inbox, 9), 2);
        let (about_to, told) = mpsc::channel();
        thread::scope(|scope| {
            let senders: Vec<_> = (0..6)
                .map(|from| {
                    let (inbox, about_to) = (&inbox, about_to.clone());
                    scope.spawn(move || {
                        about_to.send(processes::this_thread()).unwrap();
                        if from % 2 == 0 {
                            inbox.put(from, 0).is_ok()
                        } else {
                            inbox.ask(from, 0).wait() == Ok(0)
                        }
                    })
                })
                .collect();
            (0..6).for_each(|_| processes::until_blocked(told.recv().unwrap()));
            assert_eq!(inbox.depth(), 2);
            latch.open();
            held.wait().unwrap();
            assert!(senders.into_iter().all(|sender| sender.join().unwrap()));
        });
        assert_eq!(inbox.seen().wait().unwrap().len(), 8);
        latch.remove();
    });
}

#[test]
fn a_mailbox_of_one_passes_everything_on_in_order() {
    alone(|| {
        let inbox = inbox(1);
        for number in 0..500 {
            inbox.put(1, number).unwrap();
        }
        let replies: Vec<_> = (500..600).map(|number| inbox.ask(1, number)).collect();
        for (number, reply) in (500..).zip(replies) {
            assert_eq!(reply.wait().unwrap(), number);
        }
        assert_eq!(inbox.counts().wait().unwrap(), [(1, 600)].into());
    });
}

#[test]
fn a_stopped_process_is_a_full_mailbox_and_loses_nothing() {
    alone(|| {
        let inbox = inbox(16);
        let pid = inbox.pid().unwrap();
        stop(pid);
        let mut taken = fill(&inbox, 1);
        assert!((1..=17).contains(&taken), "{taken}");
        let error = inbox.within(Duration::from_millis(50)).put(1, taken).unwrap_err();
        assert!(matches!(error, SendError::Full(_)), "{error:?}");
        go_on(pid);
        for _ in 0..100 {
            inbox.put(1, taken).unwrap();
            taken += 1;
        }
        assert_eq!(inbox.counts().wait().unwrap(), [(1, taken)].into());
    });
}

#[test]
fn a_large_mailbox_takes_what_it_says_and_is_served_in_order() {
    alone(|| {
        let (inbox, latch) = (inbox(1000), Latch::new("latch"));
        let held = hold(&inbox, &latch);
        assert_eq!(fill(&inbox, 1), 1000);
        assert_eq!(inbox.depth(), 1000);
        latch.open();
        held.wait().unwrap();
        assert_eq!(inbox.counts().wait().unwrap(), [(1, 1000)].into());
        latch.remove();
    });
}

#[test]
fn a_mailbox_full_of_large_messages_keeps_its_promises() {
    #[actor(mailbox = 8)]
    struct Store {
        sizes: Vec<usize>,
    }

    #[actor]
    impl Store {
        fn hold(&self, latch: Latch) {
            latch.pass();
        }

        #[tell]
        fn put(&mut self, text: String) {
            self.sizes.push(text.len());
        }

        fn sizes(&self) -> Vec<usize> {
            self.sizes.clone()
        }
    }

    alone(|| {
        let (store, latch) = (Store { sizes: Vec::new() }.spawn().unwrap(), Latch::new("latch"));
        let held = store.hold(latch.clone());
        eventually("the message to begin", EVENT_TIMEOUT, || store.depth() == 0);
        let mut sizes = Vec::new();
        let refused = loop {
            let text = "x".repeat(1 << (10 + sizes.len()));
            match store.try_put(text) {
                Ok(()) => sizes.push(1 << (10 + sizes.len())),
                Err(refused) => break refused,
            }
        };
        assert_eq!(sizes.len(), 8);
        assert!(matches!(refused.error, SendError::Full(_)), "{refused:?}");
        assert_eq!(refused.args.0.len(), 1 << 18);
        latch.open();
        held.wait().unwrap();
        assert_eq!(store.sizes().wait().unwrap(), sizes);
        latch.remove();
    });
}
