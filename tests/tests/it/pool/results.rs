//! What tasks return.

use std::time::{Duration, Instant};

use phalanx::pool::{Border, TaskError, Until, as_completed, wait, worker};
use phalanx::prelude::*;
use phalanx::{ExitReason, Pool};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually};
use serde::{Deserialize, Serialize};

use super::{Bytes, Latch, nap, pass, pid, pool, square};

#[task]
fn half(n: u64) -> Result<u64, String> {
    if n.is_multiple_of(2) { Ok(n / 2) } else { Err(format!("{n} is odd")) }
}

#[test]
fn a_task_answers_and_the_callers_may_wait_in_any_order() {
    alone(|| {
        let pool = pool(2);
        assert_eq!(pool.run(square, 12).unwrap(), 144);
        let tasks: Vec<_> = (0..100).map(|n| pool.submit(square, n)).collect();
        for (n, task) in tasks.into_iter().enumerate().rev() {
            assert_eq!(task.wait().unwrap(), (n * n) as u64);
        }
        assert_eq!(
            pool.run(|a: u64, b: String, c: bool| format!("{a}{b}{c}"), (1, "x".into(), true)).unwrap(),
            "1xtrue"
        );
        assert_eq!(pool.run(|| 7_u8, ()).unwrap(), 7);
    });
}

