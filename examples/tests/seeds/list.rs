//! The list of these programs.

use phalanx_tests::Program;

use crate::support::run;

const SEEDS: &str = env!("CARGO_BIN_EXE_seeds");

#[test]
fn all_are_listed_with_a_line_that_names_their_rows() {
    let list = run(SEEDS, &[]);
    assert_eq!((list.code, &*list.stderr), (0, ""));
    for line in list.stdout.lines() {
        let (name, header) = line.split_once(' ').expect("a name and a line");
        assert!(
            header.trim_start().len() > 20 && header.contains("(00") && header.ends_with(")."),
            "{name}: {header}"
        );
    }
    // Every program of a source is in the list: they are those whose first line names a row.
    let mut names: Vec<_> =
        list.stdout.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    names.sort();
    assert_eq!(names, programs_of_sources());
}

fn programs_of_sources() -> Vec<String> {
    let programs =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin")).expect("the programs are there");
    let mut names = Vec::new();
    for entry in programs.flatten() {
        let path = if entry.path().is_dir() { entry.path().join("main.rs") } else { entry.path() };
        let source = std::fs::read_to_string(path).expect("a source");
        let names_row = source.lines().next().is_some_and(|line| line.contains("(00"));
        names.extend(
            names_row.then(|| entry.path().file_stem().unwrap_or_default().to_string_lossy().into_owned()),
        );
    }
    names.sort();
    names
}

#[test]
fn one_is_run_by_its_name_with_arguments() {
    // As if it had not been started by cargo.
    let run = Program::new(SEEDS).args(["memory_isolation", "50ms"]).env("CARGO", "").start();
    assert_eq!(run.line(), "a child says 101, main says 100");
    assert_eq!(run.finish(), 0);
    let run = Program::new(SEEDS).args(["process_args", "soon"]).env("CARGO", "").start();
    assert_eq!(run.rest_of_stderr().len(), 1);
    assert_eq!(run.finish(), 2);
}

#[test]
fn a_name_that_there_is_not_is_an_error() {
    let ended = run(SEEDS, &["fork_bomb"]);
    assert_eq!((ended.code, &*ended.stdout), (2, ""));
    assert_eq!(
        ended.stderr,
        "seeds: there is no program `fork_bomb`; without arguments, `seeds` lists them\n"
    );
}
