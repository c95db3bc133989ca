//! Stops of commands: in order, by force, and at the moment of their own end.

use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{
    StoppedBy,
    command::{Command, Ready},
};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

use super::{Paper, begun};

/// Writes a word when it is told to end by that signal, and ends with code 5.
fn careful(signal: &str, paper: &Paper) -> Command {
    let trap = format!("trap 'echo {signal} >{}; exit 5' {signal}", paper.path());
    Command::shell(format!("{trap}; echo begun; while :; do sleep 0.01; done")).ready(Ready::line("begun"))
}

#[test]
fn a_stop_is_the_stop_signal_and_is_reported_as_a_stop() {
    alone(|| {
        for (signal, number) in [("TERM", 15), ("INT", 2), ("QUIT", 3), ("USR1", 10)] {
            let paper = Paper::new("word");
            let command = careful(signal, &paper).stop_signal(number).spawn().unwrap();
            let pid = command.command_pid().unwrap();
            assert_eq!(command.stop(EVENT_TIMEOUT).unwrap(), ExitReason::Stopped(StoppedBy::Ref));
            assert_eq!((command.exit_code(), paper.text()), (Some(0), format!("{signal}\n")));
            assert!(!processes::exists(pid));
        }
    });
}

#[test]
fn a_command_that_is_stopped_by_a_signal_is_continued_to_heed_the_stop() {
    alone(|| {
        let paper = Paper::new("word");
        let command = careful("TERM", &paper).spawn().unwrap();
        processes::signal("STOP", i64::from(command.command_pid().unwrap()));
        assert_eq!(command.stop(EVENT_TIMEOUT).unwrap(), ExitReason::Stopped(StoppedBy::Ref));
        assert_eq!(paper.text(), "TERM\n");
    });
}

#[test]
fn a_command_that_dies_of_the_stop_signal_was_stopped() {
    alone(|| {
        for _ in 0..25 {
            let command = Command::new("sleep").arg("1000").spawn().unwrap();
            assert_eq!(command.stop(EVENT_TIMEOUT).unwrap(), ExitReason::Stopped(StoppedBy::Ref));
        }
    });
}

#[test]
fn terminate_does_not_wait() {
    alone(|| {
        let line = "trap 'sleep 0.5; exit' TERM; echo begun; while :; do sleep 0.01; done";
        let command = begun(line);
        command.terminate().unwrap();
        assert!(command.is_alive());
        assert_eq!(command.join_timeout(EVENT_TIMEOUT), Some(ExitReason::Stopped(StoppedBy::Ref)));
    });
}

#[test]
fn a_sigterm_to_the_keeper_is_a_stop() {
    alone(|| {
        let paper = Paper::new("word");
        let command = careful("TERM", &paper).spawn().unwrap();
        processes::signal("TERM", i64::from(command.pid().unwrap()));
        assert_eq!(command.join_timeout(EVENT_TIMEOUT), Some(ExitReason::Stopped(StoppedBy::Signal)));
        assert_eq!(paper.text(), "TERM\n");
    });
}

#[test]
fn the_end_of_the_program_is_a_stop() {
    alone(|| {
        let papers = ["one", "two"].map(Paper::new);
        let commands = [careful("TERM", &papers[0]), careful("TERM", &papers[1]).daemon(true)];
        let commands = commands.map(|command| command.spawn().unwrap());
        phalanx::shutdown();
        for (command, paper) in commands.iter().zip(&papers) {
            assert_eq!(command.exit_reason(), Some(ExitReason::Stopped(StoppedBy::Program)));
            assert_eq!(paper.text(), "TERM\n");
        }
    });
}

