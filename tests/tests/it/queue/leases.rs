//! Items on lease: acknowledged, given back, waited for.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{Queue, TryGetError};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually};

use super::{MOMENT, handled, hold_one, kill, numbers, until_handled};

/// Leases, gives back what it is told to once, and acknowledges the rest until the queue is closed. Returns
/// what it has done.
#[task]
fn work(queue: Queue<u64>, refused: u64) -> Vec<u64> {
    let mut done = Vec::new();
    for lease in queue.leases() {
        let lease = lease.unwrap();
        if *lease == refused && lease.deliveries() == 1 {
            lease.nack().unwrap();
        } else {
            done.push(lease.ack().unwrap());
        }
    }
    done
}

/// Waits until all is done, then says so.
#[task]
fn join_and_say(queue: Queue<u64>, said: Queue<()>) {
    queue.join().unwrap();
    said.put(()).unwrap();
}

/// As Python's `task_done` and `join`.
#[test]
fn a_join_returns_after_the_last_acknowledgement_and_what_is_given_back_comes_once_more() {
    alone(|| {
        let (queue, said) = (numbers(20), Queue::bounded(1).unwrap());
        queue.put_all(0..10).unwrap();
        // Held here, so that the others cannot have finished.
        let (mut first, before) = (vec![queue.lease().unwrap()], handled(&queue));
        first.push(queue.lease().unwrap());
        let joining = join_and_say::spawn(queue.clone(), said.clone()).unwrap();
        until_handled(&queue, before, 1);
        let workers: Vec<_> = (0..4).map(|_| work::spawn(queue.clone(), 7).unwrap()).collect();
        eventually("the others are done", EVENT_TIMEOUT, || {
            queue.is_empty().unwrap() && queue.leased().unwrap() == 2
        });
        assert!(!queue.join_timeout(MOMENT).unwrap());
        assert_eq!(first.pop().unwrap().ack().unwrap(), 1);
        assert!(!queue.join_timeout(MOMENT).unwrap() && said.is_empty().unwrap());
        first.pop().unwrap().ack().unwrap();
        assert!(queue.join_timeout(EVENT_TIMEOUT).unwrap());
        joining.join().unwrap();
        said.try_get().unwrap();
        queue.close().unwrap();
        let mut done: Vec<u64> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
        done.sort_unstable();
        assert!(done.into_iter().eq(2..10));
    });
}

#[test]
fn what_comes_back_is_first_in_line_in_its_old_order_and_counts_its_deliveries() {
    alone(|| {
        let queue = numbers(10);
        queue.put_all(0..5).unwrap();
        let mut leases: Vec<_> = (0..3).map(|_| queue.lease().unwrap()).collect();
        assert_eq!((queue.len().unwrap(), queue.leased().unwrap()), (2, 3));
        assert!(leases.iter().all(|lease| lease.deliveries() == 1));
        // In whichever order they are given back.
        drop(leases.remove(1));
        leases.remove(1).nack().unwrap();
        drop(leases);
        assert_eq!((queue.len().unwrap(), queue.leased().unwrap()), (5, 0));
        let again = queue.lease().unwrap();
        assert_eq!((*again, again.deliveries()), (0, 2));
        again.nack().unwrap();
        let deliveries: Vec<_> = (0..5)
            .map(|_| {
                let lease = queue.lease().unwrap();
                let deliveries = lease.deliveries();
                (lease.ack().unwrap(), deliveries)
            })
            .collect();
        assert_eq!(deliveries, [(0, 3), (1, 2), (2, 2), (3, 1), (4, 1)]);
        assert!(queue.join_timeout(Duration::ZERO).unwrap());
    });
}

#[test]
fn what_is_leased_takes_no_room_and_comes_back_into_a_full_queue() {
    alone(|| {
        let queue = numbers(2);
        queue.put_all([1, 2]).unwrap();
        let lease = queue.lease().unwrap();
        queue.try_put(3).unwrap();
        assert!(queue.is_full().unwrap());
        drop(lease);
        assert_eq!(queue.len().unwrap(), 3);
        assert!(queue.try_put(4).is_err());
        assert_eq!(queue.get_up_to(3).unwrap(), [1, 2, 3]);
    });
}

#[test]
fn an_item_is_changed_by_its_holder_and_comes_back_as_it_was() {
    alone(|| {
        let queue = Queue::bounded(2).unwrap();
        queue.put("work".to_owned()).unwrap();
        let mut lease = queue.lease().unwrap();
        lease.push_str(", done");
        assert_eq!(*lease, "work, done");
        drop(lease);
        assert_eq!(queue.lease().unwrap().ack().unwrap(), "work");
        assert_eq!(queue.try_lease().unwrap_err(), TryGetError::Empty);
    });
}

#[test]
fn threads_of_one_process_lease_side_by_side() {
    alone(|| {
        let queue = numbers(1000);
        queue.put_all(0..400).unwrap();
        queue.close().unwrap();
        let counts = thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut done = HashMap::<u64, u32>::new();
                        for lease in queue.leases() {
                            let lease = lease.unwrap();
                            // One in seven is given back, once.
                            if *lease % 7 == 0 && lease.deliveries() == 1 {
                                continue;
                            }
                            *done.entry(lease.ack().unwrap()).or_default() += 1;
                        }
                        done
                    })
                })
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(counts.len(), 400);
        assert!(counts.iter().all(|(_, count)| *count == 1));
    });
}

#[test]
fn an_item_whose_holder_is_killed_goes_to_another_one_before_all_others() {
    alone(|| {
        let (queue, held) = (numbers(10), numbers(10));
        queue.put_all(0..3).unwrap();
        let holder = hold_one::spawn(queue.clone(), held.clone()).unwrap();
        assert_eq!(held.get().unwrap(), 0);
        assert_eq!((queue.len().unwrap(), queue.leased().unwrap()), (2, 1));
        kill(&holder.any());
        eventually("it is back", EVENT_TIMEOUT, || queue.len().unwrap() == 3);
        let lease = queue.lease().unwrap();
        assert_eq!((*lease, lease.deliveries()), (0, 2));
        lease.ack().unwrap();
        assert_eq!(queue.get_up_to(5).unwrap(), [1, 2]);
        assert!(queue.join_timeout(EVENT_TIMEOUT).unwrap());
    });
}

#[test]
fn a_process_that_ends_in_order_gives_back_what_it_holds_too() {
    alone(|| {
        let queue = numbers(10);
        queue.put(5).unwrap();
        Process::spawn(
            |queue: Queue<u64>| {
                std::mem::forget(queue.lease().unwrap());
            },
            queue.clone(),
        )
        .unwrap()
        .join()
        .unwrap();
        assert_eq!(queue.lease_timeout(EVENT_TIMEOUT).unwrap().ack().unwrap(), 5);
    });
}
