//! Where a run has its files, how its processes are known, and what must not be left of it.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use crate::processes;
use crate::wait::{CLEANUP_LIMIT, CLEANUP_LIMIT_WHEN_BUSY, poll};

/// Whether nothing may be left any more.
pub(crate) fn grace_is_over(start: Instant) -> bool {
    let passed = start.elapsed();
    passed >= CLEANUP_LIMIT_WHEN_BUSY || (passed >= CLEANUP_LIMIT && !machine_is_busy())
}

/// Whether more threads want to run than there are cores.
pub fn machine_is_busy() -> bool {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    // The fourth word is how many want to run now, of how many there are.
    let running = load.split_ascii_whitespace().nth(3).and_then(|word| word.split_once('/')?.0.parse().ok());
    running.is_some_and(|running: usize| running > phalanx::parallelism())
}

/// A directory that goes away with the run, and a mark that all its processes carry.
#[derive(Debug)]
pub(crate) struct TempDir {
    path: PathBuf,
    shared_memory: BTreeSet<PathBuf>,
}

impl TempDir {
    pub(crate) fn new() -> TempDir {
        let directory = TempDir { path: new_directory(), shared_memory: shared_memory() };
        fs::create_dir(directory.temporary()).expect("a directory for the run");
        directory
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the processes of the run carry.
    pub(crate) fn mark(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The run's own temporary directory.
    pub(crate) fn temporary(&self) -> PathBuf {
        // One level down: what a case leaves in its `TMPDIR` is not mixed with what we put beside it.
        self.path.join("tmp")
    }

    /// Waits until no process carries the mark, no temporary file is there and no shared memory that was not
    /// there before, for as long as is granted.
    ///
    /// # Errors
    /// What is left. Processes are killed then, so that they disturb no other case.
    pub(crate) fn nothing_left(&self) -> Result<(), String> {
        let (mut left, mut names) = (Vec::new(), BTreeSet::new());
        let gone = poll(grace_is_over, || {
            left = processes::marked(&self.mark());
            names = shared_memory();
            names.retain(|file| !self.shared_memory.contains(file));
            names.extend(files(&self.temporary()));
            (left.is_empty() && names.is_empty()).then_some(())
        });
        gone.ok_or_else(|| {
            left.iter().for_each(|process| processes::kill(process.pid));
            format!("processes left behind: {left:#?}, files left behind: {names:?}")
        })
    }
}

/// Makes a directory of a name that nothing has: a run that was killed has left its own, and process ids come
/// again.
fn new_directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let name = format!("phalanx-test-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = env::temp_dir().join(name);
        match fs::create_dir(&path) {
            Ok(()) => return path,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => panic!("no directory for the run at {}: {error}", path.display()),
        }
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Shared memory with a name, as this project or what it is built on could leave it: other programs of the
/// machine have theirs.
pub(crate) fn shared_memory() -> BTreeSet<PathBuf> {
    let mut found = files(Path::new("/dev/shm"));
    found.retain(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.contains("phalanx") || name.contains("ipc-channel")
    });
    found
}

pub(crate) fn files(directory: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
