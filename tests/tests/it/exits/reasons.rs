//! The program `scenario reasons`: what is reported of each end, also by a build that is optimised and cannot
//! unwind.

use crate::scenario;

#[test]
fn each_end_is_reported_as_what_it_was_by_every_build() {
    let run = scenario::start("reasons");
    let said = run.rest();
    assert_eq!(run.finish(), 0, "{said:?}");
    let panics = said[4].strip_prefix("panics: panicked at ").expect("the panic");
    assert!(panics.ends_with(": on purpose (in `fail`)"), "{panics}");
    let rest: Vec<&str> =
        said.iter().map(String::as_str).filter(|line| !line.starts_with("panics")).collect();
    assert_eq!(
        rest,
        [
            "allocates: out of memory under its limit",
            "is refused, and aborts: killed by SIGABRT",
            "aborts: killed by SIGABRT",
            "exits: exited with code 7",
            "overflows its stack: killed by SIGSEGV",
        ]
    );
}
