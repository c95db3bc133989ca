//! The report of a panic, as people read it: whose panic it is, place, message, and a backtrace of the
//! program's own code.
//!
//! The standard library's hook writes the same, but to the standard error of the process that panics, in
//! several pieces, and all first threads are `main` to it. A report that is a text can be written at once, so
//! that two actors' reports do not mix, and can be sent to where it is wanted.

use std::backtrace::Backtrace;
use std::fmt::Write;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::child::panic::NO_TEXT;
use crate::reactor::context::Identity;
use crate::sys::process;
use crate::types::escape::one_line;

/// The frames of a short backtrace lie between functions of these names, as in the standard library.
const END: &str = "__rust_end_short_backtrace";
const BEGIN: &str = "__rust_begin_short_backtrace";

/// How much of the stack is shown. The standard library's own choice cannot be asked for.
#[derive(Clone, Copy)]
enum Style {
    Off,
    Short,
    Full,
}

impl Style {
    /// What `RUST_BACKTRACE` asks for.
    fn wanted() -> Style {
        match std::env::var_os("RUST_BACKTRACE") {
            None => Style::Off,
            Some(value) if value == "0" => Style::Off,
            Some(value) if value == "full" => Style::Full,
            Some(_) => Style::Short,
        }
    }
}

/// The report of a panic in this thread; `is_first` if that is the one that takes messages.
pub(crate) fn report(identity: &Identity, is_first: bool, info: &PanicHookInfo<'_>) -> String {
    let (name, pid, incarnation) = (one_line(&identity.name), process::pid(), identity.incarnation);
    let mut text = format!("\nactor `{name}` (process {pid}, incarnation {incarnation})");
    // Writing to a string cannot fail.
    if !is_first {
        let thread = thread::current();
        let _ = write!(text, ", thread `{}`,", one_line(thread.name().unwrap_or("<unnamed>")));
    }
    let message = info.payload_as_str().unwrap_or(NO_TEXT);
    let _ = match info.location() {
        Some(place) => writeln!(text, " panicked at {place}:\n{message}"),
        None => writeln!(text, " panicked:\n{message}"),
    };
    trace(&mut text, Style::wanted());
    text
}

fn trace(text: &mut String, style: Style) {
    /// Whether this process has said how to get a backtrace.
    static HINTED: AtomicBool = AtomicBool::new(false);
    let _ = match style {
        Style::Off if HINTED.swap(true, Ordering::Relaxed) => Ok(()),
        Style::Off => {
            writeln!(text, "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace")
        }
        Style::Full => write!(text, "stack backtrace:\n{:#}", Backtrace::force_capture()),
        Style::Short => writeln!(
            text,
            "stack backtrace:\n{}note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.",
            between_the_ends(&Backtrace::force_capture().to_string())
        ),
    };
}

/// The lines of a backtrace between the first two functions that are marks, with frames counted anew; all of
/// them if there are none, as without symbols.
fn between_the_ends(trace: &str) -> String {
    let from_end = trace.lines().skip_while(|line| !line.contains(END)).skip(1);
    let inner = from_end.skip_while(|line| is_place(line)).take_while(|line| !line.contains(BEGIN));
    let lines: Vec<&str> = inner.collect();
    let lines = &lines[..end_of_the_program(&lines)];
    if lines.is_empty() { trace.to_owned() } else { numbered(lines) }
}

/// Where lines begin that only say how the library calls the program: closures around a function with several
/// arguments, and what the attributes expand to. The program's code may be inlined into the first of them,
/// which only debug information would say.
fn end_of_the_program(lines: &[&str]) -> usize {
    let places = |from: usize| lines[from..].iter().take_while(|line| is_place(line)).count();
    let shown = lines.iter().rposition(|line| !is_place(line) && !is_ours(line)).map_or(0, |at| at + 1);
    let has_own = lines[..shown].iter().any(|line| is_of_the_program(line));
    let end = shown + places(shown);
    if has_own || end == lines.len() { end } else { end + 1 + places(end + 1) }
}

/// Whether a line says where the function of the line above is.
fn is_place(line: &str) -> bool {
    line.trim_start().starts_with("at ")
}

fn is_ours(line: &str) -> bool {
    let function = frame(line).unwrap_or(line.trim_start());
    let between = ["phalanx::actor::traits::Actor", "core::ops::function::Fn"];
    function.trim_start_matches('<').starts_with("phalanx::")
        || between.iter().any(|name| function.contains(name))
}

fn is_of_the_program(line: &str) -> bool {
    let function = frame(line).unwrap_or(line.trim_start()).trim_start_matches('<');
    let others = ["core::", "std::", "alloc::", "__rustc", "rust_begin_unwind"];
    !is_place(line) && !is_ours(line) && !others.iter().any(|other| function.starts_with(other))
}

/// The function of a line at which a frame begins; functions that are inlined there have lines without a
/// number.
fn frame(line: &str) -> Option<&str> {
    let (number, function) = line.trim_start().split_once(": ")?;
    number.parse::<usize>().is_ok().then_some(function)
}

fn numbered(lines: &[&str]) -> String {
    let (mut text, mut frames) = (String::new(), 0_usize..);
    for line in lines {
        let _ = match frame(line) {
            Some(function) => writeln!(text, "{:4}: {function}", frames.next().unwrap_or_default()),
            None => writeln!(text, "{line}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "   0: phalanx::child::report\n             at ./report.rs:1:1\n   1: std::sys::backtrace::__rust_end_short_backtrace\n             at /rustc/x.rs:2:2\n   2: core::panicking::panic_fmt\n   3: app::handler\n             at ./app.rs:3:3\n      app::inlined\n             at ./app.rs:4:4\n   4: app::_::<impl phalanx::actor::traits::Actor for app::A>::handle\n   5: core::ops::function::FnOnce::call_once\n   6: phalanx::task::function::{{closure}}\n             at ./function.rs:9:9\n   7: phalanx::__rust_begin_short_backtrace\n             at ./user_code.rs:5:5\n   8: phalanx::serve\n   9: std::sys::backtrace::__rust_begin_short_backtrace\n";

    #[test]
    fn a_short_backtrace_is_what_lies_between_the_marks() {
        let expected = "   0: core::panicking::panic_fmt\n   1: app::handler\n             at ./app.rs:3:3\n      app::inlined\n             at ./app.rs:4:4\n";
        assert_eq!(between_the_ends(TRACE), expected);
    }

    #[test]
    fn a_frame_of_ours_stays_if_it_may_have_the_programs_code_in_it() {
        let trace =
            TRACE.replace("app::handler", "core::fmt").replace("      app::inlined", "      std::fmt");
        assert!(
            between_the_ends(&trace)
                .ends_with("   2: app::_::<impl phalanx::actor::traits::Actor for app::A>::handle\n")
        );
    }

    #[test]
    fn a_backtrace_without_marks_is_shown_as_it_is() {
        for trace in ["   0: <unknown>\n   1: <unknown>\n", "unsupported backtrace", ""] {
            assert_eq!(between_the_ends(trace), trace);
        }
    }
}
