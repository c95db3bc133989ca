//! Locks, with no process dying.

use std::time::Instant;

use phalanx::prelude::*;
use phalanx::{
    CallError, ExitReason,
    sync::{Lock, LockError, SyncError},
};
use phalanx_tests::{alone, until_handled};
use serde::{Deserialize, Serialize, Serializer};

use super::{GRANT, MOMENT, REQUEST};

#[task]
fn add(sum: Lock<u64>, times: u64) {
    for _ in 0..times {
        *sum.lock().unwrap() += 1;
    }
}

#[test]
fn one_holder_at_a_time_and_no_change_is_lost() {
    alone(|| {
        let sum = Lock::new(0).unwrap();
        let processes: Vec<_> = (0..4).map(|_| add::spawn(sum.clone(), 100).unwrap()).collect();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let sum = sum.clone();
                std::thread::spawn(move || add(sum, 50))
            })
            .collect();
        processes.iter().for_each(|process| process.join().unwrap());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*sum.lock().unwrap(), 500);
    });
}

#[test]
fn a_thread_that_takes_it_twice_is_told_so() {
    alone(|| {
        let (lock, other) = (Lock::new(1).unwrap(), Lock::new(2).unwrap());
        let guard = lock.lock().unwrap();
        assert!(matches!(lock.lock(), Err(LockError::HeldByThisThread)));
        assert!(matches!(lock.clone().lock_timeout(MOMENT), Err(LockError::HeldByThisThread)));
        assert!(matches!(lock.try_lock(), Err(LockError::HeldByThisThread)));
        assert_eq!(*other.lock().unwrap(), 2);
        drop(guard);
        assert_eq!(*lock.lock().unwrap(), 1);
        lock.lock().unwrap().release().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), 1);
    });
}

#[test]
fn a_wait_with_a_limit_ends_then_and_never_early_and_leaves_nothing() {
    alone(|| {
        let lock = Lock::new(()).unwrap();
        let guard = lock.lock().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..5 {
                    let start = Instant::now();
                    assert!(matches!(lock.lock_timeout(MOMENT), Err(LockError::Timeout)));
                    assert!(start.elapsed() >= MOMENT);
                }
                assert!(matches!(lock.try_lock(), Err(LockError::Busy)));
            });
        });
        drop(guard);
        assert!(lock.try_lock().is_ok());
    });
}

#[task]
fn take_with_little_patience(lock: Lock<u64>, micros: u64, times: u32) -> (u64, u64) {
    let (mut taken, mut late) = (0, 0);
    for _ in 0..times {
        match lock.lock_timeout(std::time::Duration::from_micros(micros)) {
            Ok(mut guard) => {
                *guard += 1;
                taken += 1;
            }
            Err(LockError::Timeout) => late += 1,
            Err(other) => panic!("{other}"),
        }
    }
    (taken, late)
}

/// The times are such that grants and deadlines cross each other on the way.
#[test]
fn a_grant_that_comes_too_late_is_given_back() {
    alone(|| {
        let lock = Lock::new(0).unwrap();
        let impatient = |n: u64| take_with_little_patience::spawn(lock.clone(), 10 * n * n, 300).unwrap();
        let processes: Vec<_> = (1..=6).map(impatient).collect();
        let counts: Vec<_> = processes.iter().map(|process| process.join().unwrap()).collect();
        let (taken, late): (Vec<u64>, Vec<u64>) = counts.into_iter().unzip();
        assert!(late.iter().sum::<u64>() > 0, "nobody was late");
        // It is free, and holds exactly what its holders have added.
        assert_eq!(*lock.lock().unwrap(), taken.iter().sum::<u64>());
    });
}

#[test]
fn a_change_is_seen_by_the_next_holder_and_a_look_is_no_change() {
    alone(|| {
        let lock = Lock::new(vec![1]).unwrap();
        let guard = lock.lock().unwrap();
        assert_eq!(guard.len(), 1);
        drop(guard);
        let mut guard = lock.lock().unwrap();
        guard.push(2);
        guard.commit().unwrap();
        guard.push(3);
        guard.release().unwrap();
        assert_eq!(*lock.lock().unwrap(), [1, 2, 3]);
    });
}

