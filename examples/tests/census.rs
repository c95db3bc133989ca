//! The census as its user meets it: the built program, on small directories.

#![allow(unreachable_pub, dead_code, reason = "the support module serves several tests")]

mod support;

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Dir, run};

const CENSUS: &str = env!("CARGO_BIN_EXE_census");

const LIB: &str = "pub fn one() { unsafe { two() } }\nunsafe fn two() {}\nstruct S;\n";

/// A little crate of two files, six lines, four functions and two unsafe blocks.
fn small() -> Dir {
    let dir = Dir::new();
    dir.file("small/Cargo.toml", "").file("small/src/lib.rs", LIB).file("small/src/more.rs", LIB);
    dir
}

/// Runs with `--json`; the one object on stdout.
#[track_caller]
fn json(args: &[&str]) -> Value {
    let output = run(CENSUS, &[args, &["--json"]].concat());
    assert_eq!(output.code, 0, "{}", output.stderr);
    let value: Value = serde_json::from_str(&output.stdout).expect("one JSON object and nothing else");
    let failed = value["failed"].as_array().expect("a list").len() as u64;
    assert_eq!(
        value["files"].as_u64(),
        value["surveyed"].as_u64().map(|surveyed| surveyed + failed),
        "{value}"
    );
    value
}

/// Why the file whose name ends like this was not surveyed.
#[track_caller]
fn reason(value: &Value, ending: &str) -> String {
    let failed = value["failed"].as_array().expect("a list");
    let mut of_file = failed.iter().filter(|f| f["file"].as_str().is_some_and(|file| file.ends_with(ending)));
    let entry = of_file.next().unwrap_or_else(|| panic!("{ending} is not named in {value}"));
    assert!(of_file.next().is_none(), "{ending} is named twice in {value}");
    entry["reason"].as_str().expect("a text").to_owned()
}

#[test]
fn a_small_crate_is_counted() {
    let value = json(&[small().path()]);
    let seconds = value["seconds"].as_f64().expect("a number");
    assert!(seconds > 0.0 && seconds < 60.0);
    let mut expected = serde_json::json!({
        "files": 2, "surveyed": 2, "lines": 6, "functions": 4, "unsafe_blocks": 2, "failed": [], "restarts": 0
    });
    expected["seconds"] = value["seconds"].clone();
    assert_eq!(value, expected);
}

#[test]
fn people_get_a_table_and_plain_progress() {
    let output = run(CENSUS, &["--workers", "1", small().path()]);
    assert_eq!(output.code, 0);
    let text = output.stdout;
    let row = |start: &str| -> Vec<String> {
        let line =
            text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}: {text}"));
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(row("small"), ["small", "2", "6", "4", "2", "2", "0"]);
    assert_eq!(row("all"), ["all", "1", "crate", "2", "6", "4", "2", "2", "0"]);
    assert!(text.contains("surveyed 2 of 2 files"), "{text}");
    assert_eq!(output.stderr, "census: 2 of 2 files\n");
}

