//! Senders that are killed in the middle of a stream of messages.

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually};

use super::{Inbox, Latch, fill, hold, inbox};

/// Sends for ever.
#[task]
fn stream(inbox: ActorRef<Inbox>, from: u32) {
    for number in 0.. {
        inbox.put(from, number).expect("the inbox is there");
    }
}

/// Sends for ever, from a handler.
#[actor]
struct Streamer {
    inbox: ActorRef<Inbox>,
}

#[actor]
impl Streamer {
    #[tell]
    fn stream(&self, from: u32) {
        stream(self.inbox.clone(), from);
    }

    /// Never reads a reply, and is killed with many of them unread.
    #[tell]
    fn pester(&self, from: u32) {
        let mut replies = Vec::new();
        for number in 0.. {
            replies.push(self.inbox.ask(from, number));
        }
    }
}

/// Waits until the inbox has handled some more.
fn some_more(inbox: &ActorRef<Inbox>, more: u64) {
    let handled = inbox.handled();
    eventually("messages to be handled", EVENT_TIMEOUT, || inbox.handled() >= handled + more);
}

/// After all that, the mailbox still takes what it says, and nothing was lost, doubled or turned round.
#[track_caller]
fn assert_whole(inbox: &ActorRef<Inbox>, senders: u32) {
    // The count of the senders that were killed between counting and sending comes right when the queue is
    // empty; an actor that had gone to sleep by then notices with its next message.
    inbox.counts().wait().unwrap();
    eventually("an empty mailbox", EVENT_TIMEOUT, || inbox.depth() == 0);
    let latch = Latch::new("latch");
    let held = hold(inbox, &latch);
    assert_eq!(fill(inbox, 1000), inbox.capacity() as u64);
    latch.open();
    held.wait().unwrap();
    let counts = inbox.counts().wait().unwrap();
    assert!((0..senders).all(|from| counts.contains_key(&from)), "{counts:?}");
    latch.remove();
}

#[test]
fn tasks_killed_while_they_send_leak_no_capacity() {
    alone(|| {
        let inbox = inbox(4);
        for from in 0..50 {
            let sender = stream::spawn(inbox.clone(), from).unwrap();
            // More than what the one before may have left in the mailbox.
            some_more(&inbox, inbox.capacity() as u64 + u64::from(from % 5) + 1);
            sender.kill().unwrap();
            assert!(sender.join().is_err());
        }
        assert_whole(&inbox, 50);
    });
}

#[test]
fn actors_killed_while_they_send_leak_no_capacity() {
    alone(|| {
        let inbox = inbox(4);
        for from in 0..50 {
            let sender = Streamer { inbox: inbox.clone() }.spawn().unwrap();
            if from % 2 == 0 { sender.stream(from) } else { sender.pester(from) }.unwrap();
            // More than what the one before may have left in the mailbox.
            some_more(&inbox, inbox.capacity() as u64 + u64::from(from % 5) + 1);
            sender.kill().unwrap();
            assert_eq!(sender.join().signal(), Some(9));
        }
        assert_whole(&inbox, 50);
    });
}

#[test]
fn senders_killed_while_they_wait_for_room_leak_no_capacity() {
    alone(|| {
        let inbox = inbox(4);
        let latch = Latch::new("first");
        let held = hold(&inbox, &latch);
        let senders: Vec<_> = (0..8).map(|from| stream::spawn(inbox.clone(), from).unwrap()).collect();
        eventually("a full mailbox", EVENT_TIMEOUT, || inbox.depth() == 4);
        for sender in &senders {
            sender.kill().unwrap();
            assert!(sender.join().is_err());
        }
        latch.open();
        held.wait().unwrap();
        assert_whole(&inbox, 0);
        latch.remove();
    });
}

#[test]
fn senders_killed_all_at_once_leak_no_capacity() {
    alone(|| {
        let inbox = inbox(8);
        for round in 0..5 {
            let senders: Vec<_> =
                (0..5).map(|from| stream::spawn(inbox.clone(), 5 * round + from).unwrap()).collect();
            some_more(&inbox, 100);
            senders.iter().for_each(|sender| sender.kill().unwrap());
            senders.iter().for_each(|sender| drop(sender.join()));
        }
        assert_whole(&inbox, 0);
    });
}
