//! Many items, one function.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, iter, process};

use phalanx::pool::TaskError;
use phalanx::prelude::*;
use phalanx::{Pool, Shared, SpawnError};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually};
use serde::{Deserialize, Serialize, Serializer};

use super::{nap, pool, square};

#[test]
fn a_map_is_the_sequential_one_whatever_the_chunk() {
    alone(|| {
        let pool = pool(3);
        for inputs in [0, 1, 10, 1000_u64] {
            let expected: Vec<u64> = (0..inputs).map(square).collect();
            assert_eq!(pool.map(square, 0..inputs).unwrap(), expected);
            for chunk in [1, 20, 100, 5000] {
                let ordered = pool.stream(square, 0..inputs).chunk(chunk).ordered();
                assert_eq!(ordered.collect::<Result<Vec<_>, _>>().unwrap(), expected);
                let unordered = pool.stream(square, 0..inputs).chunk(chunk).unordered();
                let mut found: Vec<_> = unordered.map(|(n, result)| (n, result.unwrap())).collect();
                found.sort_unstable();
                assert!(found.into_iter().eq(expected.iter().copied().enumerate()));
            }
            let refused: Vec<_> = pool.stream(square, 0..inputs).chunk(0).collect();
            assert!(matches!(refused[..], [Err(TaskError::Refused(..))]), "{refused:?}");
        }
        let (builder, ms) = (phalanx::Pool::builder, std::time::Duration::from_millis);
        let zero = ms(0);
        let refused = [
            builder().chunk(0),
            builder().recycle_at_age(zero),
            builder().recycle_after(0),
            builder().recycle_above(0),
            builder().shutdown(zero),
            builder().start_timeout(zero),
            builder().memory(0),
            builder().deadline(ms(100)).soft_deadline(ms(100)),
        ];
        for (index, builder) in refused.into_iter().enumerate() {
            assert!(matches!(builder.build(), Err(SpawnError::Option { .. })), "{index}");
        }
    });
}

#[test]
fn a_panic_of_the_input_comes_after_the_results_before_it() {
    alone(|| {
        let pool = pool(2);
        let input = || (0..100_u64).inspect(|n| assert!(*n < 30, "input {n}"));
        for chunk in [None, Some(1), Some(7)] {
            let mut stream = pool.stream(square, input());
            if let Some(chunk) = chunk {
                stream = stream.chunk(chunk);
            }
            let mut found = Vec::new();
            let panic = catch_unwind(AssertUnwindSafe(|| {
                for result in &mut stream {
                    found.push(result.unwrap());
                }
            }));
            let panic = panic.unwrap_err();
            assert_eq!(panic.downcast_ref::<String>().unwrap(), "input 30");
            assert_eq!(found, (0..30).map(square).collect::<Vec<_>>());
            assert!(stream.next().is_none());
        }
        assert!(catch_unwind(AssertUnwindSafe(|| pool.map(square, input()))).is_err());
        assert_eq!(pool.run(square, 2).unwrap(), 4);
    });
}

#[test]
fn a_stream_pulls_no_more_than_its_buffer() {
    alone(|| {
        let pool = pool(2);
        let pulled = AtomicU64::new(0);
        let input = (0_u64..).inspect(|_| {
            pulled.fetch_add(1, Ordering::Relaxed);
        });
        let mut stream = pool.stream(square, input).buffer(10);
        assert_eq!(pulled.load(Ordering::Relaxed), 0, "lazy");
        for taken in 1..=100 {
            assert_eq!(stream.next().unwrap().unwrap(), square(taken - 1));
            assert!(pulled.load(Ordering::Relaxed) <= taken + 10);
        }
        drop(stream);
        assert_eq!(pool.run(square, 3).unwrap(), 9);
    });
}

#[test]
fn a_map_answers_the_first_error_in_the_order_of_the_input_and_map_each_all() {
    alone(|| {
        let pool = pool(2);
        let picky = |n: u64| {
            nap(if n == 3 { 30 } else { 0 });
            assert!(n != 3 && n != 5, "not {n}");
            n
        };
        let error = pool.map(picky, 0..10).unwrap_err();
        assert!(error.to_string().contains("not 3"), "{error}");
        let each = pool.map_each(picky, 0..10);
        let errors: Vec<usize> =
            each.iter().enumerate().filter(|(_, result)| result.is_err()).map(|(n, _)| n).collect();
        assert_eq!(errors, [3, 5]);
    });
}

#[task]
fn picky(n: u64) -> Result<u64, String> {
    match n {
        2 => Err("two".to_owned()),
        3 => panic!("three"),
        5 => process::abort(),
        n => Ok(n),
    }
}

