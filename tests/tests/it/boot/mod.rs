//! From the first spawn of a program to its root supervisor: what may be in the way, and that nothing of it
//! makes `main` run again.

mod initialisers;
mod libraries;
mod steps;
mod tokens;

use phalanx_tests::Program;

const SCENARIO: &str = env!("CARGO_BIN_EXE_scenario");

/// What a program says that spawns once, and ends well.
#[track_caller]
fn said(program: Program) -> Vec<String> {
    let run = program.start();
    let said = run.rest();
    let errors = run.rest_of_stderr();
    assert_eq!(run.finish(), 0, "{said:?} {errors:?}");
    assert_eq!(errors, [""; 0], "{said:?}");
    said
}
