//! Events.

use std::time::Instant;

use phalanx::prelude::*;
use phalanx::sync::{Event, SyncError};
use phalanx_tests::{EVENT_TIMEOUT, alone, processes, until_handled};

use super::MOMENT;

#[task]
fn wait_for(event: Event) -> bool {
    event.wait_timeout(EVENT_TIMEOUT).unwrap()
}

#[test]
fn all_who_wait_are_let_go_even_if_it_is_cleared_at_once() {
    alone(|| {
        let event = Event::new().unwrap();
        let waiting: Vec<_> = (0..4).map(|_| wait_for::spawn(event.clone()).unwrap()).collect();
        until_handled(&event.server(), 4);
        event.set().unwrap();
        event.clear().unwrap();
        waiting.iter().for_each(|process| assert_eq!(process.join(), Ok(true)));
        assert_eq!((event.is_set(), event.wait_timeout(MOMENT)), (Ok(false), Ok(false)));
    });
}

#[test]
fn a_limit_is_kept_and_never_early() {
    alone(|| {
        let event = Event::new().unwrap();
        for _ in 0..30 {
            let start = Instant::now();
            assert_eq!(event.wait_timeout(MOMENT / 10), Ok(false));
            assert!(start.elapsed() >= MOMENT / 10);
        }
        event.set().unwrap();
        assert_eq!((event.wait(), event.wait_timeout(MOMENT), event.is_set()), (Ok(()), Ok(true), Ok(true)));
    });
}

#[test]
fn waiters_that_die_hold_nobody_up() {
    alone(|| {
        let event = Event::new().unwrap();
        let waiting: Vec<_> = (0..6).map(|_| wait_for::spawn(event.clone()).unwrap()).collect();
        until_handled(&event.server(), 6);
        waiting[..5].iter().for_each(|process| process.kill().unwrap());
        event.set().unwrap();
        assert_eq!(waiting[5].join(), Ok(true));
    });
}

#[test]
fn the_death_of_the_server_ends_every_wait() {
    alone(|| {
        let event = Event::new().unwrap();
        let other = event.clone();
        let waiting = std::thread::spawn(move || other.wait());
        until_handled(&event.server(), 1);
        processes::kill(event.server().pid());
        assert!(matches!(waiting.join().unwrap(), Err(SyncError::Gone { .. })));
        assert!(matches!(event.set(), Err(SyncError::Gone { .. })));
    });
}
