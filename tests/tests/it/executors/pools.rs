//! Pools: room, results and ends are waited for without the executor's thread.

use phalanx::Pool;
use phalanx::pool::{PoolError, Stop, TaskError, TaskHandle};
use phalanx_tests::{LATCH_TIMEOUT, Latch, alone, eventually};

use super::{beside, executor, give_up};

/// Waits in a worker until the latch is open.
fn pass(latch: Latch) -> u64 {
    latch.pass();
    7
}

fn square(number: u64) -> u64 {
    number * number
}

/// A pool with one worker, which is busy until the latch opens, and a full queue; with its tasks.
fn busy(latch: &Latch) -> (Pool, Vec<TaskHandle<u64>>) {
    let pool = Pool::builder().workers(1).queue(1).build().unwrap();
    let mut held = vec![pool.submit(pass, latch.clone())];
    eventually("the worker to begin", LATCH_TIMEOUT, || held[0].is_running());
    // None is given ahead to a worker whose tasks are not known to be short, so the queue stays full.
    while let Ok(task) = pool.try_submit(pass, latch.clone()) {
        held.push(task);
    }
    (pool, held)
}

#[test]
fn a_submit_waits_for_room_and_the_executor_goes_on() {
    alone(|| {
        let latch = Latch::new("latch");
        let (pool, held) = busy(&latch);
        let task = beside(pool.submit_async(square, 3), || latch.open());
        assert_eq!(executor().block_on(task), Ok(9));
        for task in held {
            assert_eq!(task.wait(), Ok(7));
        }
        latch.remove();
    });
}

#[test]
fn a_submit_that_is_given_up_is_not_run() {
    alone(|| {
        let latch = Latch::new("latch");
        let (pool, held) = busy(&latch);
        executor().block_on(give_up(pool.submit_async(|latch: Latch| latch.mark("run"), latch.clone())));
        latch.open();
        for task in held {
            task.wait().unwrap();
        }
        pool.close();
        pool.join().unwrap();
        latch.remove(); // and no file is left
    });
}

#[test]
fn results_are_waited_for_and_the_executor_goes_on() {
    alone(|| {
        let latch = Latch::new("latch");
        let pool = Pool::builder().workers(2).build().unwrap();
        assert_eq!(beside(pool.run_async(pass, latch.clone()), || latch.open()), Ok(7));
        latch.remove();
        let again = Latch::new("again");
        let latches = vec![again.clone(); 3];
        assert_eq!(beside(pool.map_async(pass, latches), || again.open()).unwrap(), [7, 7, 7]);
        again.remove();
    });
}

#[test]
fn a_map_has_the_results_of_all_items_in_their_order() {
    alone(|| {
        let pool = Pool::builder().workers(2).queue(3).build().unwrap();
        let expected: Vec<u64> = (0..5_000).map(|number| number * number).collect();
        executor().block_on(async {
            assert_eq!(pool.map_async(square, 0..5_000).await.unwrap(), expected);
            let mut stream = pool.stream(square, 0..5_000).chunk(7);
            let mut sum = 0;
            while let Some(square) = stream.next_async().await {
                sum += square.unwrap();
                if sum > 1_000_000 {
                    break;
                }
            }
            // The rest by a thread that may block.
            sum += stream.map(Result::unwrap).sum::<u64>();
            assert_eq!(sum, expected.iter().sum::<u64>());
            let half = |number: u64| if number == 3 { std::process::abort() } else { number };
            let each = pool.map_each_async(half, 0..5).await;
            assert_eq!(each.iter().filter(|result| result.is_err()).count(), 1, "{each:?}");
            let died = pool.map_async(half, 0..5).await;
            assert!(matches!(died, Err(TaskError::Died(..))), "{died:?}");
        });
    });
}

#[test]
fn two_maps_share_a_small_queue() {
    alone(|| {
        let pool = Pool::builder().workers(2).queue(1).build().unwrap();
        executor().block_on(async {
            let (ones, twos) = tokio::join!(pool.map_async(square, 0..500), pool.map_async(square, 0..500));
            assert_eq!((ones.unwrap().len(), twos.unwrap().len()), (500, 500));
        });
    });
}

#[test]
fn an_end_is_waited_for_and_the_executor_goes_on() {
    alone(|| {
        let latch = Latch::new("latch");
        let (pool, _held) = busy(&latch);
        let open = executor().block_on(pool.join_async());
        assert!(matches!(open, Err(PoolError::Open { .. })), "{open:?}");
        executor().block_on(give_up(pool.stop_async(Stop::Drain)));
        let report = beside(pool.join_async(), || latch.open()).unwrap();
        assert!(report.succeeded >= 2, "{report:?}");
        let late = executor().block_on(pool.run_async(square, 2));
        assert!(matches!(late, Err(TaskError::Closed(_))), "{late:?}");
        latch.remove();
    });
}

#[test]
fn a_submit_that_waits_ends_with_the_pool() {
    alone(|| {
        let latch = Latch::new("latch");
        let (pool, _held) = busy(&latch);
        let task = beside(pool.submit_async(square, 2), || pool.abort());
        let closed = executor().block_on(task);
        assert!(matches!(closed, Err(TaskError::Closed(_))), "{closed:?}");
        executor().block_on(pool.join_async()).unwrap();
    });
}
