//! Niceness, cores, limits, memory and user of a command.

use std::fs;

use phalanx::command::{Command, Output, Ready};
use phalanx::prelude::*;
use phalanx::{ExitReason, Limit, StoppedBy};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

use super::{Paper, supervised};

/// A user and a group that are nobody's.
const USER: u32 = 54_321;
const GROUP: u32 = 54_322;

/// Runs a line that tests something, to its end.
#[track_caller]
fn holds(line: &str, adapt: impl FnOnce(Command) -> Command) {
    let command = adapt(Command::shell(line)).spawn().unwrap();
    assert_eq!(command.join(), ExitReason::Exited(0), "{line}: {:?}", command.last_lines());
}

/// How a command is refused.
#[track_caller]
fn refusal(adapt: impl FnOnce(Command) -> Command) -> String {
    match adapt(Command::new("sleep").arg("1000")).spawn() {
        Err(SpawnError::InitFailed { error, .. } | SpawnError::Option { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

/// Whether this process may become another user.
fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t0\t0\t0\n")
}

#[test]
fn attributes_are_those_that_were_asked_for_and_not_the_shims() {
    alone(|| {
        let show = "nice; grep Cpus_allowed_list /proc/self/status; ulimit -n; ulimit -d; ulimit -f";
        let paper = Paper::new("shown");
        let command = Command::shell(format!("{{ {show}; }} >{}; exec sleep 1000", paper.path()));
        let limits = command.limit(Limit::OpenFiles, 50).limit(Limit::FileSize, 1 << 20);
        let command = limits.nice(11).affinity([0]).memory(64 << 20).spawn().unwrap();
        eventually("all that is shown", EVENT_TIMEOUT, || paper.text().lines().count() == 5);
        let text = paper.text();
        let shown: Vec<&str> = text.lines().map(|line| line.split_whitespace().last().unwrap()).collect();
        // File sizes are counted in blocks of 512 bytes by dash, and of 1024 by bash.
        assert_eq!(shown[..4], ["11", "0", "50", "65536"], "{text}");
        assert!(["1024", "2048"].contains(&shown[4]), "{text}");
        let own = fs::read_to_string(format!("/proc/{}/limits", command.pid().unwrap())).unwrap();
        let files = own.lines().find(|line| line.starts_with("Max open files")).unwrap();
        assert!(!files.contains(" 50 "), "{files}");
        command.kill().unwrap();
    });
}

#[test]
fn attributes_are_there_again_after_a_restart() {
    alone(|| {
        let paper = Paper::new("nice");
        let line = format!("nice >>{}; exec sleep 1000", paper.path());
        let command = Command::shell(line).nice(7).restart(Restart::Permanent).spawn().unwrap();
        eventually("the first", EVENT_TIMEOUT, || paper.text() == "7\n");
        command.signal(9).unwrap();
        eventually("the second", EVENT_TIMEOUT, || paper.text() == "7\n7\n");
        command.kill().unwrap();
    });
}

#[test]
fn what_the_system_refuses_fails_the_start_by_name_and_leaves_nothing() {
    alone(|| {
        assert!(refusal(|it| it.limit(Limit::OpenFiles, u64::MAX)).starts_with("the option `limit`: "));
        assert!(refusal(|it| it.affinity([4000])).starts_with("the option `affinity`: "));
        if !is_root() {
            assert!(refusal(|it| it.nice(-10)).starts_with("the option `nice = -10`: "));
            assert!(refusal(|it| it.uid(USER)).starts_with("the option `uid`: "));
            assert!(refusal(|it| it.gid(GROUP)).starts_with("the option `gid`: "));
        }
        assert_eq!(supervised(), []);
    });
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_started() {
    alone(|| {
        assert!(refusal(|it| it.nice(20)).contains("`nice`"));
        assert!(refusal(|it| it.affinity([])).contains("`affinity`"));
        assert!(refusal(|it| it.memory(0)).contains("`memory`"));
        assert!(refusal(|it| it.uid(u32::MAX)).contains("`uid`"));
        assert!(refusal(|it| it.groups([0, u32::MAX])).contains("`groups`"));
        assert!(refusal(|it| it.output(Output::Pipe).ready(Ready::line("x"))).contains("`ready`"));
        assert_eq!(supervised(), []);
    });
}

#[test]
fn an_allocation_beyond_the_memory_of_a_command_fails() {
    alone(|| {
        // A line of 64 MiB is more than sort may keep.
        let line = "head -c 67108864 /dev/zero | tr '\\0' x | sort >/dev/null 2>&1";
        let greedy = Command::shell(line).memory(16 << 20).spawn().unwrap();
        assert_ne!(greedy.join(), ExitReason::Exited(0));
    });
}

#[test]
fn a_command_of_another_user_is_that_users_and_ends_as_any_other() {
    if !is_root() {
        return;
    }
    alone(|| {
        let ids = "id -u; id -g; id -G";
        let is = |expected: &str| format!("test \"$(echo $({ids}))\" = '{expected}'");
        holds(&is(&format!("{USER} {GROUP} {GROUP}")), |it| it.uid(USER).gid(GROUP));
        holds(&is(&format!("{USER} {GROUP} {GROUP} 7")), |it| it.uid(USER).gid(GROUP).groups([7]));
        holds("test $(nice) = 5", |it| it.uid(USER).nice(5));
        for end in ["stop", "kill", "shim"] {
            let line = "trap '' TERM; (setsid sleep 1000 &) ; sleep 1000 & echo begun; wait";
            let line = if end == "stop" { "echo begun; exec sleep 1000" } else { line };
            let command = Command::shell(line).uid(USER).gid(GROUP).ready(Ready::line("begun"));
            let command = command.spawn().unwrap();
            let below = processes::descendants(command.pid().unwrap());
            match end {
                "stop" => {
                    let reason = command.stop(EVENT_TIMEOUT).unwrap();
                    assert_eq!(reason, ExitReason::Stopped(StoppedBy::Ref));
                }
                "kill" => command.kill().unwrap(),
                _ => processes::kill(command.pid().unwrap()),
            }
            eventually("the end of all", EVENT_TIMEOUT, || {
                below.iter().all(|process| !processes::exists(process.pid))
            });
        }
    });
}
