//! The documents: all code in them is run somewhere, their links lead somewhere, and those for users are part
//! of the crate's documentation.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the workspace.
pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The fenced blocks of a document: what stands behind the fence, and the text.
pub(crate) fn blocks(document: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut is_inside = false;
    for line in document.lines() {
        match (line.strip_prefix("```"), is_inside) {
            (Some(language), false) => found.push((language.to_owned(), String::new())),
            (Some(_), true) => {}
            (None, true) => found.last_mut().unwrap().1.push_str(&format!("{line}\n")),
            (None, false) => continue,
        }
        is_inside = line.starts_with("```") != is_inside;
    }
    assert!(!is_inside, "a fence is not closed");
    found
}

/// Pages whose snippets go on from each other, in this order; `fresh_crate` runs them.
pub(crate) const TOUR: [&str; 2] = ["README.md", "docs/tour.md"];

/// The files of a folder, and of the folders in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// All documents, by their paths in the workspace, with their texts.
fn documents() -> Vec<(String, String)> {
    let top = top();
    let others = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| top.join(name));
    let all = files(&top.join("docs")).into_iter().chain(others);
    all.map(|path| {
        let name = path.strip_prefix(&top).unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).unwrap())
    })
    .collect()
}

fn guide() -> String {
    fs::read_to_string(top().join("runtime/src/guide.rs")).unwrap()
}

/// The README and the tour are run by `fresh_crate`; every other document with Rust in it is a doctest of the
/// library, whole.
#[test]
fn every_snippet_of_every_document_is_run() {
    let guide = guide();
    let mut count = 0;
    for (name, text) in documents() {
        let all = blocks(&text);
        for (language, text) in &all {
            let known = ["rust", "text", "sh", "toml", "python"];
            assert!(known.contains(&language.as_str()), "{name}: ```{language}\n{text}");
        }
        let rust = all.iter().filter(|(language, _)| language == "rust").count();
        let is_included = guide.contains(&format!("include_str!(\"../{name}\")"));
        assert!(rust == 0 || is_included || TOUR.contains(&name.as_str()), "{name} is no doctest");
        count += rust;
    }
    assert!(count > 30, "{count} snippets");
}

/// The lines of a document that are not in a fenced block.
fn prose(document: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    document.lines().filter(move |line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// What stands between `open` and the next `close`, at each place.
fn between<'a>(line: &'a str, open: &str, close: char) -> Vec<&'a str> {
    let starts = line.match_indices(open).map(|(at, _)| &line[at + open.len()..]);
    starts.filter_map(|rest| rest.split_once(close).map(|(inside, _)| inside)).collect()
}

/// Targets of `[text](target)`.
fn inline_links(document: &str) -> Vec<&str> {
    prose(document).flat_map(|line| between(line, "](", ')')).collect()
}

/// Labels of `[text][label]`.
fn references(document: &str) -> BTreeSet<&str> {
    prose(document).flat_map(|line| between(line, "][", ']')).collect()
}

/// Label and target of `[label]: target`.
fn definitions(document: &str) -> Vec<(&str, &str)> {
    prose(document).filter_map(|line| line.strip_prefix('[')?.split_once("]: ")).collect()
}

/// How GitHub and rustdoc name a heading in a link.
fn slug(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    heading.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn headings(document: &str) -> BTreeSet<String> {
    let headings = prose(document).filter(|line| line.starts_with('#'));
    headings.map(|line| slug(line.trim_start_matches('#').trim())).collect()
}

fn is_of_the_web(target: &str) -> bool {
    target.starts_with("https://")
}

#[test]
fn every_link_of_a_document_leads_to_a_file_and_a_heading() {
    let top = top();
    let mut count = 0;
    for (name, text) in documents() {
        let defined = definitions(&text).into_iter().map(|(_, target)| target);
        let all = inline_links(&text).into_iter().chain(defined);
        for target in all.filter(|target| !is_of_the_web(target)) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path =
                if file.is_empty() { top.join(&name) } else { top.join(&name).parent().unwrap().join(file) };
            assert!(path.exists(), "{name}: there is no {target}");
            let is_there =
                heading.is_empty() || headings(&fs::read_to_string(&path).unwrap()).contains(heading);
            assert!(is_there, "{name}: no heading for {target}");
            count += 1;
        }
    }
    assert!(count > 200, "{count} links");
}

/// The pages that are part of the crate's documentation, and of its package: file names and texts.
fn pages() -> Vec<(String, String)> {
    let pages = files(&top().join("runtime/docs")).into_iter().map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(path.canonicalize().unwrap(), top().join("docs").join(&name), "a link to the document");
        (name, fs::read_to_string(path).unwrap())
    });
    pages.collect()
}

/// The module that has the page of this file.
fn module_of(file: &str) -> String {
    let name = file.trim_end_matches(".md");
    // A word of the language.
    if name == "async" { "async_code".to_owned() } else { name.replace('-', "_") }
}

/// Where a link to a file leads in the crate's documentation: to the module of that page. Pages that it does
/// not have are named at one place.
fn in_the_documentation(target: &str, pages: &[(String, String)]) -> String {
    let (file, heading) =
        target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
    match pages.iter().find(|(name, _)| name == file) {
        Some(_) => {
            let module = module_of(file);
            format!(
                "crate::guide::{module}{}",
                heading.map(|heading| format!("#{heading}")).unwrap_or_default()
            )
        }
        None if file == "../README.md" => "crate".to_owned(),
        None => "crate::guide#in-the-repository".to_owned(),
    }
}

/// A reference is defined twice: in the page, as a file, and before the page, as a module. The first one
/// counts.
#[test]
fn links_between_guides_lead_to_modules_in_the_documentation() {
    let (guide, pages) = (guide(), pages());
    let before = fs::read_to_string(top().join("runtime/src/guide/links.md")).unwrap();
    let before = definitions(&before);
    let mut used = BTreeSet::new();
    for (name, text) in &pages {
        let module = module_of(name);
        let included = format!(
            "#[doc = include_str!(\"guide/links.md\")]\n#[doc = include_str!(\"../docs/{name}\")]\npub mod {module} {{}}"
        );
        assert!(guide.contains(&included), "{name} is no guide");
        for target in inline_links(text) {
            let stays = target.starts_with('#') || is_of_the_web(target);
            assert!(stays, "{name}: write `[text][{target}]`, and `[{target}]: {target}` at the end");
        }
        let defined: BTreeSet<_> = definitions(text)
            .into_iter()
            .map(|(label, target)| {
                assert_eq!(label, target, "{name}");
                label
            })
            .collect();
        assert_eq!(references(text), defined, "{name}: references and their definitions");
        for label in defined {
            let leads_to = in_the_documentation(label, &pages);
            assert!(
                before.contains(&(label, leads_to.as_str())),
                "guide/links.md lacks `[{label}]: {leads_to}`"
            );
            used.insert(label.to_owned());
        }
    }
    let needless = before.iter().find(|(label, _)| !used.contains(*label));
    assert_eq!(needless, None, "no page has this link");
    assert!(pages.len() > 10, "{} pages", pages.len());
}
