//! Processes that are hard to get hold of, and deaths at an unlucky moment.

use phalanx::prelude::*;
use phalanx_tests::{
    CLEANUP_LIMIT_WHEN_BUSY, EVENT_TIMEOUT, Program, Run, alone, eventually, processes, until,
};

const SCENARIO: &str = env!("CARGO_BIN_EXE_scenario");

#[actor]
struct Parent;

#[actor]
impl Parent {
    fn leave_a_stray(&self) -> u32 {
        processes::leave_a_stray()
    }
}

/// Waits until it is a stray: in a session of its own, and its starter gone.
fn settle(stray: u32) {
    until("a stray", EVENT_TIMEOUT, || processes::stat(stray).filter(|process| process.group == stray));
}

#[test]
fn an_orphan_among_the_descendants_of_a_killed_actor_dies_with_it() {
    alone(|| {
        let parent = Parent.spawn().unwrap();
        let stray = parent.leave_a_stray().wait().unwrap();
        settle(stray);
        parent.kill().unwrap();
        eventually("its end", CLEANUP_LIMIT_WHEN_BUSY, || !processes::exists(stray));
    });
}

#[test]
fn an_orphan_among_the_descendants_of_an_actor_that_is_stopped_dies_with_it() {
    alone(|| {
        let parent = Parent.spawn().unwrap();
        let stray = parent.leave_a_stray().wait().unwrap();
        settle(stray);
        assert!(parent.stop(EVENT_TIMEOUT).unwrap().is_orderly());
        eventually("its end", CLEANUP_LIMIT_WHEN_BUSY, || !processes::exists(stray));
    });
}

fn with_stray() -> (Run, u32) {
    let run = Program::new(SCENARIO).args(["stray"]).start();
    let stray = run.line().parse().unwrap();
    settle(stray);
    (run, stray)
}

#[test]
fn an_orphan_among_the_descendants_dies_with_the_program() {
    let (run, stray) = with_stray();
    run.signal("KILL");
    eventually("its end", CLEANUP_LIMIT_WHEN_BUSY, || !processes::exists(stray));
    assert_eq!(run.finish(), -9);
}

#[test]
fn an_orphan_among_the_descendants_dies_with_the_root_supervisor() {
    let (run, stray) = with_stray();
    processes::kill(run.root_supervisor());
    // The reaper is its parent then.
    eventually("its end", CLEANUP_LIMIT_WHEN_BUSY, || !processes::exists(stray));
    assert_eq!(run.rest(), ["its supervisor died"]);
    assert_eq!(run.finish(), 0);
}

#[test]
fn an_orphan_among_the_descendants_dies_with_the_reaper() {
    let (run, stray) = with_stray();
    let root = run.root_supervisor();
    processes::kill(run.reaper());
    eventually("its end", CLEANUP_LIMIT_WHEN_BUSY, || !processes::exists(stray));
    // Init is its parent then, and reaps it when it likes.
    eventually("the end of the root supervisor", CLEANUP_LIMIT_WHEN_BUSY, || !processes::runs(root));
    // What was written down of the actor's end may be read, or may not.
    assert!(matches!(
        &*run.line(),
        "its supervisor died" | "killed by SIGKILL" | "killed by the end of the program"
    ));
    assert_eq!(run.finish(), 0);
}

#[test]
fn an_orphan_among_the_descendants_dies_with_program_and_root_supervisor_or_program_and_reaper() {
    for with_root in [false, true] {
        let (run, stray) = with_stray();
        let other = if with_root { run.root_supervisor() } else { run.reaper() };
        processes::kill_together(&[run.pid(), other]);
        eventually("its end", CLEANUP_LIMIT_WHEN_BUSY, || !processes::exists(stray));
        assert_eq!(run.finish(), -9);
    }
}

/// A supervisor that is stopped when the end comes is continued for it, by the one above.
#[test]
fn an_orphan_dies_with_the_program_also_if_the_root_supervisor_is_stopped() {
    let (run, stray) = with_stray();
    processes::signal("STOP", i64::from(run.root_supervisor()));
    run.signal("KILL");
    eventually("its end", CLEANUP_LIMIT_WHEN_BUSY, || !processes::exists(stray));
    assert_eq!(run.finish(), -9);
}

#[test]
fn an_orphan_among_the_descendants_dies_at_the_end_of_the_program() {
    let (run, stray) = with_stray();
    run.signal("TERM");
    eventually("its end", CLEANUP_LIMIT_WHEN_BUSY, || !processes::exists(stray));
    assert_eq!(run.finish(), -15);
}

/// A program whose supervisor has just forked a child, which is not set up yet.
fn at_the_fault_point() -> (Run, u32) {
    let run =
        Program::new(SCENARIO).args(["spawns-once"]).env("PHALANX_FAULT_BEFORE_SETUP_MS", "5000").start();
    let root = run.root_supervisor();
    until("a child that is not set up", EVENT_TIMEOUT, || {
        (processes::children(root).len() == 1).then_some(())
    });
    (run, root)
}

#[test]
fn a_child_whose_supervisor_dies_before_its_set_up_never_runs_user_code() {
    for _ in 0..20 {
        let (run, root) = at_the_fault_point();
        processes::kill(root);
        assert_eq!(run.rest(), ["the supervisor died"]);
        assert_eq!(run.finish(), 0);
    }
}

#[test]
fn a_child_whose_program_dies_before_its_set_up_never_runs_user_code() {
    for _ in 0..20 {
        let (run, _) = at_the_fault_point();
        run.signal("KILL");
        assert_eq!(run.rest(), [""; 0]);
        assert_eq!(run.finish(), -9);
    }
}
