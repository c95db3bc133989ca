//! Many readers, or one writer.

use phalanx::prelude::*;
use phalanx::{
    store::Counter,
    sync::{LockError, RwLock},
};
use phalanx_tests::{EVENT_TIMEOUT, alone, until_handled};

use super::{REQUEST, counter, for_ever, killed, until};

#[task]
fn read_together(lock: RwLock<u32>, inside: Counter, all: i64) -> u32 {
    let guard = lock.read().unwrap();
    inside.add(1).unwrap();
    // Ends only if the others are inside at the same time.
    until(&inside, all);
    *guard
}

#[test]
fn readers_are_inside_together() {
    alone(|| {
        let (lock, inside) = (RwLock::new(4).unwrap(), counter());
        let readers: Vec<_> =
            (0..4).map(|_| read_together::spawn(lock.clone(), inside.clone(), 4).unwrap()).collect();
        readers.iter().for_each(|reader| assert_eq!(reader.join(), Ok(4)));
    });
}

#[task]
fn write_down(lock: RwLock<Vec<u32>>, number: u32) {
    lock.write().unwrap().push(number);
}

#[task]
fn look(lock: RwLock<Vec<u32>>) -> Vec<u32> {
    lock.read().unwrap().clone()
}

#[test]
fn a_writer_is_not_overtaken_by_readers_that_come_after_it() {
    alone(|| {
        let lock = RwLock::new(vec![]).unwrap();
        let reading = lock.read().unwrap();
        let writer = write_down::spawn(lock.clone(), 7).unwrap();
        // A reader does not confirm.
        until_handled(&lock.server(), 2 * REQUEST);
        // Readers are not let in any more. One that tries asks, and withdraws its request.
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(matches!(lock.try_read(), Err(LockError::Busy))));
        });
        let reader = look::spawn(lock.clone()).unwrap();
        until_handled(&lock.server(), 2 * REQUEST + 2 + REQUEST);
        assert!(reader.is_alive());
        drop(reading);
        writer.join().unwrap();
        assert_eq!(reader.join().unwrap(), [7]);
    });
}

#[test]
fn a_thread_that_takes_it_twice_in_any_way_is_told_so() {
    alone(|| {
        let lock = RwLock::new(1).unwrap();
        let reading = lock.read().unwrap();
        assert!(matches!(lock.read(), Err(LockError::HeldByThisThread)));
        assert!(matches!(lock.write(), Err(LockError::HeldByThisThread)));
        drop(reading);
        let writing = lock.write_timeout(EVENT_TIMEOUT).unwrap();
        assert!(matches!(lock.try_read(), Err(LockError::HeldByThisThread)));
        drop(writing);
        assert_eq!(*lock.read_timeout(EVENT_TIMEOUT).unwrap(), 1);
    });
}

#[task]
fn hold_to_read(lock: RwLock<Vec<u32>>, held: Counter) {
    let _guard = lock.read().unwrap();
    held.add(1).unwrap();
    for_ever();
}

#[task]
fn hold_to_write(lock: RwLock<Vec<u32>>, held: Counter) {
    let mut guard = lock.write().unwrap();
    guard.push(1);
    held.add(1).unwrap();
    for_ever();
}

#[test]
fn a_reader_that_dies_is_no_news_and_a_writer_that_dies_is() {
    alone(|| {
        let (lock, held) = (RwLock::new(vec![]).unwrap(), counter());
        let reader = hold_to_read::spawn(lock.clone(), held.clone()).unwrap();
        until(&held, 1);
        assert!(matches!(lock.try_write(), Err(LockError::Busy)));
        reader.kill().unwrap();
        drop(lock.write_timeout(EVENT_TIMEOUT).unwrap());
        let writer = hold_to_write::spawn(lock.clone(), held.clone()).unwrap();
        until(&held, 2);
        writer.kill().unwrap();
        let Err(LockError::Poisoned(poisoned)) = lock.read_timeout(EVENT_TIMEOUT) else { panic!("not told") };
        assert_eq!((poisoned.by.pid, &poisoned.reason), (writer.pid(), &killed()));
        assert!(poisoned.guard.is_empty());
        drop(poisoned);
        assert!(lock.write().is_ok());
    });
}

#[test]
fn one_who_may_write_waits_for_a_value_too() {
    alone(|| {
        let lock = RwLock::new(vec![]).unwrap();
        let writer = write_down::spawn(lock.clone(), 7).unwrap();
        let guard = lock
            .wait_until(lock.write().unwrap(), |list: &Vec<u32>| list.contains(&7), EVENT_TIMEOUT)
            .unwrap();
        assert_eq!(guard.len(), 1);
        writer.join().unwrap();
    });
}
