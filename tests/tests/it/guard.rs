//! The leak check itself: what it must notice.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use phalanx_tests::{eventually, outcome, processes};

#[track_caller]
fn assert_noticed(what: &str, outcome: Result<(), String>) {
    let error = outcome.expect_err("the case should have failed");
    assert!(error.contains(what), "{error}");
}

#[test]
fn a_case_that_leaves_nothing_passes() {
    outcome(|| drop(File::open("/dev/null").unwrap())).unwrap();
}

#[test]
fn a_descriptor_left_open_is_noticed() {
    assert_noticed("left behind", outcome(|| std::mem::forget(File::open("/dev/null").unwrap())));
}

#[test]
fn a_child_left_running_is_noticed() {
    assert_noticed("left behind", outcome(|| drop(Command::new("sleep").arg("60").spawn().unwrap())));
}

#[test]
#[allow(clippy::zombie_processes, reason = "that is what is tested")]
fn a_zombie_is_noticed() {
    let outcome = outcome(|| {
        let child = Command::new("true").spawn().unwrap();
        eventually("its end", Duration::from_secs(5), || !processes::runs(child.id()));
    });
    assert_noticed("left behind", outcome);
}

#[test]
fn a_process_that_moved_to_another_parent_is_noticed() {
    // The shell ends at once; what it started goes to init.
    let orphan = || assert!(Command::new("sh").args(["-c", "sleep 60 & exit 0"]).status().unwrap().success());
    assert_noticed("processes left behind", outcome(orphan));
}

#[test]
fn a_temporary_file_is_noticed() {
    let forget = || drop(File::create(std::env::temp_dir().join("forgotten")).unwrap());
    assert_noticed("left behind", outcome(forget));
}

#[test]
fn a_case_that_fails_fails_the_test() {
    assert_noticed("on purpose", outcome(|| panic!("on purpose")));
}
