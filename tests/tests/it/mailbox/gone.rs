//! Messages to actors that are gone, and processes that watch them.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use phalanx::ExitReason;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

use super::{Latch, hold, inbox};

#[test]
fn every_kind_of_message_to_a_dead_actor_is_gone_and_says_how_it_ended() {
    alone(|| {
        let inbox = inbox(4);
        let pid = inbox.pid().unwrap();
        inbox.kill().unwrap();
        assert_eq!(inbox.join().signal(), Some(9));
        let error = inbox.ask(1, 2).wait().unwrap_err();
        let CallError::Gone(at) = &error else { panic!("{error:?}") };
        assert_eq!((at.actor(), at.method(), at.pid()), ("Inbox", "ask", Some(pid)));
        assert_eq!(error.exit_reason().and_then(ExitReason::signal), Some(9));
        let error = inbox.put(1, 2).unwrap_err();
        assert!(matches!(&error, SendError::Gone(at) if at.method() == "put"), "{error:?}");
        let error = inbox.try_put(1, 2).unwrap_err();
        assert_eq!((error.args, matches!(error.error, SendError::Gone(_))), ((1, 2), true));
        let error = inbox.try_ask(1, 2).unwrap_err();
        assert_eq!((error.args, matches!(error.error, SendError::Gone(_))), ((1, 2), true));
        let error = inbox.within(EVENT_TIMEOUT).put(1, 2).unwrap_err();
        assert!(matches!(error, SendError::Gone(_)), "{error:?}");
        assert!(matches!(inbox.pid(), Err(SendError::Gone(_))));
    });
}

#[test]
fn whoever_waits_for_room_is_told_when_the_actor_dies() {
    alone(|| {
        let (inbox, latch) = (inbox(1), Latch::new("never"));
        let held = hold(&inbox, &latch);
        inbox.try_put(0, 0).unwrap();
        thread::scope(|scope| {
            let (about_to, told) = mpsc::channel();
            let begin = |about_to: mpsc::Sender<u32>| about_to.send(processes::this_thread()).unwrap();
            let (inbox, other) = (&inbox, about_to.clone());
            let telling = scope.spawn(move || {
                begin(about_to);
                inbox.put(1, 0)
            });
            let asking = scope.spawn(move || {
                begin(other);
                inbox.ask(1, 1).wait()
            });
            told.iter().for_each(processes::until_blocked);
            inbox.kill().unwrap();
            assert!(matches!(telling.join().unwrap(), Err(SendError::Gone(_))));
            let asked = asking.join().unwrap();
            assert!(matches!(asked, Err(CallError::Gone(_) | CallError::Died(..))), "{asked:?}");
        });
        assert_eq!(held.wait().unwrap_err().exit_reason().and_then(ExitReason::signal), Some(9));
    });
}

#[test]
fn a_monitor_reports_one_end_once_to_each_who_watches() {
    alone(|| {
        let (inbox, latch) = (inbox(4), Latch::new("never"));
        let held = hold(&inbox, &latch);
        let mut monitors: Vec<_> = (0..5).map(|_| inbox.monitor()).collect();
        assert!(monitors.iter_mut().all(|monitor| monitor.try_recv().is_none()));
        assert_eq!(monitors[0].recv_timeout(Duration::from_millis(20)), None);
        let pid = inbox.pid().unwrap();
        inbox.kill().unwrap();
        for monitor in &mut monitors {
            let down = monitor.recv_timeout(EVENT_TIMEOUT).expect("a report");
            assert_eq!((down.who.name.as_str(), down.who.id, down.who.pid), ("Inbox", inbox.id(), pid));
            assert_eq!((down.incarnation, down.reason.signal()), (1, Some(9)));
            let busy = down.in_progress.clone().expect("a message was in progress");
            assert_eq!(busy.method, "hold");
            // Asked again, it says the same.
            assert_eq!(monitor.try_recv().as_ref(), Some(&down));
            assert_eq!(monitor.recv(), down);
        }
        assert!(held.wait().is_err());
    });
}

#[test]
fn a_monitor_of_an_actor_that_is_gone_reports_at_once() {
    alone(|| {
        let inbox = inbox(4);
        inbox.kill().unwrap();
        let reason = inbox.join();
        for _ in 0..3 {
            let down = inbox.monitor().try_recv().expect("a report at once");
            assert_eq!((down.reason, down.in_progress), (reason.clone(), None));
        }
    });
}

#[test]
fn a_monitor_that_is_dropped_disturbs_nobody() {
    alone(|| {
        let inbox = inbox(4);
        let mut kept = inbox.monitor();
        for _ in 0..100 {
            drop(inbox.monitor());
        }
        assert_eq!(inbox.ask(1, 1).wait().unwrap(), 1);
        inbox.kill().unwrap();
        assert_eq!(kept.recv().reason.signal(), Some(9));
    });
}

#[test]
fn threads_that_watch_and_ask_are_all_told() {
    alone(|| {
        let (inbox, latch) = (inbox(64), Latch::new("never"));
        let held = hold(&inbox, &latch);
        thread::scope(|scope| {
            let watching: Vec<_> = (0..4).map(|_| scope.spawn(|| inbox.monitor().recv().reason)).collect();
            let joining: Vec<_> = (0..4).map(|_| scope.spawn(|| inbox.join())).collect();
            let ask = || inbox.ask(1, 0).wait().map_err(|error| error.exit_reason().cloned());
            let asking: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            eventually("the questions to be queued", EVENT_TIMEOUT, || inbox.depth() == 4);
            inbox.kill().unwrap();
            let reason = inbox.join();
            assert!(watching.into_iter().chain(joining).all(|thread| thread.join().unwrap() == reason));
            assert!(asking.into_iter().all(|thread| thread.join().unwrap() == Err(Some(reason.clone()))));
        });
        assert!(held.wait().is_err());
    });
}
