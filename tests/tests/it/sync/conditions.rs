//! Waiting for a value.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{
    store::Counter,
    sync::{Lock, LockError},
};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, until_handled};

use super::{GRANT, MOMENT, counter, for_ever, killed, until};

/// Takes turns with others: `number` goes when the value is `number` modulo `players`.
#[task]
fn play(turn: Lock<u32>, number: u32, players: u32, rounds: u32) {
    for _ in 0..rounds {
        let guard = turn.lock().unwrap();
        let mut guard = turn.wait_until(guard, |turn| turn % players == number, EVENT_TIMEOUT).unwrap();
        *guard += 1;
    }
}

/// A wake-up that is lost would end this by its limit.
#[test]
fn no_wake_up_is_lost() {
    alone(|| {
        let turn = Lock::new(0).unwrap();
        let players: Vec<_> =
            (0..3).map(|number| play::spawn(turn.clone(), number, 3, 100).unwrap()).collect();
        players.iter().for_each(|player| player.join().unwrap());
        assert_eq!(*turn.lock().unwrap(), 300);
    });
}

#[test]
fn what_holds_already_is_not_waited_for_and_what_never_holds_until_the_limit() {
    alone(|| {
        let lock = Lock::new(5).unwrap();
        let mut guard = lock.lock().unwrap();
        *guard = 6;
        let guard = lock.wait_until(guard, |&value| value == 6, Duration::ZERO).unwrap();
        let start = Instant::now();
        assert!(matches!(lock.wait_until(guard, |&value| value == 7, MOMENT), Err(LockError::Timeout)));
        assert!(start.elapsed() >= MOMENT);
        // It is not held any more, and what was changed was committed.
        assert_eq!(*lock.try_lock().unwrap(), 6);
        let guard = lock.lock().unwrap();
        assert!(matches!(lock.wait_until(guard, |_| false, Duration::ZERO), Err(LockError::Timeout)));
        assert!(lock.try_lock().is_ok());
    });
}

#[task]
fn consume(items: Lock<Vec<u32>>) -> Result<u32, String> {
    let guard = items.lock().unwrap();
    match items.wait_until(guard, |items| !items.is_empty(), Duration::MAX) {
        Ok(mut guard) => Ok(guard.remove(0)),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn each_of_many_who_wait_gets_one() {
    alone(|| {
        let items = Lock::new(vec![]).unwrap();
        let waiting: Vec<_> = (0..4).map(|_| consume::spawn(items.clone()).unwrap()).collect();
        // All have had the lock, and have given it back to wait.
        until_handled(&items.server(), 4 * (GRANT + 1));
        for item in 0..4 {
            items.lock().unwrap().push(item);
        }
        let mut got: Vec<_> = waiting.iter().map(|process| process.join().unwrap()).collect();
        got.sort_unstable();
        assert_eq!(got, [0, 1, 2, 3]);
        assert!(items.lock().unwrap().is_empty());
    });
}

#[test]
fn one_who_dies_while_it_waits_takes_nothing_along() {
    alone(|| {
        let items = Lock::new(vec![]).unwrap();
        let (victim, other) =
            (consume::spawn(items.clone()).unwrap(), consume::spawn(items.clone()).unwrap());
        // Both have had the lock, and have given it back to wait.
        until_handled(&items.server(), 2 * (GRANT + 1));
        victim.kill().unwrap();
        items.lock().unwrap().push(9);
        assert_eq!(other.join(), Ok(9));
        assert!(items.try_lock().is_ok());
    });
}

#[task]
fn produce_nothing(items: Lock<Vec<u32>>, held: Counter) {
    let _guard = items.lock().unwrap();
    held.add(1).unwrap();
    for_ever();
}

#[test]
fn the_death_of_one_who_was_to_make_it_true_ends_the_wait_of_one() {
    alone(|| {
        let (items, held) = (Lock::new(vec![]).unwrap(), counter());
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                Process::spawn(
                    |items: Lock<Vec<u32>>| consume(items).map_err(|error| error.to_string()),
                    items.clone(),
                )
                .unwrap()
            })
            .collect();
        // Both have had the lock, and have given it back to wait.
        until_handled(&items.server(), 2 * (GRANT + 1));
        let producer = produce_nothing::spawn(items.clone(), held.clone()).unwrap();
        until(&held, 1);
        producer.kill().unwrap();
        eventually("one of them is told", EVENT_TIMEOUT, || {
            waiting.iter().any(|process| !process.is_alive())
        });
        items.lock().unwrap().push(3);
        let mut heard: Vec<_> = waiting.iter().map(|process| process.join().unwrap()).collect();
        heard.sort();
        let expected = format!(
            "the last holder of the lock, `{}` (process {}, incarnation 1), died: {}",
            producer.name(),
            producer.pid(),
            killed()
        );
        assert_eq!(heard, [Ok(3), Err(expected)]);
    });
}

#[test]
fn a_guard_of_another_lock_is_a_mistake() {
    alone(|| {
        let (one, other) = (Lock::new(1).unwrap(), Lock::new(1).unwrap());
        let guard = one.lock().unwrap();
        let wait = AssertUnwindSafe(|| drop(other.wait_until(guard, |_| true, MOMENT)));
        let panic = catch_unwind(wait).unwrap_err();
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .expect("a panic with a text");
        assert!(text.contains("the guard is that of another lock"), "{text}");
    });
}