#[test]
fn every_poison_is_named_with_its_true_reason_and_the_rest_is_surveyed() {
    let start = Instant::now();
    let value = json(&["--demo-poison", "--deadline", "5s", small().path()]);
    assert_eq!((value["files"].as_u64(), value["surveyed"].as_u64()), (Some(7), Some(2)), "{value}");
    assert_eq!(value["restarts"].as_u64(), Some(5), "{value}");
    let expected = [
        ("deep-nesting.rs", "killed by SIGSEGV"),
        ("spin.rs", "`survey` exceeded its deadline"),
        ("abort.rs", "killed by SIGABRT"),
        ("exit.rs", "exited with code 0"),
        ("allocate.rs", "out of memory"),
    ];
    for (file, words) in expected {
        let reason = reason(&value, &format!("poison://{file}"));
        assert!(reason.starts_with(words), "{file}: {reason}");
    }
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_real_file_that_overflows_the_stack_costs_itself_only() {
    let dir = small();
    dir.file("deep.rs", format!("const X: u8 = {}1{};", "(".repeat(200_000), ")".repeat(200_000)));
    let value = json(&["--workers", "1", dir.path()]);
    assert_eq!((value["surveyed"].as_u64(), value["restarts"].as_u64()), (Some(2), Some(1)), "{value}");
    assert!(reason(&value, "/deep.rs").contains("SIGSEGV"), "{value}");
}

/// More crashes than a supervisor allows by default.
#[test]
fn a_parser_that_dies_of_every_second_file_comes_back_each_time() {
    let dir = small();
    let deep = format!("const X: u8 = {}1{};", "(".repeat(100_000), ")".repeat(100_000));
    for number in 0..20 {
        dir.file(&format!("{number}/deep.rs"), &deep).file(&format!("{number}/flat.rs"), LIB);
    }
    let value = json(&["--workers", "1", dir.path()]);
    assert_eq!((value["surveyed"].as_u64(), value["restarts"].as_u64()), (Some(22), Some(20)), "{value}");
    assert!(reason(&value, "/19/deep.rs").contains("SIGSEGV"), "{value}");
}

#[test]
fn what_cannot_be_surveyed_is_named_in_plain_words() {
    let dir = small();
    dir.file("latin1.rs", b"// caf\xe9\n").file("wrong.rs", "fn (").link("gone.rs", "nowhere");
    // Opens, but cannot be read, not even by root.
    dir.link("unreadable.rs", "/proc/self/mem").link("loop", ".").link("itself.rs", "itself.rs");
    let value = json(&[dir.path()]);
    assert_eq!(value["surveyed"].as_u64(), Some(2), "{value}");
    assert_eq!(value["restarts"].as_u64(), Some(0), "{value}");
    assert_eq!(reason(&value, "/latin1.rs"), "not UTF-8");
    assert!(reason(&value, "/wrong.rs").starts_with("does not parse: 1:"), "{value}");
    assert!(reason(&value, "/gone.rs").starts_with("No such file or directory"), "{value}");
    assert!(reason(&value, "/unreadable.rs").starts_with("Input/output error"), "{value}");
    assert!(reason(&value, "/loop").starts_with("symlink loop"), "{value}");
    assert!(reason(&value, "/itself.rs").starts_with("symlink loop"), "{value}");
}

#[test]
fn a_name_that_is_not_utf_8_is_no_obstacle() {
    let dir = Dir::new();
    let name = OsStr::from_bytes(b"caf\xe9.rs");
    std::fs::write(std::path::Path::new(dir.path()).join(name), LIB).expect("a file");
    assert_eq!(json(&[dir.path()])["surveyed"].as_u64(), Some(1));
}

#[test]
fn a_missing_directory_is_named_and_exits_with_2() {
    let dir = small();
    let missing = format!("{}/missing", dir.path());
    let output = run(CENSUS, &["--json", dir.path(), &missing]);
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains(&missing) && output.stderr.contains("No such file"), "{}", output.stderr);
    assert_eq!(output.stdout, "");
}

#[test]
fn a_directory_without_rust_is_named_and_exits_with_1() {
    let dir = Dir::new();
    dir.file("notes.txt", "no code");
    let output = run(CENSUS, &[dir.path()]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains(dir.path()), "{}", output.stderr);
    assert_eq!(output.stdout, "");
}

#[test]
fn wrong_arguments_exit_with_2_and_say_what_is_expected() {
    for (args, words) in [
        (["--workers", "0"], "1 to 256"),
        (["--deadline", "soon"], "such as 5s"),
        (["--frobnicate", "."], "--frobnicate"),
    ] {
        let output = run(CENSUS, &args);
        assert_eq!(output.code, 2, "{args:?}");
        assert!(output.stderr.contains(words), "{args:?}: {}", output.stderr);
        assert_eq!(output.stdout, "", "{args:?}");
    }
}

#[test]
fn help_names_every_option() {
    let output = run(CENSUS, &["--help"]);
    assert_eq!(output.code, 0);
    for option in ["--workers", "--deadline", "--demo-poison", "--json", "DIR", "Exit codes"] {
        assert!(output.stdout.contains(option), "{option}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let dir = small();
    let mut command = Command::new(CENSUS);
    command.arg(dir.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    assert!(child.wait().expect("an end").success(), "{said}");
    assert_eq!(said, "census: 2 of 2 files\n");
}
