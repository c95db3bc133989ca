//! A short run of each kind of chaos: every promise holds, and nothing is left.

#![allow(unreachable_pub, dead_code, reason = "the support module serves several tests")]

mod support;

use serde_json::Value;
use support::run;

const CHAOS: &str = env!("CARGO_BIN_EXE_chaos");

/// The report, of a run in which every promise held.
#[track_caller]
fn report(args: &[&str]) -> Value {
    let output = run(CHAOS, &[args, &["--json"]].concat());
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    let report: Value = serde_json::from_str(&output.stdout).expect("one JSON object and nothing else");
    assert_eq!(report["ok"], true, "{report}");
    report
}

#[test]
fn no_promise_breaks_while_everything_is_killed_at_random() {
    let report = report(&["--seconds", "3", "--seed", "1"]);
    assert_eq!((report["seed"].as_u64(), report["seconds"].as_u64()), (Some(1), Some(3)));
    assert!(report["kills"].as_u64() > Some(0) && report["replies"].as_u64() > Some(0), "{report}");
    // With the bunglers, too.
    let bungled = &report["bungled"];
    assert!(bungled["blunders"].as_u64() > Some(0) && bungled["replies"].as_u64() > Some(0), "{report}");
    assert_eq!(bungled["unexplained"], serde_json::json!({}), "{report}");
    assert_eq!(bungled["bystander_deaths"].as_u64(), Some(0), "{report}");
}

#[test]
fn each_of_fifty_crashes_costs_one_call() {
    let report = report(&["--crashes", "50", "--seed", "1"]);
    assert_eq!(report["crashes"]["calls_lost"].as_u64(), Some(50), "{report}");
    assert_eq!(report["crashes"]["incarnations"].as_u64(), Some(51), "{report}");
    assert_eq!(report["lost_queued"].as_u64(), Some(0), "{report}");
}

#[test]
fn each_task_of_a_pool_whose_workers_are_killed_has_one_outcome() {
    let report = report(&["--pool", "--tasks", "20000", "--seed", "1"]);
    let number = |key: &str| report[key].as_u64().expect("a number");
    assert!(number("kills") > 0, "{report}");
    assert_eq!(number("calls"), 20_000, "{report}");
    // The callers' errors, and the workers' notes where they outlive the workers.
    let died = report["errors"]["died"].as_u64().unwrap_or(0);
    assert_eq!(died, number("lost_in_progress") + number("cut_answers"), "{report}");
    assert_eq!(number("replies") + died, 20_000, "{report}");
    assert!(died <= number("kills"), "{report}");
    for broken in ["without_outcome", "with_several", "untrue_outcomes", "repeated", "unexplained_deaths"] {
        assert_eq!(report["pool"][broken].as_u64(), Some(0), "{broken}: {report}");
    }
}

#[test]
fn all_tasks_that_may_be_repeated_succeed() {
    let report = report(&["--pool", "--tasks", "20000", "--workers", "3", "--idempotent", "--seed", "2"]);
    assert!(report["kills"].as_u64() > Some(0), "{report}");
    assert_eq!(report["replies"].as_u64(), Some(20_000), "{report}");
}

#[test]
fn a_wrong_command_line_is_explained() {
    for (args, words) in [
        (&["--pool", "--crashes", "3"][..], "choose one"),
        (&["--pool", "--seconds", "3"], "`--seconds`"),
        (&["--idempotent"], "`--pool`"),
        (&["--pools"], "unknown argument `--pools`"),
    ] {
        let output = run(CHAOS, args);
        assert_eq!((output.code, &*output.stdout), (2, ""), "{args:?}");
        assert!(output.stderr.contains(words), "{args:?}: {}", output.stderr);
    }
}
