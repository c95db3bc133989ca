//! Where a test binary prints the panics of its actors: in the output of the test that they belong to.
//!
//! The tests of `on_stage` do something only when this test binary runs itself.

use std::os::unix::net::UnixDatagram;
use std::task::{Context, Poll, Waker};

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, Program, until};

/// Says to the tests of `on_stage` that they are meant.
const STAGE: &str = "PHALANX_TESTS_ON_STAGE";

/// Panics, and writes into the log what does not belong there.
#[actor]
struct Clumsy;

#[actor]
impl Clumsy {
    fn stumble(&self, text: String) -> u32 {
        panic!("{text}")
    }

    fn stumble_below(&self, text: String) -> phalanx::Result<u32> {
        Ok(clumsy("nested").stumble(text).wait()?)
    }

    /// Texts for every printer that there may be, and what is no text for one.
    fn forge(&self) {
        let line = phalanx::__private::log_line().unwrap().try_clone_to_owned().unwrap();
        let line = UnixDatagram::from(line);
        for number in (0..40_u32).chain([u32::MAX]) {
            let packet = [b"p".as_slice(), &number.to_le_bytes(), b"forged \x1b[2J\xff text\n"].concat();
            for length in [1, 3, 5, packet.len()] {
                line.send(&packet[..length]).unwrap();
            }
        }
    }
}

fn clumsy(name: &str) -> ActorRef<Clumsy> {
    Clumsy.builder().name(name).spawn().unwrap()
}

mod on_stage {
    use super::*;

    fn is_absent() -> bool {
        std::env::var_os(STAGE).is_none()
    }

    #[test]
    fn passes() {
        if !is_absent() {
            assert!(clumsy("quiet").stumble("expected, directly".into()).wait().is_err());
            assert!(clumsy("outer").stumble_below("expected, below".into()).wait().is_err());
        }
    }

    #[test]
    fn fails() {
        if !is_absent() {
            clumsy("loud").stumble("unexpected, directly".into()).wait().unwrap();
        }
    }

    #[test]
    fn fails_below() -> phalanx::Result<()> {
        if !is_absent() {
            let error = clumsy("outer").stumble_below("unexpected, below".into()).wait();
            error.map_err(|error| phalanx::Error::new(error.to_string()))?;
        }
        Ok(())
    }

    #[test]
    fn fails_in_a_task() {
        if !is_absent() {
            let task = Process::builder(|(): ()| -> u32 { panic!("unexpected, in a task") }, ());
            task.name("job").spawn().unwrap().join().unwrap();
        }
    }

    #[test]
    fn fails_at_the_start() {
        if !is_absent() {
            let builder = Clumsy.builder().name("early");
            builder.before_start(|| panic!("unexpected, at the start")).spawn().unwrap();
        }
    }

    /// In another thread of the test, which has a printer of its own.
    #[test]
    fn fails_in_a_thread() {
        if !is_absent() {
            let outcome = std::thread::spawn(|| clumsy("far").stumble("unexpected, far".into()).wait());
            outcome.join().unwrap().unwrap();
        }
    }

    /// Started by a thread of the library, for which tests are all the same.
    #[test]
    fn fails_in_async_code() {
        if !is_absent() {
            let mut started = Box::pin(Clumsy.builder().name("async").spawn_async());
            let mut context = Context::from_waker(Waker::noop());
            let clumsy = until("a start", EVENT_TIMEOUT, || match started.as_mut().poll(&mut context) {
                Poll::Ready(started) => Some(started.unwrap()),
                Poll::Pending => None,
            });
            clumsy.stumble("unexpected, in async code".into()).wait().unwrap();
        }
    }

    #[test]
    fn fails_with_forgeries() {
        if !is_absent() {
            clumsy("forger").forge().wait().unwrap();
            clumsy("after").stumble("unexpected, after forgeries".into()).wait().unwrap();
        }
    }
}

