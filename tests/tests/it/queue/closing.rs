//! Closed queues: nothing in, what is left out, and then the end.

use std::thread;

use phalanx::prelude::*;
use phalanx::{GetError, GetTimeoutError, PutError, PutTimeoutError, Queue, TryGetError, TryPutError};
use phalanx_tests::{EVENT_TIMEOUT, alone};

use super::{MOMENT, get_numbers, handled, numbers, until_handled};

/// Takes until the queue is closed and empty.
#[task]
fn sum(queue: Queue<u64>) -> u64 {
    (&queue).into_iter().map(|number| number.unwrap()).sum()
}

#[test]
fn a_closed_queue_gives_out_what_it_holds_and_takes_nothing() {
    alone(|| {
        let queue = numbers(10);
        queue.put_all([1, 2]).unwrap();
        assert!(!queue.is_closed().unwrap());
        queue.close().unwrap();
        assert!(queue.is_closed().unwrap());
        assert_eq!(queue.put(3).unwrap_err(), PutError::Closed(3));
        assert_eq!(queue.try_put(3).unwrap_err(), TryPutError::Closed(3));
        assert_eq!(queue.put_timeout(3, EVENT_TIMEOUT).unwrap_err(), PutTimeoutError::Closed(3));
        let error = queue.put_all([3, 4]).unwrap_err();
        assert_eq!((error.stored, error.rest, error.error), (0, vec![3, 4], PutError::Closed(())));
        assert_eq!((queue.get().unwrap(), queue.get().unwrap()), (1, 2));
        assert_eq!(queue.get().unwrap_err(), GetError::Closed);
        assert_eq!(queue.try_get().unwrap_err(), TryGetError::Closed);
        assert_eq!(queue.get_timeout(EVENT_TIMEOUT).unwrap_err(), GetTimeoutError::Closed);
        assert_eq!(queue.get_up_to(5).unwrap_err(), GetError::Closed);
        assert!(matches!(queue.lease().unwrap_err(), GetError::Closed));
        queue.close().unwrap();
        queue.join().unwrap();
    });
}

#[test]
fn closing_ends_the_waiting_of_those_who_put_and_those_who_take() {
    alone(|| {
        let (full, empty) = (numbers(2), numbers(2));
        full.put_all([1, 2]).unwrap();
        thread::scope(|scope| {
            let before = (handled(&full), handled(&empty));
            let one = scope.spawn(|| full.put(3));
            let timed = scope.spawn(|| full.put_timeout(4, EVENT_TIMEOUT));
            let taker = get_numbers::builder(empty.clone(), 1).spawn().unwrap();
            let taking = scope.spawn(|| empty.get_timeout(EVENT_TIMEOUT));
            until_handled(&full, before.0, 2);
            until_handled(&empty, before.1, 2);
            full.close().unwrap();
            empty.close().unwrap();
            assert_eq!(one.join().unwrap().unwrap_err(), PutError::Closed(3));
            assert_eq!(timed.join().unwrap().unwrap_err(), PutTimeoutError::Closed(4));
            assert_eq!(taking.join().unwrap().unwrap_err(), GetTimeoutError::Closed);
            // It unwraps the error, and dies of that.
            assert!(matches!(taker.join(), Err(CallError::Died(ExitReason::Panicked { .. }, _))));
        });
        assert_eq!(full.iter().map(Result::unwrap).collect::<Vec<_>>(), [1, 2]);
    });
}

#[test]
fn a_batch_that_is_cut_by_the_close_says_how_much_of_it_is_stored() {
    alone(|| {
        let queue = numbers(3);
        let before = handled(&queue);
        thread::scope(|scope| {
            let putter = scope.spawn(|| queue.put_all(0..10));
            until_handled(&queue, before, 1);
            queue.close().unwrap();
            let error = putter.join().unwrap().unwrap_err();
            assert_eq!((error.stored, error.error), (3, PutError::Closed(())));
            assert!(error.rest.into_iter().eq(3..10));
        });
        assert_eq!(queue.get_up_to(10).unwrap(), [0, 1, 2]);
    });
}

#[test]
fn iterating_ends_when_the_queue_is_closed_and_empty() {
    alone(|| {
        let queue = numbers(8);
        let takers: Vec<_> = (0..3).map(|_| sum::spawn(queue.clone()).unwrap()).collect();
        queue.put_all(1..=1000).unwrap();
        queue.close().unwrap();
        let sums: Vec<u64> = takers.into_iter().map(|taker| taker.join().unwrap()).collect();
        assert_eq!(sums.iter().sum::<u64>(), 500_500);
        assert_eq!(queue.iter().count(), 0);
    });
}

/// What is leased may come back, so that is not yet the end.
#[test]
fn a_closed_queue_is_not_at_its_end_while_something_is_leased() {
    alone(|| {
        let queue = numbers(8);
        queue.put(1).unwrap();
        let lease = queue.lease().unwrap();
        queue.close().unwrap();
        assert_eq!(queue.try_get().unwrap_err(), TryGetError::Empty);
        assert_eq!(queue.get_timeout(MOMENT).unwrap_err(), GetTimeoutError::Timeout);
        assert!(!queue.join_timeout(MOMENT).unwrap());
        lease.nack().unwrap();
        let lease = queue.lease().unwrap();
        thread::scope(|scope| {
            let before = handled(&queue);
            let taker = scope.spawn(|| queue.get());
            until_handled(&queue, before, 1);
            assert_eq!(lease.ack().unwrap(), 1);
            assert_eq!(taker.join().unwrap().unwrap_err(), GetError::Closed);
        });
        assert_eq!(queue.try_get().unwrap_err(), TryGetError::Closed);
    });
}
