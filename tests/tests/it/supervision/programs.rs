//! The end of a program that has a tree of supervisors.

use phalanx_tests::{EVENT_TIMEOUT, eventually, processes};

use crate::scenario::{self, output};

/// In reverse order of the starts, at every level.
const IN_ORDER: [&str; 5] = ["e stopped", "d stopped", "c stopped", "b stopped", "a stopped"];

#[test]
fn messages_that_are_queued_at_the_end_are_handled_and_children_stop_in_reverse_order() {
    let said = output("supervised-ends");
    for worker in ["a", "b", "c", "d", "e", "older", "younger"] {
        let own: Vec<&str> =
            said.iter().filter_map(|line| line.strip_prefix(worker)?.strip_prefix(' ')).collect();
        assert_eq!(own, ["0", "1", "2", "3", "4", "stopped"], "{worker}: {said:#?}");
    }
    let stopped: Vec<&str> =
        said.iter().map(String::as_str).filter(|line| line.ends_with("stopped")).collect();
    let expected: Vec<&str> =
        ["younger stopped"].into_iter().chain(IN_ORDER).chain(["older stopped"]).collect();
    assert_eq!(stopped, expected);
}

#[test]
fn a_supervisor_that_is_a_daemon_ends_first_with_all_below_it() {
    assert_eq!(
        output("supervised-daemon"),
        ["main ends", "worker stopped", "the task goes on", "actor stopped"]
    );
}

#[test]
fn a_daemon_among_children_ends_before_its_siblings() {
    assert_eq!(output("supervised-daemon-child"), ["main ends", "daemon stopped", "b stopped", "a stopped"]);
}

#[test]
fn a_task_below_a_supervisor_is_waited_for_and_a_permanent_one_is_stopped() {
    assert_eq!(output("supervised-tasks"), ["main ends", "the work is done", "a stopped"]);
}

#[test]
fn a_child_that_hangs_at_the_end_is_killed_when_its_grace_is_over() {
    assert_eq!(output("supervised-hangs"), ["main ends", "stubborn hangs", "worker stopped"]);
}

#[test]
fn a_child_that_waits_for_its_restart_does_not_hold_up_the_end() {
    let said = output("supervised-restarting");
    assert_eq!(said, ["main ends"].into_iter().chain(IN_ORDER).collect::<Vec<_>>());
}

#[test]
fn ctrl_c_ends_a_tree_of_supervisors_in_order() {
    for (signal, code) in [("INT", -2), ("TERM", -15)] {
        let run = scenario::start("supervised-interrupted");
        assert_eq!(run.line(), run.pid().to_string());
        run.signal(signal);
        assert_eq!((run.rest(), run.rest_of_stderr()), (IN_ORDER.map(str::to_owned).into(), vec![]));
        assert_eq!(run.finish(), code);
    }
}

#[test]
fn a_second_ctrl_c_ends_a_tree_of_supervisors_at_once() {
    let run = scenario::start("supervised-interrupted-hanging");
    assert_eq!(run.line(), run.pid().to_string());
    run.signal("INT");
    assert_eq!(run.line(), "stubborn hangs");
    run.signal("INT");
    assert_eq!(run.finish(), -2);
}

/// Whatever is killed while processes are restarted: nothing is left.
#[test]
fn a_tree_in_which_much_is_restarted_leaves_nothing_when_it_is_killed() {
    for round in 0..12 {
        let mut run = scenario::start("supervised-crashing");
        run.line();
        std::thread::sleep(std::time::Duration::from_millis(20 + 13 * round));
        if round % 3 == 2 {
            // The program goes on without a tree; it is killed later.
            let root = run.root_supervisor();
            processes::kill(root);
            eventually("its end", EVENT_TIMEOUT, || !processes::runs(root));
        }
        run.kill();
        assert_eq!(run.finish(), -9);
    }
}

/// SIGTERM to a supervisor from outside is a stop in order, of it alone.
#[test]
fn sigterm_to_a_supervisor_stops_it_in_order() {
    let run = scenario::start("supervised-interrupted");
    assert_eq!(run.line(), run.pid().to_string());
    let top = processes::descendants(run.pid()).into_iter().find(|process| process.name == "top").unwrap();
    processes::signal("TERM", i64::from(top.pid));
    let said: Vec<String> = (0..IN_ORDER.len()).map(|_| run.line()).collect();
    assert_eq!(said, IN_ORDER);
    assert_eq!(run.rest_of_stderr(), ["main goes on: stopped by SIGTERM"]);
    assert_eq!(run.finish(), 0);
}
