//! Signals to a command, its name in the tree, and what it said last.

use phalanx::command::{Command, CommandError, Ready, Shim};
use phalanx::prelude::*;
use phalanx::{ExitReason, StoppedBy};
use phalanx_tests::{EVENT_TIMEOUT, Program, RESTART_WINDOW, alone, eventually, processes};

use super::{Paper, SCENARIO, begun};

#[test]
fn a_signal_reaches_the_command_and_no_other_process() {
    alone(|| {
        let paper = Paper::new("heard");
        let trap = format!("trap 'echo heard >{}; exit 3' USR1", paper.path());
        let helper = "(trap '' TERM; exec sleep 1000) &";
        let command = begun(&format!("{trap}; {helper} echo begun; while :; do sleep 0.01; done"));
        let shim = command.pid().unwrap();
        command.signal(10).unwrap();
        assert_eq!(command.join_timeout(EVENT_TIMEOUT), Some(ExitReason::Exited(3)));
        assert_eq!(paper.text(), "heard\n");
        assert!(!processes::exists(shim));
    });
}

#[test]
fn a_command_can_be_held_and_continued() {
    alone(|| {
        let command = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = command.command_pid().unwrap();
        let state = || processes::stat(pid).unwrap().state;
        command.signal(19).unwrap();
        eventually("a stopped process", EVENT_TIMEOUT, || state() == 'T');
        command.signal(18).unwrap();
        eventually("a process that runs", EVENT_TIMEOUT, || state() != 'T');
        assert_eq!(command.stop(EVENT_TIMEOUT).unwrap(), ExitReason::Stopped(StoppedBy::Ref));
    });
}

#[test]
fn a_number_that_is_no_signal_is_refused_and_a_command_that_has_ended_gets_none() {
    alone(|| {
        let command = Command::new("sleep").arg("1000").spawn().unwrap();
        for number in [i32::MIN, -1, 0, 65] {
            let error = command.signal(number).unwrap_err();
            assert!(matches!(error, CallError::App(CommandError::NoSignal(bad)) if bad == number));
            assert!(error.to_string().contains(&number.to_string()), "{error}");
        }
        command.signal(64).unwrap();
        let reason = command.join_timeout(EVENT_TIMEOUT).unwrap();
        assert_eq!(reason.signal(), Some(64));
        let error = command.signal(9).unwrap_err();
        assert!(matches!(error, CallError::Gone(_) | CallError::Died(..)), "{error}");
    });
}

/// It never hits a process that has got the number of the command: each call meets the command or reports its
/// end.
#[test]
fn signals_race_with_the_end_of_the_command_and_only_it_gets_them() {
    alone(|| {
        for _ in 0..20 {
            let command = Command::shell("exit 4").spawn().unwrap();
            let sent = command.signal(9);
            let reason = command.join_timeout(EVENT_TIMEOUT).unwrap();
            match sent {
                Ok(()) => assert!(reason == ExitReason::Exited(4) || reason.signal() == Some(9), "{reason}"),
                Err(error) => assert_eq!(reason, ExitReason::Exited(4), "{error}"),
            }
        }
    });
}

#[test]
fn a_command_is_found_by_its_name_until_it_ends() {
    alone(|| {
        let server = Command::new("sleep").arg("1000").registered("server").spawn().unwrap();
        let found = phalanx::names::lookup::<Shim>("server").unwrap();
        assert_eq!((found.id(), found.command_pid()), (server.id(), server.command_pid()));
        let again = Command::new("sleep").arg("1000").registered("server").spawn();
        assert!(matches!(again, Err(SpawnError::AlreadyStarted { actor, .. }) if actor == "server"));
        server.signal(9).unwrap();
        server.join();
        eventually("no such name", EVENT_TIMEOUT, || phalanx::names::lookup::<Shim>("server").is_err());
        let services = Supervisor::one_for_one().name("services").start().unwrap();
        let child = services.start_child("child", Command::new("sleep").arg("1000").registered("server"));
        assert_eq!(phalanx::names::lookup::<Shim>("server").unwrap().id(), child.unwrap().id());
    });
}

#[test]
fn the_last_lines_of_a_command_outlive_it_and_are_bounded() {
    alone(|| {
        let line =
            "i=0; while [ $i -lt 1000 ]; do echo line $i >&2; i=$((i+1)); done; printf last >&2; exit 3";
        let command = Command::shell(line).spawn().unwrap();
        let down = command.monitor().recv_timeout(EVENT_TIMEOUT).unwrap();
        let expected: Vec<String> =
            (991..1000).map(|number: u32| format!("line {number}")).chain(["last".into()]).collect();
        assert_eq!(command.last_lines(), Some(expected.join("\n")));
        assert_eq!(down.last_lines, command.last_lines());
        assert!(down.to_string().ends_with("line 999\\nlast"), "{down}");
        let long = Command::shell("head -c 100000 /dev/zero | tr '\\0' x >&2; kill -9 $$").spawn().unwrap();
        assert_eq!(long.join().signal(), Some(9));
        assert_eq!(long.last_lines(), Some("x".repeat(511)));
        let silent = Command::shell("echo out; exit 1").spawn().unwrap();
        assert_eq!((silent.join(), silent.last_lines()), (ExitReason::Exited(1), None));
    });
}

/// Words on a page are those of a panic elsewhere.
#[test]
fn a_command_that_says_something_and_aborts_has_not_panicked() {
    alone(|| {
        let command =
            Command::shell("ulimit -c 0; echo assertion failed >&2; kill -ABRT $$").spawn().unwrap();
        assert_eq!(command.join(), ExitReason::Signaled { signal: 6, core_dumped: false });
        assert_eq!(command.last_lines().as_deref(), Some("assertion failed"));
    });
}

#[test]
fn the_last_lines_are_those_of_the_process_that_ended_last() {
    alone(|| {
        let line = "echo process $$ failed >&2; echo begun; sleep 0.1; exit 1";
        let command = Command::shell(line).ready(Ready::line("begun")).restart(Restart::Transient);
        let command = command.intensity(2, RESTART_WINDOW).spawn().unwrap();
        eventually("another process", EVENT_TIMEOUT, || command.incarnation() > 1);
        assert!(command.last_lines().unwrap().starts_with("process "));
        command.join_timeout(EVENT_TIMEOUT).unwrap();
        assert_eq!(command.incarnation(), 3);
        assert!(command.last_lines().unwrap().ends_with(" failed"));
    });
}

#[test]
fn lines_are_logged_at_the_level_that_is_asked_for() {
    let args = ["command", "log", "", "echo one >&2; echo two", "error"];
    let run = Program::new(SCENARIO).args(args).env("RUST_LOG", "phalanx::command=debug").start();
    let mut log = run.rest_of_stderr();
    assert_eq!(run.finish(), 0);
    log.sort_by_key(|line| !line.contains(" one "));
    let [one, two] = &log[..] else { panic!("{log:#?}") };
    assert!(one.contains("ERROR phalanx::command: one "), "{one}");
    assert!(two.contains(" INFO phalanx::command: two "), "{two}");
}