/// It is the task's, and says in which worker that ran.
#[track_caller]
fn assert_own_error(error: TaskError<String>, expected: &str) {
    let TaskError::App(text, at) = &error else { panic!("{error}") };
    assert_eq!(text, expected);
    assert!(at.worker().is_some() && at.item().is_none());
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_pool_of_one_function_is_given_arguments_only() {
    alone(|| {
        let squares = Pool::builder().workers(1).start(square).unwrap();
        assert_eq!(squares.run(3).unwrap(), 9);
        assert_eq!(squares.submit(4).wait().unwrap(), 16);
        assert_eq!(squares.map(0..5).unwrap(), [0, 1, 4, 9, 16]);
        let halves = Pool::builder().workers(1).start(half::task()).unwrap();
        assert_eq!(halves.run(4).unwrap(), 2);
        assert_own_error(halves.run(5).unwrap_err(), "5 is odd");
    });
}

#[test]
fn a_wait_that_is_over_leaves_the_task_and_its_result_alone() {
    alone(|| {
        let pool = pool(1);
        let mut slow = pool.submit(nap, 700);
        let other = pool.submit(square, 5);
        let (limit, start) = (Duration::from_millis(200), Instant::now());
        assert!(matches!(slow.wait_timeout(limit), Err(TaskError::Timeout(_))));
        assert!(start.elapsed() >= limit && start.elapsed() < Duration::from_millis(650));
        assert_eq!(other.wait().unwrap(), 25);
        assert_eq!(slow.wait_timeout(EVENT_TIMEOUT).unwrap(), 700);
    });
}

#[test]
fn a_panic_says_where_and_in_which_process_and_an_error_is_a_value() {
    alone(|| {
        let pool = pool(1);
        let before = pool.run(pid, ()).unwrap();
        assert_own_error(pool.run(half::task(), 5).unwrap_err(), "5 is odd");
        assert_eq!(pool.run(half, 5).unwrap(), Err("5 is odd".to_owned()));
        assert_eq!(pool.run(pid, ()).unwrap(), before, "the worker is well");
        let error = pool.run(|n: u32| -> u32 { panic!("cannot work with {n}") }, 7).unwrap_err();
        let TaskError::Died(ExitReason::Panicked { message, location, .. }, at) = &error else {
            panic!("{error}")
        };
        assert_eq!(message, "cannot work with 7");
        assert!(location.contains("results.rs:"), "{location}");
        let worker = at.worker().unwrap();
        assert_eq!((worker.pid, worker.incarnation, worker.index), (before, 1, 0));
        assert!(error.to_string().contains("cannot work with 7"), "{error}");
        assert_ne!(pool.run(pid, ()).unwrap(), before);
    });
}

/// Does not survive one of the borders.
#[derive(Clone, Debug, PartialEq)]
struct Fragile {
    /// 0 none, 1 encoding, 2 decoding.
    at: u8,
    /// In which process.
    parent: u32,
}

#[derive(Serialize, Deserialize)]
struct Wire(u8, u32);

impl Serialize for Fragile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.at == 1 {
            return Err(serde::ser::Error::custom("too fragile to be sent"));
        }
        Wire(self.at, self.parent).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fragile {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Fragile, D::Error> {
        let Wire(at, parent) = Wire::deserialize(deserializer)?;
        // The sender tries in debug builds whether what it sends can be read.
        if at == 2 && std::process::id() != parent || at == 3 && std::process::id() == parent {
            return Err(serde::de::Error::custom("broken on the way"));
        }
        Ok(Fragile { at, parent })
    }
}

#[test]
fn what_cannot_be_encoded_or_decoded_is_the_error_of_its_task_alone() {
    alone(|| {
        let pool = pool(2);
        let fragile = |at| Fragile { at, parent: std::process::id() };
        let take = |value: Fragile| value.at;
        let give = |at: u8, parent: u32| Fragile { at, parent };
        let mut pids: Vec<u32> = (0..20).map(|_| pool.run(pid, ()).unwrap()).collect();
        let good: Vec<_> = (0..20).map(|n| pool.submit(square, n)).collect();
        let me = std::process::id();
        let errors = [
            (pool.submit(take, fragile(1)).wait().map(drop), Border::EncodeArguments),
            (pool.submit(take, fragile(2)).wait().map(drop), Border::DecodeArguments),
            (pool.submit(give, (1, me)).wait().map(drop), Border::EncodeResult),
            (pool.submit(give, (3, me)).wait().map(drop), Border::DecodeResult),
        ];
        for (error, border) in errors {
            let error = error.unwrap_err();
            assert!(matches!(&error, TaskError::Codec(at, ..) if *at == border), "{border:?}: {error:?}");
        }
        assert!(good.into_iter().enumerate().all(|(n, task)| task.wait().unwrap() == (n * n) as u64));
        pids.extend((0..20).map(|_| pool.run(pid, ()).unwrap()));
        pids.sort_unstable();
        pids.dedup();
        assert!(pids.len() <= 2, "{pids:?}");
    });
}

#[test]
fn large_arguments_and_results_travel() {
    alone(|| {
        let pool = pool(2);
        let large: Vec<u8> = (0..16 << 20).map(|n: u32| n as u8).collect();
        let back = pool.run(
            |mut bytes: Bytes| {
                bytes.0.reverse();
                bytes
            },
            Bytes(large.clone()),
        );
        assert!(back.unwrap().0.iter().rev().eq(&large));
        let each = pool.map(|n: usize| vec![n as u8; n], [10, 100_000, 0, 40_000, 3]).unwrap();
        assert_eq!(each.iter().map(Vec::len).collect::<Vec<_>>(), [10, 100_000, 0, 40_000, 3]);
    });
}

#[actor]
struct Count {
    count: u64,
}

#[actor]
impl Count {
    fn add(&mut self, n: u64) -> u64 {
        self.count += n;
        self.count
    }
}

#[test]
fn refs_travel_to_tasks_and_back() {
    alone(|| {
        let pool = pool(2);
        let count = Count { count: 0 }.spawn().unwrap();
        let add = |count: ActorRef<Count>, n: u64| {
            count.add(n).wait().unwrap();
            count
        };
        let tasks: Vec<_> = (1..=10).map(|n| pool.submit(add, (count.clone(), n))).collect();
        for task in tasks {
            assert_eq!(task.wait().unwrap(), count);
        }
        assert_eq!(count.add(0).wait().unwrap(), 55);
        let both = pool.map(add, (0..10).map(|_| (count.clone(), 1))).unwrap();
        assert!(both.iter().all(|other| *other == count));
    });
}

#[test]
fn a_free_worker_takes_the_next_task() {
    alone(|| {
        let pool = pool(2);
        // The pool comes to think that tasks are short.
        pool.map(square, 0..1000).unwrap();
        let latch = Latch::closed("held");
        let held = pool.submit(pass, latch.path());
        latch.await_begun();
        let others: Vec<_> = (0..200).map(|n| pool.submit(square, n)).collect();
        assert!(others.into_iter().all(|task| task.wait().is_ok()));
        assert!(!held.is_done() && held.is_running());
        latch.open();
        held.wait().unwrap();
    });
}

#[test]
fn a_task_that_is_long_against_expectation_holds_nobody_up() {
    alone(|| {
        let pool = pool(2);
        pool.map(nap, vec![0; 1000]).unwrap();
        let latch = Latch::closed("held");
        let path = latch.path();
        let act = |n: u64, path: String| if n == 50 { u64::from(pass(path)) } else { n };
        let tasks: Vec<_> = (0..200).map(|n| pool.submit(act, (n, path.clone()))).collect();
        latch.await_begun();
        let (held, rest): (Vec<_>, Vec<_>) = tasks.into_iter().enumerate().partition(|(n, _)| *n == 50);
        for (n, task) in rest {
            assert_eq!(task.wait().unwrap(), n as u64);
        }
        assert!(!held[0].1.is_done());
        latch.open();
    });
}

#[test]
fn several_tasks_are_waited_for_together() {
    alone(|| {
        let pool = pool(3);
        let latch = Latch::closed("last");
        let slow = pool.submit(pass, latch.path());
        let quick = pool.submit(pid, ());
        let waited = wait([&slow, &quick, &slow], Until::Any, None);
        assert_eq!((waited.done, waited.pending), (vec![1], vec![0]));
        let limit = Some(Duration::from_millis(50));
        assert_eq!(wait([&slow, &quick], Until::All, limit).pending, [0]);
        let bad = pool.submit(|latch: String| -> u32 { panic!("{latch}") }, "bad".into());
        let waited = wait([&slow, &bad, &quick], Until::FirstError, Some(EVENT_TIMEOUT));
        assert_eq!((waited.done, waited.pending), (vec![1, 2], vec![0]));
        let mut order = as_completed([slow, quick, bad]);
        assert!(order.next().is_some() && order.next().is_some());
        latch.open();
        assert!(order.next().unwrap().wait().is_ok());
        assert!(order.next().is_none());
    });
}

#[test]
fn what_is_to_be_done_at_the_end_is_done_once_and_a_panic_in_it_is_contained() {
    alone(|| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let pool = pool(1);
        let other = sender.clone();
        let task = pool.submit(square, 3).on_done(move |result| other.send(result.unwrap()).unwrap());
        let _panics = pool.submit(square, 4).on_done(|_| panic!("in a callback"));
        let late = pool.submit(square, 5);
        let late = late.on_done(move |result| sender.send(result.unwrap()).unwrap());
        assert_eq!((task.wait().unwrap(), late.wait().unwrap()), (9, 25));
        assert_eq!(receiver.iter().take(2).collect::<Vec<_>>(), [9, 25]);
    });
}

