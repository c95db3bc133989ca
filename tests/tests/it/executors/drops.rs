//! Drops in async code: what is dropped there does not block the executor's thread.

use phalanx::{Pool, Queue};
use phalanx_tests::{EVENT_TIMEOUT, Latch, Program, alone, eventually};

use super::{executor, until_no_child_is_left, with_turns};

fn pass(latch: Latch) {
    latch.pass();
    latch.mark("done");
}

#[test]
fn a_pool_of_async_code_ends_by_itself_when_it_is_dropped() {
    alone(|| {
        let latch = Latch::new("latch");
        executor().block_on(async {
            let pool = Pool::builder().workers(1).build_async().await.unwrap();
            let task = pool.submit(pass, latch.clone());
            drop(pool); // does not wait for the task
            with_turns(task, || latch.open()).await.unwrap();
        });
        latch.await_mark("done");
        until_no_child_is_left();
        latch.remove();
    });
}

#[test]
fn awaiting_a_task_makes_a_pool_one_of_async_code() {
    alone(|| {
        let latch = Latch::new("latch");
        let pool = Pool::builder().workers(1).build().unwrap();
        executor().block_on(async {
            assert_eq!(pool.submit(|number: u64| number + 1, 1).await, Ok(2));
            let task = pool.submit(pass, latch.clone());
            drop(pool);
            with_turns(task, || latch.open()).await.unwrap();
        });
        latch.await_mark("done");
        until_no_child_is_left();
        latch.remove();
    });
}

#[test]
fn the_end_of_the_program_waits_for_a_pool_that_was_dropped() {
    alone(|| {
        let latch = Latch::new("latch");
        executor().block_on(async {
            let pool = Pool::builder().workers(1).build_async().await.unwrap();
            drop(pool.submit(pass, latch.clone()));
        });
        let opener = std::thread::spawn({
            let latch = latch.clone();
            move || latch.open()
        });
        phalanx::shutdown();
        opener.join().unwrap();
        latch.await_mark("done");
        latch.remove();
    });
}

#[test]
fn a_pool_that_no_async_code_has_used_waits_for_its_tasks_when_it_is_dropped() {
    alone(|| {
        let latch = Latch::new("latch");
        latch.open();
        let pool = Pool::builder().workers(1).build().unwrap();
        let task = pool.submit(pass, latch.clone());
        drop(pool);
        assert!(task.is_done());
        latch.await_mark("done");
        latch.remove();
    });
}

#[test]
fn a_lease_is_given_back_while_the_mailbox_of_its_queue_is_full() {
    alone(|| {
        let queue: Queue<u64> = Queue::bounded(10).unwrap();
        executor().block_on(async {
            queue.put_async(1).await.unwrap();
            drop(queue.lease_async().await.unwrap());
        });
        eventually("the lease to be back", EVENT_TIMEOUT, || queue.leased() == Ok(0));
        assert_eq!(queue.get(), Ok(1));
        queue.stop();
    });
}

#[test]
fn the_end_of_the_program_waits_for_what_is_parked() {
    let run = Program::new(env!("CARGO_BIN_EXE_scenario")).args(["parked"]).start();
    assert_eq!(run.rest(), ["10 parked", "10 seen"]);
    assert_eq!(run.finish(), 0);
}
