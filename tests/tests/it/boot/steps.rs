//! Each step with each error.

use phalanx_tests::Program;

use super::{SCENARIO, said};

const EPERM: i32 = 1;
const ENOMEM: i32 = 12;
const EACCES: i32 = 13;
const EMFILE: i32 = 24;
const ENOSYS: i32 = 38;

/// How long a step that fails may take to be told, in milliseconds.
const STEP_LIMIT_MS: u64 = 2_000;

fn with_fault(step: u32, error: i32) -> Vec<String> {
    said(Program::new(SCENARIO).args(["boots"]).env("PHALANX_FAULT_BOOT", &format!("{step}:{error}")))
}

/// The steps are tried one after the other until there is none that could fail.
#[track_caller]
fn each_step_fails_with(error: i32, kind: &str) {
    let words = std::io::Error::from_raw_os_error(error).to_string();
    let mut told = Vec::new();
    loop {
        let step = told.len() as u32;
        let said = with_fault(step, error);
        assert_eq!(said[0], "main", "step {step}");
        assert_eq!(said.len(), 2, "step {step}: `main` ran once: {said:?}");
        if said[1] == "spawned" {
            break;
        }
        let (named, rest) = said[1].split_once('|').unwrap();
        let (millis, text) = rest.split_once('|').unwrap();
        assert_eq!(named, kind, "step {step}: {text}");
        assert!(millis.parse::<u64>().unwrap() < STEP_LIMIT_MS, "step {step}: {millis} ms");
        assert!(text.ends_with(&words), "step {step}: {text}");
        let (_, what) = text.split_once("what failed is to ").unwrap();
        assert!(!told.contains(&what.to_owned()), "step {step} has no words of its own: {text}");
        told.push(what.to_owned());
    }
    assert!(told.len() >= 20, "{told:?}");
}

#[test]
fn a_boot_without_descriptors_names_the_step_and_the_limit_and_never_runs_main_again() {
    each_step_fails_with(EMFILE, "Limit RLIMIT_NOFILE");
}

#[test]
fn a_boot_without_memory_names_the_step_and_the_limit_and_never_runs_main_again() {
    each_step_fails_with(ENOMEM, "Limit memory");
}

#[test]
fn a_boot_on_a_kernel_that_lacks_a_call_names_the_step_and_never_runs_main_again() {
    each_step_fails_with(ENOSYS, "Io");
}

#[test]
fn a_boot_that_is_not_permitted_names_the_step_and_never_runs_main_again() {
    each_step_fails_with(EPERM, "Io");
}

#[test]
fn a_boot_without_access_names_the_step_and_never_runs_main_again() {
    each_step_fails_with(EACCES, "Io");
}
