//! How much lies in a queue, and waiting for room and for items.

use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{GetTimeoutError, PutTimeoutError, Queue, TryGetError, TryPutError};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually};

use super::{MOMENT, get_numbers, handled, numbers, put_numbers, until_handled};

#[test]
fn a_queue_of_six_takes_six_in_all_forms_and_no_seventh() {
    alone(|| {
        let queue = numbers(6);
        let stands = || (queue.len().unwrap(), queue.is_empty().unwrap(), queue.is_full().unwrap());
        assert_eq!((stands(), queue.capacity()), ((0, true, false), Some(6)));
        queue.put(1).unwrap();
        queue.try_put(2).unwrap();
        queue.put_timeout(3, Duration::ZERO).unwrap();
        queue.put_timeout(4, EVENT_TIMEOUT).unwrap();
        assert_eq!(stands(), (4, false, false));
        queue.put_all([5, 6]).unwrap();
        assert_eq!(stands(), (6, false, true));

        assert_eq!(queue.try_put(7).unwrap_err(), TryPutError::Full(7));
        assert_eq!(queue.try_put(7).unwrap_err().into_inner(), 7);
        for limit in [Duration::ZERO, MOMENT] {
            let start = Instant::now();
            assert_eq!(queue.put_timeout(7, limit).unwrap_err(), PutTimeoutError::Timeout(7));
            assert!(start.elapsed() >= limit);
        }
        assert_eq!(stands(), (6, false, true));

        assert_eq!(get_numbers::spawn(queue.clone(), 6).unwrap().join().unwrap(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(stands(), (0, true, false));
    });
}

#[test]
fn what_a_child_puts_is_got_in_all_forms_and_an_empty_queue_says_so() {
    alone(|| {
        let queue = numbers(10);
        put_numbers::spawn(queue.clone(), 1, 6).unwrap().join().unwrap();
        assert_eq!(queue.get().unwrap(), 1);
        assert_eq!(queue.try_get().unwrap(), 2);
        assert_eq!(queue.get_timeout(Duration::ZERO).unwrap(), 3);
        assert_eq!(queue.get_timeout(EVENT_TIMEOUT).unwrap(), 4);
        assert_eq!(queue.get_up_to(7).unwrap(), [5]);

        assert_eq!(queue.try_get().unwrap_err(), TryGetError::Empty);
        assert!(matches!(queue.try_lease().unwrap_err(), TryGetError::Empty));
        for limit in [Duration::ZERO, MOMENT] {
            let start = Instant::now();
            assert_eq!(queue.get_timeout(limit).unwrap_err(), GetTimeoutError::Timeout);
            assert!(start.elapsed() >= limit);
            assert!(matches!(queue.lease_timeout(limit).unwrap_err(), GetTimeoutError::Timeout));
        }
        assert_eq!(queue.get_up_to(0).unwrap(), [0; 0]);
    });
}

#[test]
fn a_put_waits_for_room_and_a_get_for_an_item_for_as_long_as_it_takes() {
    alone(|| {
        let queue = numbers(1);
        let before = handled(&queue);
        let taker = get_numbers::spawn(queue.clone(), 3).unwrap();
        until_handled(&queue, before, 1);
        assert!(taker.join_timeout(MOMENT).is_none());
        put_numbers::spawn(queue.clone(), 0, 3).unwrap().join().unwrap();
        assert_eq!(taker.join().unwrap(), [0, 1, 2]);

        queue.put(10).unwrap();
        let before = handled(&queue);
        let putter = put_numbers::spawn(queue.clone(), 11, 13).unwrap();
        until_handled(&queue, before, 1);
        assert!(putter.join_timeout(MOMENT).is_none());
        assert_eq!((0..3).map(|_| queue.get().unwrap()).collect::<Vec<_>>(), [10, 11, 12]);
        putter.join().unwrap();
    });
}

/// A process that gives up has neither put nor taken anything, even in the moment in which it could have.
#[test]
fn a_timeout_loses_nothing_and_doubles_nothing() {
    alone(|| {
        let queue = numbers(1);
        let total = thread::scope(|scope| {
            let takers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut got = Vec::new();
                        loop {
                            match queue.get_timeout(Duration::from_micros(200)) {
                                Ok(number) => got.push(number),
                                Err(GetTimeoutError::Timeout) => {}
                                Err(GetTimeoutError::Closed) => return got,
                                Err(error) => panic!("{error}"),
                            }
                        }
                    })
                })
                .collect();
            let putters: Vec<_> = (0..3_u64)
                .map(|putter| {
                    let queue = &queue;
                    scope.spawn(move || {
                        for number in 0..300 {
                            let mut item = putter * 1000 + number;
                            while let Err(error) = queue.put_timeout(item, Duration::from_micros(200)) {
                                assert!(matches!(error, PutTimeoutError::Timeout(_)), "{error}");
                                item = error.into_inner();
                            }
                        }
                    })
                })
                .collect();
            putters.into_iter().for_each(|putter| putter.join().unwrap());
            queue.close().unwrap();
            takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect::<Vec<_>>()
        });
        let mut sorted = total;
        sorted.sort_unstable();
        let expected: Vec<u64> = (0..3).flat_map(|putter| (0..300).map(move |n| putter * 1000 + n)).collect();
        assert_eq!(sorted, expected);
    });
}

