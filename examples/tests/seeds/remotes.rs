//! A manager and its worker hosts, each a program of its own.

use std::collections::BTreeSet;

use phalanx_tests::{Program, Run};

use crate::ran::numbers;

const MANAGER: &str = env!("CARGO_BIN_EXE_remote_manager");
const WORKER: &str = env!("CARGO_BIN_EXE_remote_worker");
const SECRET: &str = "PHALANX_SECRET";

/// A manager, and its address.
fn manager() -> (Run, String) {
    let run = Program::new(MANAGER).args(["50ms"]).env(SECRET, "right").start();
    let line = run.line();
    (run, line.strip_prefix("serving at ").expect("an address").to_owned())
}

fn worker(unit: &str, address: &str, secret: &str) -> Run {
    Program::new(WORKER).args([unit, address]).env(SECRET, secret).start()
}

/// Asserts that each task has exactly one result, and returns the manager's other lines.
#[track_caller]
fn hundred_results(manager: Run) -> Vec<String> {
    let lines = manager.rest();
    assert_eq!(manager.rest_of_stderr(), [""; 0]);
    assert_eq!(manager.finish(), 0);
    let squares: Vec<_> =
        lines.iter().filter(|line| line.contains("squared")).map(|line| numbers(line)).collect();
    assert!(squares.iter().all(|pair| pair[1] == pair[0] * pair[0]), "{lines:#?}");
    assert_eq!(squares.len(), 100, "{lines:#?}");
    assert_eq!(squares.into_iter().map(|pair| pair[0]).collect::<BTreeSet<_>>(), (1..=100).collect());
    assert!(lines.contains(&"the sum of all squares is 338350".to_owned()));
    lines.into_iter().skip(101).collect()
}

/// How many tasks a worker did; it must have ended well.
#[track_caller]
fn count(worker: Run) -> u32 {
    let lines = worker.rest();
    assert_eq!(worker.rest_of_stderr(), [""; 0], "{lines:?}");
    assert_eq!(worker.finish(), 0);
    numbers(lines.last().and_then(|line| line.strip_prefix("no more tasks; ")).expect("a last line"))[0]
}

#[test]
fn a_hundred_tasks_are_done_by_however_many_hosts() {
    for hosts in 1..=3 {
        let (manager, address) = manager();
        let workers: Vec<_> = (0..hosts).map(|_| worker("50ms", &address, "right")).collect();
        hundred_results(manager);
        assert_eq!(workers.into_iter().map(count).sum::<u32>(), 100);
    }
}

#[test]
fn what_a_host_had_taken_that_is_killed_is_done_by_another() {
    let (manager, address) = manager();
    let mut slow = worker("1000s", &address, "right");
    assert!(slow.line().starts_with("takes "));
    slow.kill();
    slow.finish();
    assert_eq!(count(worker("50ms", &address, "right")), 100);
    hundred_results(manager);
}

#[test]
fn a_host_with_a_wrong_secret_is_refused_and_the_others_are_served() {
    let (manager, address) = manager();
    let stranger = worker("50ms", &address, "wrong");
    let said = stranger.rest_of_stderr();
    assert!(said.len() == 1 && said[0].contains("secret"), "{said:?}");
    assert_eq!(stranger.finish(), 1);
    assert_eq!(count(worker("50ms", &address, "right")), 100);
    let said = hundred_results(manager);
    let refused = |line: &String| line.starts_with("refused: ") && line.contains("secret");
    assert!(said.iter().any(refused), "{said:?}");
}

#[test]
fn a_manager_that_is_killed_is_one_error_of_its_hosts() {
    let (mut manager, address) = manager();
    let worker = worker("50ms", &address, "right");
    assert!(worker.line().starts_with("takes "));
    manager.kill();
    manager.finish();
    let said = worker.rest_of_stderr();
    assert!(said.len() == 1 && said[0].starts_with("Error: "), "{said:?}");
    assert_eq!(worker.finish(), 1);
}

#[test]
fn nobody_serves_without_a_secret() {
    let run = Program::new(MANAGER).args(["50ms"]).start();
    assert_eq!(run.rest_of_stderr(), ["Error: no secret: the variable `PHALANX_SECRET` is not set"]);
    assert_eq!(run.finish(), 1);
}
