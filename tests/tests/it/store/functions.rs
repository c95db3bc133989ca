//! Functions that run in the store.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{
    Portable, StoreError,
    store::{Cell, Map},
};
use phalanx_tests::alone;
use serde::{Deserialize, Serialize};

use super::store;

#[test]
fn an_update_runs_in_the_process_of_the_store() {
    alone(|| {
        let store = store();
        let cell = store.cell(0u32).unwrap();
        let ran_in = cell
            .update(
                |value, ()| {
                    *value = std::process::id();
                    std::process::id()
                },
                (),
            )
            .unwrap();
        assert_eq!((ran_in, cell.get().unwrap()), (store.server().pid().unwrap(), ran_in));
        assert_ne!(ran_in, std::process::id());
    });
}

/// One of several instances of the same code.
fn put<T: Clone + Portable>(cell: &Cell<T>, value: T) -> T {
    cell.update(|place, value| std::mem::replace(place, value), value).unwrap()
}

#[test]
fn generic_functions_and_two_closures_of_one_function_are_told_apart() {
    alone(|| {
        let store = store();
        let (number, text) = (store.cell(1u64).unwrap(), store.cell("one".to_owned()).unwrap());
        assert_eq!((put(&number, 2), put(&text, "two".into())), (1, "one".into()));
        assert_eq!((number.get(), text.get()), (Ok(2), Ok("two".into())));
        let (double, square) = (|n: &mut u64, ()| *n *= 2, |n: &mut u64, ()| *n *= *n);
        number.update(double, ()).unwrap();
        number.update(square, ()).unwrap();
        assert_eq!(number.get(), Ok(16));
    });
}

#[test]
fn a_panic_leaves_the_old_value_and_is_told_to_its_caller_only() {
    alone(|| {
        let store = store();
        let pid = store.server().pid();
        let (map, list) = (store.map::<String, Vec<u32>>().unwrap(), store.list::<u32>().unwrap());
        let (set, cell) = (store.set::<u32>().unwrap(), store.cell(vec![1, 2]).unwrap());
        map.insert("a".into(), vec![1, 2]).unwrap();
        list.extend([1, 2]).unwrap();
        set.extend([1, 2]).unwrap();
        let panicked = |text: &str| Err(StoreError::Panicked { message: text.to_owned() });
        fn clear_and_panic(values: &mut Vec<u32>, text: String) {
            values.clear();
            panic!("{text}");
        }
        assert_eq!(map.update("a", clear_and_panic, "one".into()), panicked("one").map(|()| None));
        assert_eq!(map.update_or("a", vec![3], clear_and_panic, "two".into()), panicked("two"));
        assert_eq!(map.update_or("b", vec![3], clear_and_panic, "three".into()), panicked("three"));
        let alter = |value: &mut Option<Vec<u32>>, text: String| {
            clear_and_panic(value.as_mut().unwrap(), text);
        };
        assert_eq!(map.alter("a", alter, "four".into()), panicked("four"));
        let change = |map: &mut BTreeMap<String, Vec<u32>>, text: String| {
            clear_and_panic(map.get_mut("a").unwrap(), text);
        };
        assert_eq!(map.update_all(change, "five".into()), panicked("five"));
        let look = |map: &BTreeMap<String, Vec<u32>>, text: String| assert!(map.is_empty(), "{text}");
        assert_eq!(map.read_all(look, "six".into()), panicked("six"));
        let item = |item: &mut u32, text: String| {
            *item = 0;
            assert_eq!(*item, 1, "{text}");
        };
        assert!(matches!(list.update(0, item, "seven".into()), Err(StoreError::Panicked { .. })));
        assert_eq!(list.update_all(clear_and_panic, "eight".into()), panicked("eight"));
        let change = |set: &mut BTreeSet<u32>, text: String| {
            set.clear();
            assert!(!set.is_empty(), "{text}");
        };
        assert_eq!(set.update_all(change, "nine".into()), panicked("nine"));
        assert_eq!(cell.update(clear_and_panic, "ten".into()), panicked("ten"));
        assert_eq!(map.snapshot().unwrap().into_iter().collect::<Vec<_>>(), [("a".to_owned(), vec![1, 2])]);
        assert_eq!((list.snapshot().unwrap(), cell.get().unwrap()), (vec![1, 2], vec![1, 2]));
        assert_eq!(set.snapshot().unwrap().into_iter().collect::<Vec<_>>(), [1, 2]);
        assert_eq!((store.server().pid(), store.server().incarnation()), (pid, 1));
    });
}

