//! Tasks that are cancelled, that take too long, and workers that are replaced.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use phalanx::pool::{TaskError, worker};
use phalanx::prelude::*;
use phalanx::{ExitReason, Pool};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

use super::{Latch, nap, pass, pid, pool, square};

#[test]
fn what_is_cancelled_before_its_turn_never_runs() {
    alone(|| {
        let pool = pool(1);
        pool.map(square, 0..100).unwrap();
        let latch = Latch::closed("first");
        let first = pool.submit(pass, latch.path());
        latch.await_begun();
        let mark = std::env::temp_dir().join("ran");
        let run = |path: String, n: u32| {
            std::fs::write(format!("{path}{n}"), "").unwrap();
            n
        };
        let path = || mark.to_string_lossy().into_owned();
        let tasks: Vec<_> = (0..10).map(|n| pool.submit(run, (path(), n))).collect();
        for task in tasks.iter().step_by(2) {
            assert!(task.cancel());
            assert!(task.is_done() && !task.cancel());
        }
        assert!(!first.cancel(), "it runs");
        latch.open();
        first.wait().unwrap();
        for (n, task) in tasks.into_iter().enumerate() {
            let file = format!("{}{n}", path());
            if n % 2 == 0 {
                assert!(matches!(task.wait(), Err(TaskError::Cancelled(_))));
                assert!(!std::fs::exists(&file).unwrap(), "{n} ran");
            } else {
                assert_eq!(task.wait().unwrap(), n as u32);
                std::fs::remove_file(&file).unwrap();
            }
        }
        pool.close();
        let report = pool.join().unwrap();
        assert_eq!((report.cancelled, report.succeeded, report.crashes), (5, 106, 0));
    });
}

#[test]
fn a_task_that_is_to_be_cancelled_when_it_is_dropped_never_runs_if_it_is_dropped_before_its_turn() {
    alone(|| {
        let pool = pool(1);
        let latch = Latch::closed("first");
        let first = pool.submit(pass, latch.path()).cancel_on_drop();
        latch.await_begun();
        let mark = std::env::temp_dir().join("ran");
        let run = |path: PathBuf| fs::write(path, "").unwrap();
        let (dropped, awaited) = (pool.submit(run, mark.clone()), pool.submit(square, 3));
        let (dropped, awaited) = (dropped.cancel_on_drop(), awaited.cancel_on_drop());
        drop(dropped);
        // It runs, and is not harmed.
        drop(first);
        latch.open();
        assert_eq!(awaited.wait().unwrap(), 9);
        assert!(!mark.exists());
        pool.close();
        let report = pool.join().unwrap();
        assert_eq!((report.cancelled, report.succeeded, report.crashes), (1, 2, 0));
    });
}

#[test]
fn a_task_that_runs_is_killed_and_no_other() {
    alone(|| {
        let pool = pool(1);
        let latch = Latch::closed("held");
        let held = pool.submit(pass, latch.path());
        let next = pool.submit(square, 3);
        latch.await_begun();
        let worker = pool.insights().workers[0].pid.unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let held =
            held.on_done(move |result| sender.send((result.is_err(), processes::exists(worker))).unwrap());
        assert!(held.cancel_hard());
        assert!(matches!(held.wait(), Err(TaskError::Cancelled(_))));
        assert_eq!(receiver.recv().unwrap(), (true, false), "the worker is gone by then");
        assert_eq!(next.wait().unwrap(), 9);
        let done = pool.submit(square, 4);
        eventually("its end", EVENT_TIMEOUT, || done.is_done());
        assert!(!done.cancel_hard());
        assert_eq!(done.wait().unwrap(), 16);
    });
}

/// The worker goes on to the next task at any moment; the kill is for one.
#[test]
fn a_kill_never_hits_the_next_task() {
    alone(|| {
        let pool = pool(2);
        let spin = |micros: u64| {
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(micros) {}
        };
        for round in 0..200 {
            let victim = pool.submit(spin, 50 * (round % 7));
            let bystanders: Vec<_> = (0..4).map(|_| pool.submit(spin, 20)).collect();
            let killed = victim.cancel_hard();
            match victim.wait() {
                Ok(()) => assert!(!killed),
                Err(TaskError::Cancelled(_)) => assert!(killed),
                Err(error) => panic!("{error}"),
            }
            assert!(bystanders.into_iter().all(|task| task.wait().is_ok()));
        }
    });
}

