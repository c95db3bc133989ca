//! Whole programs: the lines of `init`, and programs that log nothing.

use phalanx_tests::{EVENT_TIMEOUT, Program, alone, eventually};

use super::{reads, talker};

fn scenario(name: &str) -> Program {
    Program::new(env!("CARGO_BIN_EXE_scenario")).args([name])
}

#[test]
fn init_writes_the_lines_of_the_tree_with_process_and_actor_of_their_origin() {
    let run = scenario("logs").env("RUST_LOG", "info").start();
    let program = run.pid();
    let said = run.rest();
    let lines = run.rest_of_stderr();
    assert_eq!(run.finish(), 0);
    // The program says which process its actor has.
    let actor = &said[0];
    let has = |start: String, parts: &[&str]| {
        let found = lines.iter().filter(|line| line.starts_with(&start));
        let found: Vec<_> = found.filter(|line| parts.iter().all(|part| line.contains(part))).collect();
        assert_eq!(found.len(), 1, "{start} {parts:?} in {lines:#?}");
        found[0].clone()
    };
    has(format!("[{program} main] 20"), &["INFO", "from the program"]);
    let line = has(format!("[{actor} witness] 20"), &["INFO", "scenario::logs: from the actor number=7"]);
    assert!(line.ends_with("number=7"), "{line}");
    has(format!("[{actor} witness] 20"), &["in a span", r#"spans="order{id=1}""#]);
    has(format!("[{actor} witness] 20"), &["WARN", "phalanx::supervisor: crashed reason=exited with code 3"]);
    assert_eq!(lines.len(), 4, "{lines:#?}");
}

#[test]
fn init_obeys_rust_log_in_actors_as_well() {
    // What it says, and the one thing that comes of it.
    let cases = [
        ("off", None),
        ("warn", Some("crashed")),
        ("scenario=warn", None),
        ("phalanx::supervisor=debug", Some("crashed")),
        ("off,[order]=info", Some("in a span")),
        ("off,[order{id=2}]=info", None),
        ("off,no such=directive,[order{id=1}]=info", Some("in a span")),
    ];
    for (filter, expected) in cases {
        let run = scenario("logs").env("RUST_LOG", filter).start();
        run.rest();
        let mut lines = run.rest_of_stderr();
        assert_eq!(run.finish(), 0);
        lines.retain(|line| line.starts_with('[') && !line.contains("DEBUG"));
        let found: Vec<bool> =
            lines.iter().map(|line| expected.is_some_and(|text| line.contains(text))).collect();
        assert_eq!(found, vec![true; expected.iter().count()], "{filter}: {lines:#?}");
    }
}

#[test]
fn a_program_that_logs_nothing_has_no_thread_for_it_and_its_actors_no_subscriber() {
    alone(|| {
        assert_eq!(talker().at_all_levels().wait().unwrap(), 0);
        assert!(!reads());
    });
}

#[test]
fn a_program_that_listens_has_one_thread_for_it() {
    alone(|| {
        super::listen("info");
        assert!(!reads());
        talker();
        eventually("the thread", EVENT_TIMEOUT, reads);
    });
}

#[test]
fn an_actor_may_have_a_subscriber_of_its_own_if_its_program_has_none() {
    let run = scenario("logs-itself").start();
    run.rest();
    let lines = run.rest_of_stderr();
    assert_eq!(run.finish(), 0);
    assert!(
        lines.len() == 1 && lines[0].contains("witness] ") && lines[0].contains("by itself"),
        "{lines:#?}"
    );
}

/// Control characters come out escaped, wherever a text of another process is shown.
#[test]
fn no_text_of_another_process_makes_a_line_of_its_own_or_moves_the_cursor() {
    let run = scenario("forges").env("RUST_LOG", "debug").start();
    run.rest();
    let lines = run.rest_of_stderr();
    assert_eq!(run.finish(), 0);
    for line in &lines {
        assert!(line.starts_with('[') && !line.starts_with("[1 forged]"), "{line:?} in {lines:#?}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    // An event's message in two ways, its target, three fields, a span; five errors, and three of them as
    // reasons in the log; a command's line.
    let found = lines.iter().filter(|line| line.contains("[1 forged]")).count();
    assert!(found >= 14, "{found}: {lines:#?}");
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("[0 error]") && line.contains("[1 forged]")).count(),
        5,
        "{lines:#?}"
    );
}