#[test]
fn a_panic_of_the_holder_commits_nothing_and_is_told_to_the_next_one() {
    alone(|| {
        let lock = Lock::new(1).unwrap();
        let other = lock.clone();
        let panicked = std::thread::Builder::new().name("clumsy".into()).spawn(move || {
            let mut guard = other.lock().unwrap();
            *guard = 2;
            panic!("on purpose");
        });
        panicked.unwrap().join().unwrap_err();
        let Err(LockError::Poisoned(poisoned)) = lock.lock() else { panic!("not told") };
        assert_eq!((*poisoned.guard, poisoned.by.pid), (1, std::process::id()));
        let ExitReason::Panicked { location, .. } = &poisoned.reason else { panic!("{}", poisoned.reason) };
        assert_eq!(location, "thread `clumsy`");
        drop(poisoned);
        assert_eq!(*lock.lock().unwrap(), 1);
    });
}

/// Cannot always be encoded.
#[derive(Debug, PartialEq, Deserialize)]
struct Shy(u32);

impl Serialize for Shy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == 13 {
            return Err(serde::ser::Error::custom("not this one"));
        }
        serializer.serialize_newtype_struct("Shy", &self.0)
    }
}

#[test]
fn a_value_that_cannot_be_encoded_is_not_committed_and_the_next_one_is_told() {
    alone(|| {
        let lock = Lock::new(Shy(1)).unwrap();
        *lock.lock().unwrap() = Shy(13);
        let Err(LockError::Poisoned(mut poisoned)) = lock.lock() else { panic!("not told") };
        assert_eq!(*poisoned.guard, Shy(1));
        *poisoned.guard = Shy(13);
        assert!(matches!(poisoned.guard.commit(), Err(SyncError::Call(CallError::Codec(..)))));
        *poisoned.guard = Shy(2);
        drop(poisoned);
        assert_eq!(*lock.lock().unwrap(), Shy(2));
    });
}

#[task]
fn wait_in_line(lock: Lock<Vec<u32>>, number: u32) {
    lock.lock().unwrap().push(number);
}

#[test]
fn those_who_wait_are_served_in_their_order() {
    alone(|| {
        let lock = Lock::new(Vec::new()).unwrap();
        let guard = lock.lock().unwrap();
        let waiting: Vec<_> = (0..5)
            .map(|number| {
                let process = wait_in_line::spawn(lock.clone(), number).unwrap();
                until_handled(&lock.server(), GRANT + (u64::from(number) + 1) * REQUEST);
                process
            })
            .collect();
        drop(guard);
        waiting.iter().for_each(|process| process.join().unwrap());
        assert_eq!(*lock.lock().unwrap(), [0, 1, 2, 3, 4]);
    });
}

/// Makes locks, and is handed some.
#[actor]
struct Keeper {
    locks: Vec<Lock<String>>,
}

#[actor]
impl Keeper {
    fn make(&mut self) -> Result<Lock<String>, String> {
        let lock = Lock::new("made".to_owned()).map_err(|error| error.to_string())?;
        self.locks.push(lock.clone());
        Ok(lock)
    }

    fn use_it(&self, lock: Lock<String>) -> bool {
        lock.lock().unwrap().push_str(" and used");
        self.locks.contains(&lock)
    }
}

#[test]
fn locks_travel_and_stay_the_same() {
    alone(|| {
        let keeper = Keeper { locks: Vec::new() }.spawn().unwrap();
        let lock = keeper.make().wait().unwrap();
        assert!(keeper.use_it(lock.clone()).wait().unwrap());
        assert!(!keeper.use_it(Lock::new(String::new()).unwrap()).wait().unwrap());
        assert_eq!(*lock.lock().unwrap(), "made and used");
        // A lock in a lock, with handles in its value.
        let outer = Lock::new(vec![lock.clone()]).unwrap();
        assert_eq!(*outer.lock().unwrap()[0].lock().unwrap(), "made and used");
    });
}

#[test]
fn a_large_value_travels_both_ways() {
    alone(|| {
        let lock = Lock::new(vec![1u8; 4 << 20]).unwrap();
        lock.lock().unwrap().push(2);
        assert_eq!(lock.lock().unwrap().len(), (4 << 20) + 1);
    });
}
