//! The programs of the README and of the tour, typed into a crate of their own.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::documents::{TOUR, blocks, top};

/// The Rust of the README and of the tour, block by block.
fn snippets() -> Vec<String> {
    let pages = TOUR.map(|page| fs::read_to_string(top().join(page)).unwrap());
    let all = pages.iter().flat_map(|page| blocks(page));
    all.filter(|(language, _)| language == "rust").map(|(_, text)| text).collect()
}

/// The first Rust program of the README, as it stands there.
fn program() -> String {
    snippets().swap_remove(0)
}

/// The tour: the snippets that go on from the first program, put together with it. Definitions stand where
/// definitions stand, and everything else follows in `main`.
fn tour() -> String {
    let program = program();
    let (definitions, main) = program.split_once("#[phalanx::main]\n").unwrap();
    let mut definitions = definitions.to_owned();
    let mut main = main.trim_end().strip_suffix("Ok(())\n}").unwrap().to_owned();
    for snippet in snippets().into_iter().skip(1).filter(|snippet| !snippet.contains("fn main")) {
        if snippet.starts_with("#[") { definitions.push_str(&snippet) } else { main.push_str(&snippet) }
    }
    format!(
        "#![allow(unused)]\n{definitions}\n\
         use std::time::Duration;\nuse phalanx::{{Group, Pool, Queue, Store, names, sync::Lock}};\n\n\
         fn block_on<F: Future>(future: F) -> F::Output {{\n\
             let mut future = std::pin::pin!(future);\n\
             let mut context = std::task::Context::from_waker(std::task::Waker::noop());\n\
             loop {{\n\
                 if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {{ return value; }}\n\
             }}\n\
         }}\n\n\
         #[phalanx::main]\n{main}println!(\"both: {{}}\", block_on(both)?);\nOk(())\n}}\n"
    )
}

/// A crate that depends on phalanx by path, and on nothing else: the program, a library whose documentation
/// is the program, the program once more as a test, and the other programs of the README and of the tour.
fn fresh_crate() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(make_crate)
}

fn make_crate() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fresh-crate");
    let root = top();
    let program = program();
    let main = "#[phalanx::main]\nfn main()";
    assert!(program.contains(main), "{program}");
    let test = program.replace(main, "#[test]\nfn it_counts()");
    let documented: String = program.lines().map(|line| format!("//! {line}\n")).collect();
    let manifest = format!(
        "[package]\nname = \"fresh\"\nedition = \"2024\"\ndefault-run = \"fresh\"\n\n[dependencies]\nphalanx = {{ path = {:?} }}\n\n[workspace]\n",
        root.join("runtime")
    );
    fs::create_dir_all(place.join("src")).unwrap();
    fs::write(place.join("Cargo.toml"), manifest).unwrap();
    // The versions that we are tested with; nothing has to be looked up.
    fs::copy(root.join("Cargo.lock"), place.join("Cargo.lock")).unwrap();
    fs::write(place.join("src/main.rs"), &program).unwrap();
    fs::write(place.join("src/lib.rs"), format!("//! ```\n{documented}//! ```\n")).unwrap();
    fs::create_dir_all(place.join("src/bin")).unwrap();
    fs::write(place.join("src/bin/tour.rs"), tour()).unwrap();
    let shop = snippets().into_iter().skip(1).find(|program| program.contains("fn main")).unwrap();
    fs::write(place.join("src/bin/shop.rs"), shop).unwrap();
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
    let said = cargo(place, &["run"]);
    let pid = said.strip_prefix("6 words, counted by process ").unwrap();
    assert!(pid.trim_end().parse::<u32>().is_ok(), "{said}");

    let said = cargo(place, &["test"]);
    assert!(said.contains("test it_counts ... ok"), "{said}");
    assert!(said.contains("test src/lib.rs - (line 1) ... ok"), "{said}");
}

#[test]
fn every_snippet_of_the_readme_and_of_the_tour_runs() {
    let place = fresh_crate();
    let said = cargo(place, &["run", "--bin", "tour"]);
    for expected in ["stopped by a holder of its ref", "144", "Some(0) 9", "1000 144", "both: "] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    // Its assertions are its own.
    cargo(place, &["run", "--bin", "shop"]);
}
