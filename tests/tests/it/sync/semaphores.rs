//! Permits.

use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{
    store::Counter,
    sync::{Semaphore, SyncError},
};
use phalanx_tests::{EVENT_TIMEOUT, alone, processes};

use super::{MOMENT, counter, for_ever, until};

#[task]
fn work(permits: Semaphore, inside: Counter) -> i64 {
    let mut most = 0;
    for _ in 0..30 {
        let _permit = permits.acquire().unwrap();
        most = most.max(inside.add(1).unwrap());
        inside.add(-1).unwrap();
    }
    most
}

#[test]
fn never_more_inside_than_there_are_permits() {
    alone(|| {
        let (permits, inside) = (Semaphore::new(2).unwrap(), counter());
        let processes: Vec<_> =
            (0..5).map(|_| work::spawn(permits.clone(), inside.clone()).unwrap()).collect();
        let most = processes.iter().map(|process| process.join().unwrap()).max();
        assert!(most <= Some(2), "{most:?}");
        assert_eq!(permits.available(), Ok(2));
    });
}

#[test]
fn the_third_of_two_waits_and_never_less_than_it_said() {
    alone(|| {
        let permits = Semaphore::new(2).unwrap();
        let (one, other) = (permits.acquire().unwrap(), permits.try_acquire().unwrap());
        assert_eq!((permits.available(), permits.try_acquire().map(drop)), (Ok(0), Err(SyncError::Busy)));
        let start = Instant::now();
        assert_eq!(permits.acquire_timeout(MOMENT).map(drop), Err(SyncError::Timeout));
        assert!(start.elapsed() >= MOMENT);
        one.release().unwrap();
        // From another thread, too.
        std::thread::spawn(move || drop(other)).join().unwrap();
        let both = permits.acquire_many(2, EVENT_TIMEOUT).unwrap();
        assert_eq!((both.count(), permits.available()), (2, Ok(0)));
    });
}

#[task]
fn hold(permits: Semaphore, count: u32, held: Counter) {
    let _permit = permits.acquire_many(count, Duration::MAX).unwrap();
    held.add(1).unwrap();
    for_ever();
}

#[test]
fn the_dead_give_their_permits_back_and_nobody_is_told_off() {
    alone(|| {
        let (permits, held) = (Semaphore::new(3).unwrap(), counter());
        let holders = [
            hold::spawn(permits.clone(), 2, held.clone()).unwrap(),
            hold::spawn(permits.clone(), 1, held.clone()).unwrap(),
        ];
        until(&held, 2);
        let waiting = hold::spawn(permits.clone(), 3, held.clone()).unwrap();
        holders.iter().for_each(|holder| holder.kill().unwrap());
        until(&held, 3);
        waiting.kill().unwrap();
        assert_eq!(permits.acquire_many(3, EVENT_TIMEOUT).map(|permit| permit.count()), Ok(3));
    });
}

#[test]
fn more_than_there_are_is_an_error_and_the_death_of_the_server_another() {
    alone(|| {
        let permits = Semaphore::new(1).unwrap();
        assert_eq!(permits.acquire_many(2, EVENT_TIMEOUT).map(drop), Err(SyncError::TooMany { asked: 2 }));
        let permit = permits.acquire().unwrap();
        let server = permits.server();
        processes::kill(server.pid());
        server.monitor().recv();
        assert!(matches!(permit.release(), Err(SyncError::Gone { .. })));
        assert!(matches!(permits.acquire(), Err(SyncError::Gone { .. })));
        assert!(matches!(permits.available(), Err(SyncError::Gone { .. })));
    });
}
