//! The small examples print what they claim to, and leave no process behind.

#![allow(unreachable_pub, dead_code, reason = "the support module serves several tests")]

mod support;

use support::run;

/// The program's output; it must have ended well and written nothing else.
#[track_caller]
fn output_of(program: &str) -> String {
    let output = run(program, &[]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(output.stderr, "");
    output.stdout
}

#[test]
fn hello_counts_words() {
    let text = output_of(env!("CARGO_BIN_EXE_hello"));
    let lines: Vec<_> = text.lines().collect();
    let pid = lines[0].strip_prefix("6 words, counted by process ").expect("the first line");
    assert!(pid.parse::<u32>().is_ok_and(|pid| pid > 1), "{text}");
    assert_eq!(lines[1..], ["2 words, then 4"]);
}

#[test]
fn nested_actors_end_with_the_one_that_spawned_them() {
    let expected = "\
workers in the team: 1
workers in the team: 2
workers in the team: 3
worker-1 answers 1; spawned by the team: true
worker-2 answers 4; spawned by the team: true
worker-3 answers 9; spawned by the team: true
children of the program: [\"team\"]
children of the team: [\"worker-1\", \"worker-2\", \"worker-3\"]
the team was killed by a holder of its ref
its workers are gone: true
";
    assert_eq!(output_of(env!("CARGO_BIN_EXE_nested")), expected);
}

#[test]
fn tokio_awaits_replies() {
    let expected = "\
both slept for 1s and slept for 1s; one after the other: false
100 answers, their sum is 10100
given up: true
and the next answer is 42
";
    assert_eq!(output_of(env!("CARGO_BIN_EXE_from_tokio")), expected);
}

#[test]
fn an_external_command_is_started_watched_and_stopped() {
    let expected = "\
cannot start `mistake`: init failed: cannot run `no-such-server`: No such file or directory (os error 2)
cannot start `mistake`: init failed: `/bin/sh` exited with code 2 before it was ready: no licence
server: accepts connections
the first server was killed by SIGSEGV; its exit code is Some(-11)
server: accepts connections
server: saved
the second server was stopped by a holder of its ref
server: accepts connections
server: saved
";
    assert_eq!(output_of(env!("CARGO_BIN_EXE_external")), expected);
}
