//! Rights that are given up after the first spawn.

use std::os::unix::fs::MetadataExt;

use phalanx_tests::Program;

const SCENARIO: &str = env!("CARGO_BIN_EXE_scenario");

/// Says loudly if the case cannot be tried.
fn is_root() -> bool {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !is_root {
        eprintln!("SKIPPED: only root can give up being root");
    }
    is_root
}

fn said(scenario: &str) -> Vec<String> {
    let run = Program::new(SCENARIO).args([scenario]).start();
    let (said, errors) = (run.rest(), run.rest_of_stderr());
    assert_eq!((run.finish(), errors), (0, vec![]), "{said:?}");
    said
}

#[test]
fn a_program_that_has_given_up_rights_starts_nothing_with_those_it_had_and_a_fresh_tree_without_them() {
    if !is_root() {
        return;
    }
    let said = said("drops-rights");
    assert_eq!(said.len(), 6, "{said:?}");
    assert_eq!(said[0], "user 0");
    assert!(said[1].starts_with("Credentials|") && said[1].contains("user ids"), "{said:?}");
    // A declared supervisor is asked through its mailbox, and checks the caller itself.
    assert!(said[2].starts_with("Credentials|"), "{said:?}");
    // A child that is there is not started again with them either.
    assert!(said[3].starts_with("Err(") && said[3].contains("another real user"), "{said:?}");
    assert_eq!(said[4], "user 0");
    assert_eq!(said[5], "user 65534");
}

#[test]
fn an_actor_that_has_given_up_rights_spawns_nothing_with_those_it_had() {
    if !is_root() {
        return;
    }
    let said = said("actor-drops-rights");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("Credentials|") && said[0].contains("user ids"), "{said:?}");
}
