//! Workers that write over the memory that they share with their pool.

use std::env;
use std::fs::{self, File};
use std::process;
use std::thread;
use std::time::Duration;

use phalanx::pool::TaskError;
use phalanx::{ExitReason, Pool};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, alone, pages};
use serde::{Deserialize, Serialize};

use super::square;

/// What a task does when it has written over its worker's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Then {
    Return,
    Exit,
    Hang,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Item {
    number: u32,
    of: u32,
    /// With which byte, if it is one that does.
    writes: Option<u8>,
    then: Then,
}

impl Item {
    /// Returns whether it is run for the first time.
    fn run(self) -> bool {
        let mark = env::temp_dir().join(format!("run-{}-{}", self.of, self.number));
        let is_first = File::options().write(true).create_new(true).open(mark).is_ok();
        if let Some(byte) = self.writes {
            assert!(pages::overwrite_lanes(process::id(), byte) > 0);
            match self.then {
                Then::Return => {}
                Then::Exit => process::exit(1),
                Then::Hang => thread::sleep(FOREVER),
            }
        }
        is_first
    }

    /// Whether it was run. It cannot be told afterwards.
    fn take_mark(self) -> bool {
        fs::remove_file(env::temp_dir().join(format!("run-{}-{}", self.of, self.number))).is_ok()
    }
}

#[test]
fn a_worker_that_writes_over_its_lane_costs_what_it_may_have_begun_and_nothing_is_run_twice() {
    alone(|| {
        let mut of = 0;
        for then in [Then::Return, Then::Exit, Then::Hang] {
            for byte in [0, 0xff, 0x55, 1] {
                of += 1;
                let pool = Pool::builder().workers(2).deadline(Duration::from_secs(1)).build().unwrap();
                // It knows how short they are, and gives a worker many of them at a time.
                let known: Vec<_> = (0..50).map(|n| pool.submit(square, n)).collect();
                assert!(known.into_iter().all(|task| task.wait().is_ok()));
                let items: Vec<_> = (0..100)
                    .map(|number| Item { number, of, writes: (number == 37).then_some(byte), then })
                    .collect();
                let tasks: Vec<_> = items.iter().map(|&item| pool.submit(Item::run, item)).collect();
                let mut failed = 0;
                for (item, mut task) in items.iter().zip(tasks) {
                    let case = format!("{item:?}");
                    match task.wait_timeout(EVENT_TIMEOUT) {
                        Ok(is_first) => assert!(is_first, "run twice: {case}"),
                        Err(TaskError::Died(..) | TaskError::Codec(..)) => failed += 1,
                        Err(error) => panic!("{case}: {error:?}"),
                    }
                }
                assert!(failed <= 50, "{failed} of 100 failed: {then:?}, {byte}");
                let marks = items.iter().filter(|item| item.take_mark()).count();
                assert!(marks >= items.len() - failed, "{marks} have run, and {failed} failed");
                // It works on.
                let more: Vec<_> = (0..50).map(|n| pool.submit(square, n)).collect();
                assert!(more.into_iter().enumerate().all(|(n, task)| task.wait() == Ok((n * n) as u64)));
                pool.close();
                pool.join().unwrap();
            }
        }
    });
}

/// From outside, while it is in a task that would not end.
#[test]
fn a_lane_that_is_written_over_under_a_task_that_hangs_does_not_save_it_from_its_deadline() {
    alone(|| {
        for byte in [0, 0xff] {
            let pool = Pool::builder().workers(1).deadline(Duration::from_millis(300)).build().unwrap();
            let item = Item { number: 0, of: 99, writes: Some(byte), then: Then::Hang };
            let mut task = pool.submit(Item::run, item);
            let error = task.wait_timeout(EVENT_TIMEOUT).unwrap_err();
            assert!(matches!(error.exit_reason(), Some(ExitReason::Broken(_))), "{error}");
            assert!(item.take_mark());
            assert_eq!(pool.submit(square, 3).wait().unwrap(), 9);
        }
    });
}
