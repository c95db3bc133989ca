//! What must not be in the source.

use std::collections::BTreeSet;
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

/// Whatever the kernel makes for us comes through one function, which keeps it away from 0, 1 and 2.
#[test]
fn descriptors_are_taken_over_in_one_place() {
    assert_eq!(uses("runtime/src", "/src/sys/fd.rs", &["from_raw_fd", "FromRawFd"]), [""; 0]);
}

/// What a panic has thrown may throw again when it is dropped.
#[test]
fn panics_are_caught_in_one_place() {
    assert_eq!(uses("runtime/src", "/src/foreign.rs", &["catch_unwind"]), [""; 0]);
}

/// What is built on actors knows no more of them than their users do.
#[test]
fn pools_and_what_is_like_them_use_actors_as_everybody_does() {
    for directory in ["pool", "queue", "store", "sync"] {
        let mut all = BTreeSet::new();
        for (path, text) in sources(&format!("runtime/src/{directory}")) {
            let used = modules_of_the_crate(&text, path.ends_with("mod.rs"));
            for inner in ["process", "sys", "mailbox"] {
                assert!(!used.contains(inner), "{}: {inner}", path.display());
            }
            all.extend(used);
        }
        assert!(all.contains("codec"), "{directory} names modules of the crate: {all:?}");
        let stands_on_specs = all.contains("supervise");
        assert!(!stands_on_specs || directory == "pool", "{directory}: supervise");
    }
}

/// What of the crate's root a file names, in whichever way: `crate::a`, `crate::{a, b::c}`, or `super::` up to there.
fn modules_of_the_crate(text: &str, is_top: bool) -> BTreeSet<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code: String = code.split_whitespace().collect();
    let root = if is_top { "super::" } else { "super::super::" };
    let mut used = BTreeSet::new();
    for start in ["crate::", root] {
        for (at, _) in code.match_indices(start) {
            // `$crate::` and `super::super::` in the middle of a longer one are found all the same.
            used.extend(heads(&code[at + start.len()..]).into_iter().filter(|name| !name.is_empty()));
        }
    }
    used
}

/// The first names of a path, or of all paths in braces.
fn heads(path: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut begins, mut found) = (0, true, Vec::new());
    for (at, character) in group.char_indices() {
        if depth == 0 && begins {
            found.push(name(&group[at..]));
        }
        begins = false;
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            _ => {}
        }
    }
    found
}

#[test]
fn every_way_to_name_a_module_of_the_crate_is_found() {
    let found = |text: &str, is_top| modules_of_the_crate(text, is_top).into_iter().collect::<Vec<_>>();
    assert_eq!(found("use crate::process::root;", false), ["process"]);
    assert_eq!(found("use crate::{\n  a::{sys, b},\n  mailbox,\n};", false), ["a", "mailbox"]);
    assert_eq!(found("let x = crate::sys::time::now();", false), ["sys"]);
    assert_eq!(found("use super::super::sys;", false), ["sys"]);
    assert_eq!(found("use super::process;", true), ["process"]);
    assert_eq!(found("use super::process;", false), [""; 0]);
    assert_eq!(found("// crate::sys", false), [""; 0]);
}

/// That they have no unsafe code either is for the compiler to say: the workspace denies it.
#[test]
fn programs_and_tests_make_no_system_calls_of_their_own() {
    // One drops its rights before it spawns, and one refuses calls to the program that it runs: the standard library does neither.
    let exempt = ["/scenario/boots.rs", "/bin/refuse.rs"];
    for directory in ["examples/src", "tests/src", "tests/tests"] {
        let mut found = uses(directory, "/architecture.rs", &["nix", "libc"]);
        found.retain(|line| !exempt.iter().any(|file| line.contains(file)));
        assert_eq!(found, [""; 0]);
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

/// Texts of other processes are shown on one line: whatever writes an error, a name or a reason for people goes through `escaped`, or has nothing in it that
/// another process could have written.
#[test]
fn everything_that_is_displayed_is_escaped_or_of_our_own_words() {
    let own = [
        // Of numbers and fixed words.
        "Intensity",
        "Backoff",
        "StoppedBy",
        "Border",
        "ActorId",
        "Never",
        "Silent",
        "TrySubmitError<A>",
        // Write what is escaped where it comes from.
        "Error",
        "TrySendError<A>",
        "PutAllError<T>",
        "Insights",
        "Report",
        "Node",
        "SupervisorRef",
        "Process<T, E>",
        "ActorRef<A>",
        "AnyRef",
        "Silent",
        // The user's own value, and ours in an escape.
        "Guard<T>",
        "Shown<'_>",
        "Line<'_>",
    ];
    for (path, text) in sources("runtime/src") {
        for (at, head) in text.match_indices("Display for ") {
            let line_start = text[..at].rfind('\n').map_or(0, |at| at + 1);
            if !text[line_start..at].trim_start().starts_with("impl") {
                continue;
            }
            let rest = &text[at + head.len()..];
            let name = rest.split([' ', '\n']).next().unwrap_or_default();
            let name = if rest.starts_with("Process<T, E>") { "Process<T, E>" } else { name };
            let body = &rest[..rest.find("\nimpl").unwrap_or(rest.len())];
            let escapes = body.contains("escaped(f, |f|");
            assert!(escapes || own.contains(&name), "{}: Display for {name}", path.display());
        }
    }
}
