//! Actors that call actors, themselves included.

use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone};

/// Passes on what it is asked.
#[actor]
struct Relay {
    next: Option<ActorRef<Relay>>,
    pings: u32,
}

#[actor]
impl Relay {
    /// The pids of the whole line, from here on.
    fn line(&self) -> Result<Vec<u32>, String> {
        let mut pids = vec![std::process::id()];
        if let Some(next) = &self.next {
            pids.extend(next.line().wait().map_err(|error| error.to_string())?);
        }
        Ok(pids)
    }

    fn point_to(&mut self, next: ActorRef<Relay>) {
        self.next = Some(next);
    }

    /// What comes of asking the next one, within a limit.
    fn ask_next(&self, limit: Duration) -> String {
        let next = self.next.as_ref().expect("there is a next one");
        match next.within(limit).ask_back(limit).wait() {
            Ok(text) => text,
            Err(error) => format!("error: {error}"),
        }
    }

    fn ask_back(&self, limit: Duration) -> String {
        let next = self.next.as_ref().expect("there is a next one");
        match next.within(limit / 2).pings().wait() {
            Ok(pings) => format!("{pings} pings"),
            Err(CallError::Timeout(at)) => format!("timeout of {}", at.method()),
            Err(other) => format!("{other:?}"),
        }
    }

    fn pings(&self) -> u32 {
        self.pings
    }

    #[tell]
    fn ping(&mut self, times: u32) {
        self.pings += 1;
        if times > 0
            && let Some(next) = &self.next
        {
            // A tell: two actors may send each other messages for ever without waiting.
            next.ping(times - 1).expect("the next one is there");
        }
    }

    fn ask_self(&self) -> (bool, bool) {
        let me = self.next.as_ref().expect("a ref to itself");
        let waited = matches!(me.pings().wait(), Err(CallError::CallingSelf(at)) if at.method() == "pings");
        let tried = me.try_pings().map(Reply::wait);
        (waited, matches!(tried, Ok(Err(CallError::CallingSelf(_)))))
    }

    /// More than its mailbox takes: how many it took, and what came of the next.
    fn tell_self_until_it_is_full(&self) -> (u64, bool, bool) {
        let me = self.next.as_ref().expect("a ref to itself");
        let mut taken = 0;
        loop {
            match me.ping(0) {
                Ok(()) => taken += 1,
                Err(error) => {
                    let waited = matches!(error, SendError::CallingSelf(at) if at.method() == "ping");
                    let tried = me.try_ping(0).unwrap_err().error;
                    return (taken, waited, matches!(tried, SendError::Full(_)));
                }
            }
        }
    }

    fn tell_self(&self) -> bool {
        self.next.as_ref().is_some_and(|me| me.ping(0).is_ok())
    }
}

fn relay(next: Option<ActorRef<Relay>>) -> ActorRef<Relay> {
    Relay { next, pings: 0 }.spawn().unwrap()
}

#[test]
fn an_actor_does_not_wait_for_room_in_its_own_mailbox() {
    alone(|| {
        let actor = Relay { next: None, pings: 0 }.builder().mailbox(4).spawn().unwrap();
        actor.point_to(actor.clone()).wait().unwrap();
        let (taken, waited, tried) =
            actor.within(Duration::from_secs(10)).tell_self_until_it_is_full().wait().unwrap();
        assert_eq!((taken, waited, tried), (4, true, true));
        // What it took is handled, and there is room again.
        assert_eq!(actor.pings().wait().unwrap(), 4);
        assert!(actor.tell_self().wait().unwrap());
    });
}

#[test]
fn a_call_goes_through_a_line_of_actors() {
    alone(|| {
        let last = relay(None);
        let middle = relay(Some(last.clone()));
        let first = relay(Some(middle.clone()));
        let pids = [&first, &middle, &last].map(|relay| relay.pid().unwrap());
        assert_eq!(first.line().wait().unwrap(), pids);
        last.kill().unwrap();
        let _ = last.join();
        let error = first.line().wait().unwrap_err();
        let CallError::App(text) = &error else { panic!("{error:?}") };
        assert!(
            text.contains("`line` of actor `Relay`") && text.contains("killed by a holder of its ref"),
            "{text}"
        );
        assert!(first.is_alive() && middle.is_alive());
    });
}

#[test]
fn an_actor_that_asks_itself_is_told_so_and_one_that_tells_itself_is_served() {
    alone(|| {
        let relay = relay(None);
        relay.point_to(relay.clone()).wait().unwrap();
        let start = Instant::now();
        assert_eq!(relay.ask_self().wait().unwrap(), (true, true));
        assert!(relay.tell_self().wait().unwrap());
        assert_eq!(relay.pings().wait().unwrap(), 1);
        assert!(start.elapsed() < EVENT_TIMEOUT);
    });
}

#[test]
fn two_actors_with_refs_to_each_other_talk() {
    alone(|| {
        let left = relay(None);
        let right = relay(Some(left.clone()));
        left.point_to(right.clone()).wait().unwrap();
        left.ping(99).unwrap();
        phalanx_tests::eventually("a hundred pings", EVENT_TIMEOUT, || {
            left.pings().wait().unwrap() + right.pings().wait().unwrap() == 100
        });
    });
}

#[test]
fn two_actors_that_wait_for_each_other_end_at_their_deadlines() {
    alone(|| {
        let left = relay(None);
        let right = relay(Some(left.clone()));
        left.point_to(right.clone()).wait().unwrap();
        // Left asks right, which asks left, which waits for right.
        assert_eq!(left.ask_next(Duration::from_secs(2)).wait().unwrap(), "timeout of pings");
        // And both are as they were.
        assert_eq!((left.pings().wait(), right.pings().wait()), (Ok(0), Ok(0)));
    });
}
