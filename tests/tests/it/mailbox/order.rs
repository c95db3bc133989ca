//! First in, first out, for every sender.

use std::thread;

use phalanx::prelude::*;
use phalanx_tests::alone;

use super::{Inbox, inbox};

/// Tells from a process of its own.
#[task]
fn send(inbox: ActorRef<Inbox>, from: u32, count: u64) {
    for number in 0..count {
        if number % 7 == 0 {
            assert_eq!(inbox.ask(from, number).wait(), Ok(number));
        } else {
            inbox.put(from, number).expect("the inbox is there");
        }
    }
}

#[test]
fn messages_of_several_processes_come_each_in_its_own_order() {
    alone(|| {
        // Small, so that senders wait for room all the time.
        let inbox = inbox(8);
        let senders: Vec<_> = (0..4).map(|from| send::spawn(inbox.clone(), from, 400).unwrap()).collect();
        send(inbox.clone(), 4, 400);
        for sender in senders {
            sender.join().unwrap();
        }
        let counts = inbox.counts().wait().unwrap();
        assert!(counts.into_iter().eq((0..5).map(|from| (from, 400))));
        assert_eq!((inbox.depth(), inbox.handled()), (0, 5 * 400 + 1));
    });
}

#[test]
fn messages_of_several_threads_come_each_in_its_own_order() {
    alone(|| {
        let inbox = inbox(8);
        thread::scope(|scope| {
            for from in 0..8 {
                let inbox = inbox.clone();
                scope.spawn(move || send(inbox, from, 200));
            }
        });
        let counts = inbox.counts().wait().unwrap();
        assert!(counts.into_iter().eq((0..8).map(|from| (from, 200))));
    });
}

#[test]
fn tells_asks_and_sends_without_waiting_keep_their_order_among_each_other() {
    alone(|| {
        let inbox = inbox(4);
        let mut number = 0;
        let mut replies = Vec::new();
        for _ in 0..100 {
            inbox.put(1, number).unwrap();
            replies.push(inbox.ask(1, number + 1));
            number += 2;
            number += u64::from(inbox.try_put(1, number).is_ok());
            if let Ok(reply) = inbox.try_ask(1, number) {
                replies.push(reply);
                number += 1;
            }
        }
        assert!(replies.into_iter().all(|reply| reply.wait().is_ok()));
        assert_eq!(inbox.counts().wait().unwrap(), [(1, number)].into());
    });
}

#[test]
fn a_sender_that_ends_right_after_its_last_tell_has_sent_everything() {
    alone(|| {
        let inbox = inbox(256);
        let pid = inbox.pid().unwrap();
        super::stop(pid);
        send_and_leave::spawn(inbox.clone(), 100).unwrap().join().unwrap();
        // It is gone before the first of its messages is read.
        super::go_on(pid);
        assert_eq!(inbox.counts().wait().unwrap(), [(1, 100)].into());
    });
}

#[task]
fn send_and_leave(inbox: ActorRef<Inbox>, count: u64) {
    for number in 0..count {
        inbox.put(1, number).expect("there is room for all");
    }
}
