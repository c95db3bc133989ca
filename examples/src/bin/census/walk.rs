//! Finds the `.rs` files below some directories, and the crate that each belongs to.
//!
//! Files in the directories themselves are found first, files behind symbolic links afterwards, so that a
//! file is known by its own name if it has one. No directory is entered twice, so no loop of links is
//! followed.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsStr;
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::output::Failed;

/// One file to survey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceFile {
    /// As reached from the directory that was given.
    pub(crate) path: PathBuf,
    /// The folder of its crate, as a full path.
    pub(crate) krate: Arc<Path>,
}

/// The result of a walk.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// In the order of their paths.
    pub(crate) files: Vec<SourceFile>,
    /// Paths that could not be read, in their order.
    pub(crate) failed: Vec<Failed>,
}

/// Walks all of `roots`; the same files give the same result.
///
/// A root that is missing or unreadable is an entry in `failed`, like any other path.
pub(crate) fn walk(roots: &[PathBuf]) -> Found {
    let mut walker = Walker::default();
    for root in roots {
        walker.directories.push_back((root.clone(), Krate::around(root)));
        walker.visit_directories();
    }
    while let Some((link, krate)) = walker.links.pop_front() {
        walker.follow(link, krate);
        walker.visit_directories();
    }
    walker.found.files.sort_by(|a, b| a.path.cmp(&b.path));
    walker.found.failed.sort_by(|a, b| a.file.cmp(&b.file));
    walker.found
}

/// ELOOP on every Linux that Rust has a tier 1 target for; the standard library has no stable name for it.
const TOO_MANY_LINKS: i32 = 40;

/// The crate that a directory belongs to.
#[derive(Clone)]
struct Krate {
    folder: Arc<Path>,
    /// Unpacked by cargo from a `.crate` file: manifests further down are test data of this one.
    unpacked: bool,
}

impl Krate {
    /// The crate around a directory that was given: the nearest one upwards, or else the directory itself.
    fn around(root: &Path) -> Krate {
        let full = full_path(root);
        let unpacked = full.ancestors().find(|folder| is_unpacked(folder));
        let nearest = || full.ancestors().find(|folder| has_manifest(folder));
        let folder = unpacked.or_else(nearest).unwrap_or(&full);
        Krate { folder: folder.into(), unpacked: unpacked.is_some() }
    }

    /// The crate of `directory`, which lies in this one.
    fn enter(&self, directory: &Path) -> Krate {
        if self.unpacked || !has_manifest(directory) {
            return self.clone();
        }
        Krate { folder: full_path(directory).into(), unpacked: is_unpacked(directory) }
    }
}

fn full_path(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn has_manifest(folder: &Path) -> bool {
    folder.join("Cargo.toml").is_file()
}

/// Whether cargo put its mark on `folder`, in the registry or as `cargo vendor`.
fn is_unpacked(folder: &Path) -> bool {
    folder.join(".cargo-ok").is_file() || folder.join(".cargo-checksum.json").is_file()
}

#[derive(Default)]
struct Walker {
    found: Found,
    /// Device and inode of every directory entered and every `.rs` file found.
    seen: HashSet<(u64, u64)>,
    directories: VecDeque<(PathBuf, Krate)>,
    links: VecDeque<(PathBuf, Krate)>,
}

impl Walker {
    fn visit_directories(&mut self) {
        while let Some((path, krate)) = self.directories.pop_front() {
            if let Err(error) = self.visit_directory(&path, &krate) {
                self.fail(&path, error.to_string());
            }
        }
    }

    fn visit_directory(&mut self, path: &Path, outer: &Krate) -> io::Result<()> {
        if !self.seen.insert(identity(&fs::metadata(path)?)) {
            return Ok(());
        }
        let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(DirEntry::file_name);
        let krate = outer.enter(path);
        for entry in entries {
            let path = entry.path();
            match entry.metadata() {
                Ok(metadata) if metadata.is_symlink() => self.links.push_back((path, krate.clone())),
                Ok(metadata) if metadata.is_dir() => self.directories.push_back((path, krate.clone())),
                Ok(metadata) if is_rust(&path) => self.file(path, &metadata, &krate),
                Err(error) if is_rust(&path) => self.fail(&path, error.to_string()),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn follow(&mut self, link: PathBuf, krate: Krate) {
        match fs::metadata(&link) {
            Ok(target) if target.is_dir() => match leads_back(&link) {
                Some(folder) => {
                    self.fail(&link, format!("symlink loop: leads back to {}", folder.display()));
                }
                None => self.directories.push_back((link, krate)),
            },
            Ok(target) if is_rust(&link) && !self.seen.contains(&identity(&target)) => {
                self.file(link, &target, &krate);
            }
            Err(error) if error.raw_os_error() == Some(TOO_MANY_LINKS) => {
                self.fail(&link, format!("symlink loop: {error}"));
            }
            Err(error) if is_rust(&link) => self.fail(&link, error.to_string()),
            Ok(_) | Err(_) => {}
        }
    }

    fn file(&mut self, path: PathBuf, metadata: &Metadata, krate: &Krate) {
        if !metadata.is_file() {
            // Opening a pipe would wait for a writer.
            return self.fail(&path, "not a regular file".to_owned());
        }
        self.seen.insert(identity(metadata));
        self.found.files.push(SourceFile { path, krate: Arc::clone(&krate.folder) });
    }

    fn fail(&mut self, path: &Path, reason: String) {
        self.found.failed.push(Failed { file: path.display().to_string(), reason });
    }
}

/// The folder that `link` leads to, if the link itself lies in it.
fn leads_back(link: &Path) -> Option<PathBuf> {
    let target = fs::canonicalize(link).ok()?;
    let place = fs::canonicalize(link.parent()?).ok()?;
    place.starts_with(&target).then_some(target)
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn is_rust(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("rs"))
}

#[cfg(test)]
mod tests;