#[test]
fn an_error_of_a_map_or_a_stream_says_which_input_it_was() {
    alone(|| {
        let pool = pool(2);
        for chunk in [1, 4, 100] {
            let results = pool.stream(picky::task(), 0..8).chunk(chunk);
            let errors: Vec<_> = results.filter_map(Result::err).collect();
            let items: Vec<_> = errors.iter().map(|error| error.at().item()).collect();
            assert_eq!(items, [Some(2), Some(3), Some(5)]);
            assert!(matches!(&errors[0], TaskError::App(error, _) if error == "two"));
            assert_eq!(errors[0].to_string(), "two");
            for (error, item) in errors.iter().zip([2, 3, 5]).skip(1) {
                let text = error.to_string();
                assert!(text.starts_with(&format!("item {item} of task ")), "{text}");
                let worker = error.at().worker().unwrap();
                assert!(text.contains(&format!("(`picky`) in worker `{}`", worker.name)), "{text}");
            }
            for (index, result) in pool.stream(picky::task(), 0..8).chunk(chunk).unordered() {
                assert!(result.map_or_else(|error| error.at().item() == Some(index), |n| n == index as u64));
            }
        }
        assert_eq!(pool.map(picky::task(), [0, 1, 5]).unwrap_err().at().item(), Some(2));
        let each = pool.map_each(picky::task(), [2, 1, 2]);
        let items: Vec<_> = each.into_iter().filter_map(|result| result.err()?.at().item()).collect();
        assert_eq!(items, [0, 2]);
        assert_eq!(pool.run(picky::task(), 2).unwrap_err().at().item(), None);
    });
}

/// An input that cannot be sent, and one that is alone in its message, have numbers of their own.
#[test]
fn items_are_counted_whatever_becomes_of_them_on_their_way() {
    alone(|| {
        let pool = pool(2);
        let inputs =
            || (0..60_u64).map(|n| Odd { n, ballast: vec![0; if n % 7 == 3 { 1 << 20 } else { 1 }] });
        let length = |odd: Odd| (odd.n, odd.ballast.len());
        let check = |index: usize, result: Result<(u64, usize), TaskError>| match result {
            Ok((n, length)) => assert!(n == index as u64 && length == if n % 7 == 3 { 1 << 20 } else { 1 }),
            Err(TaskError::Codec(_, _, at)) => assert!(at.item() == Some(index) && index % 5 == 4),
            Err(other) => panic!("{other}"),
        };
        pool.stream(length, inputs()).enumerate().for_each(|(index, result)| check(index, result));
        pool.stream(length, inputs()).unordered().for_each(|(index, result)| check(index, result));
        for (input, result) in pool.stream(length, inputs()).unordered().with_inputs() {
            check(input.n as usize, result);
        }
    });
}

/// Every fifth cannot be encoded.
#[derive(Clone, Deserialize)]
struct Odd {
    n: u64,
    ballast: Vec<u8>,
}

impl Serialize for Odd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.n % 5 {
            4 => Err(serde::ser::Error::custom("every fifth")),
            _ => (self.n, &self.ballast).serialize(serializer),
        }
    }
}

#[test]
fn inputs_come_back_with_their_results() {
    alone(|| {
        let pool = pool(2);
        for chunk in [1, 3, 100] {
            let ordered = pool.stream(square, 0..100).with_inputs().chunk(chunk);
            assert!(ordered.map(|(n, result)| (n, result.unwrap())).eq((0..100).map(|n| (n, n * n))));
            let unordered = pool.stream(square, 0..100).buffer(8).with_inputs().unordered().chunk(chunk);
            let found: BTreeSet<_> = unordered.map(|(n, result)| (n, result.unwrap())).collect();
            assert_eq!(found, (0..100).map(|n| (n, n * n)).collect());
        }
        // A stream that is refused says so with the first item, if there is one.
        let mut refused = pool.stream(square, 7..9).chunk(0).with_inputs();
        assert!(matches!(refused.next(), Some((7, Err(TaskError::Refused(..))))));
        assert!(refused.next().is_none());
        assert!(pool.stream(square, 7..7).chunk(0).with_inputs().next().is_none());
        // A clone is made when its item is pulled.
        let inputs = (0..10).map(Fragile);
        let mut stream = pool.stream(|Fragile(n)| n, inputs).with_inputs();
        let mut found = Vec::new();
        let panic = catch_unwind(AssertUnwindSafe(|| {
            stream.by_ref().for_each(|(Fragile(n), result)| found.push((n, result.unwrap())));
        }));
        assert_eq!(panic.unwrap_err().downcast_ref::<String>().unwrap(), "clone of 4");
        assert_eq!(found, [(0, 0), (1, 1), (2, 2), (3, 3)]);
        assert!(stream.next().is_none());
    });
}

