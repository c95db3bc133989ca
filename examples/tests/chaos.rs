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
    assert!(report["kills"].as_u64() > Some(0), "{report}");
    assert_eq!(report["calls"].as_u64(), Some(20_000), "{report}");
    assert_eq!(report["errors"]["died"].as_u64().unwrap_or(0), report["lost_in_progress"].as_u64().unwrap());
}

#[test]
fn all_tasks_that_may_be_repeated_succeed() {
    let report = report(&["--pool", "--tasks", "20000", "--idempotent", "--seed", "2"]);
    assert_eq!(report["replies"].as_u64(), Some(20_000), "{report}");
}
