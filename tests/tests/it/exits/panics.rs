//! Panics: message, place and method, whichever way they end the process; and those that do not end it.

use std::panic::{catch_unwind, panic_any, resume_unwind};
use std::thread;
use std::time::Duration;

use phalanx::ExitReason;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, Program, alone};

/// Panics in every way there is.
#[actor]
struct Panicker {
    panic_in_stop: bool,
    panic_in_drop: bool,
}

/// Panics while another panic unwinds, and catches it.
struct Dud;

impl Drop for Dud {
    fn drop(&mut self) {
        assert!(catch_unwind(|| panic!("a dud")).is_err());
    }
}

/// Panics while another panic unwinds.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!thread::panicking(), "the second one");
    }
}

#[actor]
impl Panicker {
    fn text(&self, text: String) {
        panic!("{text}");
    }

    fn without_text(&self) {
        panic_any(42_u8);
    }

    fn without_hook(&self) {
        resume_unwind(Box::new("quietly"));
    }

    fn twice(&self) {
        let _bomb = Bomb;
        panic!("the first one");
    }

    fn over_a_dud(&self) -> u32 {
        let _duds = (Dud, Dud);
        panic!("the one that counts");
    }

    fn in_thread(&self) -> bool {
        thread::spawn(|| panic!("only this thread")).join().is_err()
    }

    fn caught(&self) -> bool {
        catch_unwind(|| panic!("caught")).is_err()
    }

    // An overflow panics in debug builds only.
    fn dividing(&self, number: u8) -> u8 {
        100 / number
    }

    fn abort(&self) {
        std::process::abort();
    }

    #[tell]
    fn told(&self) {
        panic!("in a tell");
    }

    #[on_stop]
    fn stop(&mut self) {
        assert!(!self.panic_in_stop, "no end");
    }
}

impl Drop for Panicker {
    fn drop(&mut self) {
        assert!(!self.panic_in_drop || phalanx::current().parent().is_none(), "no drop");
    }
}

fn panicker() -> ActorRef<Panicker> {
    Panicker { panic_in_stop: false, panic_in_drop: false }.spawn().unwrap()
}

