//! Starts: of actors, tasks, supervisors, queues, stores and pools.

use phalanx::prelude::*;
use phalanx::{Pool, Queue, Store};
use phalanx_tests::{EVENT_TIMEOUT, Latch, alone};

use super::{Gate, TURN, TURNS, beside, executor, give_up, until_no_child_is_left};

#[test]
fn a_spawn_waits_for_the_init_and_the_executor_goes_on() {
    alone(|| {
        let latch = Latch::new("latch");
        let gate = beside(Gate::spawn_async(Some(latch.clone())), || latch.open()).unwrap();
        assert_eq!(gate.add(1).wait(), Ok(1));
        gate.stop(EVENT_TIMEOUT).unwrap();
        latch.await_mark("begun");
        latch.remove();
    });
}

#[test]
fn a_supervisor_starts_its_children_and_the_executor_goes_on() {
    alone(|| {
        let latch = Latch::new("latch");
        let builder = Supervisor::one_for_one().child("gate", Gate::builder(Some(latch.clone())));
        let supervisor = beside(builder.start_async(), || latch.open()).unwrap();
        assert_eq!(supervisor.which_children().unwrap().len(), 1);
        let other = Latch::new("other");
        let child = supervisor.start_child_async("other", Gate::builder(Some(other.clone())));
        let child = beside(child, || other.open()).unwrap();
        assert_eq!(child.add(2).wait(), Ok(2));
        supervisor.stop(EVENT_TIMEOUT).unwrap();
        for latch in [latch, other] {
            latch.await_mark("begun");
            latch.remove();
        }
    });
}

#[supervisor]
struct Family {
    gate: Gate,
}

#[test]
fn a_declared_supervisor_is_started_from_async_code() {
    alone(|| {
        let latch = Latch::new("latch");
        let args = FamilyArgs { gate: Gate::builder(Some(latch.clone())) };
        let family = beside(Family::start_async(args), || latch.open()).unwrap();
        assert_eq!(family.gate.add(3).wait(), Ok(3));
        family.stop(EVENT_TIMEOUT).unwrap();
        latch.await_mark("begun");
        latch.remove();
    });
}

#[task]
fn double(number: u64) -> u64 {
    2 * number
}

#[test]
fn services_and_tasks_are_started_from_async_code() {
    alone(|| {
        executor().block_on(async {
            assert_eq!(double::spawn_async(4).await.unwrap().await, Ok(8));
            assert_eq!(Process::builder(double, 5).spawn_async().await.unwrap().join_async().await, Ok(10));
            let queue: Queue<u64> = Queue::builder().name("numbers").spawn_async().await.unwrap();
            let added = Process::spawn_async(|number: u64| number + 1, 1).await.unwrap();
            assert_eq!(added.await, Ok(2));
            let small = Queue::<u64>::bounded_async(2).await.unwrap();
            let large = Queue::<u64>::unbounded_async().await.unwrap();
            assert_eq!((small.capacity(), large.capacity()), (Some(2), None));
            let store = Store::start_async().await.unwrap();
            let pool = Pool::builder().workers(1).build_async().await.unwrap();
            assert_eq!((queue.name(), pool.name(), store.is_alive()), ("numbers", "pool", true));
            let doubles = Pool::builder().workers(1).start_async(double).await.unwrap();
            assert_eq!(doubles.run_async(6).await, Ok(12));
            queue.stop_async().await;
            assert!(store.stop_async(EVENT_TIMEOUT).await.unwrap().is_orderly());
        });
    });
}

#[test]
fn the_error_of_a_start_is_that_of_its_future() {
    alone(|| {
        executor().block_on(async {
            let wrong = Gate::builder(None).mailbox(0).spawn_async().await;
            assert!(matches!(wrong, Err(SpawnError::Option { .. })), "{wrong:?}");
            let wrong = Queue::<u64>::builder().capacity(0).spawn_async().await;
            assert!(matches!(wrong, Err(SpawnError::Option { .. })), "{wrong:?}");
            let wrong = Pool::builder().workers(0).build_async().await;
            assert!(matches!(wrong, Err(SpawnError::Option { .. })), "{wrong:?}");
        });
    });
}

#[test]
fn a_spawn_that_is_given_up_stops_what_it_has_started() {
    alone(|| {
        let latch = Latch::new("latch");
        executor().block_on(async {
            // Never polled: nothing begins.
            drop(Gate::spawn_async(Some(latch.clone())));
            give_up(Gate::spawn_async(Some(latch.clone()))).await;
        });
        // It is in its init, and cannot know yet.
        latch.await_mark("begun");
        latch.open();
        until_no_child_is_left();
        latch.remove();
    });
}

#[test]
fn a_spawn_that_is_ready_and_given_up_is_stopped() {
    alone(|| {
        executor().block_on(async {
            let mut spawning = Box::pin(Gate::spawn_async(None));
            // Polled once, and not again when it is ready.
            give_up_after_one_poll(spawning.as_mut()).await;
            while phalanx::children().is_empty() {
                tokio::time::sleep(TURN).await;
            }
            tokio::time::sleep(TURNS * TURN).await;
            drop(spawning);
        });
        until_no_child_is_left();
    });
}

async fn give_up_after_one_poll<F: Future>(mut future: std::pin::Pin<&mut F>) {
    let polled = std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context))).await;
    assert!(polled.is_pending());
}

#[test]
fn many_starts_at_the_same_time_wait_in_line() {
    alone(|| {
        executor().block_on(async {
            let mut starts = tokio::task::JoinSet::new();
            for number in 0..80 {
                starts.spawn(async move {
                    let gate = Gate::spawn_async(None).await.unwrap();
                    assert_eq!(gate.add(number).await, Ok(number));
                    gate.stop_async(EVENT_TIMEOUT).await.unwrap().is_orderly()
                });
            }
            while let Some(ended) = starts.join_next().await {
                assert!(ended.unwrap());
            }
        });
    });
}
