//! What is published: each crate has what a registry shows and a licence asks for, and no file that its users
//! do not need.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::process::Command;

use crate::documents::top;

/// Folder and name of each crate that is published, in the order of their dependencies.
const PUBLISHED: [(&str, &str); 4] = [
    ("runtime/os", "phalanx-os"),
    ("runtime/policy", "phalanx-policy"),
    ("macros", "phalanx-macros"),
    ("runtime", "phalanx"),
];

const LICENCES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];

/// The value of a key of the package, as it is written.
fn value<'a>(manifest: &'a str, key: &str) -> Option<&'a str> {
    let package = manifest.split("\n[").next().unwrap_or_default();
    package.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('=')).map(str::trim)
}

/// The texts of a value that is a list of texts.
fn texts(list: &str) -> Vec<&str> {
    list.split('"').skip(1).step_by(2).collect()
}

#[test]
fn every_published_crate_says_what_a_registry_shows() {
    for (folder, name) in PUBLISHED {
        let manifest = fs::read_to_string(top().join(folder).join("Cargo.toml")).unwrap();
        assert_eq!(value(&manifest, "name"), Some(format!("{name:?}").as_str()));
        for key in ["description", "readme", "keywords", "categories", "include"] {
            assert!(value(&manifest, key).is_some_and(|value| value.len() > 8), "{name} has no {key}");
        }
        for key in ["version", "edition", "rust-version", "license"] {
            let inherited = format!("{key}.workspace");
            assert_eq!(value(&manifest, &inherited), Some("true"), "{name}: {key}");
        }
        // What crates.io takes.
        let keywords = texts(value(&manifest, "keywords").unwrap());
        assert!(
            keywords.len() <= 5 && keywords.iter().all(|keyword| keyword.len() <= 20),
            "{name}: {keywords:?}"
        );
        assert!(manifest.contains("\n[package.metadata.docs.rs]\n"), "{name}: how docs.rs builds it");
    }
}

/// An address that does not exist is worse than none.
#[test]
fn no_manifest_and_no_document_names_an_address_that_is_not_there() {
    let workspace = fs::read_to_string(top().join("Cargo.toml")).unwrap();
    let folders = PUBLISHED.map(|(folder, _)| format!("{folder}/Cargo.toml"));
    let manifests = folders.iter().map(|path| fs::read_to_string(top().join(path)).unwrap());
    for manifest in manifests.chain([workspace]) {
        for key in ["repository", "homepage", "documentation"] {
            let has = manifest.lines().any(|line| line.starts_with(key));
            assert!(!has, "`{key}`: say it in the documents, too, where they say that there is none");
        }
    }
}

#[test]
fn every_other_crate_of_the_workspace_is_kept_from_being_published() {
    let workspace = fs::read_to_string(top().join("Cargo.toml")).unwrap();
    let members = workspace.lines().find_map(|line| line.strip_prefix("members = ")).unwrap();
    let mut kept = 0;
    for member in texts(members) {
        let manifest = fs::read_to_string(top().join(member).join("Cargo.toml")).unwrap();
        if !PUBLISHED.iter().any(|(folder, _)| *folder == member) {
            assert_eq!(value(&manifest, "publish"), Some("false"), "{member}");
            kept += 1;
        }
    }
    assert_eq!(texts(members).len(), PUBLISHED.len() + kept);
}

/// A registry shows a readme, and has none of the files around it.
#[test]
fn a_published_readme_has_no_link_to_a_file() {
    for (folder, name) in PUBLISHED {
        let readme = fs::read_to_string(top().join(folder).join("README.md")).unwrap();
        for (at, _) in readme.match_indices("](").chain(readme.match_indices("]: ")) {
            let target = readme[at + 2..].trim_start();
            assert!(target.starts_with("https://"), "{name}: {}", target.lines().next().unwrap_or_default());
        }
    }
}

/// The program of the readme of `phalanx` is that of the README, which is run.
#[test]
fn the_published_program_is_that_of_the_readme() {
    let program = |path: &str| {
        let blocks = crate::documents::blocks(&fs::read_to_string(top().join(path)).unwrap());
        blocks.into_iter().find(|(language, _)| language == "rust").unwrap().1
    };
    assert_eq!(program("runtime/README.md"), program("README.md"));
}

/// The lines that cargo prints.
fn cargo(command: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(command)
        .arg("--offline")
        .current_dir(top())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo {command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// What cargo would put into the package, but for code.
fn packed(name: &str) -> BTreeSet<String> {
    let mut listed = cargo(&["package", "--list", "--allow-dirty", "-p", name]);
    listed.retain(|path| !(path.starts_with("src/") && path.ends_with(".rs")));
    listed
}

/// The README says how many.
#[test]
fn a_program_compiles_few_crates() {
    let tree = ["tree", "-p", "phalanx", "-e", "normal,build", "--prefix", "none", "--no-dedupe"];
    let crates = cargo(&tree);
    let others = crates.len() - 1;
    assert!(others <= 38, "{others}: {crates:?}");
    let readme = fs::read_to_string(top().join("README.md")).unwrap();
    assert!(readme.contains(&format!("It brings {others} crates")), "{others}: {crates:?}");
}

#[test]
fn a_package_has_licences_and_a_readme_and_nothing_needless() {
    for (folder, name) in PUBLISHED {
        for licence in LICENCES {
            let text = fs::read_to_string(top().join(folder).join(licence)).unwrap();
            assert_eq!(text, fs::read_to_string(top().join(licence)).unwrap(), "{name}: {licence}");
        }
        let mut packed = packed(name);
        for needed in LICENCES.into_iter().chain(["README.md", "Cargo.toml", "Cargo.toml.orig", "Cargo.lock"])
        {
            assert!(packed.remove(needed), "{name} lacks {needed}");
        }
        packed.remove(".cargo_vcs_info.json");
        if name == "phalanx" {
            assert!(packed.remove("src/guide/links.md") && packed.remove("docs/tour.md"), "{packed:?}");
            packed.retain(|path| !(path.starts_with("docs/") && path.ends_with(".md")));
        }
        assert_eq!(packed, BTreeSet::new(), "{name}");
    }
}