/// Cannot be cloned if it is the fourth.
#[derive(Serialize, Deserialize)]
struct Fragile(u64);

impl Clone for Fragile {
    fn clone(&self) -> Fragile {
        assert!(self.0 != 4, "clone of {}", self.0);
        Fragile(self.0)
    }
}

#[test]
fn a_slow_input_leaves_no_worker_idle_while_there_is_no_result() {
    alone(|| {
        let begun = Begun::zeroed(1).unwrap();
        let pool = Pool::builder().workers(2).init(|begun: Begun| begun, begun).build().unwrap();
        // Is done when another one has begun.
        let in_pairs = |n: u64| {
            phalanx::pool::state(|begun: &mut Begun| {
                let mine = begun[0].fetch_add(1, Ordering::AcqRel) + 1;
                let wanted = mine.next_multiple_of(2);
                eventually("another task", EVENT_TIMEOUT, || begun[0].load(Ordering::Acquire) >= wanted);
            });
            n
        };
        let slowly = || {
            (0..6_u64).inspect(|_| {
                nap(5);
            })
        };
        let ordered: Result<Vec<u64>, _> = pool.stream(in_pairs, slowly()).collect();
        assert_eq!(ordered.unwrap(), [0, 1, 2, 3, 4, 5]);
        let unordered = pool.stream(in_pairs, slowly()).unordered();
        let unordered: BTreeSet<u64> = unordered.map(|(_, result)| result.unwrap()).collect();
        assert_eq!(unordered, (0..6).collect());
        assert_eq!(pool.map(in_pairs, slowly()).unwrap(), [0, 1, 2, 3, 4, 5]);
    });
}

#[test]
fn unordered_results_come_as_they_are_done() {
    alone(|| {
        let pool = pool(2);
        let first = pool.stream(nap, [2000, 1, 1, 1]).unordered().take(3);
        let first: BTreeSet<_> = first.map(|(n, result)| (n, result.unwrap())).collect();
        assert_eq!(first, BTreeSet::from([(1, 1), (2, 1), (3, 1)]));
        pool.abort();
    });
}

/// A million take half a minute without optimisation; what each of these leaves behind shows as well.
const ITEMS: u64 = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };

#[test]
fn a_million_items_in_order_take_constant_memory() {
    alone(|| lazily(ITEMS, true));
}

#[test]
fn a_million_items_as_they_come_take_constant_memory() {
    alone(|| lazily(ITEMS, false));
}

/// Streams items that are made as they are wanted. Never is more than a buffer of them ahead of the reader of
/// the results, in this process or in the workers. From the first tenth on no process grows: a few bytes kept
/// of every item would show.
fn lazily(items: u64, ordered: bool) {
    const BUFFER: u64 = 256;
    let begun = Shared::zeroed(1).unwrap();
    let pool = Pool::builder().workers(2).init(|begun: Begun| begun, begun.clone()).build().unwrap();
    let count = |n: u64| {
        phalanx::pool::state(|begun: &mut Begun| begun[0].fetch_add(1, Ordering::Relaxed));
        (n, process::id())
    };
    let made = Cell::new(0);
    let stream = pool.stream(count, (0..items).inspect(|_| made.set(made.get() + 1)));
    let stream = stream.buffer(BUFFER as usize);
    let mut stream: Box<dyn Iterator<Item = _>> =
        if ordered { Box::new(stream) } else { Box::new(stream.unordered().map(|(_, result)| result)) };

    let (mut taken, mut sum, mut workers, mut early) = (0, 0, BTreeSet::new(), Vec::new());
    for result in &mut stream {
        let (n, pid) = result.unwrap();
        assert!(!ordered || n == taken, "{n} as number {taken}");
        (taken, sum) = (taken + 1, sum + n);
        workers.insert(pid);
        assert!(made.get() <= taken + BUFFER, "{} made, {taken} taken", made.get());
        let begun = begun[0].load(Ordering::Relaxed);
        assert!(begun <= taken + BUFFER, "{begun} begun, {taken} taken");
        if taken == items / 10 {
            early = sizes(&workers);
        }
    }
    assert_eq!((taken, sum), (items, items * (items - 1) / 2));
    assert_eq!(begun[0].load(Ordering::Relaxed), items, "each once");
    let late = sizes(&workers);
    assert_eq!((early.len(), late.len()), (3, 3), "this process and the workers");
    for (early, late) in early.iter().zip(&late) {
        assert!(late < &(early + (4 << 20)), "{early} {late}");
    }
}

type Begun = Shared<[AtomicU64]>;

/// How many bytes are resident of this process and of those.
fn sizes(others: &BTreeSet<u32>) -> Vec<u64> {
    let resident = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    };
    iter::once(process::id()).chain(others.iter().copied()).map(resident).collect()
}
