//! What a command finds when it starts.

use std::collections::BTreeMap;
use std::env;

use phalanx::{
    ExitReason,
    command::{Command, Output},
};
use phalanx_tests::alone;

use super::Paper;

/// What a line writes.
#[track_caller]
fn said(line: &str, adapt: impl FnOnce(Command) -> Command) -> String {
    let paper = Paper::new("said");
    let command = adapt(Command::shell(format!("{{ {line}; }} >{}", paper.path())));
    assert_eq!(command.spawn().unwrap().join(), ExitReason::Exited(0));
    paper.text()
}

#[test]
fn a_command_has_no_descriptors_but_the_three() {
    alone(|| {
        // What is listed is looked at again: the listing itself has one open.
        let list = r#"for f in /proc/$$/fd/*; do if [ -e "$f" ]; then echo "${f##*/}"; fi; done"#;
        for output in [Output::Log, Output::Inherit, Output::Null] {
            let listed = said(&format!("sleep 0; {list}"), |command| command.output(output));
            let own: Vec<&str> =
                listed.lines().filter(|number| number.parse::<u32>().unwrap() < 10).collect();
            // From 10 on the shell keeps what it has redirected.
            assert_eq!(own, ["0", "1", "2"], "{listed}");
        }
        assert_eq!(said("readlink /proc/self/fd/0", |command| command), "/dev/null\n");
    });
}

/// Signals 32 and 33, which glibc keeps to itself, and has ignored by what it spawns.
const OF_LIBC: u64 = 0b11 << 31;

#[test]
fn a_command_has_all_signals_at_their_defaults_and_none_blocked() {
    alone(|| {
        let text = said("exec cat /proc/self/status", |command| command);
        for field in ["SigBlk", "SigIgn", "SigCgt", "ShdPnd"] {
            let line = text.lines().find(|line| line.starts_with(field)).unwrap();
            let set = line.split_whitespace().nth(1).unwrap();
            assert_eq!(u64::from_str_radix(set, 16).unwrap() & !OF_LIBC, 0, "{text}");
        }
    });
}

/// Not as an actor, which the kernel's memory killer takes before the program.
#[test]
fn a_command_is_as_ready_to_be_killed_for_memory_as_the_program_or_as_is_asked_for() {
    alone(|| {
        let own = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
        let line = "exec cat /proc/self/oom_score_adj";
        for _ in 0..20 {
            assert_eq!(said(line, |command| command), own);
        }
        assert_eq!(said(line, |command| command.oom_score_adj(777)), "777\n");
    });
}

fn variables(adapt: impl FnOnce(Command) -> Command) -> BTreeMap<String, String> {
    let text = said("exec env", adapt);
    text.lines().filter_map(|line| line.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

#[test]
fn the_environment_is_that_of_the_program_with_the_changes_asked_for() {
    alone(|| {
        let own = variables(|command| command);
        assert_eq!(own.get("PATH"), env::var("PATH").ok().as_ref());
        let changed = variables(|command| {
            command.env("ADDED", "a=b").env("TMPDIR", "/else").env_remove("RUST_BACKTRACE")
        });
        assert_eq!((&*changed["ADDED"], &*changed["TMPDIR"]), ("a=b", "/else"));
        assert!(own.contains_key("RUST_BACKTRACE") && !changed.contains_key("RUST_BACKTRACE"));
        // Whatever is asked for, the mark by which the tree finds its own is there.
        let cleared = variables(|command| {
            command.env("LOST", "1").env_clear().env("KEPT", "2").env_remove("PHALANX_TREE")
        });
        assert_eq!((cleared.get("LOST"), &*cleared["KEPT"]), (None, "2"));
        assert!(!cleared.contains_key("PATH") || cleared["PATH"] != own["PATH"]);
        assert_eq!(cleared["PHALANX_TREE"], own["PHALANX_TREE"]);
    });
}

/// The tree has been started before with another.
#[test]
fn directory_and_environment_are_those_of_the_moment() {
    alone(|| {
        Command::new("true").spawn().unwrap().join();
        let (before, new) = (env::current_dir().unwrap(), env::temp_dir().canonicalize().unwrap());
        let shown = |path: &std::path::Path| format!("{}\n", path.display());
        assert_eq!(said("exec env -u PWD pwd -P", |command| command), shown(&before));
        env::set_current_dir(&new).unwrap();
        assert_eq!(said("exec env -u PWD pwd -P", |command| command), shown(&new));
        env::set_current_dir("/").unwrap();
        assert_eq!(said("exec env -u PWD pwd -P", |command| command.current_dir(&new)), shown(&new));
        assert_eq!(said("exec env -u PWD pwd -P", |command| command.current_dir("proc")), "/proc\n");
    });
}