#[test]
fn a_task_over_its_deadline_is_killed_and_the_worker_replaced() {
    alone(|| {
        let limit = Duration::from_millis(150);
        let pool = Pool::builder().workers(1).deadline(limit).build().unwrap();
        let before = pool.run(pid, ()).unwrap();
        let (late, next) = (pool.submit(nap, 100_000), pool.submit(square, 3));
        match late.wait().unwrap_err() {
            TaskError::Died(ExitReason::DeadlineExceeded { method, after }, _) => {
                assert_eq!(method, "nap");
                assert!(after >= limit && after < Duration::from_secs(5), "{after:?}");
            }
            error => panic!("{error}"),
        }
        assert_eq!(next.wait().unwrap(), 9);
        assert_ne!(pool.run(pid, ()).unwrap(), before);
        // Many that are short are together longer than the limit, and each of them is in time.
        assert!(pool.map(nap, vec![1; 300]).is_ok());
    });
}

/// Takes for ever to be read, once it is in a worker.
#[derive(Debug, serde::Serialize)]
struct Slow(u32);

impl<'de> serde::Deserialize<'de> for Slow {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Slow, D::Error> {
        let number = u32::deserialize(deserializer)?;
        while number > 0 && worker().is_some() {
            nap(100_000);
        }
        Ok(Slow(number))
    }
}

#[test]
fn the_time_in_which_a_worker_reads_an_argument_counts() {
    alone(|| {
        let limit = Duration::from_millis(200);
        let pool = Pool::builder().workers(1).deadline(limit).build().unwrap();
        let read = |slow: Slow| slow.0;
        assert_eq!(pool.run(read, Slow(0)), Ok(0));
        let before = Instant::now();
        match pool.run(read, Slow(1)) {
            Err(TaskError::Died(ExitReason::DeadlineExceeded { after, .. }, _)) => assert!(after >= limit),
            other => panic!("{other:?}"),
        }
        assert!(before.elapsed() < EVENT_TIMEOUT, "{:?}", before.elapsed());
        assert_eq!(pool.run(read, Slow(0)), Ok(0));
    });
}

#[task(deadline = "100ms")]
fn hasty(millis: u64) -> u64 {
    nap(millis)
}

#[test]
fn a_task_can_bring_its_own_deadline() {
    alone(|| {
        let pool = pool(1);
        for _ in 0..2 {
            let error = pool.run(hasty, 100_000).unwrap_err();
            assert!(matches!(error.exit_reason(), Some(ExitReason::DeadlineExceeded { .. })), "{error}");
            let error = pool.run(hasty::task(), 100_000).unwrap_err();
            assert!(matches!(error.exit_reason(), Some(ExitReason::DeadlineExceeded { .. })), "{error}");
        }
        assert_eq!(pool.run(hasty, 1).unwrap(), 1);
        assert_eq!(pool.run(nap, 300).unwrap(), 300);
    });
}

#[test]
fn a_task_is_told_when_it_is_late() {
    alone(|| {
        let pool = Pool::builder().workers(1).soft_deadline(Duration::from_millis(50)).build().unwrap();
        let obey = |_: ()| {
            let me = worker().unwrap();
            assert!(!me.is_cancelled());
            eventually("the end of the time", EVENT_TIMEOUT, || me.is_cancelled());
            std::process::id()
        };
        let first = pool.run(obey, ()).unwrap();
        assert_eq!(pool.run(obey, ()).unwrap(), first);
    });
}

fn pids(pool: &Pool, tasks: usize) -> Vec<u32> {
    (0..tasks).map(|_| pool.run(pid, ()).unwrap()).collect()
}

#[test]
fn a_worker_is_replaced_after_its_tasks() {
    alone(|| {
        let pool = Pool::builder().workers(1).recycle_after(3).build().unwrap();
        let pids = pids(&pool, 9);
        for three in pids.chunks(3) {
            assert!(three.iter().all(|pid| *pid == three[0]), "{pids:?}");
        }
        assert_eq!(pids.iter().collect::<BTreeSet<_>>().len(), 3);
        pool.close();
        let report = pool.join().unwrap();
        assert_eq!(report.crashes, 0);
        assert!(report.recycled >= 2);
    });
}

