//! The walk, on small trees.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A directory that is gone when the test is.
struct Tree(PathBuf);

impl Tree {
    fn new() -> Tree {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("census-walk-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Tree(fs::canonicalize(path).unwrap())
    }

    fn file(&self, path: &str) -> &Tree {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "fn f() {}\n").unwrap();
        self
    }

    fn link(&self, path: &str, target: &str) -> &Tree {
        symlink(target, self.0.join(path)).unwrap();
        self
    }

    fn walk(&self) -> Found {
        walk(std::slice::from_ref(&self.0))
    }

    /// Every file found with its crate, both below the tree.
    fn files(&self) -> Vec<(String, String)> {
        let below = |path: &Path| path.strip_prefix(&self.0).unwrap().display().to_string();
        self.walk().files.iter().map(|file| (below(&file.path), below(&file.krate))).collect()
    }

    fn paths(&self) -> Vec<String> {
        self.files().into_iter().map(|(path, _)| path).collect()
    }

    /// Every failure below the tree, with its reason.
    fn failures(&self) -> Vec<(String, String)> {
        let root = format!("{}/", self.0.display());
        self.walk().failed.into_iter().map(|f| (f.file.replace(&root, ""), f.reason)).collect()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn rust_files_are_found_in_order_and_others_are_not() {
    let tree = Tree::new();
    tree.file("b.rs").file("a/z.rs").file("a/a.rs").file("notes.txt").file("rs").file("dir.rs/in.rs");
    assert_eq!(tree.paths(), ["a/a.rs", "a/z.rs", "b.rs", "dir.rs/in.rs"]);
    assert!(tree.failures().is_empty());
}

#[test]
fn the_crate_is_the_nearest_folder_with_a_manifest() {
    let tree = Tree::new();
    tree.file("loose.rs").file("one/Cargo.toml").file("one/src/lib.rs");
    tree.file("one/inner/Cargo.toml").file("one/inner/src/lib.rs");
    let expected = [("loose.rs", ""), ("one/inner/src/lib.rs", "one/inner"), ("one/src/lib.rs", "one")];
    assert_eq!(tree.files(), expected.map(|(path, krate)| (path.to_owned(), krate.to_owned())));
}

#[test]
fn a_package_that_cargo_unpacked_is_one_crate() {
    let tree = Tree::new();
    tree.file("x-1.0.0/.cargo-ok").file("x-1.0.0/Cargo.toml").file("x-1.0.0/src/lib.rs");
    tree.file("x-1.0.0/suite/Cargo.toml").file("x-1.0.0/suite/t.rs");
    assert!(tree.files().iter().all(|(_, krate)| krate == "x-1.0.0"), "{:?}", tree.files());
}

#[test]
fn a_directory_inside_a_crate_belongs_to_it() {
    let tree = Tree::new();
    tree.file("one/Cargo.toml").file("one/src/deep/lib.rs");
    let found = walk(&[tree.0.join("one/src/deep")]);
    assert_eq!(&*found.files[0].krate, tree.0.join("one"));
}

#[test]
fn loops_of_links_are_named_and_end() {
    let tree = Tree::new();
    tree.file("a/f.rs").link("a/up", "..").link("a/here", ".").link("itself", "itself");
    assert_eq!(tree.paths(), ["a/f.rs"]);
    let failures = tree.failures();
    let names: Vec<_> = failures.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a/here", "a/up", "itself"]);
    assert!(failures.iter().all(|(_, reason)| reason.starts_with("symlink loop: ")), "{failures:?}");
}

#[test]
fn links_are_followed_but_nothing_is_surveyed_twice() {
    let tree = Tree::new();
    let outside = Tree::new();
    outside.file("far/away.rs");
    tree.file("z/real.rs").link("a", "z").link("again.rs", "z/real.rs");
    tree.link("out", outside.0.to_str().unwrap()).link("out2", outside.0.to_str().unwrap());
    assert_eq!(tree.paths().len(), 2, "{:?}", tree.paths());
    assert!(tree.paths().contains(&"z/real.rs".to_owned()));
    assert!(tree.failures().is_empty());
    assert_eq!(walk(&[tree.0.clone(), tree.0.join("z"), tree.0.clone()]).files.len(), 2);
}

#[test]
fn what_is_no_file_is_named() {
    let tree = Tree::new();
    tree.link("gone.rs", "nowhere").link("gone.txt", "nowhere");
    let _socket = UnixListener::bind(tree.0.join("socket.rs")).unwrap();
    let failures = tree.failures();
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert!(failures[0].0 == "gone.rs" && failures[0].1.contains("No such file"), "{failures:?}");
    assert_eq!(failures[1], ("socket.rs".to_owned(), "not a regular file".to_owned()));
}

#[test]
fn a_missing_root_is_named() {
    let found = walk(&["no/such/root".into()]);
    assert!(found.files.is_empty());
    assert_eq!(found.failed[0].file, "no/such/root");
}
