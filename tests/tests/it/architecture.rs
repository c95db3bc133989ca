//! What must not be in the source.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(directory: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {directory}");
    found
}

/// Lines of code (comments aside) in which one of the words stands as a word of its own.
fn uses(directory: &str, exempt: &str, words: &[&str]) -> Vec<String> {
    let outside = sources(directory).into_iter().filter(|(path, _)| !path.to_string_lossy().contains(exempt));
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    outside
        .flat_map(|(path, text)| {
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.into_iter().enumerate().map(move |(number, line)| (path.clone(), number + 1, line))
        })
        .filter(|(_, _, line)| !line.trim_start().starts_with("//"))
        .filter(|(_, _, line)| line.split(|character| !is_word(character)).any(|word| words.contains(&word)))
        .map(|(path, number, line)| format!("{}:{number}: {line}", path.display()))
        .collect()
}

#[test]
fn unsafe_code_and_system_calls_are_in_sys_only() {
    assert_eq!(uses("runtime/src", "/src/sys/", &["unsafe", "nix", "libc"]), [""; 0]);
    let outside =
        sources("runtime/src").into_iter().filter(|(path, _)| !path.to_string_lossy().contains("/src/sys/"));
    for (path, text) in outside {
        assert!(!text.contains("unsafe"), "{}", path.display());
    }
}

/// What is built on actors knows no more of them than their users do.
#[test]
fn pools_and_what_is_like_them_use_actors_as_everybody_does() {
    for directory in ["pool", "queue", "store", "sync"] {
        let directory = format!("runtime/src/{directory}");
        if !Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(&directory).exists() {
            continue;
        }
        for (path, text) in sources(&directory) {
            for inner in ["process", "sys", "mailbox"] {
                for found in [format!("crate::{inner}::"), format!("crate::{inner};"), format!("{inner}::{{")]
                {
                    let used = text.lines().any(|line| {
                        let line = line.trim_start();
                        !line.starts_with("//") && !line.starts_with("use std::") && line.contains(&found)
                    });
                    assert!(!used, "{}: {found}", path.display());
                }
            }
        }
    }
}

/// That they have no unsafe code either is for the compiler to say: the workspace denies it.
#[test]
fn programs_and_tests_make_no_system_calls_of_their_own() {
    for directory in ["examples/src", "tests/src", "tests/tests"] {
        assert_eq!(uses(directory, "/architecture.rs", &["nix", "libc"]), [""; 0]);
    }
}

/// Every block of unsafe code says why it is sound.
#[test]
fn every_unsafe_block_has_its_argument() {
    for (path, text) in sources("runtime/src/sys") {
        let mut argued = false;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            argued |= line.contains("SAFETY:") || line.contains("# Safety");
            let is_use = line.contains("unsafe {") || line.starts_with("unsafe impl");
            if is_use && !line.starts_with("//") {
                assert!(argued, "{}:{}: {line}", path.display(), number + 1);
            }
            // An argument holds to the end of its statement or item.
            if line.is_empty() {
                argued = false;
            }
        }
    }
}

/// What is built of actors is built as its users would build it.
#[test]
fn stores_and_locks_know_nothing_of_processes() {
    let banned = ["process", "sys", "mailbox", "supervise"].map(|module| format!("crate::{module}"));
    for (path, text) in sources("runtime/src") {
        let place = path.to_string_lossy();
        if ["/src/store", "/src/sync"].iter().any(|part| place.contains(part)) {
            for module in &banned {
                assert!(!text.contains(module), "{place}: {module}");
            }
        }
    }
}

/// What macros expand to names the runtime by its private path only, so that the public one may change.
#[test]
fn macros_expand_to_private_paths_only() {
    for (path, text) in sources("macros/tests/expand") {
        for (number, line) in text.lines().enumerate() {
            for (at, _) in line.match_indices("::phalanx::") {
                let rest = &line[at + "::phalanx::".len()..];
                assert!(rest.starts_with("__private"), "{}:{}: {line}", path.display(), number + 1);
            }
        }
    }
}
