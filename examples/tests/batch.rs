//! The batch as its user meets it: the built program, on files that break the library which decodes them.

#![allow(unreachable_pub, dead_code, reason = "the support module serves several tests")]

mod support;

use std::thread;
use std::time::{Duration, Instant};

use grey_sys::files;
use phalanx_tests::{
    CLEANUP_LIMIT_WHEN_BUSY, EVENT_TIMEOUT, Program, eventually, machine_is_busy, processes,
};
use support::{Dir, run, run_and_kill};

const BATCH: &str = env!("CARGO_BIN_EXE_batch");

/// Longer than any test: for a file that must not end by itself.
const FOREVER: &str = "1000s";

#[test]
fn the_demonstration_names_four_files_and_measures_the_rest() {
    let output = run(BATCH, &["--workers", "2", "--deadline", "500ms"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let lines: Vec<_> = output.stdout.lines().collect();
    // The greys go from 0 to 255, and from 0 to 43.
    assert_eq!(lines[0], "300 of 304 files measured: 3000000 pixels, mean 112.0");
    let expected = [
        ("100-broken.grey", "not a grey picture"),
        ("150-truncated.grey", "the body is too short"),
        ("200-overrun.grey", "killed by SIGSEGV"),
        ("250-endless.grey", "`measure` exceeded its deadline"),
    ];
    assert_eq!(lines.len(), 1 + expected.len(), "{lines:?}");
    for (line, (file, reason)) in lines[1..].iter().zip(expected) {
        assert!(line.contains(&format!("/{file}: {reason}")), "{line}");
    }
    assert!(output.stderr.ends_with("batch: 304 of 304 files\n"), "{}", output.stderr);
}

/// Twenty good files, and as many endless ones behind them as there are workers, and more.
fn stuck() -> Dir {
    let dir = Dir::new();
    for number in 0..20 {
        dir.file(&format!("good-{number:02}.grey"), files::plain(10, 10, 100));
    }
    for number in 0..4 {
        dir.file(&format!("stuck-{number}.grey"), files::endless());
    }
    dir
}

#[test]
fn an_interrupt_gives_the_sums_so_far_within_a_second() {
    let dir = stuck();
    let mut run = Program::new(BATCH).args(["--workers", "2", "--deadline", FOREVER, dir.path()]).start();
    while run.line_of_stderr() != "batch: 20 of 24 files" {}
    let start = Instant::now();
    run.signal("INT");
    assert_eq!(run.line(), "interrupted: 20 of 24 files were done");
    assert_eq!(run.line(), "20 of 24 files measured: 2000 pixels, mean 100.0");
    assert_eq!(run.wait(), 130);
    let limit = if machine_is_busy() { CLEANUP_LIMIT_WHEN_BUSY } else { Duration::from_secs(1) };
    assert!(start.elapsed() < limit, "{:?}", start.elapsed());
    run.finish();
}

#[test]
fn each_file_that_hangs_costs_one_worker_until_the_deadline() {
    let dir = stuck();
    let output = run(BATCH, &["--workers", "2", "--deadline", "200ms", dir.path()]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout.starts_with("20 of 24 files measured: 2000 pixels"), "{}", output.stdout);
    assert_eq!(output.stdout.matches("exceeded its deadline").count(), 4, "{}", output.stdout);
}

#[test]
fn what_leaks_is_replaced_and_costs_nothing() {
    let dir = Dir::new();
    for number in 0..60 {
        // 16 MB are leaked by each.
        dir.file(&format!("{number:02}-a.grey"), files::truncated(4000, 4000));
        dir.file(&format!("{number:02}-b.grey"), files::plain(10, 10, 7));
    }
    let output = run(BATCH, &["--workers", "1", dir.path()]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(
        output.stdout.starts_with("60 of 120 files measured: 6000 pixels, mean 7.0"),
        "{}",
        output.stdout
    );
    assert_eq!(output.stdout.matches("the body is too short").count(), 60, "{}", output.stdout);
}

#[test]
fn a_file_that_there_is_not_is_named() {
    let missing = format!("{}/missing.grey", Dir::new().path());
    let output = run(BATCH, &[&missing]);
    assert_eq!((output.code, &*output.stdout), (1, ""));
    assert!(output.stderr.contains(&missing), "{}", output.stderr);
    let output = run(BATCH, &["--workers", "0"]);
    assert_eq!((output.code, &*output.stdout), (2, ""));
    assert!(output.stderr.contains("--workers 0"), "{}", output.stderr);
}

/// From before the first instruction of `main` to the middle of the batch.
fn moments() -> impl Iterator<Item = Duration> {
    (0..10).map(|number| Duration::from_millis(number * number))
}

#[test]
fn a_batch_that_is_killed_at_any_moment_leaves_nothing() {
    let dir = stuck();
    for moment in moments() {
        run_and_kill(BATCH, &["--workers", "2", "--deadline", FOREVER, dir.path()], moment);
    }
}

fn ends_within(pid: u32, limit: Duration) -> bool {
    let start = Instant::now();
    loop {
        if processes::stat(pid).is_none_or(|process| process.state == 'Z') {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_batch_that_is_interrupted_at_any_moment_reports_or_had_not_begun() {
    let dir = stuck();
    for moment in moments() {
        let run = Program::new(BATCH).args(["--workers", "2", "--deadline", FOREVER, dir.path()]).start();
        // What starts it may ignore the signal until then.
        eventually("the program", EVENT_TIMEOUT, || {
            processes::stat(run.pid()).is_some_and(|process| process.name == "batch")
        });
        thread::sleep(moment);
        run.signal("INT");
        // A signal is lost that arrives while the crate behind `tokio::signal` has installed its handler, and
        // not yet noted what to do.
        if !ends_within(run.pid(), EVENT_TIMEOUT) {
            run.signal("INT");
        }
        let lines = run.rest();
        match run.finish() {
            130 => assert!(lines[0].starts_with("interrupted: "), "{lines:?} after {moment:?}"),
            // By the signal, as long as the program does not handle it yet.
            code => assert_eq!((code, &lines[..]), (-2, &[][..]), "after {moment:?}"),
        }
    }
}
