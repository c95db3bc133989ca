//! The program `scenario`, which is run for what it says and how it ends.

use phalanx_tests::{Program, Run};

pub(crate) fn start(name: &str) -> Run {
    Program::new(env!("CARGO_BIN_EXE_scenario")).args([name]).start()
}

/// Runs a scenario that ends with 0 and says nothing on standard error; its output.
#[track_caller]
pub(crate) fn output(name: &str) -> Vec<String> {
    let run = start(name);
    let said = run.rest();
    assert_eq!(run.rest_of_stderr(), [""; 0]);
    assert_eq!(run.finish(), 0, "{said:?}");
    said
}
