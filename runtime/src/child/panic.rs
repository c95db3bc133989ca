//! What is told of a panic: in the status page, where it outlives the process, and to people.

use std::any::Any;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::ptr;
use std::sync::{Mutex, Once, PoisonError};

use crate::child::report::report;
use crate::logging;
use crate::reactor::{context, last_words};
use crate::status::{StatusPage, WORDS, cut};
use crate::sys::per_process;

/// The message of a panic whose payload is not text.
pub(super) const NO_TEXT: &str = "(a panic without a text)";

/// Separates a panic's message from that of an earlier one in the same message: one in a destructor while the
/// first unwound, or one that was caught.
const BEFORE: &str = "; before it: ";

/// How many panics are remembered with their places.
const REMEMBERED: usize = 8;

/// The last panics of this process, by message and place. Only when a panic has unwound is it known that it
/// ends the process; destructors may have caught others after it.
static PLACES: Mutex<VecDeque<(String, String)>> = Mutex::new(VecDeque::new());

/// In a supervisor, once: makes a panic of this thread, in a process forked from it, write message, place and
/// method to that process's status page; and a panic of any thread there be told to people.
pub(crate) fn prepare() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        let main = per_process::thread();
        let (print, is_usual) = take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_first = per_process::thread() == main;
            let own = last_words::page().filter(|_| is_first && !context::is_copy());
            if let Some(status_page) = own {
                write(status_page, info);
            }
            // A copy is not the actor, and a supervisor is none. A hook that code before `main` has installed
            // says what it wants to.
            match context::identity().filter(|_| is_usual && !context::is_copy()) {
                Some(identity) => tell(&report(identity, is_first, info)),
                None => print(info),
            }
        }));
    });
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Sync + Send>;

/// Takes the hook, and says whether it is the standard library's.
#[allow(
    ambiguous_wide_pointer_comparisons,
    reason = "both boxes are made by one line of the standard library; if their tables differ all the same, the hook is called as any other"
)]
fn take_hook() -> (Hook, bool) {
    let hook = panic::take_hook();
    // Taken once more, it is the standard library's in any case.
    let usual = panic::take_hook();
    // Boxes of nothing have one address: what differs is the code that is behind them.
    let is_usual = size_of_val(&*hook) == 0 && ptr::eq(&raw const *hook, &raw const *usual);
    (hook, is_usual)
}

/// Tells people of a panic: in the output of the test that it belongs to, or on standard error, in one write,
/// so that nothing comes between.
fn tell(report: &str) {
    if logging::print(report) {
        return;
    }
    // A standard error that takes nothing is no reason to end otherwise.
    let _ = io::stderr().lock().write_all(report.as_bytes());
}

fn write(status_page: &StatusPage, info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or(NO_TEXT);
    let earlier = status_page.words().map(|words| words.0).filter(|words| !words.is_empty());
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    remember(message, &place);
    match earlier {
        // The standard library aborts: a panic in a destructor, or one that must not unwind. The cause is
        // already written.
        Some(_) if place.contains("core/src/panicking.rs") => {}
        Some(earlier) => status_page.last_words(
            &format!("{message}{BEFORE}{earlier}"),
            &place,
            status_page.method_in_progress(),
        ),
        None => status_page.last_words(message, &place, status_page.method_in_progress()),
    }
}

fn remember(message: &str, place: &str) {
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    if places.len() == REMEMBERED {
        places.pop_front();
    }
    places.push_back((cut(message, WORDS).to_owned(), place.to_owned()));
}

/// Where the last panic with this message was; empty if there was none, as for a resumed one.
fn place_of(message: &str) -> String {
    let places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    let known = places.iter().rev().find(|(said, _)| said == message);
    known.map(|(_, place)| place.clone()).unwrap_or_default()
}

/// Corrects what the hook wrote, when a panic with this payload has unwound to the runtime. The hook may have
/// written about another panic, which was caught, or nothing about a resumed one.
pub(crate) fn correct(status_page: &StatusPage, payload: &(dyn Any + Send)) {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = cut(text.or(payload.downcast_ref::<&str>().copied()).unwrap_or(NO_TEXT), WORDS);
    match status_page.words() {
        Some((said, ..)) if said == text => {}
        Some((said, place, method)) if said.starts_with(&format!("{text}{BEFORE}")) => {
            status_page.last_words(text, &place, method)
        }
        _ => status_page.last_words(text, &place_of(text), status_page.method_in_progress()),
    }
}
