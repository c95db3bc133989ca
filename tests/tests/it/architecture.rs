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

/// The compiler says it too: of the crates that are published, only `phalanx-os` allows unsafe code, and has
/// the crates for system calls. Here they are missed by name, whatever a manifest or an attribute allows.
#[test]
fn unsafe_code_and_system_calls_are_in_one_crate_only() {
    for directory in ["runtime/src", "runtime/policy/src", "runtime/benches"] {
        assert_eq!(uses(directory, "", &["unsafe", "nix", "rustix", "libc"]), [""; 0]);
    }
    for (path, text) in sources("runtime/src") {
        assert!(!text.contains("unsafe"), "{}", path.display());
    }
    assert_eq!(uses("runtime/os/src", "", &["phalanx"]), [""; 0]);
}

/// Whatever the kernel makes for us comes through one function, which keeps it away from 0, 1 and 2.
#[test]
fn descriptors_are_taken_over_in_one_place() {
    assert_eq!(uses("runtime/os/src", "/src/fd.rs", &["from_raw_fd", "FromRawFd"]), [""; 0]);
    assert_eq!(uses("runtime/src", "", &["from_raw_fd", "FromRawFd"]), [""; 0]);
}

/// What a panic has thrown may throw again when it is dropped.
#[test]
fn panics_are_caught_in_one_place() {
    assert_eq!(uses("runtime/src", "/src/ipc/user_code.rs", &["catch_unwind"]), [""; 0]);
}

/// The folders of the runtime, from the ground up: each imports only folders of the rows above its own here.
/// Folders of one row do not know each other. `sys` and `policy` are crates of their own (`runtime/os`,
/// `runtime/policy`).
const LAYERS: &[&[&str]] = &[
    &["sys", "policy"],
    &["types"],
    &["status"],
    &["ipc"],
    &["reactor", "resources"],
    &["registry", "logging"],
    &["control"],
    &["child"],
    &["supervisor"],
    &["spawn"],
    &["actor", "introspect"],
    &["task", "names"],
    &["supervision"],
    &["command", "pool", "queue", "store", "sync"],
    &["remote"],
];

/// Re-exports, what macros expand to, and the pages of the documentation: nothing imports them.
const AT_THE_TOP: [&str; 3] = ["lib.rs", "macro_support.rs", "guide.rs"];

fn row(folder: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&folder))
}

/// A file of the runtime, by its path below `src`.
fn below_src(path: &Path) -> Vec<String> {
    let names: Vec<_> = path.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    names[names.iter().rposition(|name| name == "src").unwrap() + 1..].to_vec()
}

#[test]
fn every_file_stands_in_a_folder_that_has_a_layer() {
    for (path, _) in sources("runtime/src") {
        match &below_src(&path)[..] {
            [file] => assert!(AT_THE_TOP.contains(&file.as_str()), "{file} stands in no folder"),
            [folder, ..] => assert!(row(folder).is_some(), "{folder} has no row among the layers"),
            [] => unreachable!("a file has a name"),
        }
    }
}

#[test]
fn folders_import_only_what_is_below_them() {
    for (path, text) in sources("runtime/src") {
        let names = below_src(&path);
        let [folder, .., file] = &names[..] else { continue };
        let depth = names.len() - usize::from(file == "mod.rs");
        for used in modules_of_the_crate(&text, depth) {
            let below =
                row(&used).unwrap_or_else(|| panic!("{}: `crate::{used}` is no folder", path.display()));
            let is_below = below < row(folder).unwrap() || used == *folder;
            assert!(is_below, "{}: {folder} imports {used}, which is not below it", path.display());
        }
    }
}

/// Services are built on actors; what runs in a supervisor, or in a process before its actor, is not theirs.
#[test]
fn services_stand_on_the_actor_api() {
    let services = [LAYERS[LAYERS.len() - 2], LAYERS[LAYERS.len() - 1]].concat();
    for (path, text) in sources("runtime/src") {
        let names = below_src(&path);
        let [folder, .., file] = &names[..] else { continue };
        if services.contains(&folder.as_str()) {
            let used = modules_of_the_crate(&text, names.len() - usize::from(file == "mod.rs"));
            for below in ["supervisor", "child"] {
                assert!(!used.contains(below), "{}: a service names {below}", path.display());
            }
        }
    }
}

