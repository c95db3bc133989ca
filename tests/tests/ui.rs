//! What the macros and the compiler refuse, compiled for real: each file in `ui/` beside the errors that it
//! must get. In files with lines that end in
//! `//~ error`, each of these lines gets one error, and no other line gets any.

use std::fs;
use std::path::PathBuf;

#[test]
fn what_the_macros_refuse() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}

/// Some errors come only when code is generated. A case that must pass makes `trybuild` build all, and not
/// only check them.
#[test]
fn what_a_build_refuses() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/build/captures_nothing.rs");
    cases.compile_fail("ui/build/captures.rs");
}

const MARK: &str = "//~ error";

/// The compiler places it in the library, and names the closure by its place.
#[test]
fn a_capture_that_only_a_build_refuses_is_one_error_with_its_remedy() {
    let errors = fs::read_to_string("ui/build/captures.stderr").unwrap();
    assert_eq!(errors.lines().filter(|line| line.starts_with("error")).count(), 1, "{errors}");
    for words in ["cannot capture data: pass the data as arguments", "ui/build/captures.rs:8:34"] {
        assert!(errors.contains(words), "{words} is not in {errors}");
    }
}

#[test]
fn each_marked_mistake_is_one_error_in_its_line() {
    let mut marked = 0;
    for case in cases() {
        let source = fs::read_to_string(&case).unwrap();
        let lines = source.lines().enumerate().filter(|(_, line)| line.ends_with(MARK));
        let mistakes: Vec<usize> = lines.map(|(index, _)| index + 1).collect();
        let Ok(errors) = fs::read_to_string(case.with_extension("stderr")) else { continue };
        if !mistakes.is_empty() {
            assert_eq!(lines_of_errors(&errors), mistakes, "{}", case.display());
            marked += mistakes.len();
        }
    }
    assert!(marked > 0);
}

fn cases() -> Vec<PathBuf> {
    let files = fs::read_dir("ui").expect("the folder of the cases");
    let files = files.map(|entry| entry.expect("an entry of it").path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The lines that errors point at, sorted: each error is followed by `--> FILE:LINE:COLUMN`.
fn lines_of_errors(errors: &str) -> Vec<usize> {
    let starts = errors.lines().zip(errors.lines().skip(1)).filter(|(line, _)| line.starts_with("error"));
    let places = starts.map(|(error, place)| {
        let line = place.rsplit(':').nth(1).and_then(|line| line.parse().ok());
        line.unwrap_or_else(|| panic!("no place of `{error}` in `{place}`"))
    });
    let mut lines: Vec<usize> = places.collect();
    lines.sort_unstable();
    lines
}