#[test]
fn recycling_stalls_nobody() {
    alone(|| {
        for (workers, limit, tasks) in [(1, 2, 6), (2, 2, 8), (3, 1, 100)] {
            let pool = Pool::builder().workers(workers).recycle_after(limit).build().unwrap();
            let submitted: Vec<_> = (0..tasks).map(|n| pool.submit(square, n)).collect();
            for (n, task) in (0..).zip(submitted) {
                assert_eq!(task.wait().unwrap(), n * n);
            }
            pool.close();
            let report = pool.join().unwrap();
            assert_eq!((report.crashes, report.succeeded), (0, tasks));
            assert!(report.recycled + workers as u64 >= tasks / limit, "{}", report.recycled);
        }
    });
}

#[test]
fn closing_while_a_worker_retires_loses_nothing() {
    alone(|| {
        for round in 0..10 {
            let pool = Pool::builder().workers(1).recycle_after(1).build().unwrap();
            let tasks: Vec<_> = (0..3).map(|n| pool.submit(square, n)).collect();
            if round % 2 == 0 {
                pool.close();
                pool.join().unwrap();
            } else {
                drop(pool);
            }
            assert!(tasks.into_iter().all(|task| task.wait().is_ok()));
        }
    });
}

#[test]
fn workers_that_grow_or_are_old_are_replaced() {
    alone(|| {
        let grow = |bytes: usize| {
            std::mem::forget(vec![1_u8; bytes]);
            std::process::id()
        };
        let pool = Pool::builder().workers(1).recycle_growth(32 << 20).build().unwrap();
        let first = pool.run(grow, 1).unwrap();
        assert_eq!(pool.run(grow, 40 << 20).unwrap(), first);
        assert_ne!(pool.run(grow, 1).unwrap(), first);
        let pool = Pool::builder().workers(1).recycle_at_age(Duration::from_millis(100)).build().unwrap();
        let first = pool.run(pid, ()).unwrap();
        eventually("another process", EVENT_TIMEOUT, || pool.run(pid, ()).unwrap() != first);
        pool.close();
        assert_eq!(pool.join().unwrap().crashes, 0);
    });
}

#[test]
fn a_worker_that_is_too_old_as_soon_as_it_is_there_serves_all_the_same() {
    alone(|| {
        let pool = Pool::builder().workers(2).recycle_at_age(Duration::from_nanos(1)).build().unwrap();
        for n in 0..5 {
            assert_eq!(pool.run(square, n).unwrap(), n * n);
        }
        assert_eq!(pool.map(square, 0..50).unwrap().len(), 50);
        pool.close();
        let report = pool.join().unwrap();
        assert!(report.crashes == 0 && report.recycled <= 60, "{report}");
    });
}

#[test]
fn a_pool_can_be_resized() {
    alone(|| {
        let pool = pool(1);
        let live = || pool.insights().workers.iter().filter(|worker| worker.pid.is_some()).count();
        pool.resize(3);
        eventually("three workers", EVENT_TIMEOUT, || live() == 3);
        let latch = Latch::closed("resized");
        let held: Vec<_> = (0..3).map(|_| pool.submit(pass, latch.path())).collect();
        eventually("three that run", EVENT_TIMEOUT, || held.iter().all(|task| task.is_running()));
        pool.resize(1);
        assert_eq!(pool.try_submit(square, 2).map(drop), Ok(()));
        latch.open();
        assert!(held.into_iter().all(|task| task.wait().is_ok()));
        eventually("one worker", EVENT_TIMEOUT, || live() == 1);
        assert_eq!(pool.run(square, 3).unwrap(), 9);
        pool.close();
        assert_eq!(pool.join().unwrap().crashes, 0);
    });
}

#[test]
fn a_pool_grows_with_its_work_and_shrinks_without() {
    alone(|| {
        let pool = Pool::builder().workers(1..=3).idle_timeout(Duration::from_millis(200)).build().unwrap();
        let live = || pool.insights().workers.iter().filter(|worker| worker.pid.is_some()).count();
        assert_eq!(live(), 1);
        let latch = Latch::closed("busy");
        let held: Vec<_> = (0..5).map(|_| pool.submit(pass, latch.path())).collect();
        eventually("three workers", EVENT_TIMEOUT, || {
            held.iter().filter(|task| task.is_running()).count() == 3
        });
        assert_eq!(live(), 3);
        latch.open();
        let pids: BTreeSet<u32> = held.into_iter().map(|task| task.wait().unwrap()).collect();
        assert!(pids.len() <= 3, "{pids:?}");
        eventually("one worker", EVENT_TIMEOUT, || live() == 1);
        assert_eq!(pool.run(square, 3).unwrap(), 9);
        pool.close();
        assert_eq!(pool.join().unwrap().crashes, 0);
    });
}
