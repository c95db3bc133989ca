//! The deaths of consumers, producers and of the queue itself.

use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{
    Blob, GetError, GetTimeoutError, PutAllError, PutError, PutTimeoutError, Queue, QueueError, Restart,
    TryGetError,
};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, RESTART_WINDOW, alone, eventually, processes};

use super::{MOMENT, get_numbers, handled, hold_one, is_gone, kill, numbers, until_handled, wait_for_one};

/// Gets one, says so, and holds it in its hands.
#[task]
fn get_and_say(queue: Queue<u64>, said: Queue<u64>) {
    let number = queue.get().unwrap();
    said.put(number).unwrap();
    thread::sleep(FOREVER);
}

/// Puts 16 MiB again and again.
#[task]
fn put_large(queue: Queue<Blob>) {
    while queue.put(vec![9; 16 << 20].into()).is_ok() {}
}

/// Acknowledges what it leases, slowly, until the queue is closed. Returns how many.
#[task]
fn work(queue: Queue<u64>, done: Queue<u64>) {
    for lease in queue.leases() {
        let lease = lease.unwrap();
        thread::sleep(Duration::from_millis(1));
        done.put(*lease).unwrap();
        lease.ack().unwrap();
    }
}

/// Holds leases over its own restarts.
#[actor]
struct Worker {
    queue: Queue<u64>,
}

#[actor]
impl Worker {
    fn hold(&self) -> u64 {
        let lease = self.queue.lease().unwrap();
        let number = *lease;
        std::mem::forget(lease);
        number
    }

    fn crash(&self) {
        std::process::abort()
    }
}

#[test]
fn what_a_consumer_has_got_is_lost_with_it_and_nothing_hangs() {
    alone(|| {
        let (queue, said) = (numbers(10), numbers(10));
        queue.put_all(0..3).unwrap();
        let consumer = get_and_say::spawn(queue.clone(), said.clone()).unwrap();
        assert_eq!(said.get().unwrap(), 0);
        kill(&consumer.any());
        queue.close().unwrap();
        assert_eq!(get_numbers::spawn(queue.clone(), 2).unwrap().join().unwrap(), [1, 2]);
        assert_eq!(queue.get_timeout(EVENT_TIMEOUT).unwrap_err(), GetTimeoutError::Closed);
        assert!(queue.join_timeout(EVENT_TIMEOUT).unwrap());
    });
}

#[test]
fn an_item_is_not_given_to_a_consumer_that_was_killed_while_it_waited() {
    alone(|| {
        let (queue, waiting) = (numbers(10), Queue::bounded(10).unwrap());
        let consumers: Vec<_> =
            (0..3).map(|_| wait_for_one::spawn(queue.clone(), waiting.clone()).unwrap()).collect();
        for _ in &consumers {
            waiting.get().unwrap();
        }
        until_handled(&queue, 0, 3);
        kill(&consumers[0].any());
        kill(&consumers[1].any());
        queue.put_all([7, 8]).unwrap();
        assert_eq!(consumers[2].join().unwrap(), Some(7));
        assert_eq!(queue.get_timeout(EVENT_TIMEOUT).unwrap(), 8);
    });
}

#[test]
fn consumers_that_come_and_are_killed_while_they_wait_leave_nothing_in_the_queue() {
    alone(|| {
        let (queue, waiting) = (numbers(10), Queue::bounded(10).unwrap());
        let descriptors = |queue: &Queue<u64>| {
            std::fs::read_dir(format!("/proc/{}/fd", queue.process().pid())).unwrap().count()
        };
        queue.len().unwrap();
        let before = descriptors(&queue);
        for _ in 0..150 {
            let consumer = wait_for_one::spawn(queue.clone(), waiting.clone()).unwrap();
            waiting.get().unwrap();
            kill(&consumer.any());
        }
        let after = descriptors(&queue);
        // Calls that no process waits for any more go when there are many.
        assert!(after < before + 150, "{before} descriptors, then {after}");
        queue.put(1).unwrap();
        assert_eq!(queue.get().unwrap(), 1);
    });
}

#[test]
fn a_producer_that_is_killed_while_it_puts_16_mib_has_put_it_or_not() {
    alone(|| {
        let queue = Queue::bounded(2).unwrap();
        for round in 0..15_u64 {
            let producer = put_large::spawn(queue.clone()).unwrap();
            // At some moment of its first puts: while it encodes, sends or waits for room.
            thread::sleep(Duration::from_millis(round * 3));
            kill(&producer.any());
            let mut got = 0;
            while let Ok(item) = queue.get_timeout(Duration::ZERO) {
                assert!(item.len() == 16 << 20 && item.iter().all(|&byte| byte == 9));
                got += 1;
            }
            assert!(got <= 3, "{got}");
            assert_eq!(queue.len().unwrap(), 0);
        }
        queue.put(vec![1].into()).unwrap();
        assert_eq!(*queue.get().unwrap(), [1]);
    });
}

