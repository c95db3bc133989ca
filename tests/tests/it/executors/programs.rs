//! Whole programs of an executor: their end, and their signals.

use phalanx_tests::Program;

/// The actors are stopped in order when the executor has ended.
#[track_caller]
fn ends_in_order(scenario: &str) {
    let run = Program::new(env!("CARGO_BIN_EXE_scenario")).args([scenario]).start();
    assert_eq!(
        (run.rest(), run.rest_of_stderr()),
        (["the actor works", "main ends", "worker stopped"].map(str::to_owned).into(), vec![])
    );
    assert_eq!(run.finish(), 0);
}

#[test]
fn main_of_an_executor_ends_in_order_with_its_attribute_below() {
    ends_in_order("executor-below");
}

#[test]
fn main_of_an_executor_ends_in_order_with_its_attribute_above() {
    ends_in_order("executor-above");
}

#[test]
fn a_program_that_keeps_its_signals_gets_their_default_effect() {
    for (signal, code) in [("TERM", -15), ("INT", -2)] {
        let run = Program::new(env!("CARGO_BIN_EXE_scenario")).args(["keeps-signals"]).start();
        assert_eq!(run.line(), run.pid().to_string());
        run.signal(signal);
        // At once, and not in order: the worker is not asked to stop.
        assert_eq!((run.rest(), run.rest_of_stderr()), (Vec::<String>::new(), vec![]));
        assert_eq!(run.finish(), code);
    }
}