#[test]
fn tasks_are_futures() {
    alone(|| {
        let pool = pool(2);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let tasks: Vec<_> = (0..10).map(|n| pool.submit(square, n)).collect();
        let sum = runtime.block_on(async {
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap();
            }
            sum
        });
        assert_eq!(sum, 285);
    });
}

#[test]
fn workers_have_a_place_and_a_state_of_their_own() {
    alone(|| {
        let pool =
            Pool::builder().name("places").workers(3).init(|start: u64| start, 100_u64).build().unwrap();
        let next = |_: ()| {
            std::thread::sleep(Duration::from_millis(5));
            let state = phalanx::pool::state(|state: &mut u64| {
                *state += 1;
                *state
            });
            let me = worker().unwrap();
            (me.index(), me.pool().to_owned(), phalanx::current().name().to_owned(), state)
        };
        let seen = pool.map_each(next, vec![(); 30]);
        let mut counts = [100; 3];
        let mut seen: Vec<_> = seen.into_iter().map(Result::unwrap).collect();
        seen.sort();
        for (index, pool, name, state) in seen {
            assert_eq!((&*pool, name), ("places", format!("places-{index}")));
            counts[index] += 1;
            assert_eq!(state, counts[index]);
        }
        assert!(worker().is_none());
    });
}

#[test]
fn workers_leave_in_order() {
    alone(|| {
        let directory = std::env::temp_dir();
        let note = |_: ()| {
            let total = phalanx::pool::state(|total: &mut u64| *total);
            std::fs::write(
                std::env::temp_dir().join(format!("total-{}", std::process::id())),
                total.to_string(),
            )
            .unwrap();
        };
        let pool = Pool::builder().workers(2).init(|n: u64| n, 0_u64).exit(note).build().unwrap();
        let add = |n: u64| phalanx::pool::state(|total: &mut u64| *total += n);
        pool.map(add, 1..=100).unwrap();
        pool.close();
        pool.join().unwrap();
        let files = std::fs::read_dir(&directory).unwrap().flatten().map(|entry| entry.path());
        let totals: Vec<_> = files.filter(|path| path.to_string_lossy().contains("total-")).collect();
        assert_eq!(totals.len(), 2);
        let sum: u64 =
            totals.iter().map(|path| std::fs::read_to_string(path).unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!(sum, 5050);
        totals.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    });
}

#[test]
fn whether_a_task_runs_is_known_at_once() {
    alone(|| {
        let pool = pool(1);
        let latch = Latch::closed("running");
        let first = pool.submit(pass, latch.path());
        let second = pool.submit(pass, latch.path());
        latch.await_begun();
        assert!(first.is_running() && !second.is_running());
        latch.open();
        eventually("the end", EVENT_TIMEOUT, || first.is_done() && second.is_done());
        assert!(!first.is_running() && !second.is_running());
    });
}

#[test]
fn a_pool_of_threads_does_the_same() {
    alone(|| {
        let pool = Pool::builder().workers(2).in_process().init(|n: u64| n, 5_u64).build().unwrap();
        assert_eq!(pool.run(pid, ()).unwrap(), std::process::id());
        assert_eq!(pool.map(square, 0..1000).unwrap(), (0..1000).map(square).collect::<Vec<_>>());
        assert_eq!(pool.run(|| phalanx::pool::state(|n: &mut u64| *n), ()).unwrap(), 5);
        let error = pool.run(|n: u64| -> u64 { panic!("{n}") }, 5).unwrap_err();
        assert!(matches!(error, TaskError::Died(ExitReason::Panicked { .. }, _)), "{error}");
        assert_eq!(pool.run(square, 2).unwrap(), 4);
        pool.close();
        assert_eq!(pool.join().unwrap().crashes, 1);
    });
}
