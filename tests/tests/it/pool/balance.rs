//! Which worker does an item, when several could.

use std::collections::BTreeSet;
use std::process;

use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

use super::{Bytes, pool, square};

#[test]
fn arguments_that_take_long_to_be_read_are_not_handed_around_between_idle_workers() {
    alone(|| {
        let pool = pool(2);
        // No worker has begun with this by the time of the first look at it.
        let large = Bytes(vec![7; 64 << 20]);
        assert_eq!(pool.run(|bytes: Bytes| bytes.0.len(), large).unwrap(), 64 << 20);
    });
}

#[test]
fn what_a_stopped_worker_has_not_begun_goes_to_one_that_is_idle() {
    alone(|| {
        let pool = pool(2);
        let pids: Vec<u32> = pool.insights().workers.iter().filter_map(|worker| worker.pid).collect();
        processes::signal("STOP", i64::from(pids[0]));
        for n in 0..20 {
            assert_eq!(pool.run(square, n).unwrap(), n * n);
        }
        let here = |_: u64| process::id();
        let done_by: BTreeSet<u32> = pool.map(here, 0..100).unwrap().into_iter().collect();
        assert_eq!(done_by, BTreeSet::from([pids[1]]));
        processes::signal("CONT", i64::from(pids[0]));
        let task = move |n: u64| {
            super::nap(1);
            here(n)
        };
        eventually("tasks of both", EVENT_TIMEOUT, || {
            let by: BTreeSet<u32> = pool.map(task, 0..8).unwrap().into_iter().collect();
            by.len() == 2
        });
    });
}
