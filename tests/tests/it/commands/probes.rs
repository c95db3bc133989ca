//! Readiness by another command, which is run until it says so.

use std::thread;
use std::time::{Duration, Instant};

use phalanx::command::{Command, Ready};
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

use super::{Paper, supervised};

fn idle() -> Command {
    Command::new("sleep").arg("1000").name("idle")
}

#[test]
fn a_command_is_ready_when_its_probe_ends_with_0() {
    alone(|| {
        let paper = Paper::new("runs");
        let line = format!("echo run >>{}; test $(wc -l <{}) = 3", paper.path(), paper.path());
        let start = Instant::now();
        let command = idle().ready(Ready::shell(line)).spawn().unwrap();
        assert_eq!(paper.text(), "run\nrun\nrun\n");
        assert!(start.elapsed() >= Duration::from_millis(200));
        // It is not run any more, and the command is all that the shim has.
        let below = processes::descendants(command.pid().unwrap());
        assert_eq!(
            below.iter().map(|process| process.pid).collect::<Vec<_>>(),
            [command.command_pid().unwrap()]
        );
        assert_eq!(command.ready_line().unwrap(), None);
        command.kill().unwrap();
    });
}

#[test]
fn a_probe_has_the_environment_and_the_attributes_of_its_command() {
    alone(|| {
        let line = "test \"$LEVEL\" = 3 && test $PWD = / && test $(nice) = 9 && test -z \"$HOME\"";
        let command = idle().env("LEVEL", "3").env_remove("HOME").current_dir("/").nice(9);
        command.ready(Ready::shell(line)).spawn().unwrap().kill().unwrap();
    });
}

/// The first run hangs, and ignores what asks it to end.
#[test]
fn a_probe_that_hangs_is_killed_and_run_again() {
    alone(|| {
        let (paper, pid) = (Paper::new("runs"), Paper::new("pid"));
        let hang = format!("echo $$ >{}; trap '' TERM HUP INT; sleep 1000 & wait; wait", pid.path());
        let line = format!("if test -e {}; then exit 0; fi; echo run >{0}; {hang}", paper.path());
        let command = idle().start_timeout(EVENT_TIMEOUT).ready(Ready::shell(line)).spawn().unwrap();
        assert!(!processes::exists(pid.number()));
        assert_eq!(processes::descendants(command.pid().unwrap()).len(), 1);
        assert_eq!(paper.text(), "run\n");
        command.kill().unwrap();
    });
}

/// In its group, in a session of its own, and one whose parent has ended.
#[test]
fn nothing_is_left_of_a_probe_and_the_helpers_of_the_command_run_on() {
    alone(|| {
        let paper = Paper::new("pids");
        let strays = "sleep 1000 & echo $!; setsid sleep 1000 & echo $!; (setsid sleep 1000 & echo $!)";
        let line = format!("{{ {strays}; }} >{}", paper.path());
        let helper = Paper::new("helper");
        let command = format!("(setsid sleep 1000 & echo $! >{}); exec sleep 1000", helper.path());
        let command = Command::shell(command).ready(Ready::shell(line)).spawn().unwrap();
        let pids: Vec<u32> = paper.text().lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(pids.len(), 3);
        eventually("the end of all", EVENT_TIMEOUT, || !pids.iter().any(|&pid| processes::exists(pid)));
        assert!(processes::runs(helper.number()) && command.is_alive());
        command.kill().unwrap();
        eventually("the end of the helper", EVENT_TIMEOUT, || !processes::exists(helper.number()));
    });
}

/// What hides from the mark goes with the command.
#[test]
fn a_stray_without_an_environment_ends_with_the_command() {
    alone(|| {
        let paper = Paper::new("pid");
        let line = format!("env -i setsid sleep 1000 & echo $! >{}", paper.path());
        let command = idle().ready(Ready::shell(line)).spawn().unwrap();
        let stray = paper.number();
        command.stop(EVENT_TIMEOUT).unwrap();
        eventually("its end", EVENT_TIMEOUT, || !processes::exists(stray));
    });
}

#[test]
fn a_probe_that_never_succeeds_is_a_start_timeout_and_leaves_nothing() {
    alone(|| {
        for line in ["exit 1", "sleep 1000", "setsid sleep 1000 & exit 1"] {
            let limit = Duration::from_millis(700);
            let start = Instant::now();
            match idle().start_timeout(limit).ready(Ready::shell(line)).spawn() {
                Err(SpawnError::StartTimeout { awaited, .. }) => {
                    assert_eq!(awaited, "`/bin/sh` to end with code 0");
                }
                other => panic!("{other:?}"),
            }
            assert!(start.elapsed() >= limit);
            eventually("the end of all", EVENT_TIMEOUT, || supervised().is_empty());
        }
    });
}

#[test]
fn a_probe_that_cannot_be_run_and_a_command_that_ends_meanwhile_are_refused() {
    alone(|| {
        let refusal = |command: Command| match command.spawn() {
            Err(SpawnError::InitFailed { error, .. }) => error,
            other => panic!("{other:?}"),
        };
        let error = refusal(idle().ready(Ready::command("no-such-program", ["x"])));
        let expected =
            "the option `ready`: cannot run `no-such-program`: No such file or directory (os error 2)";
        assert_eq!(error, expected);
        let ends = Command::shell("sleep 0.3; echo no disk >&2; exit 6").ready(Ready::shell("sleep 1000"));
        assert_eq!(refusal(ends), "`/bin/sh` exited with code 6 before it was ready: no disk");
        eventually("the end of all", EVENT_TIMEOUT, || supervised().is_empty());
    });
}

#[test]
fn a_start_that_is_stopped_ends_the_probe_too() {
    alone(|| {
        let paper = Paper::new("pid");
        let line = format!("echo $$ >{}; trap '' TERM; sleep 1000 & wait; wait", paper.path());
        let services = Supervisor::one_for_one().name("services").start().unwrap();
        let owner = services.clone();
        let starting = thread::spawn(move || {
            owner.start_child("child", idle().start_timeout(EVENT_TIMEOUT).ready(Ready::shell(line)))
        });
        let probe = paper.number();
        services.stop(EVENT_TIMEOUT).unwrap();
        assert!(starting.join().unwrap().is_err());
        eventually("the end of all", EVENT_TIMEOUT, || !processes::exists(probe) && supervised().is_empty());
    });
}
