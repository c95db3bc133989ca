//! The end of a store, and of its users.

use std::time::Instant;

use phalanx::prelude::*;
use phalanx::{
    ExitReason, StoreError,
    store::{Counter, Map},
};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, alone, eventually};

use super::store;

fn killed() -> Option<ExitReason> {
    Some(ExitReason::Killed { by: phalanx::StoppedBy::Ref, after: None })
}

#[task]
fn wait_for_a_slow_one(counter: Counter, slow: Map<u32, u32>) -> String {
    counter.add(1).unwrap();
    let error = slow.update_or(&1, 0, |_, pause| std::thread::sleep(pause), FOREVER).unwrap_err();
    match error {
        StoreError::Lost { reason, .. } => format!("{reason:?}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_store_that_is_killed_takes_its_data_along_and_all_are_told_at_once() {
    alone(|| {
        let (counters, store) = (store(), store());
        let (started, map) = (counters.counter(0).unwrap(), store.map().unwrap());
        map.insert(1, 1).unwrap();
        // One is in the middle, the others wait for their turn.
        let waiting: Vec<_> =
            (0..3).map(|_| wait_for_a_slow_one::spawn(started.clone(), map.clone()).unwrap()).collect();
        eventually("all to be under way", EVENT_TIMEOUT, || {
            started.get() == Ok(3) && store.server().depth() == 2
        });
        let start = Instant::now();
        store.server().kill().unwrap();
        for process in waiting {
            assert_eq!(process.join().unwrap(), format!("{:?}", killed()));
        }
        assert!(start.elapsed() < EVENT_TIMEOUT);
        let error = map.get(&1).unwrap_err();
        assert!(matches!(&error, StoreError::Lost { reason, .. } if *reason == killed()), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!(
                "`get` of actor `store` (process {}, incarnation 1): the store and its data are gone: killed by a holder of its ref",
                store.server().monitor().recv().who.pid
            )
        );
        assert!(!store.is_alive());
        assert!(matches!(store.map::<u32, u32>(), Err(StoreError::Lost { .. })));
        assert!(matches!(map.pages(1).next(), Some(Err(StoreError::Lost { .. }))));
        assert_eq!(started.get(), Ok(3)); // the other store is well
    });
}

#[test]
fn a_function_that_ends_the_process_ends_the_store() {
    alone(|| {
        let cell = store().cell(1).unwrap();
        let error = cell.update(|_, code| -> () { std::process::exit(code) }, 3).unwrap_err();
        assert!(matches!(error, StoreError::Lost { reason: Some(ExitReason::Exited(3)), .. }), "{error:?}");
    });
}

#[test]
fn a_store_that_is_stopped_finishes_what_it_is_at() {
    alone(|| {
        let store = store();
        let counter = store.counter(0).unwrap();
        (0..100).for_each(|_| assert!(counter.add(1).is_ok()));
        assert!(store.stop(EVENT_TIMEOUT).unwrap().is_orderly());
        assert!(matches!(counter.get(), Err(StoreError::Lost { reason: Some(ExitReason::Stopped(_)), .. })));
        assert!(store.stop(EVENT_TIMEOUT).is_err());
    });
}

#[task]
fn count_for_ever(counter: Counter) {
    while counter.add(1).is_ok() {}
}

#[test]
fn users_that_are_killed_harm_nobody() {
    alone(|| {
        let store = store();
        let counter = store.counter(0).unwrap();
        for _ in 0..10 {
            let user = count_for_ever::spawn(counter.clone()).unwrap();
            let before = counter.get().unwrap();
            eventually("it counts", EVENT_TIMEOUT, || counter.get().unwrap() > before + 10);
            user.kill().unwrap();
            user.join().unwrap_err();
        }
        let settled = counter.get().unwrap();
        assert_eq!((counter.get(), counter.add(1)), (Ok(settled), Ok(settled + 1)));
    });
}

#[test]
fn a_store_that_runs_out_of_memory_says_so() {
    alone(|| {
        let store = phalanx::Store::builder().memory(64 << 20).start().unwrap();
        let cell = store.cell(Vec::<u8>::new()).unwrap();
        let error = cell.update(|bytes, size: usize| bytes.resize(size, 1), 1 << 30).unwrap_err();
        assert!(matches!(error, StoreError::Lost { reason: Some(ExitReason::OutOfMemory), .. }), "{error:?}");
    });
}

/// Starts a store of its own.
fn make() -> Result<i64, StoreError> {
    phalanx::Store::start().expect("a store").counter(5)?.add(1)
}

#[test]
fn a_process_of_the_tree_has_stores_of_its_own() {
    alone(|| {
        let process = Process::spawn(|()| make().map_err(|error| error.to_string()), ()).unwrap();
        assert_eq!(process.join().unwrap(), Ok(6));
    });
}
