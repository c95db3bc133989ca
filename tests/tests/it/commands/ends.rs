//! The end of a command, as its keeper ends with it.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{ExitReason, command::Command};
use phalanx_tests::{EVENT_TIMEOUT, Program, alone, eventually, processes};

use super::{Paper, SCENARIO, begun};

fn killed_by(signal: i32) -> ExitReason {
    ExitReason::Signaled { signal, core_dumped: false }
}

#[test]
fn a_code_is_that_of_the_command() {
    alone(|| {
        for code in [0, 1, 7, 101, 137, 255] {
            let command = Command::shell(format!("exit {code}")).spawn().unwrap();
            assert_eq!(command.join(), ExitReason::Exited(code));
            assert_eq!((command.exit_code(), command.is_alive()), (Some(code), false));
        }
        assert_eq!(Command::new("false").spawn().unwrap().join(), ExitReason::Exited(1));
    });
}

#[test]
fn a_signal_is_that_of_the_command() {
    alone(|| {
        // Hang-up, interrupt, quit, abort, bus, kill, user, segv, pipe, alarm, term, cpu, a real-time signal,
        // the last one.
        for signal in [1, 2, 3, 6, 7, 9, 10, 11, 13, 14, 15, 24, 40, 64] {
            let command = begun(&format!("echo begun; kill -{signal} $$"));
            assert_eq!(command.join_timeout(EVENT_TIMEOUT), Some(killed_by(signal)));
            assert_eq!(command.exit_code(), Some(-signal));
        }
    });
}

#[test]
fn a_command_that_is_killed_from_outside_is_reported_so() {
    alone(|| {
        for (name, signal) in [("TERM", 15), ("KILL", 9), ("SEGV", 11)] {
            let command = Command::new("sleep").arg("1000").spawn().unwrap();
            let mut monitor = command.monitor();
            processes::signal(name, i64::from(command.command_pid().unwrap()));
            assert_eq!(monitor.recv_timeout(EVENT_TIMEOUT).unwrap().reason, killed_by(signal));
            let error = command.command_pid().unwrap_err();
            assert_eq!(error.exit_reason(), Some(&killed_by(signal)), "{error}");
        }
    });
}

/// Where the system writes cores into files, there is one: that of the command.
#[test]
fn a_keeper_leaves_no_core() {
    let script = r#"ulimit -c unlimited 2>/dev/null; exec "$0" command-dumps"#;
    let run = Program::new("sh").args(["-c", script, SCENARIO]).start();
    assert_eq!(run.line(), format!("{:?}", killed_by(11)));
    let cores: usize = run.line().parse().unwrap();
    assert!(cores <= 1, "{cores}");
    assert_eq!(run.finish(), 0);
}

#[test]
fn a_signal_of_the_command_to_its_group_does_not_reach_the_keeper() {
    alone(|| {
        let command = begun("sleep 1000 & echo begun; kill -TERM 0");
        assert_eq!(command.join_timeout(EVENT_TIMEOUT), Some(killed_by(15)));
    });
}

#[test]
fn a_keeper_that_is_killed_takes_the_command_with_it() {
    alone(|| {
        for signal in ["KILL", "SEGV", "HUP"] {
            let paper = Paper::new("stray");
            let line = format!(
                "trap '' HUP TERM; setsid sleep 1000 & echo $! >{}; sleep 1000 & echo begun; wait",
                paper.path()
            );
            let command = begun(&line);
            let below = processes::descendants(command.pid().unwrap());
            assert!(below.len() >= 3, "{below:#?}");
            processes::signal(signal, i64::from(command.pid().unwrap()));
            assert!(command.join_timeout(EVENT_TIMEOUT).unwrap().signal().is_some());
            let stray = paper.number();
            eventually("the end of all", EVENT_TIMEOUT, || {
                !processes::exists(stray) && below.iter().all(|process| !processes::exists(process.pid))
            });
        }
    });
}

