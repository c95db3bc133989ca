//! Workers that die: of a task, and of something else.

use std::fs;
use std::path::PathBuf;
use std::process;
use std::time::{Duration, Instant};

use phalanx::pool::{OnLoss, PoolError, TaskError};
use phalanx::prelude::*;
use phalanx::{ExitReason, Pool};
use phalanx_tests::{
    EVENT_TIMEOUT, FOREVER, LATCH_TIMEOUT, RESTART_WINDOW, alone, eventually, processes, until,
};
use serde::{Deserialize, Serialize};

use super::{Bytes, Latch, nap, note_pid, noted_pid, pass, pid, pool, square};

/// How to die.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Death {
    Segfault,
    Abort,
    Exit,
    DoublePanic,
}

impl Death {
    const ALL: [Death; 4] = [Death::Segfault, Death::Abort, Death::Exit, Death::DoublePanic];

    fn die(self) {
        struct Again;
        impl Drop for Again {
            fn drop(&mut self) {
                panic!("again")
            }
        }
        match self {
            Death::Segfault => {
                processes::signal("SEGV", i64::from(process::id()));
                std::thread::sleep(FOREVER);
            }
            Death::Abort => process::abort(),
            Death::Exit => process::exit(1),
            Death::DoublePanic => {
                // The language prints stacks of both, whatever the environment says, and that takes its time.
                std::panic::set_hook(Box::new(|_| ()));
                let _again = Again;
                panic!("once");
            }
        }
    }

    fn is_reason(self, reason: &ExitReason) -> bool {
        match self {
            Death::Segfault => reason.signal() == Some(11),
            Death::Abort => reason.signal() == Some(6),
            Death::Exit => *reason == ExitReason::Exited(1),
            // Aborted, by the language's runtime.
            Death::DoublePanic => reason.signal() == Some(6) || matches!(reason, ExitReason::Panicked { .. }),
        }
    }
}

/// Kills a process other than its maker's that reads or writes it.
#[derive(Debug)]
struct Bomb {
    maker: u32,
    how: Death,
    on_encode: bool,
}

#[derive(Serialize, Deserialize)]
struct BombWire(u32, Death, bool);

impl Serialize for Bomb {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.on_encode && process::id() != self.maker {
            self.how.die();
        }
        BombWire(self.maker, self.how, self.on_encode).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bomb {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Bomb, D::Error> {
        let BombWire(maker, how, on_encode) = BombWire::deserialize(deserializer)?;
        if !on_encode && process::id() != maker {
            how.die();
        }
        Ok(Bomb { maker, how, on_encode })
    }
}

fn lives(pool: &Pool) -> usize {
    pool.insights().workers.iter().filter(|worker| worker.pid.is_some_and(processes::runs)).count()
}

#[test]
fn a_death_at_any_point_costs_its_task_and_the_pool_is_whole_again() {
    alone(|| {
        let pool = Pool::builder().workers(2).build().unwrap();
        for how in Death::ALL {
            let me = process::id();
            let good: Vec<_> = (0..10).map(|n| pool.submit(square, n)).collect();
            let (reading, writing) =
                (Bomb { maker: me, how, on_encode: false }, move |maker: u32, how: Death| Bomb {
                    maker,
                    how,
                    on_encode: true,
                });
            let start = Instant::now();
            let lost = [
                pool.submit(|bomb: Bomb| bomb.maker, reading).wait().map(drop),
                pool.submit(Death::die, how).wait(),
                pool.submit(writing, (me, how)).wait().map(drop),
            ];
            assert!(start.elapsed() < Duration::from_secs(3), "{how:?}: {:?}", start.elapsed());
            let more: Vec<_> = (10..20).map(|n| pool.submit(square, n)).collect();
            for error in lost {
                let error = error.unwrap_err();
                assert!(error.exit_reason().is_some_and(|reason| how.is_reason(reason)), "{how:?}: {error}");
            }
            for (n, task) in good.into_iter().chain(more).enumerate() {
                assert_eq!(task.wait().unwrap(), (n * n) as u64);
            }
        }
        eventually("all workers", EVENT_TIMEOUT, || lives(&pool) == 2);
    });
}

fn worker_pids(pool: &Pool) -> Vec<u32> {
    pool.insights().workers.iter().filter_map(|worker| worker.pid).collect()
}

#[test]
fn a_worker_killed_while_idle_harms_nobody() {
    alone(|| {
        let pool = pool(2);
        let before = worker_pids(&pool);
        before.iter().for_each(|pid| processes::kill(*pid));
        let results: Vec<_> = (0..20).map(|n| pool.submit(square, n)).collect();
        assert!(results.into_iter().all(|task| task.wait().is_ok()));
        eventually("other workers", EVENT_TIMEOUT, || lives(&pool) == 2);
        assert!(worker_pids(&pool).iter().all(|pid| !before.contains(pid)));
        pool.close();
        assert_eq!(pool.join().unwrap().crashes, 2);
    });
}

#[test]
fn a_worker_killed_in_a_task_costs_that_task_and_no_other() {
    alone(|| {
        let pool = pool(2);
        let latch = Latch::closed("killed");
        let victim = pool.submit(pass, latch.path());
        let holder = latch.await_begun();
        let others: Vec<_> = (0..20).map(|n| pool.submit(square, n)).collect();
        processes::kill(holder);
        let start = Instant::now();
        let error = victim.wait().unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(1));
        assert_eq!(error.exit_reason().and_then(ExitReason::signal), Some(9), "{error}");
        assert_eq!(error.at().worker().unwrap().pid, holder);
        assert!(others.into_iter().all(|task| task.wait().is_ok()));
        let error = pool.run(|| -> () { process::exit(99) }, ()).unwrap_err();
        assert!(error.to_string().contains("99"), "{error}");
        assert_eq!(pool.run(square, 4).unwrap(), 16);
    });
}