#[test]
fn a_stop_reaches_the_whole_group_and_waits_for_all_of_it() {
    alone(|| {
        let paper = Paper::new("word");
        // The shell ends at once; what it has in the background takes its time.
        let slow = format!(
            "trap 'sleep 0.5; echo done >{}; exit' TERM; echo begun; while :; do sleep 0.01; done",
            paper.path()
        );
        let command = begun(&format!("({slow}) & sleep 1000 & wait"));
        let below = processes::descendants(command.pid().unwrap());
        assert_eq!(command.stop(EVENT_TIMEOUT).unwrap(), ExitReason::Stopped(StoppedBy::Ref));
        assert_eq!(paper.text(), "done\n");
        eventually("the end of all", EVENT_TIMEOUT, || {
            below.iter().all(|process| !processes::exists(process.pid))
        });
    });
}

#[test]
fn a_command_that_ignores_the_stop_signal_is_killed_when_the_grace_is_over() {
    alone(|| {
        let line = "trap '' TERM; setsid sleep 1000 & sleep 1000 & echo begun; wait";
        let command = begun(line);
        let below = processes::descendants(command.pid().unwrap());
        let (start, grace) = (Instant::now(), Duration::from_millis(700));
        assert_eq!(command.stop(grace).unwrap().signal(), Some(9));
        assert!(start.elapsed() >= grace && start.elapsed() < EVENT_TIMEOUT);
        eventually("the end of all", EVENT_TIMEOUT, || {
            below.iter().all(|process| !processes::exists(process.pid))
        });
    });
}

#[test]
fn the_grace_holds_at_the_end_of_the_program() {
    alone(|| {
        let (start, grace) = (Instant::now(), Duration::from_millis(700));
        let line = Command::shell("trap '' TERM; echo begun; while :; do sleep 0.1; done");
        let command = line.shutdown(grace).ready(Ready::line("begun")).spawn().unwrap();
        phalanx::shutdown();
        assert!(start.elapsed() >= grace && start.elapsed() < EVENT_TIMEOUT);
        assert_eq!(command.exit_reason().unwrap().signal(), Some(9));
    });
}

/// The end is its own or a stop, whichever comes first. It is never reported as a kill by our own signal.
#[test]
fn a_stop_at_the_moment_of_its_own_end_is_reported_as_one_of_the_two() {
    alone(|| {
        let mut seen = [0, 0, 0];
        for round in 0..60_u64 {
            let command = Command::shell("sleep 0.02; exit 3").spawn().unwrap();
            thread::sleep(Duration::from_micros(15_000 + 250 * round));
            match command.stop(EVENT_TIMEOUT) {
                Ok(ExitReason::Stopped(StoppedBy::Ref)) => seen[0] += 1,
                Ok(ExitReason::Exited(3)) => seen[1] += 1,
                Err(SendError::Gone(at)) => {
                    assert_eq!(at.ended(), Some(&ExitReason::Exited(3)));
                    seen[2] += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        eprintln!("stopped, ended meanwhile, ended before: {seen:?}");
    });
}

/// The keeper learns of both at the same time.
#[test]
fn a_stop_that_was_ordered_before_the_end_is_a_stop() {
    alone(|| {
        for _ in 0..25 {
            let command = Command::new("sleep").arg("1000").spawn().unwrap();
            let (keeper, pid) = (command.pid().unwrap(), command.command_pid().unwrap());
            processes::signal("STOP", i64::from(keeper));
            eventually("a keeper that is stopped", EVENT_TIMEOUT, || {
                processes::stat(keeper).unwrap().state == 'T'
            });
            command.terminate().unwrap();
            processes::kill(pid);
            eventually("the end of the command", EVENT_TIMEOUT, || !processes::runs(pid));
            processes::signal("CONT", i64::from(keeper));
            assert_eq!(command.join_timeout(EVENT_TIMEOUT), Some(ExitReason::Stopped(StoppedBy::Ref)));
        }
    });
}

#[test]
fn the_dead_cannot_be_stopped() {
    alone(|| {
        let command = Command::new("true").spawn().unwrap();
        command.join();
        assert!(matches!(command.stop(EVENT_TIMEOUT), Err(SendError::Gone(_))));
        assert!(matches!(command.kill(), Err(SendError::Gone(_))));
        assert!(matches!(command.command_pid(), Err(CallError::Gone(_))));
    });
}
