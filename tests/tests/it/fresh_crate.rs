//! The program of the README, typed into a crate of its own.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The first Rust program of the README, as it stands there.
fn program() -> String {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let (_, rest) = readme.split_once("```rust\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// A crate that depends on phalanx by path, and on nothing else: the program, a library whose documentation is the
/// program, and the program once more as a test.
fn fresh_crate() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fresh-crate");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let program = program();
    let main = "#[phalanx::main]\nfn main()";
    assert!(program.contains(main), "{program}");
    let test = program.replace(main, "#[test]\nfn it_counts()");
    let documented: String = program.lines().map(|line| format!("//! {line}\n")).collect();
    let manifest = format!(
        "[package]\nname = \"fresh\"\nedition = \"2024\"\n\n[dependencies]\nphalanx = {{ path = {:?} }}\n\n[workspace]\n",
        root.join("runtime")
    );
    fs::create_dir_all(place.join("src")).unwrap();
    fs::write(place.join("Cargo.toml"), manifest).unwrap();
    // The versions that we are tested with; nothing has to be looked up.
    fs::copy(root.join("Cargo.lock"), place.join("Cargo.lock")).unwrap();
    fs::write(place.join("src/main.rs"), &program).unwrap();
    fs::write(place.join("src/lib.rs"), format!("//! ```\n{documented}//! ```\n")).unwrap();
    fs::create_dir_all(place.join("tests")).unwrap();
    fs::write(place.join("tests/program.rs"), test).unwrap();
    place
}

/// What cargo, or what it runs, says on standard output.
#[track_caller]
fn cargo(place: &Path, command: &[&str]) -> String {
    let output = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(command)
        .current_dir(place)
        .env("CARGO_TARGET_DIR", place.join("target"))
        .env("CARGO_TERM_COLOR", "never")
        // Built once and never debugged.
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "cargo {command:?}: {}\n{said}\n{errors}", output.status);
    said.into_owned()
}

#[test]
fn the_program_of_the_readme_works_as_a_program_as_a_test_and_as_a_doctest() {
    let place = fresh_crate();
    let said = cargo(&place, &["run"]);
    let pid = said.strip_prefix("6 words, counted by process ").unwrap();
    assert!(pid.trim_end().parse::<u32>().is_ok(), "{said}");

    let said = cargo(&place, &["test"]);
    assert!(said.contains("test it_counts ... ok"), "{said}");
    assert!(said.contains("test src/lib.rs - (line 1) ... ok"), "{said}");
}
