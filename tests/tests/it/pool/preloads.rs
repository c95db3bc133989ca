//! What a supervisor loads before it forks.

use std::sync::OnceLock;
use std::time::Duration;

use phalanx::Pool;
use phalanx::prelude::*;
use phalanx_tests::{alone, eventually, processes};

use super::PATIENCE;

static LOADED: OnceLock<(u32, Vec<u64>)> = OnceLock::new();

fn load(len: u64) {
    LOADED.get_or_init(|| (std::process::id(), (0..len).collect()));
}

fn loader(_: ()) -> Option<u32> {
    LOADED.get().map(|loaded| loaded.0)
}

fn sum(_: ()) -> Option<u64> {
    LOADED.get().map(|loaded| loaded.1.iter().sum())
}

#[test]
fn workers_share_what_their_supervisor_has_loaded() {
    alone(|| {
        let pool = Pool::builder().workers(2).max_tasks(1).preload(load, 1000).build().unwrap();
        let pids: Vec<_> = (0..6).map(|_| pool.run(loader, ()).unwrap()).collect();
        assert!(pids[0].is_some() && pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
        assert_eq!(pool.run(sum, ()).unwrap(), Some(499_500));
        assert!(LOADED.get().is_none());
    });
}

#[test]
fn a_supervisor_that_is_restarted_loads_again() {
    alone(|| {
        let pool = Pool::builder().workers(1).preload(load, 10).build().unwrap();
        let first = pool.run(loader, ()).unwrap().unwrap();
        processes::kill(first);
        eventually("another supervisor", PATIENCE, || {
            pool.run(loader, ()).is_ok_and(|pid| pid.is_some_and(|pid| pid != first))
        });
    });
}

#[test]
fn threads_that_are_left_behind_are_refused_and_so_is_a_panic() {
    alone(|| {
        let leaves = |_: ()| drop(std::thread::spawn(|| std::thread::sleep(Duration::from_secs(1000))));
        let error = Pool::builder().workers(1).preload(leaves, ()).build().unwrap_err();
        assert!(
            matches!(&error, SpawnError::InitFailed { .. }) && error.to_string().contains("threads"),
            "{error}"
        );
        let joins = |_: ()| std::thread::spawn(|| load(5)).join().unwrap();
        let pool = Pool::builder().workers(1).preload(joins, ()).build().unwrap();
        assert_eq!(pool.run(sum, ()).unwrap(), Some(10));
        let panics = |n: u32| assert!(n == 0, "nothing to load");
        let error = Pool::builder().workers(1).preload(panics, 1).build().unwrap_err();
        assert!(error.to_string().contains("nothing to load"), "{error}");
    });
}
