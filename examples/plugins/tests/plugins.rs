//! The host of plugins as its user meets it: the built program, with libraries that misbehave.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use phalanx_tests::Program;

const PLUGINS: &str = env!("CARGO_BIN_EXE_plugins");

/// The folder of the plugins, which `cargo test` has built unless it was told to build one test only.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(PLUGINS).with_file_name("examples");
        if !folder.join("libupcase.so").exists() {
            build();
        }
        folder
    })
}

fn build() {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--offline", "--examples", "--manifest-path"]);
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The line about a plugin below the line of an input.
#[track_caller]
fn outcome<'a>(lines: &'a [String], input: &str, plugin: &str) -> &'a str {
    let begin = lines.iter().position(|line| *line == format!("{input}:")).expect("the input");
    let line = lines[begin..].iter().find(|line| line.trim_start().starts_with(&format!("{plugin} ")));
    line.expect("the plugin").trim_start().strip_prefix(plugin).expect("its name").trim()
}

#[test]
fn whatever_a_plugin_does_costs_that_call_and_it_serves_the_next_one() {
    folder();
    let run = Program::new(PLUGINS).start();
    let lines = run.rest();
    let stderr = run.rest_of_stderr();
    assert_eq!(run.finish(), 0, "{lines:#?} {stderr:#?}");
    for (input, well) in [("hello", "-> olleh"), ("again", "-> niaga")] {
        for plugin in ["segfault", "overrun", "abort", "exit", "hang", "leak", "scribble", "close"] {
            assert_eq!(outcome(&lines, input, plugin), well, "{plugin}: {lines:#?}");
        }
    }
    assert_eq!(outcome(&lines, "trouble", "upcase"), "-> TROUBLE");
    assert_eq!(outcome(&lines, "trouble", "segfault"), "died: killed by SIGSEGV");
    assert_eq!(outcome(&lines, "trouble", "overrun"), "died: killed by SIGSEGV");
    assert_eq!(outcome(&lines, "trouble", "abort"), "died: killed by SIGABRT");
    assert_eq!(outcome(&lines, "trouble", "hang"), "killed at its deadline");
    assert_eq!(outcome(&lines, "trouble", "exit"), "died: exited with code 0");
    assert_eq!(outcome(&lines, "trouble", "leak"), "died: out of memory under its limit");
    assert!(lines.contains(&"upcase   processes: 1".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"segfault processes: 2".to_owned()), "{lines:#?}");
}

#[test]
fn what_is_no_plugin_is_named_and_the_others_are_served() {
    let here = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-plugins");
    fs::create_dir_all(&here).unwrap();
    let (text, empty) = (here.join("text.so"), here.join("empty.so"));
    fs::write(&text, "not a library").unwrap();
    fs::write(&empty, "").unwrap();
    let well = folder().join("libupcase.so");
    let paths = [&text, &well, &empty].map(|path| path.to_str().unwrap());
    let run = Program::new(PLUGINS).args(paths).start();
    let lines = run.rest();
    assert_eq!(run.finish(), 0, "{lines:#?}");
    assert!(lines[0].starts_with("cannot start `text`: init failed: "), "{lines:#?}");
    assert!(lines[0].contains("text.so"), "{lines:#?}");
    assert!(lines[1].starts_with("cannot start `empty`: init failed: "), "{lines:#?}");
    assert_eq!(outcome(&lines, "hello", "upcase"), "-> HELLO");
}

#[test]
fn a_library_that_there_is_not_is_named() {
    let run = Program::new(PLUGINS).args(["no/such/library.so"]).start();
    assert_eq!(run.rest_of_stderr()[0], "plugins: there is no no/such/library.so");
    assert_eq!(run.finish(), 2);
}

#[test]
fn a_host_that_is_killed_at_any_moment_leaves_nothing() {
    folder();
    for number in 0..10_u64 {
        let mut run = Program::new(PLUGINS).start();
        thread::sleep(Duration::from_millis(number * number * 3));
        run.kill();
        run.finish();
    }
}
