//! What the workers of a pool find in their processes.

use std::env;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use phalanx::pool::{PoolError, Stop};
use phalanx::prelude::*;
use phalanx::{Limit, Pool};
use phalanx_tests::{EVENT_TIMEOUT, alone};

use super::{nap, pid};

/// What a worker finds: two variables, directory, niceness, cores, open files.
fn found(_: ()) -> [String; 6] {
    let variable = |name| env::var(name).unwrap_or_default();
    let file = |path, start: &str| {
        let text = fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(start)).unwrap().to_owned();
        line.split_whitespace().next().unwrap().to_owned()
    };
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let nice = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().to_owned();
    let directory = env::current_dir().unwrap().display().to_string();
    let cores = file("/proc/self/status", "Cpus_allowed_list:");
    [variable("LEVEL"), variable("HOME"), directory, nice, cores, file("/proc/self/limits", "Max open files")]
}

#[test]
fn every_worker_has_the_attributes_of_the_pool_and_so_has_what_replaces_it() {
    alone(|| {
        let builder = Pool::builder().workers(2).recycle_after(1).env("LEVEL", "3").env_remove("HOME");
        let builder = builder.current_dir("/").nice(9).affinity([0]).limit(Limit::OpenFiles, 200);
        let pool = builder.build().unwrap();
        let expected = ["3", "", "/", "9", "0", "200"].map(str::to_owned);
        for _ in 0..6 {
            assert_eq!(pool.run(found, ()).unwrap(), expected);
        }
        let own = fs::read_to_string("/proc/self/stat").unwrap();
        assert_ne!(own.rsplit_once(')').unwrap().1.split_whitespace().nth(16), Some("9"));
    });
}

#[test]
fn an_environment_can_begin_empty() {
    alone(|| {
        let pool = Pool::builder().workers(1).env("LOST", "1").env_clear().env("KEPT", "2").build().unwrap();
        let names = |(): ()| env::vars().map(|(name, _)| name).collect::<Vec<_>>();
        let mut names = pool.run(names, ()).unwrap();
        names.sort();
        assert_eq!(names, ["KEPT", "PHALANX_TREE"]);
    });
}

static STEPS: AtomicU32 = AtomicU32::new(0);

#[test]
fn functions_run_before_the_init_in_order() {
    alone(|| {
        let builder = Pool::builder().workers(1).before_start(|| STEPS.store(1, Relaxed));
        let builder = builder.before_start(|| STEPS.store(STEPS.load(Relaxed) * 10 + 2, Relaxed));
        let pool = builder.init(|(): ()| STEPS.load(Relaxed), ()).build().unwrap();
        assert_eq!(pool.run(|| phalanx::pool::state::<u32, _>(|steps| *steps), ()).unwrap(), 12);
    });
}

#[test]
fn an_attribute_that_cannot_be_is_refused_by_name() {
    alone(|| {
        let cases = [
            (Pool::builder().env("A=B", "1"), "`env`"),
            (Pool::builder().nice(20), "`nice`"),
            (Pool::builder().affinity([]), "`affinity`"),
            (Pool::builder().affinity([4000]), "`affinity`"),
            (Pool::builder().current_dir("/no/such/place"), "`current_dir`"),
            (Pool::builder().limit(Limit::OpenFiles, u64::MAX), "`limit`"),
        ];
        for (builder, option) in cases {
            match builder.workers(1).build() {
                Err(SpawnError::Option { error, .. }) => assert!(error.contains(option), "{option}: {error}"),
                other => panic!("{option}: {other:?}"),
            }
        }
        let broken = Pool::builder().workers(1).before_start(|| panic!("no seed")).build();
        assert!(broken.unwrap_err().to_string().contains("no seed"));
    });
}

#[test]
fn a_join_waits_no_longer_than_it_wants() {
    alone(|| {
        let pool = Pool::builder().workers(1).build().unwrap();
        let moment = Duration::from_millis(50);
        assert!(matches!(pool.join_timeout(moment), Some(Err(PoolError::Open { .. }))));
        pool.run(pid, ()).unwrap();
        let task = pool.submit(nap, 1_000_000);
        pool.close();
        let start = Instant::now();
        assert!(pool.join_timeout(moment).is_none() && start.elapsed() >= moment);
        assert!(pool.join_timeout(Duration::ZERO).is_none());
        task.cancel_hard();
        let report = pool.join_timeout(EVENT_TIMEOUT).unwrap().unwrap();
        assert_eq!(report.succeeded, 1);
        assert_eq!(pool.stop(Stop::Drain).unwrap().succeeded, 1);
    });
}