/// The names of the crate's root that a file mentions outside of its own unit tests, as `crate::a`,
/// `crate::{a, b::c}`, or by `super::` up to the root, which is so many levels above the file's module.
fn modules_of_the_crate(text: &str, depth: usize) -> BTreeSet<String> {
    let product = text.find("\n#[cfg(test)]\nmod ").map_or(text, |at| &text[..at]);
    let code: String = product.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code: String = code.split_whitespace().collect();
    let mut used = BTreeSet::new();
    for start in ["crate::".to_owned(), "super::".repeat(depth)] {
        for (at, _) in code.match_indices(&start) {
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
    let found = |text: &str, depth| modules_of_the_crate(text, depth).into_iter().collect::<Vec<_>>();
    assert_eq!(found("use crate::control::request;", 2), ["control"]);
    assert_eq!(found("use crate::{\n  a::{sys, b},\n  ipc,\n};", 2), ["a", "ipc"]);
    assert_eq!(found("let x = crate::sys::clock::now();", 2), ["sys"]);
    assert_eq!(found("use super::super::sys;", 2), ["sys"]);
    assert_eq!(found("use super::super::sys;", 3), [""; 0]);
    assert_eq!(found("use super::status;", 1), ["status"]);
    assert_eq!(found("use super::status;", 2), [""; 0]);
    assert_eq!(found("// crate::sys", 2), [""; 0]);
    assert_eq!(found("fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::actor;\n}", 2), [""; 0]);
}

/// That they have no unsafe code either is for the compiler to say: the workspace denies it.
#[test]
fn programs_and_tests_make_no_system_calls_of_their_own() {
    // One drops its rights before it spawns, and one refuses calls to the program that it runs: the standard
    // library does neither.
    let exempt = ["/scenario/boots.rs", "/bin/refuse.rs"];
    for directory in ["examples", "tests/src", "tests/tests"] {
        let mut found = uses(directory, "/architecture.rs", &["nix", "rustix", "libc"]);
        found.retain(|line| !exempt.iter().any(|file| line.contains(file)));
        assert_eq!(found, [""; 0]);
    }
}

/// Files of the examples that allow unsafe code, as they call C, or are called as C is: bindings; what writes the
/// symbols of a plugin, and what loads one; plugins with a fault on purpose.
const UNSAFE_EXAMPLES: [&str; 7] = [
    "examples/grey-sys/src/ffi.rs",
    "examples/plugins/examples/close.rs",
    "examples/plugins/examples/overrun.rs",
    "examples/plugins/examples/scribble.rs",
    "examples/plugins/examples/segfault.rs",
    "examples/plugins/src/lib.rs",
    "examples/plugins/src/library.rs",
];

/// The workspace denies it, so a file that has it says that it allows it.
#[test]
fn unsafe_code_of_examples_is_in_the_files_that_need_it() {
    let mut found = uses("examples", "", &["unsafe_code"]);
    found.retain(|line| !UNSAFE_EXAMPLES.iter().any(|file| line.contains(file)));
    assert_eq!(found, [""; 0]);
}

/// Every block of unsafe code says why it is sound, or that it is not.
#[test]
fn every_unsafe_block_has_its_argument() {
    let examples = sources("examples").into_iter();
    let examples = examples.filter(|(path, _)| UNSAFE_EXAMPLES.iter().any(|file| path.ends_with(file)));
    for (path, text) in sources("runtime/os/src").into_iter().chain(examples) {
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

/// Texts of other processes are shown on one line: code that writes an error, a name or a reason for people
/// goes through `escaped`, or writes nothing that another process could have written.
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
        // Write texts of the program's own, each on one line.
        "SpecError",
        // Write what is escaped where it comes from.
        "Error",
        "Boxed",
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
