//! Functions as processes.

mod descriptors;
mod ends;
mod results;
mod trees;

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, LATCH_TIMEOUT, Program, alone, eventually};

/// What holds tasks back until a case has looked at them.
struct Latch(PathBuf);

impl Latch {
    fn closed(name: &str) -> Latch {
        Latch(env::temp_dir().join(name))
    }

    fn path(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }

    fn open(&self) {
        File::create(&self.0).unwrap();
    }

    /// In the task: waits.
    fn pass(path: &str) {
        eventually("an open latch", LATCH_TIMEOUT, || fs::exists(path).unwrap());
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[task]
fn nap() {
    std::thread::sleep(FOREVER);
}

/// Name, daemon, pid: what a task knows of itself.
#[task]
fn report(latch: String) -> (String, bool, u32) {
    Latch::pass(&latch);
    let me = phalanx::current();
    (me.name().to_owned(), me.daemon(), std::process::id())
}

#[test]
fn a_task_is_listed_while_it_runs_and_knows_who_it_is() {
    alone(|| {
        let latch = Latch::closed("latch");
        let builder = report::builder(latch.path()).name("reporter").daemon(true);
        assert_eq!(phalanx::children(), []);

        let process = builder.spawn().unwrap();
        assert!(process.is_alive());
        assert_eq!((process.name(), process.daemon(), process.exit_code()), ("reporter", true, None));
        let [child] = &phalanx::children()[..] else { panic!("{:?}", phalanx::children()) };
        assert_eq!((&*child.name, child.pid, child.daemon), ("reporter", process.pid(), true));

        latch.open();
        assert_eq!(process.join().unwrap(), ("reporter".to_owned(), true, process.pid()));
        assert_eq!((process.exit_code(), process.is_alive()), (Some(0), false));
        assert_eq!(process.exit_reason(), Some(ExitReason::Normal));
        assert_eq!(phalanx::children(), []);
    });
}

#[test]
fn children_are_listed_in_the_order_of_their_start() {
    alone(|| {
        let names = ["c", "a", "b"];
        let naps = names.map(|name| nap::builder().name(name).spawn().unwrap());
        assert_eq!(phalanx::children().iter().map(|child| &*child.name).collect::<Vec<_>>(), names);
        naps[1].kill().unwrap();
        naps[1].join().unwrap_err();
        assert_eq!(phalanx::children().iter().map(|child| &*child.name).collect::<Vec<_>>(), ["c", "b"]);
        naps.iter().for_each(|nap| drop(nap.kill()));
    });
}

#[test]
fn a_child_whose_handle_is_dropped_is_still_a_child() {
    alone(|| {
        let latch = Latch::closed("latch");
        drop(report::builder(latch.path()).name("dropped").daemon(true).spawn().unwrap());
        let kept = nap::builder().name("kept").spawn().unwrap();
        let shown = || -> Vec<_> {
            phalanx::children().into_iter().map(|child| (child.name, child.daemon)).collect()
        };
        assert_eq!(shown(), [("dropped".to_owned(), true), ("kept".to_owned(), false)]);
        latch.open();
        eventually("its end", EVENT_TIMEOUT, || shown() == [("kept".to_owned(), false)]);
        kept.kill().unwrap();
        kept.join().unwrap_err();
        assert_eq!(shown(), []);
    });
}

/// A process that asks is told of its own children, and not of those of others.
#[test]
fn a_task_lists_what_it_has_spawned_itself() {
    alone(|| {
        let listed = |(): ()| {
            let before = phalanx::children().len();
            let naps = [nap::spawn().unwrap(), nap::spawn().unwrap()];
            let pids = naps.each_ref().map(Process::pid);
            let listed: Vec<u32> = phalanx::children().iter().map(|child| child.pid).collect();
            naps.iter().for_each(|nap| drop((nap.kill(), nap.join())));
            (before, listed == pids, phalanx::children().len())
        };
        let _other = nap::builder().daemon(true).spawn().unwrap();
        assert_eq!(Process::spawn(listed, ()).unwrap().join().unwrap(), (0, true, 0));
    });
}

#[test]
fn a_handle_shows_name_pid_parent_state_and_end() {
    alone(|| {
        let own = process::id();
        let napping = nap::builder().name("nap").spawn().unwrap();
        let who = format!("`nap`, process {}, child of {own}", napping.pid());
        assert_eq!(napping.to_string(), format!("{who}, started"));
        napping.kill().unwrap();
        napping.join().unwrap_err();
        assert_eq!(napping.to_string(), format!("{who}, killed by a holder of its ref"));

        let ended = |task: Process<()>| {
            let _ = task.join();
            task.to_string().split(", ").skip(3).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(ended(Process::spawn(|()| (), ()).unwrap()), "ended normally, exit code 0");
        assert_eq!(ended(Process::spawn(|()| process::exit(3), ()).unwrap()), "exited with code 3");
        let panicked = ended(Process::spawn(|()| panic!("no luck"), ()).unwrap());
        assert!(panicked.contains("no luck") && panicked.ends_with(", exit code 101"), "{panicked}");
        let late = nap::builder().deadline(Duration::from_millis(20)).spawn().unwrap();
        let late = ended(late);
        assert!(late.contains("exceeded its deadline") && late.ends_with(", SIGABRT"), "{late}");
        // The parent is the process that has spawned it, not the supervisor that has forked it.
        let inner = |(): ()| Process::spawn(|()| (), ()).map(|inner| inner.to_string()).unwrap();
        let outer = Process::spawn(inner, ()).unwrap();
        let shown = outer.join().unwrap();
        assert!(shown.contains(&format!("child of {}, ", outer.pid())), "{shown}");
    });
}

#[test]
fn a_handle_can_be_awaited_as_often_as_one_likes() {
    alone(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let latch = Latch::closed("latch");
            let process = report::builder(latch.path()).name("awaited").spawn().unwrap();
            let waiting = (&process).into_future();
            // One that is given up leaves the process alone.
            drop((&process).into_future());
            latch.open();
            assert_eq!(waiting.await.unwrap().0, "awaited");
            assert_eq!((&process).await.unwrap().0, "awaited");
            assert_eq!(process.await.unwrap().0, "awaited");

            let napping = nap::spawn().unwrap();
            napping.kill().unwrap();
            assert!(matches!(napping.await, Err(CallError::Died(ExitReason::Killed { after: None, .. }, _))));
        });
    });
}