/// A key that cannot be compared with some others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Odd(u32);

impl PartialOrd for Odd {
    fn partial_cmp(&self, other: &Odd) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Odd {
    fn cmp(&self, other: &Odd) -> Ordering {
        assert!(self.0 != 13 && other.0 != 13, "thirteen");
        self.0.cmp(&other.0)
    }
}

#[test]
fn a_panic_of_the_types_own_code_is_the_callers_too() {
    alone(|| {
        let map = store().map().unwrap();
        map.extend((0..10).map(|n| (Odd(n), n))).unwrap();
        assert_eq!(map.insert(Odd(13), 1), Err(StoreError::Panicked { message: "thirteen".into() }));
        assert_eq!((map.len(), map.get(&Odd(9))), (Ok(10), Ok(Some(9))));
    });
}

#[test]
fn a_function_that_uses_its_own_store_is_told_so_and_does_not_hang() {
    alone(|| {
        let store = store();
        let (one, other) = (store.counter(1).unwrap(), store.cell(0).unwrap());
        let ask =
            |_: &mut i64, counter: phalanx::store::Counter| counter.get().map_err(|error| error.to_string());
        let error = other.update(ask, one).unwrap().unwrap_err();
        assert!(error.contains("cannot wait for itself"), "{error}");
    });
}

#[test]
fn a_function_that_takes_too_long_is_waited_for_no_longer_than_was_said() {
    alone(|| {
        let map = store().map::<u32, u32>().unwrap();
        map.insert(1, 1).unwrap();
        let limit = Duration::from_millis(100);
        let start = Instant::now();
        let slow = |value: &mut u32, pause| {
            std::thread::sleep(pause);
            *value += 1
        };
        let answer = map.within(limit).update(&1, slow, Duration::from_millis(300));
        assert!(matches!(answer, Err(StoreError::Timeout(_))), "{answer:?}");
        assert!(start.elapsed() >= limit);
        // It is carried out all the same, and the store goes on.
        assert_eq!(map.get(&1), Ok(Some(2)));
    });
}

/// Cannot be read back.
#[derive(Clone, Serialize)]
struct OneWay(u32);

impl<'de> Deserialize<'de> for OneWay {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<OneWay, D::Error> {
        Err(serde::de::Error::custom("not this way"))
    }
}

#[test]
fn arguments_that_do_not_travel_are_an_error_and_cost_nothing() {
    alone(|| {
        let cell = store().cell(1u32).unwrap();
        let error = cell.update(|value, with: OneWay| *value = with.0, OneWay(5)).unwrap_err();
        assert!(matches!(error, StoreError::Call(phalanx::CallError::Codec(..))), "{error:?}");
        assert_eq!(cell.get(), Ok(1));
    });
}

/// Counts below itself.
#[actor]
struct Tally {
    words: Map<String, u64>,
}

#[actor]
impl Tally {
    fn count(&self, text: String) -> Result<u64, String> {
        text.split_whitespace()
            .map(|word| {
                self.words.update_or(
                    word,
                    0,
                    |count, by| {
                        *count += by;
                        *count
                    },
                    1,
                )
            })
            .try_fold(0, |most, count| count.map(|count: u64| count.max(most)))
            .map_err(|error| error.to_string())
    }
}

#[test]
fn an_actor_keeps_a_handle_in_its_state() {
    alone(|| {
        let words = store().map().unwrap();
        let (one, other) = (
            Tally { words: words.clone() }.spawn().unwrap(),
            Tally { words: words.clone() }.spawn().unwrap(),
        );
        let replies = [one.count("a rose is a rose".into()), other.count("is a rose".into())];
        let most = replies.map(|reply| reply.wait().unwrap());
        assert!(most.into_iter().max().unwrap() >= 3);
        assert_eq!(words.get("rose"), Ok(Some(3)));
    });
}