const LARGE: usize = 16 << 20;

/// Bytes, with a place in the middle where a worker that reads or writes them says so, and waits to be
/// killed, or let go.
#[derive(Serialize, Deserialize)]
struct Halves(Bytes, Middle, Bytes);

/// Where it stops.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum At {
    Reading,
    Writing,
}

struct Middle(At);

impl Halves {
    fn new(at: At) -> Halves {
        let half = || Bytes((0..LARGE / 2).map(|n| n as u8).collect());
        Halves(half(), Middle(at), half())
    }

    fn is_whole(&self) -> bool {
        let is_whole = |Bytes(half): &Bytes| {
            half.len() == LARGE / 2 && half.iter().zip(0..).all(|(byte, n)| *byte == n as u8)
        };
        is_whole(&self.0) && is_whole(&self.2)
    }
}

fn middle() -> PathBuf {
    std::env::temp_dir().join("middle")
}

impl Middle {
    fn stop_if(&self, at: At) {
        if self.0 == at && phalanx::pool::worker().is_some() {
            note_pid(&middle());
            eventually("to be killed, or let go", LATCH_TIMEOUT, || !middle().exists());
        }
    }
}

impl Serialize for Middle {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.stop_if(At::Writing);
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Middle {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Middle, D::Error> {
        let middle = Middle(At::deserialize(deserializer)?);
        middle.stop_if(At::Reading);
        Ok(middle)
    }
}

#[test]
fn a_worker_killed_while_it_reads_fails_its_task_or_another_does_it() {
    alone(|| {
        let pool = pool(1);
        let task = pool.submit(|halves: Halves| halves.is_whole(), Halves::new(At::Reading));
        let first = until("a reader", EVENT_TIMEOUT, || noted_pid(&middle()));
        processes::kill(first);
        // None of its code had run, so another one is given it.
        let second =
            until("another reader", EVENT_TIMEOUT, || noted_pid(&middle()).filter(|pid| *pid != first));
        assert!(processes::runs(second));
        fs::remove_file(middle()).unwrap();
        assert!(task.wait().unwrap());
        assert_eq!(pool.run(square, 2).unwrap(), 4);
    });
}

/// A task whose arguments kill each worker that reads them is not tried for ever.
#[test]
fn a_task_whose_every_reader_dies_fails_once() {
    alone(|| {
        let pool = pool(1);
        let task = pool.submit(|halves: Halves| halves.is_whole(), Halves::new(At::Reading));
        let next = pool.submit(square, 3);
        let mut killed = Vec::new();
        eventually("the end of the task", EVENT_TIMEOUT, || {
            if let Some(reader) = noted_pid(&middle()).filter(|pid| !killed.contains(pid)) {
                processes::kill(reader);
                killed.push(reader);
            }
            task.is_done()
        });
        let error = task.wait().unwrap_err();
        assert_eq!(error.exit_reason().and_then(ExitReason::signal), Some(9), "{error}");
        assert_eq!(killed.len(), 3, "{killed:?}");
        assert_eq!(next.wait().unwrap(), 9);
        fs::remove_file(middle()).unwrap();
    });
}

#[test]
fn a_worker_killed_while_it_writes_is_one_death() {
    alone(|| {
        let pool = pool(1);
        let task = pool.submit(|_: ()| Halves::new(At::Writing), ());
        let next = pool.submit(square, 3);
        let writer = until("a writer", EVENT_TIMEOUT, || noted_pid(&middle()));
        processes::kill(writer);
        let error = task.wait().map(drop).unwrap_err();
        assert_eq!(error.exit_reason().and_then(ExitReason::signal), Some(9), "{error}");
        assert_eq!(error.at().worker().unwrap().pid, writer);
        assert_eq!(next.wait().unwrap(), 9);
        fs::remove_file(middle()).unwrap();
    });
}

/// No worker stops in the middle here: the kill comes at any time, also while the kernel has the bytes.
#[test]
fn a_kill_at_any_moment_of_16_mebibyte_there_and_back_is_one_outcome() {
    alone(|| {
        let pool = pool(1);
        let echo = |bytes: Bytes| bytes;
        let start = Instant::now();
        assert_eq!(pool.run(echo, Bytes(vec![7; LARGE])).unwrap().0.len(), LARGE);
        let whole = start.elapsed();
        let mut lost = 0;
        for moment in 0..20 {
            let task = pool.submit(echo, Bytes(vec![moment as u8; LARGE]));
            std::thread::sleep(whole * moment / 20);
            worker_pids(&pool).into_iter().for_each(processes::kill);
            match task.wait() {
                Ok(bytes) => {
                    assert!(bytes.0.len() == LARGE && bytes.0.iter().all(|byte| *byte == moment as u8))
                }
                Err(error) => {
                    assert_eq!(error.exit_reason().and_then(ExitReason::signal), Some(9), "{error}");
                    lost += 1;
                }
            }
            assert_eq!(pool.run(square, 3).unwrap(), 9);
        }
        pool.close();
        assert_eq!(pool.join().unwrap().lost, lost);
    });
}

#[task(idempotent)]
fn shaky(mark: String) -> u32 {
    let tries = fs::read_to_string(&mark).map_or(0, |text| text.len());
    fs::write(&mark, "x".repeat(tries + 1)).unwrap();
    if tries < 2 {
        process::abort();
    }
    tries as u32 + 1
}

#[task]
#[idempotent(5)]
fn hopeless(_: ()) -> u32 {
    process::abort()
}

#[test]
fn tasks_that_say_they_may_be_repeated_are() {
    alone(|| {
        let pool = pool(2);
        let mark = std::env::temp_dir().join("tries");
        let path = || mark.to_string_lossy().into_owned();
        assert_eq!(pool.run(shaky, path()).unwrap(), 3);
        fs::remove_file(&mark).unwrap();
        assert_eq!(pool.run(shaky::task(), path()).unwrap(), 3);
        fs::remove_file(&mark).unwrap();
        assert!(pool.run(hopeless, ()).unwrap_err().exit_reason().is_some());
        assert_eq!(pool.report().crashes, 2 + 2 + 5);
    });
}

#[test]
fn what_becomes_of_a_lost_task_can_be_chosen() {
    alone(|| {
        let abort = |n: u32| if n == 0 { process::abort() } else { n };
        let retry = Pool::builder().workers(1).on_loss(OnLoss::Retry(2)).build().unwrap();
        assert!(retry.run(abort, 0).unwrap_err().exit_reason().is_some());
        assert_eq!(retry.report().crashes, 3);
        let fragile = Pool::builder().workers(1).name("fragile").on_loss(OnLoss::Break).build().unwrap();
        let (first, second) = (fragile.submit(abort, 0), fragile.submit(nap, 60_000));
        assert_eq!(first.wait().unwrap_err().exit_reason().and_then(ExitReason::signal), Some(6));
        let error = second.wait().unwrap_err();
        assert!(
            matches!(&error, TaskError::Broken(cause, _) if matches!(**cause, PoolError::Lost { .. })),
            "{error}"
        );
        assert!(matches!(fragile.run(square, 1), Err(TaskError::Broken(..))));
        assert!(matches!(fragile.join(), Err(PoolError::Lost { .. })));
    });
}

#[test]
fn a_chunk_whose_worker_dies_loses_the_item_in_progress_only() {
    alone(|| {
        let pool = pool(2);
        let picky = |n: u64| {
            if n % 10 == 7 {
                process::abort();
            }
            n
        };
        for chunk in [1, 5, 100] {
            let results: Vec<_> = pool.stream(picky, 0..100).chunk(chunk).collect();
            for (n, result) in (0..100).zip(results) {
                match result {
                    Ok(value) => assert!(value == n && n % 10 != 7, "{n} {value}"),
                    Err(error) => assert!(n % 10 == 7 && error.exit_reason().is_some(), "{n}: {error}"),
                }
            }
        }
    });
}

#[test]
fn a_crash_loop_in_init_ends_the_pool_with_the_cause() {
    alone(|| {
        let mark = std::env::temp_dir().join("starts");
        let init = |mark: String| {
            use std::io::Write;
            let mut file =
                fs::OpenOptions::new().append(true).create(true).open(&mark).map_err(|e| e.to_string())?;
            file.write_all(b"x").map_err(|e| e.to_string())?;
            if fs::exists(format!("{mark}.broken")).unwrap() {
                Err("it is broken".to_owned())
            } else {
                Ok(())
            }
        };
        let path = mark.to_string_lossy().into_owned();
        let broken = format!("{path}.broken");
        // The start of the pool fails as a whole.
        fs::write(&broken, "").unwrap();
        let error = Pool::builder().workers(4).try_init(init, path.clone()).build().unwrap_err();
        assert!(
            matches!(&error, SpawnError::InitFailed { error, .. } if error.contains("it is broken")),
            "{error}"
        );
        fs::remove_file(&broken).unwrap();
        let pool = Pool::builder()
            .workers(2)
            .try_init(init, path.clone())
            .intensity(3, RESTART_WINDOW)
            .build()
            .unwrap();
        fs::remove_file(&mark).unwrap();
        fs::write(&broken, "").unwrap();
        let latch = Latch::closed("never");
        let running = pool.submit(pass, latch.path());
        latch.await_begun();
        let pending: Vec<_> = (0..10).map(|_| pool.submit(nap, 100_000)).collect();
        worker_pids(&pool).into_iter().for_each(processes::kill);
        assert!(running.wait().is_err());
        for task in pending {
            let error = task.wait().unwrap_err();
            let cause = match &error {
                TaskError::Broken(cause, _) => cause,
                TaskError::Died(..) => continue,
                _ => panic!("{error}"),
            };
            let PoolError::CannotStart { cause, .. } = &**cause else { panic!("{cause}") };
            assert!(matches!(**cause, SpawnError::InitFailed { .. }), "{cause}");
        }
        let error = pool.join().unwrap_err();
        assert!(error.to_string().contains("it is broken"), "{error}");
        let starts = fs::read_to_string(&mark).unwrap().len();
        assert!((4..=6).contains(&starts), "{starts} starts");
        fs::remove_file(&mark).unwrap();
        fs::remove_file(&broken).unwrap();
    });
}

#[test]
fn if_one_of_the_first_workers_cannot_start_none_is_left() {
    alone(|| {
        let third = |_: ()| {
            let me = phalanx::pool::worker().unwrap();
            assert!(me.index() != 2, "not the third");
        };
        let error = Pool::builder().workers(4).init(third, ()).build().unwrap_err();
        assert!(error.to_string().contains("not the third"), "{error}");
        assert!(phalanx::children().is_empty(), "{:?}", phalanx::children());
    });
}

#[test]
fn a_pool_outlives_its_supervisor() {
    alone(|| {
        let pool = Pool::builder().workers(2).name("orphans").build().unwrap();
        let workers = worker_pids(&pool);
        let supervisor = processes::stat(workers[0]).unwrap().parent;
        processes::kill(supervisor);
        eventually("the end of the workers", EVENT_TIMEOUT, || {
            !workers.iter().any(|pid| processes::runs(*pid))
        });
        let results: Vec<_> = (0..20).map(|n| pool.submit(square, n)).collect();
        assert!(results.into_iter().all(|task| task.wait().is_ok()));
        assert_ne!(processes::stat(pool.run(pid, ()).unwrap()).unwrap().parent, supervisor);
    });
}

#[test]
fn an_error_that_nobody_looks_at_is_in_the_report() {
    alone(|| {
        let pool = pool(1);
        let panics = |n: u32| assert!(n == 0, "nobody sees {n}");
        drop(pool.submit(panics, 1));
        assert!(pool.submit(panics, 2).wait().is_err());
        let _kept = pool.submit(panics, 3);
        assert!(pool.submit(panics, 0).wait().is_ok());
        pool.close();
        let report = pool.join().unwrap();
        assert_eq!((report.submitted, report.succeeded, report.lost), (4, 1, 3));
        assert_eq!(report.unread_errors, 2);
        assert!(report.unread[0].contains("nobody sees 1") && report.unread[1].contains("nobody sees 3"));
    });
}