#[test]
fn those_who_wait_are_served_in_the_order_in_which_they_came() {
    alone(|| {
        let queue = numbers(100);
        thread::scope(|scope| {
            let mut takers = Vec::new();
            for _ in 0..5 {
                let before = handled(&queue);
                takers.push(scope.spawn(|| queue.get().unwrap()));
                until_handled(&queue, before, 1);
            }
            queue.put_all(0..5).unwrap();
            let got: Vec<u64> = takers.into_iter().map(|taker| taker.join().unwrap()).collect();
            assert_eq!(got, [0, 1, 2, 3, 4]);
        });
        let queue = numbers(1);
        queue.put(0).unwrap();
        thread::scope(|scope| {
            for number in 1..6 {
                let (queue, before) = (&queue, handled(&queue));
                scope.spawn(move || queue.put(number).unwrap());
                until_handled(queue, before, 1);
            }
            // A producer that does not wait does not overtake those that do.
            assert_eq!(queue.try_put(9).unwrap_err(), TryPutError::Full(9));
            assert_eq!((0..6).map(|_| queue.get().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        });
    });
}

#[test]
fn a_batch_waits_for_room_piece_by_piece() {
    alone(|| {
        let queue = numbers(4);
        thread::scope(|scope| {
            let putter = scope.spawn(|| queue.put_all(0..1000));
            eventually("it is full", EVENT_TIMEOUT, || queue.is_full().unwrap());
            let mut got = Vec::new();
            while got.len() < 1000 {
                let some = queue.get_up_to(3).unwrap();
                assert!((1..=3).contains(&some.len()));
                got.extend(some);
            }
            putter.join().unwrap().unwrap();
            assert!(got.into_iter().eq(0..1000));
        });
        assert!(queue.is_empty().unwrap());
    });
}

#[test]
fn a_queue_without_a_bound_takes_everything_and_one_without_room_is_refused() {
    alone(|| {
        let queue = Queue::<u64>::unbounded().unwrap();
        queue.put_all(0..50_000).unwrap();
        assert_eq!((queue.len().unwrap(), queue.capacity(), queue.is_full().unwrap()), (50_000, None, false));
        let mut got = Vec::new();
        while got.len() < 50_000 {
            got.extend(queue.get_up_to(usize::MAX).unwrap());
        }
        assert!(got.into_iter().eq(0..50_000));
        let error = Queue::<u64>::bounded(0).unwrap_err();
        assert!(
            matches!(&error, SpawnError::Option { error, .. } if error.contains("at least 1")),
            "{error}"
        );
    });
}
