//! What runs before `main`, in the program and in the image that becomes its supervisor.

use phalanx_tests::Program;

use super::{SCENARIO, said};

fn with_initialiser(what: &str) -> Vec<String> {
    said(Program::new(SCENARIO).args(["boots"]).env("SCENARIO_INITIALISER", what))
}

#[track_caller]
fn fails_with(what: &str, words: &[&str]) {
    let said = with_initialiser(what);
    assert_eq!((said.len(), said[0].as_str()), (2, "main"), "{said:?}");
    assert!(said[1].starts_with("Io|"), "{said:?}");
    words.iter().for_each(|words| assert!(said[1].contains(words), "{said:?}"));
}

#[test]
fn a_thread_of_an_initialiser_is_named_in_the_error() {
    fails_with("thread", &["one thread", "2 threads", "`early-bird`"]);
}

#[test]
fn a_thread_that_an_initialiser_has_joined_is_none() {
    assert_eq!(with_initialiser("joined thread"), ["main", "spawned"]);
}

#[test]
fn an_initialiser_that_ends_the_image_is_told_of() {
    fails_with("exit", &["exit status: 7", "an initialiser before `main` may end it"]);
    fails_with("abort", &["signal: 6", "an initialiser before `main` may end it"]);
}

/// It would do so in every image that it starts.
#[test]
fn an_initialiser_that_spawns_does_so_in_the_program_only() {
    let said = with_initialiser("spawn");
    let (refused, rest): (Vec<_>, Vec<_>) = said.iter().partition(|line| line.starts_with("cannot start"));
    assert_eq!(rest, ["spawned in an initialiser", "main", "spawned"], "{said:?}");
    assert_eq!(refused.len(), 1, "{said:?}");
    assert!(refused[0].contains("cannot spawn"), "{said:?}");
}
