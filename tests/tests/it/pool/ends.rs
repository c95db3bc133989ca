//! How pools end.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use phalanx::Pool;
use phalanx::pool::{PoolError, Stop, TaskError};
use phalanx_tests::{EVENT_TIMEOUT, Program, alone, eventually, processes};

use super::{Latch, nap, pass, pid, pool, square};

#[test]
fn an_abort_ends_ten_thousand_tasks() {
    alone(|| {
        let pool = pool(4);
        let tasks: Vec<_> = (0..10_000).map(|_| pool.submit(nap, 10_000)).collect();
        eventually("tasks that run", EVENT_TIMEOUT, || tasks.iter().take(4).all(|task| task.is_running()));
        // The dispatcher may still hand out tasks; that it rests cannot be seen from outside.
        std::thread::sleep(Duration::from_millis(200));
        let start = Instant::now();
        pool.abort();
        let report = pool.join().unwrap();
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        for task in tasks {
            match task.wait() {
                Err(TaskError::Cancelled(_) | TaskError::Died(..)) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(report.cancelled + report.lost, 10_000);
        assert!(matches!(pool.run(square, 1), Err(TaskError::Closed(_))));
    });
}

#[test]
fn a_drain_does_everything_and_refuses_more() {
    alone(|| {
        let pool = pool(2);
        let tasks: Vec<_> = (0..50).map(|_| pool.submit(nap, 10)).collect();
        let report = pool.stop(Stop::Drain).unwrap();
        assert_eq!((report.succeeded, report.cancelled), (50, 0));
        assert!(tasks.into_iter().all(|task| task.wait().is_ok()));
        assert!(matches!(pool.run(square, 1), Err(TaskError::Closed(_))));
        let refused = pool.try_submit(square, 5).unwrap_err();
        assert_eq!((refused.args, refused.full), (5, false));
    });
}

#[test]
fn what_is_pending_can_be_cancelled_and_what_runs_is_done() {
    alone(|| {
        let pool = pool(2);
        let tasks: Vec<_> = (0..50).map(|_| pool.submit(nap, 100)).collect();
        eventually("tasks that run", EVENT_TIMEOUT, || tasks[0].is_running());
        let report = pool.stop(Stop::CancelPending).unwrap();
        assert!(report.cancelled > 20, "{report}");
        assert_eq!(report.succeeded + report.cancelled, 50);
        for task in tasks {
            assert!(matches!(task.wait(), Ok(100) | Err(TaskError::Cancelled(_))));
        }
    });
}

#[test]
fn a_kill_leaves_nobody_alive() {
    alone(|| {
        let pool = pool(2);
        let tasks: Vec<_> = (0..50).map(|_| pool.submit(nap, 100_000)).collect();
        eventually("tasks that run", EVENT_TIMEOUT, || tasks[0].is_running());
        let workers: Vec<u32> = pool.insights().workers.iter().filter_map(|worker| worker.pid).collect();
        let start = Instant::now();
        let report = pool.stop(Stop::Kill).unwrap();
        assert!(start.elapsed() < Duration::from_secs(2));
        assert_eq!(report.cancelled, 50, "{report}");
        assert_eq!(report.crashes, 0, "{report}");
        assert!(!workers.iter().any(|pid| processes::exists(*pid)));
        assert!(tasks.into_iter().all(|task| matches!(task.wait(), Err(TaskError::Cancelled(_)))));
    });
}

#[test]
fn what_is_pending_at_the_end_of_main_is_done() {
    for scenario in ["pool-pending", "pool-kept"] {
        let run = Program::new(env!("CARGO_BIN_EXE_scenario")).args([scenario]).start();
        let mut lines = run.rest();
        lines.sort();
        assert_eq!(lines, ["main ends", "task 0", "task 1", "task 2", "task 3", "task 4"]);
        assert_eq!(run.finish(), 0);
    }
}

#[test]
fn an_open_pool_is_not_joined_and_a_scope_ends_one() {
    alone(|| {
        let pool = pool(1);
        assert!(matches!(pool.join(), Err(PoolError::Open { .. })));
        pool.close();
        assert!(pool.join().is_ok() && pool.join().is_ok());
        let mut tasks = Vec::new();
        let builder = Pool::builder().workers(2);
        builder.scope(|pool| tasks.extend((0..10).map(|_| pool.submit(nap, 10)))).unwrap();
        assert!(tasks.into_iter().all(|mut task| task.try_get().is_some_and(|result| result.is_ok())));
    });
}

#[test]
fn a_full_queue_makes_wait_and_can_be_tried() {
    alone(|| {
        let pool = Pool::builder().workers(1).queue(2).build().unwrap();
        let latch = Latch::closed("full");
        let held = pool.submit(pass, latch.path());
        latch.await_begun();
        let waiting: Vec<_> = (0..2).map(|n| pool.submit(square, n)).collect();
        let refused = pool.try_submit(square, 5).unwrap_err();
        assert_eq!((refused.args, refused.full), (5, true));
        std::thread::scope(|scope| {
            let (thread, of_late) = mpsc::channel();
            let (submitted, is_submitted) = mpsc::channel();
            let pool = &pool;
            let late = scope.spawn(move || {
                thread.send(processes::this_thread()).unwrap();
                let task = pool.submit(square, 6);
                submitted.send(()).unwrap();
                task.wait().unwrap()
            });
            processes::until_blocked(of_late.recv().unwrap());
            // The submit waits, not only the task.
            assert_eq!(is_submitted.try_recv(), Err(mpsc::TryRecvError::Empty));
            latch.open();
            assert_eq!(late.join().unwrap(), 36);
        });
        assert!(held.wait().is_ok() && waiting.into_iter().all(|task| task.wait().is_ok()));
    });
}

#[test]
fn nothing_outlives_a_program_that_is_killed() {
    for when in ["idle", "busy", "starting"] {
        let mut run = Program::new(env!("CARGO_BIN_EXE_scenario")).args(["pool-killed", when]).start();
        assert_eq!(run.line(), "now");
        run.kill();
        run.wait();
        processes::until_none(Duration::from_secs(1), || run.processes());
    }
}

#[test]
fn a_root_supervisor_that_is_killed_during_the_start_of_a_pool_leaves_nothing() {
    alone(|| {
        for round in 0..5_u64 {
            let starting = std::thread::spawn(move || {
                let slow = |millis: u64| nap(millis);
                Pool::builder().workers(3).init(slow, 100_u64).build().map(|pool| pool.run(pid, ()))
            });
            let root = phalanx_tests::until("a root", EVENT_TIMEOUT, || {
                processes::root_supervisor(std::process::id())
            });
            std::thread::sleep(Duration::from_millis(round * 30));
            let below = processes::descendants(root);
            processes::kill(root);
            // It may have been ready before.
            drop(starting.join().unwrap());
            processes::until_none(Duration::from_secs(1), || {
                below
                    .iter()
                    .filter_map(|process| processes::stat(process.pid))
                    .filter(|now| now.state != 'Z')
                    .collect()
            });
        }
    });
}

#[test]
fn nothing_outlives_a_root_supervisor_that_is_killed_but_the_program() {
    for when in ["idle", "busy", "starting"] {
        let run = Program::new(env!("CARGO_BIN_EXE_scenario")).args(["pool-killed", when]).start();
        assert_eq!(run.line(), "now");
        let of_the_tree = || {
            let root = processes::root_supervisor(run.pid());
            let marked = run.processes().into_iter();
            // The pool may be about to begin again, with another tree.
            let again = root.map(processes::descendants).unwrap_or_default();
            let is_new = |pid: u32| Some(pid) == root || again.iter().any(|process| process.pid == pid);
            marked.filter(|process| process.pid != run.pid() && !is_new(process.pid)).collect::<Vec<_>>()
        };
        processes::kill(processes::root_supervisor(run.pid()).unwrap());
        processes::until_none(Duration::from_secs(1), of_the_tree);
        drop(run);
    }
}

#[test]
fn progress_is_told_and_insights_add_up() {
    alone(|| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let builder = Pool::builder().workers(2).name("seen");
        let pool =
            builder.on_progress(move |progress| sender.send(*progress).unwrap_or_default()).build().unwrap();
        pool.map(nap, vec![1; 50]).unwrap();
        let insights = pool.insights();
        assert_eq!(insights.total.tasks, 50);
        assert_eq!(insights.workers.len(), 2);
        assert!(insights.total.p50 >= Duration::from_millis(1) && insights.total.max >= insights.total.p50);
        assert!(insights.total.busy >= Duration::from_millis(50) && insights.total.startup > Duration::ZERO);
        let table = insights.to_string();
        assert!(table.contains("p99") && table.lines().count() == 4, "{table}");
        pool.close();
        let report = pool.join().unwrap();
        assert!(report.to_string().contains("pool `seen`: 50 tasks, 50 done"), "{report}");
        let told: Vec<_> = receiver.try_iter().collect();
        let last = told.last().unwrap();
        assert!(last.finished && last.done == 50 && last.submitted == 50 && last.failed == 0, "{last:?}");
        assert!(told.windows(2).all(|two| two[0].done <= two[1].done));
    });
}
