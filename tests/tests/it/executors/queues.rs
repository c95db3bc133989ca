//! Queues: room and items are waited for without the executor's thread, and nothing is lost with a future.

use phalanx::prelude::*;
use phalanx::{GetError, PutError, Queue, QueueError};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually};

use super::{beside, executor, give_up, with_turns};

fn numbers(capacity: usize) -> Queue<u64> {
    Queue::bounded(capacity).unwrap()
}

#[test]
fn a_put_waits_for_room_and_the_executor_goes_on() {
    alone(|| {
        let queue = numbers(1);
        queue.put(1).unwrap();
        let put = beside(queue.put_async(2), || assert_eq!(queue.get(), Ok(1)));
        put.unwrap();
        assert_eq!(queue.get(), Ok(2));
        queue.stop();
    });
}

#[test]
fn a_get_waits_for_an_item_and_the_executor_goes_on() {
    alone(|| {
        let queue = numbers(10);
        assert_eq!(beside(queue.get_async(), || queue.put(1).unwrap()), Ok(1));
        let several = beside(queue.get_up_to_async(5), || queue.put_all([2, 3]).unwrap()).unwrap();
        assert_eq!(several[0], 2);
        let lease = beside(queue.lease_async(), || queue.put(4).unwrap()).unwrap();
        drop(lease);
        // What a get has taken is taken for good, and what a lease has given back is there.
        eventually("the lease to be back", EVENT_TIMEOUT, || queue.leased() == Ok(0));
        assert!(!queue.is_empty().unwrap());
        queue.stop();
    });
}

#[test]
fn no_item_is_lost_with_a_get_that_is_given_up() {
    alone(|| {
        let queue = numbers(100);
        executor().block_on(async {
            give_up(queue.get_async()).await;
            queue.put_async(0).await.unwrap();
            for number in 1..=50 {
                // Dropped while it is on its way, or before, or just not any more.
                let mut get = Box::pin(queue.get_async());
                for _ in 0..number % 5 {
                    if let Ok(early) = tokio::time::timeout(super::TURN / 4, get.as_mut()).await {
                        queue.put_async(early.unwrap()).await.unwrap();
                        break;
                    }
                }
                drop(get);
            }
            let item = tokio::time::timeout(EVENT_TIMEOUT, queue.get_async()).await.expect("it is there");
            assert_eq!(item, Ok(0));
        });
        assert_eq!((queue.len(), queue.leased()), (Ok(0), Ok(0)));
        queue.stop();
    });
}

#[test]
fn a_put_of_many_waits_for_room_and_says_what_was_not_stored() {
    alone(|| {
        let queue = numbers(3);
        let put = beside(queue.put_all_async(0..5), || assert_eq!(queue.get_up_to(2), Ok(vec![0, 1])));
        put.unwrap();
        assert_eq!(queue.get_up_to(3), Ok(vec![2, 3, 4]));
        let error = beside(queue.put_all_async(0..5), || queue.close().unwrap()).unwrap_err();
        assert_eq!((error.stored, error.rest), (3, vec![3, 4]));
        queue.stop();
    });
}

#[test]
fn a_put_that_is_given_up_puts_nothing() {
    alone(|| {
        let queue = numbers(1);
        queue.put(1).unwrap();
        executor().block_on(async {
            give_up(queue.put_async(2)).await;
            assert_eq!(queue.get_async().await, Ok(1));
            queue.put_async(3).await.unwrap();
            assert_eq!(queue.get_async().await, Ok(3));
        });
        queue.stop();
    });
}

#[test]
fn a_join_waits_for_the_ack_and_the_executor_goes_on() {
    alone(|| {
        let queue = numbers(10);
        executor().block_on(async {
            queue.put_async(1).await.unwrap();
            let lease = queue.lease_async().await.unwrap();
            give_up(queue.join_async()).await;
            let ack = || assert_eq!(lease.ack(), Ok(1));
            with_turns(queue.join_async(), ack).await.unwrap();
        });
        queue.stop();
    });
}

#[test]
fn a_closed_queue_and_one_that_has_ended_are_errors() {
    alone(|| {
        let queue = numbers(1);
        executor().block_on(async {
            queue.put_async(1).await.unwrap();
            queue.close_async().await.unwrap();
            assert!(matches!(queue.put_async(2).await, Err(PutError::Closed(2))));
            assert_eq!(queue.get_async().await, Ok(1));
            assert_eq!(queue.get_async().await, Err(GetError::Closed));
            queue.stop_async().await;
            let gone = queue.get_async().await;
            assert!(matches!(gone, Err(GetError::Failed(QueueError::Gone(_)))), "{gone:?}");
            let gone = queue.put_async(3).await;
            assert!(matches!(gone, Err(PutError::Failed(3, QueueError::Gone(_)))), "{gone:?}");
        });
    });
}

#[test]
fn a_waiting_get_ends_with_the_queue() {
    alone(|| {
        let queue = numbers(1);
        let gone = beside(queue.get_async(), || queue.stop());
        assert!(matches!(gone, Err(GetError::Failed(QueueError::Gone(_)))), "{gone:?}");
    });
}

#[test]
fn futures_of_a_queue_go_to_other_threads() {
    fn check<F: Future + Send>(future: F) -> F {
        future
    }
    alone(|| {
        let queue = numbers(10);
        executor().block_on(async {
            check(queue.put_async(1)).await.unwrap();
            assert_eq!(check(queue.lease_async()).await.unwrap().ack(), Ok(1));
            check(queue.close_async()).await.unwrap();
        });
        queue.stop();
    });
}

#[task]
fn relay(from: Queue<u64>, to: Queue<u64>) -> phalanx::Result<u64> {
    executor().block_on(async {
        let mut relayed = 0;
        loop {
            match from.get_async().await {
                Ok(number) => to.put_async(number).await?,
                Err(GetError::Closed) => return Ok::<u64, phalanx::Error>(relayed),
                Err(error) => return Err(error.into()),
            }
            relayed += 1;
        }
    })
}

#[test]
fn queues_join_the_executors_of_several_processes() {
    alone(|| {
        let (there, back) = (numbers(3), numbers(3));
        let relays: Vec<_> = (0..2).map(|_| relay::spawn(there.clone(), back.clone()).unwrap()).collect();
        executor().block_on(async {
            let put = async {
                for number in 0..100 {
                    there.put_async(number).await.unwrap();
                }
                there.close_async().await.unwrap();
            };
            let get = async {
                let mut all = Vec::new();
                while all.len() < 100 {
                    all.push(back.get_async().await.unwrap());
                }
                all.sort_unstable();
                all
            };
            assert_eq!(tokio::join!(put, get).1, (0..100).collect::<Vec<_>>());
        });
        let relayed: u64 = relays.into_iter().map(|relay| relay.join().unwrap()).sum();
        assert_eq!(relayed, 100);
        there.stop();
        back.stop();
    });
}
