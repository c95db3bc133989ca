//! Ctrl-C and SIGTERM: once in order, twice at once, and never a word on standard error.

use std::time::Instant;

use phalanx_tests::{Program, Run, eventually, processes};

use super::PATIENCE;

/// A tree of depth 3 that stops in reverse order of its start, each hook before what its actor has started.
const IN_ORDER: [&str; 5] = ["second stopped", "first stopped", "b stopped", "x stopped", "a stopped"];

/// A scenario that has said that it is ready.
fn ready(name: &str) -> Run {
    let run = Program::new(env!("CARGO_BIN_EXE_scenario")).args([name]).start();
    assert_eq!(run.line(), run.pid().to_string());
    run
}

#[track_caller]
fn ends_in_order(scenario: &str, signal: &str, code: i32) {
    let run = ready(scenario);
    run.signal(signal);
    assert_eq!((run.rest(), run.rest_of_stderr()), (IN_ORDER.map(str::to_owned).into(), vec![]));
    assert_eq!(run.finish(), code);
}

#[test]
fn ctrl_c_ends_a_program_that_waits_for_an_actor_in_order() {
    ends_in_order("interrupted", "INT", -2);
}

#[test]
fn ctrl_c_ends_a_program_that_is_busy_with_something_else_in_order() {
    ends_in_order("interrupted-in-main", "INT", -2);
}

#[test]
fn sigterm_ends_a_program_in_order() {
    ends_in_order("interrupted", "TERM", -15);
    ends_in_order("interrupted-in-main", "TERM", -15);
}

/// What phalanx had changed it has put back: there is nothing left to be ended first.
#[test]
fn ctrl_c_ends_a_program_that_has_shut_its_tree_down() {
    for (signal, code) in [("INT", -2), ("TERM", -15)] {
        let run = Program::new(env!("CARGO_BIN_EXE_scenario")).args(["interrupted-after-shutdown"]).start();
        let mut lines: Vec<String> = (0..IN_ORDER.len()).map(|_| run.line()).collect();
        lines.sort();
        assert!(lines.iter().all(|line| line.ends_with("stopped")), "{lines:?}");
        assert_eq!(run.line(), run.pid().to_string());
        run.signal(signal);
        assert_eq!(run.finish(), code);
    }
}

#[test]
fn a_shell_sees_the_signal_that_ended_the_program() {
    for (signal, code) in [("INT", "130"), ("TERM", "143")] {
        let script = [r#""$0" interrupted; echo $?"#, env!("CARGO_BIN_EXE_scenario")];
        let run = Program::new("sh").args(["-c", script[0], script[1]]).start();
        let program: i64 = run.line().parse().unwrap();
        processes::signal(signal, program);
        let mut said = run.rest();
        assert_eq!(said.pop().as_deref(), Some(code));
        assert_eq!(said, IN_ORDER);
        // A shell may have its own word on the signal.
        let errors = run.rest_of_stderr();
        assert!(errors.iter().all(|line| line == "Terminated"), "{errors:?}");
        assert_eq!(run.finish(), 0);
    }
}

/// In a terminal, a whole foreground group gets the signal; actors have groups of their own.
#[test]
fn a_signal_to_the_group_of_the_program_reaches_no_actor() {
    let run = ready("interrupted");
    let own = i64::from(run.pid());
    assert_eq!(processes::stat(run.pid()).unwrap().group, run.pid());
    for process in processes::descendants(run.pid()) {
        assert_ne!(process.group, run.pid(), "{process:?}");
    }
    processes::signal("INT", -own);
    assert_eq!((run.rest(), run.rest_of_stderr()), (IN_ORDER.map(str::to_owned).into(), vec![]));
    assert_eq!(run.finish(), -2);
}

#[test]
fn a_second_ctrl_c_ends_what_does_not_stop() {
    for signal in ["INT", "TERM"] {
        let run = ready("interrupted-twice");
        run.signal(signal);
        assert_eq!(run.line(), "stubborn hangs");
        let start = Instant::now();
        run.signal(signal);
        // The other actor's turn never came.
        assert_eq!((run.rest(), run.rest_of_stderr()), (vec![], vec![]));
        assert_eq!(run.finish(), if signal == "INT" { -2 } else { -15 });
        assert!(start.elapsed() < PATIENCE);
    }
}

#[test]
fn ctrl_c_does_not_wait_for_a_handler_longer_than_its_grace() {
    let run = Program::new(env!("CARGO_BIN_EXE_scenario")).args(["interrupted-in-handler"]).start();
    let mut said = [run.line(), run.line()];
    said.sort();
    assert_eq!(said, [run.pid().to_string(), "worker works".to_owned()]);
    run.signal("INT");
    assert_eq!((run.rest(), run.rest_of_stderr()), (vec![], vec![]));
    assert_eq!(run.finish(), -2);
}

/// A supervisor that is asked to go takes its tree down in order.
#[test]
fn sigterm_to_the_root_supervisor_ends_its_tree_in_order() {
    let run = Program::new(env!("CARGO_BIN_EXE_scenario")).args(["interrupted"]).start();
    run.line();
    let root = run.root_supervisor();
    processes::signal("TERM", i64::from(root));
    assert_eq!(run.rest(), IN_ORDER);
    eventually("the end of the supervisor", PATIENCE, || !processes::exists(root));
    assert_eq!(run.finish(), 0);
}
