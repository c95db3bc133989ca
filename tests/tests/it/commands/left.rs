//! Nothing is left of the commands, whichever process is killed.

use phalanx_tests::{EVENT_TIMEOUT, Program, Run, eventually, processes};

use super::SCENARIO;

/// A program with several commands, the processes below its root supervisor, and the first command's keeper.
fn with_commands() -> (Run, Vec<u32>, u32) {
    let run = Program::new(SCENARIO).args(["commands"]).env("RUST_LOG", "off").start();
    let keeper = run.line().parse().unwrap();
    let below = processes::descendants(run.pid()).iter().map(|process| process.pid).collect::<Vec<_>>();
    // Reaper and root supervisor, five keepers, a plain command, four shells with two children each.
    assert!(below.len() >= 20, "{below:?}");
    (run, below, keeper)
}

/// Those of another parent by now are reaped by it when it likes.
#[track_caller]
fn all_end(below: &[u32]) {
    eventually("the end of all", EVENT_TIMEOUT, || !below.iter().any(|&pid| processes::runs(pid)));
}

#[test]
fn a_program_that_is_killed_leaves_nothing_of_its_commands() {
    let (run, below, _) = with_commands();
    run.signal("KILL");
    all_end(&below);
    assert_eq!(run.finish(), -9);
}

#[test]
fn a_root_supervisor_that_is_killed_leaves_nothing_of_its_commands() {
    let (run, below, _) = with_commands();
    processes::kill(run.root_supervisor());
    all_end(&below);
    run.signal("KILL");
    run.finish();
}

#[test]
fn a_program_and_its_root_supervisor_that_are_killed_together_leave_nothing_of_their_commands() {
    let (run, below, _) = with_commands();
    processes::kill_together(&[run.pid(), run.root_supervisor()]);
    all_end(&below);
    assert_eq!(run.finish(), -9);
}

#[test]
fn a_reaper_that_is_killed_takes_the_tree_with_it_and_nothing_is_left_of_its_commands() {
    for with_program in [false, true] {
        let (run, below, _) = with_commands();
        let victims = [run.reaper(), run.pid()];
        processes::kill_together(if with_program { &victims } else { &victims[..1] });
        all_end(&below);
        run.signal("KILL");
        run.finish();
    }
}

#[test]
fn keepers_that_are_killed_with_the_root_supervisor_leave_nothing_of_their_commands() {
    let (run, below, _) = with_commands();
    let root = run.root_supervisor();
    let mut victims: Vec<u32> = processes::children(root).iter().map(|keeper| keeper.pid).collect();
    victims.extend([root, run.pid()]);
    processes::kill_together(&victims);
    all_end(&below);
    run.finish();
}

#[test]
fn ctrl_c_ends_commands_in_order_and_those_that_ignore_it_by_force() {
    let (run, below, keeper) = with_commands();
    assert!(processes::runs(keeper));
    run.signal("INT");
    all_end(&below);
    assert_eq!(run.finish(), -2);
}
