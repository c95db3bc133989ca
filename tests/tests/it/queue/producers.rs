//! Many producers: in order, and free to end at once.

use std::thread;
use std::time::Instant;

use phalanx::prelude::*;
use phalanx::{GetTimeoutError, Queue};
use phalanx_tests::{EVENT_TIMEOUT, alone};

use super::{MOMENT, get_numbers, numbers, put_numbers};

#[task]
fn put_much(bytes: Queue<Vec<u8>>, small: Queue<u64>) {
    bytes.put(vec![7; 1 << 20]).unwrap();
    small.put_all(0..5_000).unwrap();
    (5_000..10_000).for_each(|number| small.put(number).unwrap());
}

/// As Python's `test_fork` of queues.
#[test]
fn two_producers_one_of_which_ends_at_once_lose_nothing_and_keep_their_order() {
    alone(|| {
        let queue = numbers(100);
        put_numbers(queue.clone(), 0, 10);
        let child = put_numbers::spawn(queue.clone(), 10, 20).unwrap();
        let got: Vec<u64> = (0..20).map(|_| queue.get().unwrap()).collect();
        child.join().unwrap();
        for (from, to) in [(0, 10), (10, 20)] {
            assert!(got.iter().copied().filter(|number| (from..to).contains(number)).eq(from..to), "{got:?}");
        }
    });
}

/// Where Python's queues hang: joining a process that has put something before it is read.
#[test]
fn a_producer_is_joined_before_anything_of_it_is_read() {
    alone(|| {
        let (bytes, small) = (Queue::bounded(1).unwrap(), numbers(10_000));
        let child = put_much::spawn(bytes.clone(), small.clone()).unwrap();
        assert!(child.join_timeout(EVENT_TIMEOUT).expect("it does not wait for a reader").is_ok());
        assert_eq!(bytes.get().unwrap(), vec![7; 1 << 20]);
        assert!((0..10_000).all(|number| small.get().unwrap() == number));
        assert!(bytes.is_empty().unwrap() && small.is_empty().unwrap());
    });
}

#[test]
fn signals_disturb_neither_those_who_wait_nor_the_queue() {
    alone(|| {
        let (queue, empty) = (numbers(1), numbers(1));
        let taker = get_numbers::spawn(queue.clone(), 200).unwrap();
        let script = format!(
            "i=0; while [ $i -lt 250 ]; do for s in URG WINCH CHLD CONT; do kill -$s {0} {1} {2}; done; i=$((i+1)); done 2>/dev/null",
            taker.pid(),
            queue.process().pid(),
            std::process::id(),
        );
        let mut shower = std::process::Command::new("sh").args(["-c", &script]).spawn().unwrap();
        for number in 0..100 {
            queue.put_timeout(number, EVENT_TIMEOUT).unwrap();
        }
        let start = Instant::now();
        assert_eq!(empty.get_timeout(MOMENT).unwrap_err(), GetTimeoutError::Timeout);
        assert!(start.elapsed() >= MOMENT);
        shower.wait().unwrap();
        for number in 100..200 {
            queue.put_timeout(number, EVENT_TIMEOUT).unwrap();
        }
        assert!(taker.join().unwrap().into_iter().eq(0..200));
    });
}

#[test]
fn many_threads_and_processes_put_and_take_at_once() {
    alone(|| {
        let queue = numbers(16);
        let putters: Vec<_> = (0..3)
            .map(|n| put_numbers::spawn(queue.clone(), n * 10_000, n * 10_000 + 200).unwrap())
            .collect();
        let takers: Vec<_> = (0..2).map(|_| get_numbers::spawn(queue.clone(), 300).unwrap()).collect();
        let own = thread::scope(|scope| {
            let putters = (3..5).map(|n| {
                let queue = queue.clone();
                scope.spawn(move || put_numbers(queue, n * 10_000, n * 10_000 + 200))
            });
            let putters: Vec<_> = putters.collect();
            let taker = scope.spawn(|| get_numbers(queue.clone(), 400));
            putters.into_iter().for_each(|putter| putter.join().unwrap());
            taker.join().unwrap()
        });
        putters.into_iter().for_each(|putter| putter.join().unwrap());
        let all: Vec<Vec<u64>> = takers.into_iter().map(|taker| taker.join().unwrap()).chain([own]).collect();
        for taken in &all {
            // Each taker sees each producer's items in order.
            for putter in 0..5 {
                let of = taken.iter().filter(|&&number| number / 10_000 == putter);
                assert!(of.is_sorted(), "{taken:?}");
            }
        }
        let mut all = all.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq((0..5).flat_map(|n| n * 10_000..n * 10_000 + 200)));
    });
}