#[test]
fn what_a_command_leaves_behind_ends_with_it() {
    alone(|| {
        // In its group, in a session of its own, and one whose parent has ended.
        let lines = [
            "sleep 1000 & echo $! >",
            "setsid sleep 1000 & echo $! >",
            "trap '' HUP TERM; (setsid sh -c 'sleep 1000 & echo $!; exit 0' &) >",
        ];
        for line in lines {
            let paper = Paper::new("left");
            let command = Command::shell(format!("{line}{}; exit 6", paper.path())).spawn().unwrap();
            assert_eq!(command.join_timeout(EVENT_TIMEOUT), Some(ExitReason::Exited(6)));
            // It may have been ended before it wrote anything.
            if let Ok(pid) = paper.text().trim().parse() {
                eventually("its end", EVENT_TIMEOUT, || !processes::exists(pid));
            }
        }
    });
}

/// Its keeper still reads what a helper has to say.
#[test]
fn a_command_that_has_ended_has_no_pid_any_more() {
    alone(|| {
        for round in 0..10 {
            let command = begun("sleep 0.4 & echo begun; exec sleep 1000");
            let pid = command.command_pid().unwrap();
            processes::kill(pid);
            eventually("its end", EVENT_TIMEOUT, || !processes::runs(pid));
            let error = command.command_pid().unwrap_err();
            assert_eq!(error.exit_reason(), Some(&killed_by(9)), "{error} in round {round}");
        }
    });
}

#[test]
fn an_end_is_not_known_late_because_a_daemon_has_the_pipe() {
    alone(|| {
        let paper = Paper::new("ended");
        let line = format!("setsid sleep 1000 & echo begun; sleep 0.2; date +%s%N >{}; exit 3", paper.path());
        let reason = begun(&line).join_timeout(EVENT_TIMEOUT);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(reason, Some(ExitReason::Exited(3)));
        let ended = Duration::from_nanos(paper.text().trim().parse().unwrap());
        let late = now.saturating_sub(ended);
        assert!(late < Duration::from_millis(450), "{late:?}");
    });
}

#[test]
fn orphans_of_a_command_that_runs_are_reaped() {
    alone(|| {
        let command =
            begun("for n in 1 2 3 4 5; do (sleep 0.01 & exit 0); done; echo begun; exec sleep 1000");
        let (keeper, pid) = (command.pid().unwrap(), command.command_pid().unwrap());
        eventually("one child", EVENT_TIMEOUT, || {
            processes::children(keeper).iter().map(|child| child.pid).collect::<Vec<_>>() == [pid]
        });
        assert!(command.stop(EVENT_TIMEOUT).unwrap().is_orderly());
    });
}

#[test]
fn a_command_of_an_actor_ends_with_it() {
    #[actor]
    struct Owner;

    #[actor]
    impl Owner {
        fn start(&self) -> phalanx::Result<phalanx::command::CommandRef> {
            Ok(Command::new("sleep").arg("1000").spawn()?)
        }
    }
    alone(|| {
        for kill in [false, true] {
            let owner = Owner.spawn().unwrap();
            let command = owner.start().wait().unwrap();
            let pid = command.command_pid().unwrap();
            if kill {
                owner.kill().unwrap();
                owner.join();
            } else {
                assert!(owner.stop(EVENT_TIMEOUT).unwrap().is_orderly());
            }
            eventually("the end of the command", EVENT_TIMEOUT, || !processes::exists(pid));
            let reason = command.join_timeout(EVENT_TIMEOUT).unwrap();
            assert!(kill || reason.is_orderly(), "{reason}");
        }
    });
}

#[test]
fn many_commands_end_by_themselves_and_nothing_is_left() {
    alone(|| {
        let commands: Vec<_> = (0..20)
            .map(|number| Command::shell(format!("sleep 0.0{number}; exit {number}")).spawn().unwrap())
            .collect();
        for (code, command) in (0..).zip(&commands) {
            assert_eq!(command.join_timeout(Duration::from_secs(20)), Some(ExitReason::Exited(code)));
        }
        assert_eq!(super::supervised(), []);
    });
}
