//! Many items, one function.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, iter, process};

use phalanx::pool::TaskError;
use phalanx::{Pool, Shared, SpawnError};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually};

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
                let mut found = unordered.collect::<Result<Vec<_>, _>>().unwrap();
                found.sort_unstable();
                assert_eq!(found, expected);
            }
            let refused: Vec<_> = pool.stream(square, 0..inputs).chunk(0).collect();
            assert!(matches!(refused[..], [Err(TaskError::Refused(..))]), "{refused:?}");
        }
        let (builder, ms) = (phalanx::Pool::builder, std::time::Duration::from_millis);
        let zero = ms(0);
        let refused = [
            builder().chunk(0),
            builder().max_age(zero),
            builder().max_tasks(0),
            builder().max_rss(0),
            builder().grace(zero),
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
        let unordered: Result<BTreeSet<u64>, _> = pool.stream(in_pairs, slowly()).unordered().collect();
        assert_eq!(unordered.unwrap(), (0..6).collect());
        assert_eq!(pool.map(in_pairs, slowly()).unwrap(), [0, 1, 2, 3, 4, 5]);
    });
}

#[test]
fn unordered_results_come_as_they_are_done() {
    alone(|| {
        let pool = pool(2);
        let first = pool.stream(nap, [2000, 1, 1, 1]).unordered().take(3).collect::<Result<Vec<_>, _>>();
        assert_eq!(first.unwrap(), [1, 1, 1]);
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
    let stream = if ordered { stream.ordered() } else { stream.unordered() };

    let (mut taken, mut sum, mut workers, mut early) = (0, 0, BTreeSet::new(), Vec::new());
    for result in stream {
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