/// Runs these tests; returns what each of the failing ones has printed, all else on standard output, and
/// standard error.
fn run(tests: &[&str], options: &[&str]) -> (Vec<(String, String)>, String, String) {
    let paths: Vec<String> = tests.iter().map(|test| format!("exits::captured::on_stage::{test}")).collect();
    let executable = std::env::current_exe().unwrap();
    let arguments = paths.iter().map(String::as_str).chain(["--exact"]).chain(options.iter().copied());
    let run = Program::new(executable.to_str().unwrap()).args(arguments);
    let run = run.env(STAGE, "1").env("RUST_TEST_NOCAPTURE", "0").start();
    let (stderr, stdout) = (run.rest_of_stderr().join("\n"), run.rest().join("\n"));
    let fails = tests.iter().any(|test| test.starts_with("fails"));
    assert_eq!(run.finish(), if fails { 101 } else { 0 }, "{stdout}\n{stderr}");
    let mut parts = stdout.split("\n---- exits::captured::on_stage::");
    let rest = parts.next().unwrap().to_owned();
    let sections = parts.map(|part| part.split_once(" stdout ----\n").unwrap());
    (sections.map(|(test, text)| (test.to_owned(), text.to_owned())).collect(), rest, stderr)
}

/// Each failing test, whose panic and which.
const FAILING: [(&str, &str, &str); 7] = [
    ("fails", "loud", "unexpected, directly"),
    ("fails_below", "nested", "unexpected, below"),
    ("fails_in_a_task", "job", "unexpected, in a task"),
    ("fails_at_the_start", "early", "unexpected, at the start"),
    ("fails_in_a_thread", "far", "unexpected, far"),
    ("fails_in_async_code", "async", "unexpected, in async code"),
    ("fails_with_forgeries", "after", "unexpected, after forgeries"),
];

fn names() -> Vec<&'static str> {
    FAILING.iter().map(|failing| failing.0).chain(["passes"]).collect()
}

/// The report as lines: whose, where, and the message.
fn reports(text: &str, actor: &str, message: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let is_report = |pair: &&[&str]| {
        let header = pair[0].starts_with(&format!("actor `{actor}` (process "));
        header && pair[0].contains(", incarnation 1) panicked at ") && pair[1] == message
    };
    lines.windows(2).filter(is_report).count()
}

#[test]
fn a_panic_is_printed_in_the_output_of_its_test_and_nowhere_else() {
    for threads in ["2", "1"] {
        let (sections, rest, stderr) = run(&names(), &["--test-threads", threads]);
        assert_eq!(sections.len(), FAILING.len(), "{rest}");
        for (test, actor, message) in FAILING {
            let own = sections.iter().find(|section| section.0 == test).map(|section| &*section.1);
            assert_eq!(reports(own.unwrap(), actor, message), 1, "{test}: {sections:#?}");
            let all = sections.iter().map(|section| reports(&section.1, actor, message));
            assert_eq!(all.sum::<usize>(), 1, "{test}: {sections:#?}");
        }
        let printed = format!("{rest}{stderr}{sections:?}");
        assert!(!printed.contains("`quiet`"), "the panics of a test that passes: {printed}");
        assert!(!format!("{rest}{stderr}").contains("panicked at"), "{rest}\n{stderr}");
    }
}

#[test]
fn a_panic_of_a_test_that_passes_is_not_shown() {
    let (sections, rest, stderr) = run(&["passes"], &[]);
    assert!(sections.is_empty() && rest.contains("1 passed"), "{rest}");
    assert!(!rest.contains("panicked") && !stderr.contains("panicked"), "{rest}\n{stderr}");
}

#[test]
fn without_a_capture_all_panics_are_on_standard_error() {
    let (_, stdout, stderr) = run(&["passes", "fails"], &["--nocapture"]);
    for (actor, message) in
        [("quiet", "expected, directly"), ("nested", "expected, below"), ("loud", "unexpected, directly")]
    {
        assert_eq!(reports(&stderr, actor, message), 1, "{stderr}");
        assert!(!stdout.contains(message), "{stdout}");
    }
}

#[test]
fn a_forged_text_is_shown_in_plain_letters_and_harms_nothing() {
    let (sections, rest, stderr) = run(&["fails_with_forgeries"], &[]);
    let [(_, section)] = &sections[..] else { panic!("{rest}\n{stderr}") };
    assert!(section.contains(r"forged \u{1b}[2J") && section.contains(" text\n"), "{section}");
    assert_eq!(reports(section, "after", "unexpected, after forgeries"), 1, "{section}");
    assert!(![section, &rest, &stderr].iter().any(|text| text.contains('\u{1b}')), "{section}");
}