#[test]
fn a_task_is_a_daemon_only_if_one_says_so() {
    alone(|| {
        let builders = [nap::builder(), nap::builder().daemon(true), nap::builder().daemon(false)];
        let naps = builders.map(|builder| builder.spawn().unwrap());
        assert_eq!(naps.each_ref().map(Process::daemon), [false, true, false]);
        let listed: Vec<bool> = phalanx::children().iter().map(|child| child.daemon).collect();
        assert_eq!(listed, [false, true, false]);
        naps.iter().for_each(|nap| nap.kill().unwrap());
    });
}

#[task(name = "by attribute", daemon)]
fn dressed() -> (String, bool) {
    (phalanx::current().name().to_owned(), phalanx::current().daemon())
}

#[test]
fn options_of_the_attribute_hold_unless_the_builder_says_otherwise() {
    alone(|| {
        assert_eq!(dressed::spawn().unwrap().join().unwrap(), ("by attribute".into(), true));
        let other = dressed::builder().name("by builder").daemon(false).spawn().unwrap();
        assert_eq!((other.name(), other.daemon()), ("by builder", false));
        assert_eq!(other.join().unwrap(), ("by builder".into(), false));
    });
}

#[test]
fn tasks_without_a_name_are_numbered_from_1_by_whoever_spawns_them() {
    let run = Program::new(env!("CARGO_BIN_EXE_scenario")).args(["names"]).start();
    let expected = [
        "Process-1 Process-1",
        "plain-2 plain-2",
        "by_attribute-3 by_attribute-3 Process-1",
        "given given Process-1",
        "by_attribute-4 by_attribute-4 Process-1",
    ];
    assert_eq!(run.rest(), expected);
    assert_eq!(run.finish(), 0);
}

#[test]
fn an_option_that_cannot_be_is_refused_by_name() {
    alone(|| {
        let names = [String::new(), "x".repeat(256), "a\0b".to_owned()];
        let mut builders: Vec<_> =
            names.map(|name| (nap::builder().name(name), "`name`")).into_iter().collect();
        builders.push((nap::builder().deadline(Duration::ZERO), "`deadline`"));
        builders.push((nap::builder().start_timeout(Duration::ZERO), "`start_timeout`"));
        for (builder, option) in builders {
            match builder.spawn() {
                Err(SpawnError::Option { error, .. }) => assert!(error.contains(option), "{error}"),
                other => panic!("{option}: {other:?}"),
            }
        }
        assert_eq!(phalanx::children(), []);
    });
}

#[test]
fn a_name_may_be_long_and_of_any_script() {
    alone(|| {
        for name in ["x".repeat(255), "приёмник 受信機".to_owned()] {
            let latch = Latch::closed("latch");
            let process = report::builder(latch.path()).name(&name).spawn().unwrap();
            latch.open();
            assert_eq!(process.join().unwrap().0, name);
        }
    });
}

#[test]
fn a_task_still_is_a_function() {
    let latch = Latch::closed("latch of a plain call");
    latch.open();
    assert_eq!(report(latch.path()), ("main".to_owned(), false, std::process::id()));
}