#[test]
fn when_the_queue_is_killed_every_call_that_waits_ends_with_its_error() {
    alone(|| {
        let (full, empty, held) = (numbers(1), numbers(1), numbers(4));
        full.put(0).unwrap();
        held.put(1).unwrap();
        let lease = held.lease().unwrap();
        let waiting_child = get_numbers::spawn(empty.clone(), 1).unwrap();
        let before = [handled(&full), handled(&empty), handled(&held)];
        thread::scope(|scope| {
            let put = scope.spawn(|| full.put(1));
            let put_timeout = scope.spawn(|| full.put_timeout(2, EVENT_TIMEOUT));
            let put_all = scope.spawn(|| full.put_all(vec![3, 4]));
            let get = scope.spawn(|| empty.get());
            let get_timeout = scope.spawn(|| empty.get_timeout(EVENT_TIMEOUT));
            let several = scope.spawn(|| empty.get_up_to(9));
            let leasing = scope.spawn(|| empty.lease());
            let joining = scope.spawn(|| held.join());
            until_handled(&full, before[0], 3);
            until_handled(&empty, before[1], 5);
            until_handled(&held, before[2], 1);
            for queue in [&full, &empty, &held] {
                kill(&queue.process());
            }
            let PutError::Failed(1, error) = put.join().unwrap().unwrap_err() else { panic!() };
            assert!(is_gone(&error), "{error}");
            let PutTimeoutError::Failed(2, error) = put_timeout.join().unwrap().unwrap_err() else {
                panic!()
            };
            assert!(is_gone(&error), "{error}");
            let PutAllError { stored, rest, error, .. } = put_all.join().unwrap().unwrap_err();
            assert_eq!((stored, rest), (0, vec![3, 4]));
            assert!(matches!(error, PutError::Failed((), error) if is_gone(&error)));
            for error in [
                get.join().unwrap().unwrap_err(),
                several.join().unwrap().unwrap_err(),
                leasing.join().unwrap().unwrap_err(),
            ] {
                assert!(matches!(&error, GetError::Failed(error) if is_gone(error)), "{error}");
            }
            let error = get_timeout.join().unwrap().unwrap_err();
            assert!(matches!(&error, GetTimeoutError::Failed(error) if is_gone(error)), "{error}");
            assert!(is_gone(&joining.join().unwrap().unwrap_err()));
        });
        assert!(matches!(waiting_child.join(), Err(CallError::Died(ExitReason::Panicked { .. }, _))));
        // And every later one too.
        assert!(is_gone(&lease.ack().unwrap_err()));
        assert!(is_gone(&full.len().unwrap_err()) && is_gone(&full.close().unwrap_err()));
        assert!(matches!(full.try_get(), Err(TryGetError::Failed(error)) if is_gone(&error)));
        assert!(matches!(full.put(1), Err(PutError::Failed(1, error)) if is_gone(&error)));
        let mut items = full.iter();
        assert!(matches!(items.next(), Some(Err(GetError::Failed(_)))) && items.next().is_none());
    });
}

#[test]
fn workers_that_are_killed_all_the_time_lose_no_leased_item() {
    alone(|| {
        const JOBS: u64 = 400;
        let (queue, done) = (numbers(1000), numbers(10_000));
        queue.put_all(0..JOBS).unwrap();
        queue.close().unwrap();
        let spawn = || work::spawn(queue.clone(), done.clone()).unwrap();
        let mut workers: Vec<_> = (0..3).map(|_| spawn()).collect();
        let mut kills = 0;
        while !queue.join_timeout(Duration::from_millis(15)).unwrap() {
            let victim = &mut workers[kills % 3];
            processes::kill(victim.pid());
            let _ = victim.join();
            *victim = spawn();
            kills += 1;
            assert!(kills < 1000);
        }
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        assert!(kills > 3, "{kills}");
        let mut all = Vec::new();
        while let Ok(number) = done.try_get() {
            all.push(number);
        }
        // At least once each; more than once only those that a process died with.
        let counted = all.len();
        assert!(counted <= JOBS as usize + kills, "{counted} for {kills} kills");
        all.sort_unstable();
        all.dedup();
        assert!(all.into_iter().eq(0..JOBS));
    });
}

#[test]
fn an_actor_that_is_restarted_holds_nothing_of_what_its_last_process_held() {
    alone(|| {
        let queue = numbers(10);
        queue.put_all(0..2).unwrap();
        let worker = Worker { queue: queue.clone() };
        let worker =
            worker.builder().restart(Restart::Permanent).intensity(20, RESTART_WINDOW).spawn().unwrap();
        for round in 0..5 {
            assert_eq!(worker.hold().wait().unwrap(), 0);
            assert!(worker.crash().wait().is_err());
            eventually("it is back", EVENT_TIMEOUT, || queue.len().unwrap() == 2);
            assert_eq!(worker.incarnation().max(round + 1), worker.incarnation());
        }
        let lease = queue.lease().unwrap();
        assert_eq!((*lease, lease.deliveries()), (0, 6));
    });
}

#[test]
fn a_lease_of_the_living_stays_while_others_die() {
    alone(|| {
        let (queue, held) = (numbers(10), numbers(10));
        queue.put_all(0..4).unwrap();
        let lease = queue.lease().unwrap();
        let others: Vec<_> = (0..2).map(|_| hold_one::spawn(queue.clone(), held.clone()).unwrap()).collect();
        let mut numbers = [held.get().unwrap(), held.get().unwrap()];
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2]);
        processes::kill_together(&[others[0].pid(), others[1].pid()]);
        eventually("they are back", EVENT_TIMEOUT, || queue.leased().unwrap() == 1);
        assert!(!queue.join_timeout(MOMENT).unwrap());
        assert_eq!(lease.ack().unwrap(), 0);
        assert_eq!(queue.get_up_to(9).unwrap(), [1, 2, 3]);
    });
}

#[test]
fn a_queue_that_hangs_is_an_error_and_nothing_that_waits_for_ever() {
    alone(|| {
        let queue = numbers(10);
        let pid = i64::from(queue.process().pid());
        processes::signal("STOP", pid);
        // It waits a little longer for what may be on its way.
        let error = queue.get_timeout(MOMENT).unwrap_err();
        assert!(matches!(
            error,
            GetTimeoutError::Timeout | GetTimeoutError::Failed(QueueError::Unreachable(_))
        ));
        processes::signal("CONT", pid);
        queue.put(1).unwrap();
        assert_eq!(queue.get_timeout(EVENT_TIMEOUT).unwrap(), 1);
    });
}
