//! Replies as futures, for any executor.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, alone, eventually, processes};
use tokio::runtime::{Builder, Runtime};

use super::log;

fn single_threaded() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn multi_threaded() -> Runtime {
    Builder::new_multi_thread().worker_threads(3).enable_time().build().unwrap()
}

/// The smallest executor there is: parks the thread until it is woken.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park_timeout(EVENT_TIMEOUT);
    }
}

/// All of them, polled together.
struct All<F: Future>(Vec<Result<F::Output, Pin<Box<F>>>>);

impl<F: Future<Output: Unpin>> Future for All<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<F::Output>> {
        for one in &mut self.0 {
            if let Err(future) = one
                && let Poll::Ready(output) = future.as_mut().poll(context)
            {
                *one = Ok(output);
            }
        }
        if self.0.iter().any(Result::is_err) {
            return Poll::Pending;
        }
        Poll::Ready(self.0.drain(..).filter_map(Result::ok).collect())
    }
}

#[test]
fn a_reply_is_awaited_in_a_multi_threaded_runtime() {
    alone(|| {
        let log = log();
        multi_threaded().block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for number in 0..100 {
                let log = log.clone();
                tasks.spawn(async move { (number, log.ask(0, number).await) });
            }
            while let Some(done) = tasks.join_next().await {
                let (number, answer) = done.unwrap();
                assert_eq!(answer.unwrap(), (0, number));
            }
        });
    });
}

#[test]
fn a_reply_is_awaited_in_a_single_threaded_runtime() {
    alone(|| {
        let log = log();
        single_threaded().block_on(async {
            for number in 0..100 {
                assert_eq!(log.ask(0, number).await.unwrap(), (0, number));
            }
            let time = Duration::from_millis(100);
            let (first, second) = tokio::join!(log.sleep(time), log.half(3));
            assert_eq!((first, second), (Ok(time), Err(CallError::App("3 is odd".into()))));
        });
    });
}

#[test]
fn a_reply_is_awaited_in_an_executor_made_by_hand() {
    alone(|| {
        let log = log();
        for number in 0..100 {
            assert_eq!(block_on(log.ask(0, number)).unwrap(), (0, number));
        }
        let time = Duration::from_millis(200);
        assert_eq!(block_on(log.sleep(time)).unwrap(), time);
    });
}

#[test]
fn a_hundred_futures_of_several_actors_wait_at_once() {
    alone(|| {
        let logs: Vec<_> = (0..4).map(|_| log()).collect();
        let futures = (0..100).map(|number| Err(Box::pin(logs[number as usize % 4].ask(1, number))));
        let answers = block_on(All(futures.collect()));
        for (number, answer) in (0..).zip(answers) {
            assert_eq!(answer.unwrap(), (1, number));
        }
    });
}

#[test]
fn threads_and_futures_wait_side_by_side() {
    alone(|| {
        let log = log();
        let runtime = multi_threaded();
        thread::scope(|scope| {
            for from in 0..4 {
                let log = &log;
                scope.spawn(move || {
                    (0..200).for_each(|n| assert_eq!(log.ask(from, n).wait().unwrap(), (from, n)));
                });
            }
            runtime.block_on(async {
                for number in 0..200 {
                    assert_eq!(log.ask(9, number).await.unwrap(), (9, number));
                }
            });
        });
    });
}

#[test]
fn a_future_that_is_dropped_halfway_harms_nobody() {
    alone(|| {
        let (slow, quick) = (log(), log());
        let pid = slow.pid().unwrap();
        processes::signal("STOP", i64::from(pid));
        eventually("the process to stop", EVENT_TIMEOUT, || {
            processes::stat(pid).is_some_and(|stat| stat.state == 'T')
        });
        single_threaded().block_on(async {
            for number in 0..20 {
                let given_up = tokio::time::timeout(Duration::from_millis(5), slow.ask(0, number));
                assert!(given_up.await.is_err());
                assert_eq!(quick.ask(0, number).await.unwrap(), (0, number));
            }
            processes::signal("CONT", i64::from(pid));
            assert_eq!(slow.ask(1, 1).await.unwrap(), (1, 1));
        });
        assert_eq!(slow.entries().wait().unwrap().len(), 21);
    });
}

#[test]
fn a_select_takes_the_first_answer() {
    alone(|| {
        let (slow, quick) = (log(), log());
        multi_threaded().block_on(async {
            let first = tokio::select! {
                answer = slow.sleep(Duration::from_secs(2)) => format!("{answer:?}"),
                answer = quick.half(10) => format!("{answer:?}"),
            };
            assert_eq!(first, "Ok(5)");
        });
        // Its handler would hold up the end of the case.
        slow.kill().unwrap();
    });
}

#[test]
fn a_future_ends_at_the_deadline_of_its_call() {
    alone(|| {
        let log = log();
        let limit = Duration::from_millis(200);
        let start = Instant::now();
        let error = block_on(log.within(limit).sleep(Duration::from_secs(3))).unwrap_err();
        let took = start.elapsed();
        assert!(matches!(&error, CallError::Timeout(at) if at.method() == "sleep"), "{error:?}");
        assert!(took >= limit && took < Duration::from_secs(3), "{took:?}");
        // Its handler would hold up the end of the case.
        log.kill().unwrap();
    });
}

#[test]
fn a_future_is_told_of_its_actors_death() {
    alone(|| {
        let log = log();
        let mut down = log.monitor();
        let waiting: Vec<_> = (0..10).map(|_| Err(Box::pin(log.sleep(FOREVER)))).collect();
        let killer = log.clone();
        let killer = thread::spawn(move || {
            let begun = || killer.depth() == 9;
            eventually("the first call to begin", EVENT_TIMEOUT, begun);
            killer.kill().unwrap();
        });
        for answer in block_on(All(waiting)) {
            assert_eq!(answer.unwrap_err().exit_reason().and_then(ExitReason::signal), Some(9));
        }
        assert_eq!(block_on(&mut down).reason.signal(), Some(9));
        killer.join().unwrap();
    });
}

#[test]
fn a_reply_may_be_looked_at_then_awaited_and_by_another_executor() {
    alone(|| {
        let log = log();
        let time = Duration::from_millis(1500);
        let mut reply = log.sleep(time);
        assert!(matches!(reply.wait_timeout(Duration::from_millis(10)), Err(CallError::Timeout(_))));
        let short = Duration::from_millis(10);
        // Polled here first, so this executor's waker is known; then given to another one.
        assert!(single_threaded().block_on(async { tokio::time::timeout(short, &mut reply).await }).is_err());
        assert_eq!(thread::spawn(move || block_on(reply)).join().unwrap().unwrap(), time);
    });
}

#[test]
fn a_future_of_a_dead_actor_is_ready_at_once() {
    alone(|| {
        let log = log();
        log.kill().unwrap();
        let _ = log.join();
        let error = block_on(log.ask(0, 0)).unwrap_err();
        assert!(matches!(error, CallError::Gone(_)), "{error:?}");
    });
}