/// Message, location, method.
#[track_caller]
fn words(reason: ExitReason) -> (String, String, Option<String>) {
    match reason {
        ExitReason::Panicked { message, location, method } => (message, location, method),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn words_of<T: phalanx::Portable + std::fmt::Debug>(
    call: impl FnOnce(&ActorRef<Panicker>) -> Reply<T>,
) -> (String, String, Option<String>) {
    let panicker = panicker();
    let told = call(&panicker).wait().unwrap_err();
    let reason = panicker.join_timeout(EVENT_TIMEOUT).unwrap();
    assert_eq!(told.exit_reason(), Some(&reason));
    words(reason)
}

#[test]
fn a_panic_is_reported_with_message_location_and_method() {
    alone(|| {
        let (message, location, method) = words_of(|panicker| panicker.text("no such luck".into()));
        assert_eq!((message.as_str(), method.as_deref()), ("no such luck", Some("text")));
        // File, line and column.
        let (file, place) = location.split_once(".rs:").unwrap();
        assert!(file.ends_with("panics"), "{location}");
        assert!(place.split(':').all(|number| number.parse::<u32>().is_ok()), "{location}");
    });
}

#[test]
fn the_exit_code_after_a_panic_is_101() {
    alone(|| {
        let panicker = panicker();
        panicker.told().unwrap();
        let (message, _, method) = words(panicker.join_timeout(EVENT_TIMEOUT).unwrap());
        assert_eq!((message.as_str(), method.as_deref()), ("in a tell", Some("told")));
        assert_eq!(panicker.exit_code(), Some(101));
    });
}

#[test]
fn panics_of_the_language_are_reported_like_others() {
    alone(|| {
        let (message, _, method) = words_of(|panicker| panicker.dividing(0));
        assert!(message.contains("divide by zero"), "{message}");
        assert_eq!(method.as_deref(), Some("dividing"));
    });
}

#[test]
fn a_panic_without_a_text_is_still_a_panic_with_a_place() {
    alone(|| {
        let (message, location, method) = words_of(|panicker| panicker.without_text());
        assert!(message.contains("without a text"), "{message}");
        assert!(location.contains("panics.rs:"), "{location}");
        assert_eq!(method.as_deref(), Some("without_text"));
    });
}

#[test]
fn a_panic_that_passes_by_the_hook_is_still_a_panic_of_its_method() {
    alone(|| {
        // As a panic that a thread pool hands on to the thread that waits for its job.
        let (message, _, method) = words_of(|panicker| panicker.without_hook());
        assert_eq!((message.as_str(), method.as_deref()), ("quietly", Some("without_hook")));
    });
}

#[test]
fn a_panic_while_panicking_aborts_and_is_reported_in_words() {
    alone(|| {
        let panicker = panicker();
        let told = panicker.twice().wait().unwrap_err();
        let (message, location, method) = words(panicker.join_timeout(EVENT_TIMEOUT).unwrap());
        // The cause, and not only that the language gave up on it.
        assert!(
            message.contains("the first one") && location.contains("panics.rs:"),
            "{message} at {location}"
        );
        assert_eq!(method.as_deref(), Some("twice"));
        assert!(matches!(told.exit_reason(), Some(ExitReason::Panicked { .. })), "{told:?}");
        // The process did not exit: it was aborted.
        assert_eq!(panicker.exit_code(), Some(-6));
    });
}

#[test]
fn a_panic_over_which_a_destructor_catches_others_keeps_its_place() {
    alone(|| {
        let (message, location, method) = words_of(|panicker| panicker.over_a_dud());
        assert_eq!((message.as_str(), method.as_deref()), ("the one that counts", Some("over_a_dud")));
        let source = include_str!("panics.rs").lines();
        let line =
            source.zip(1..).find(|(line, _)| line.contains("panic!(\"the one that counts\")")).unwrap().1;
        assert!(location.contains(&format!("panics.rs:{line}:")), "{location}");
    });
}

#[test]
fn long_messages_are_cut_between_characters() {
    alone(|| {
        let (message, _, method) = words_of(|panicker| panicker.text(format!("x{}", "ß".repeat(5000))));
        assert!(message.len() >= 1000 && message.len() <= 1024, "{}", message.len());
        assert!(message.starts_with('x') && message[1..].chars().all(|char| char == 'ß'));
        assert_eq!(method.as_deref(), Some("text"));
    });
}

#[test]
fn texts_of_every_kind_are_reported() {
    alone(|| {
        for text in ["", "two\nlines", "a \0 in it", "日本語", "{braces}"] {
            assert_eq!(words_of(|panicker| panicker.text(text.to_owned())).0, text);
        }
        // Shown, it is one line.
        let error = panicker().text("a\n[1 root] forged\u{1b}[2J".into()).wait().unwrap_err().to_string();
        assert!(
            error.contains(r"a\n[1 root] forged\u{1b}[2J") && !error.contains(char::is_control),
            "{error:?}"
        );
    });
}

#[test]
fn a_panic_in_another_thread_of_the_actor_or_a_caught_one_is_its_own_affair() {
    alone(|| {
        let panicker = panicker();
        let pid = panicker.pid().unwrap();
        for _ in 0..3 {
            assert!(panicker.in_thread().wait().unwrap());
            assert!(panicker.caught().wait().unwrap());
        }
        assert_eq!(panicker.pid().unwrap(), pid);
        // And is not blamed for a later end.
        let reason = panicker.abort().wait().unwrap_err().exit_reason().cloned().unwrap();
        assert_eq!(reason.signal(), Some(6), "{reason:?}");
    });
}

#[test]
fn a_panic_in_on_stop_is_reported_by_stop() {
    alone(|| {
        let panicker = Panicker { panic_in_stop: true, panic_in_drop: false }.spawn().unwrap();
        let (message, location, method) = words(panicker.stop(EVENT_TIMEOUT).unwrap());
        assert_eq!((message.as_str(), method.as_deref()), ("no end", Some("on_stop")));
        assert!(location.contains("panics.rs:"), "{location}");
        assert_eq!(panicker.exit_code(), Some(101));
    });
}

#[test]
fn a_panic_while_the_state_is_dropped_is_reported_by_stop() {
    alone(|| {
        let state = Panicker { panic_in_stop: false, panic_in_drop: true };
        let panicker = state.spawn().unwrap();
        let (message, ..) = words(panicker.stop(EVENT_TIMEOUT).unwrap());
        assert_eq!(message, "no drop");
    });
}

#[test]
fn a_state_that_a_panic_has_left_half_changed_is_not_dropped() {
    alone(|| {
        let state = Panicker { panic_in_stop: true, panic_in_drop: true };
        let panicker = state.builder().shutdown(Duration::from_secs(1)).spawn().unwrap();
        let told = panicker.text("the one that counts".into()).wait().unwrap_err();
        let (message, ..) = words(told.exit_reason().cloned().unwrap());
        assert_eq!(message, "the one that counts");
    });
}

/// What a program with panics in its actors writes on standard error, and how often it was as expected.
fn said(scenario: &str, backtrace: &str) -> (Vec<String>, usize) {
    let run = Program::new(env!("CARGO_BIN_EXE_scenario")).args([scenario]);
    let run = run.env("RUST_BACKTRACE", backtrace).start();
    let said = run.rest_of_stderr();
    let expected = run.rest();
    assert!(expected.iter().all(|line| line == "true"), "{expected:?}: {said:#?}");
    assert_eq!(run.finish(), 0);
    (said, expected.len())
}

/// Whose panic each was, and its message: the lines before and after.
const STUMBLES: [(&str, &str); 9] = [
    ("parent", "no columns"),
    ("db", "no rows"),
    ("files", "no"),
    ("init", "no start"),
    ("hook", "no beginning"),
    ("on_start", "no first step"),
    ("on_stop", "no last step"),
    ("job", "no task"),
    ("pool-0", "no work"),
];

/// In every kind of code, also in another thread.
#[test]
fn a_panic_is_told_once_with_the_name_of_its_actor() {
    let (said, stumbles) = said("stumbles", "0");
    assert_eq!(stumbles, STUMBLES.len());
    let reports: Vec<_> = said
        .windows(2)
        .filter(|pair| pair[0].contains(" panicked at "))
        .map(|pair| (pair[0].as_str(), pair[1].as_str()))
        .collect();
    assert_eq!(reports.len(), STUMBLES.len(), "{said:#?}");
    for ((header, message), (actor, expected)) in reports.iter().zip(STUMBLES) {
        assert!(header.starts_with(&format!("actor `{actor}` (process ")), "{said:#?}");
        assert!(header.contains(", incarnation 1)"), "{said:#?}");
        assert_eq!(header.contains("), thread `helper`, panicked"), expected == "no columns", "{said:#?}");
        assert!(header.contains("tests/src/bin/scenario/panics.rs:"), "{said:#?}");
        assert_eq!(*message, expected);
    }
    assert!(said.contains(&"lines".to_owned()), "a message has its lines: {said:#?}");
}

/// Each backtrace has the function that panicked, and no function of the library's.
#[test]
fn a_backtrace_has_frames_of_the_program_only() {
    let (said, _) = said("stumbles", "1");
    let traces: Vec<&[String]> = said.split(|line| line == "stack backtrace:").skip(1).collect();
    assert_eq!(traces.len(), STUMBLES.len(), "{said:#?}");
    for trace in traces {
        let end = trace.iter().position(|line| line.starts_with("note: ")).unwrap();
        let trace = &trace[..end];
        // Optimised, and without debug information, it may be inlined into what is not shown.
        let is_optimised = std::env::var_os("PHALANX_TEST_PROGRAMS").is_some();
        let has_own = trace.iter().any(|line| line.contains("scenario::panics::"));
        assert!(has_own || is_optimised, "{trace:#?}");
        let ours = |line: &&String| line.contains(": phalanx::") || line.contains(": <phalanx::");
        assert!(!trace.iter().any(|line| ours(&line)), "{trace:#?}");
    }
}

#[test]
fn a_hook_of_the_actors_own_tells_what_it_wants() {
    let (said, stumbles) = said("stumbles-with-a-hook", "0");
    assert_eq!(stumbles, 2);
    assert_eq!(said[..2], ["my own hook", "before the usual"], "{said:#?}");
    let reports: Vec<_> = said.iter().filter(|line| line.contains("panicked at")).collect();
    assert!(reports.len() == 1 && reports[0].starts_with("actor `chained` (process "), "{said:#?}");
}
