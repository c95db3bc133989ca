//! A test case in a program of its own.

use std::any::type_name;
use std::env;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::process::{self, Command, Stdio};

use phalanx::prelude::*;

use crate::leaks::Snapshot;
use crate::processes::{self, MARK};
use crate::tempdir::TempDir;
use crate::wait::{CASE_LIMIT, poll};

/// Says to this test binary that it is the program of one case.
const CASE: &str = "PHALANX_TESTS_CASE";

/// Said at the end of a case that passed.
const PASSED: &str = "the case has passed";

/// Runs the body of a `#[test]` in a program of its own, and makes sure that nothing of it is left.
///
/// The body starts with no tree running. A process, zombie, descriptor, mapping, shared-memory or temporary
/// file that is there a second after its end and was not before fails the case. So does a run that
/// takes longer than 30 s.
///
/// # Panics
/// If the case fails.
#[track_caller]
pub fn alone<F: FnOnce() + 'static>(body: F) {
    if let Err(error) = outcome(body) {
        panic!("{error}");
    }
}

/// As [`alone`], but returns how a case has failed.
///
/// # Errors
/// How it failed.
pub fn outcome<F: FnOnce() + 'static>(body: F) -> Result<(), String> {
    // `crate::module::test::{{closure}}`; libtest knows it without the crate, and without the closure.
    let path = type_name::<F>();
    let test = path.split_once("::").map_or(path, |(_, rest)| rest).trim_end_matches("::{{closure}}");
    if env::var(CASE).is_ok_and(|case| case == test) {
        run_here(body);
        // What the test says of the outcome is for the other process to run.
        println!("{PASSED}");
        process::exit(0);
    }
    run_elsewhere(test)
}

/// This is the program of the case.
fn run_here(body: impl FnOnce()) {
    // What every program keeps once it has started a tree does not count as a leak.
    Process::spawn(|()| (), ()).expect("a process starts").join().expect("it ends");
    phalanx::shutdown();
    // And what it is known by.
    phalanx::current().any().expect("the program has a ref");
    let before = Snapshot::take();
    body();
    phalanx::shutdown();
    before.assert_restored();
}

/// This is the test: starts the program of the case, and watches it.
fn run_elsewhere(test: &str) -> Result<(), String> {
    let directory = TempDir::new();
    let output = directory.path().join("output");
    let file = File::create(&output).expect("a file for the output");
    let mut command = Command::new(env::current_exe().expect("this program has a path"));
    command
        .args([test, "--exact", "--nocapture", "--include-ignored"])
        .env(CASE, test)
        .env(MARK, directory.mark())
        .env("TMPDIR", directory.temporary())
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(file.try_clone().expect("a second handle"))
        .stderr(file)
        .process_group(0);
    let mut child = command.spawn().expect("the program of the case starts");
    let ended = || child.try_wait().expect("a child can be waited for");
    let status = poll(|start| start.elapsed() >= CASE_LIMIT, ended);
    if status.is_none() {
        processes::marked(&directory.mark()).iter().for_each(|process| processes::kill(process.pid));
        let _ = child.wait();
    }
    let said = String::from_utf8_lossy(&fs::read(&output).unwrap_or_default()).into_owned();
    match status {
        None => return Err(format!("`{test}` ran for {CASE_LIMIT:?}:\n{said}")),
        Some(status) if !status.success() => return Err(format!("`{test}`: {status}:\n{said}")),
        Some(_) if !said.contains(PASSED) => return Err(format!("`{test}` did not run:\n{said}")),
        Some(_) => {}
    }
    directory.nothing_left()
}
