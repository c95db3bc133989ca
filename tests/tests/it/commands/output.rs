//! What a command writes, and where it goes.

use phalanx_tests::Program;

use super::SCENARIO;

/// What a program has written that runs this line: on standard output, and on standard error.
#[track_caller]
fn run(output: &str, ready: &str, line: &str) -> (Vec<String>, Vec<String>) {
    let run = Program::new(SCENARIO)
        .args(["command", output, ready, line])
        .env("RUST_LOG", "phalanx::command=info")
        .start();
    let said = (run.rest(), run.rest_of_stderr());
    assert_eq!(run.finish(), 0);
    said
}

/// The lines of a command that has been logged, without the head of an event.
#[track_caller]
fn logged(line: &str) -> Vec<String> {
    let (said, log) = run("log", "", line);
    assert_eq!(said, ["exited with code 0"]);
    let text = |event: String| {
        let (_, text) = event.split_once("phalanx::command: ").expect(&event);
        text.strip_suffix(r#" command="sh" stream="stdout""#).expect(&event).to_owned()
    };
    log.into_iter().filter(|event| !event.contains(" left ")).map(text).collect()
}

#[test]
fn what_a_command_leaves_behind_is_said() {
    let (_, log) = run("log", "", "sleep 1000 & setsid sleep 1000 & exit 0");
    let [left] = &log[..] else { panic!("{log:#?}") };
    let expected = "left 2 processes behind; does it put itself into the background? command=\"sh\"";
    assert!(left.contains(" WARN phalanx::command: ") && left.ends_with(expected), "{left}");
    let (_, log) = run("log", "", "sleep 1000 & kill -9 $$");
    let [left] = &log[..] else { panic!("{log:#?}") };
    assert!(left.ends_with("left 1 process behind command=\"sh\""), "{left}");
}

#[test]
fn lines_are_events_with_the_command_and_the_stream() {
    let (said, log) = run("log", "", "echo one; sleep 0.1; echo two >&2; exit 2");
    assert_eq!(said, ["exited with code 2"]);
    let [one, two] = &log[..] else { panic!("{log:#?}") };
    assert!(one.contains(" sh] ") && one.contains(" INFO phalanx::command: one "), "{one}");
    assert!(one.ends_with(r#"command="sh" stream="stdout""#), "{one}");
    assert!(two.contains(" WARN phalanx::command: two "), "{two}");
    assert!(two.ends_with(r#"command="sh" stream="stderr""#), "{two}");
}

#[test]
fn lines_come_in_order_to_the_last_also_without_an_end() {
    let lines = logged("i=0; while [ $i -lt 1000 ]; do echo $i; i=$((i+1)); done; printf last");
    let expected: Vec<String> =
        (0..1000).map(|number: u32| number.to_string()).chain(["last".into()]).collect();
    assert_eq!(lines, expected);
}

#[test]
fn bytes_that_are_no_text_and_lines_that_are_too_long_are_events_too() {
    let long = "head -c 70000 /dev/zero | tr '\\0' x";
    let lines = logged(&format!(r"printf 'a\377b\r\n\n'; {long}; echo; echo end"));
    let cut = format!("{} [cut here, 4464 bytes are missing]", "x".repeat(65536));
    assert_eq!(lines, ["a\u{fffd}b", "", &cut, "end"]);
}

#[test]
fn ten_mebibytes_are_read_to_the_end() {
    let line = "x".repeat(8191);
    let lines = logged(&format!("yes {line} | head -c {}", 10 << 20));
    assert_eq!(lines.len(), 1280);
    assert!(lines.iter().all(|read| *read == line));
}

#[test]
fn a_grandchild_that_keeps_the_pipe_holds_nothing_up() {
    assert_eq!(logged("echo one; printf partial; sleep 1000 & exit 0"), ["one", "partial"]);
    assert_eq!(logged("echo one; setsid sleep 1000 & exit 0"), ["one"]);
}

/// As of a process substitution: the last lines go through a helper, which needs a moment.
#[test]
fn what_a_helper_still_has_is_read() {
    assert_eq!(logged("(sleep 0.05; echo late) & echo early; exit 0"), ["early", "late"]);
}

#[test]
fn output_that_is_inherited_is_that_of_the_program() {
    for ready in ["", "one"] {
        let (said, errors) = run("inherit", ready, "echo one; echo two >&2; sleep 0.1; printf three; exit 1");
        assert_eq!(
            (said, errors),
            (vec!["one".into(), "threeexited with code 1".into()], vec!["two".into()])
        );
    }
}

#[test]
fn output_that_is_discarded_is_nowhere() {
    for ready in ["", "one"] {
        let (said, errors) = run("null", ready, "echo one; echo two >&2; exit 1");
        assert_eq!((said, errors), (vec!["exited with code 1".into()], vec![]));
    }
}
