//! Ctrl-C and SIGTERM: once in order, twice at once, and never a word on standard error.

use std::time::Instant;

use phalanx_tests::{EVENT_TIMEOUT, Program, Run, eventually, processes};

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
        assert!(start.elapsed() < EVENT_TIMEOUT);
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
    eventually("the end of the supervisor", EVENT_TIMEOUT, || !processes::exists(root));
    assert_eq!(run.finish(), 0);
}

/// As `tokio::signal` does it, the handler calls the one that it has replaced, too.
#[test]
fn a_handler_that_the_program_installs_after_its_first_spawn_decides_by_itself() {
    for signal in ["TERM", "INT"] {
        let run = ready("handles-signals");
        for _ in 0..2 {
            run.signal(signal);
            assert_eq!(run.line(), format!("SIG{signal}, and the actor works"));
        }
        run.signal("HUP");
        assert_eq!((run.rest(), run.rest_of_stderr()), (vec!["worker stopped".to_owned()], vec![]));
        assert_eq!(run.finish(), 0);
    }
}

/// In a terminal of its own, that of `script`; its output has the line ends of a terminal.
#[test]
fn an_actor_at_a_terminal_is_not_stopped_by_it() {
    if std::process::Command::new("script").arg("--version").output().is_err() {
        eprintln!("skipped: no `script` to make a terminal");
        return;
    }
    let command = format!("stty tostop; exec {} terminal", env!("CARGO_BIN_EXE_scenario"));
    let run = Program::new("script").args(["-qec", &command, "/dev/null"]).start();
    let said: Vec<String> = run.rest().iter().map(|line| line.trim_end().to_owned()).collect();
    // EIO.
    assert_eq!(said, ["the actor prints", "Some(5)", "the command: 0"]);
    assert_eq!(run.finish(), 0);
}
