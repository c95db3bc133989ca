//! The resources that a program has open, and the ones added since.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the last of them may take to go.
const GRACE: Duration = Duration::from_secs(1);

pub(crate) struct Traces {
    descriptors: usize,
    /// Shared memory that is mapped.
    mappings: usize,
    /// Files in shared memory and in the temporary directory with this program's number in their names; other
    /// programs have theirs there.
    files: BTreeSet<PathBuf>,
}

impl Traces {
    pub(crate) fn take() -> Traces {
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let is_shared = |line: &&str| line.contains("/memfd:") || line.contains("/dev/shm/");
        let temporary = std::env::temp_dir();
        Traces {
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
            mappings: maps.lines().filter(is_shared).count(),
            files: [Path::new("/dev/shm"), &temporary].into_iter().flat_map(own_files).collect(),
        }
    }

    /// How many resources have been added since.
    pub(crate) fn left(&self) -> usize {
        let end = Instant::now() + GRACE;
        loop {
            let now = Traces::take();
            let left = now.descriptors.saturating_sub(self.descriptors)
                + now.mappings.saturating_sub(self.mappings)
                + now.files.difference(&self.files).count();
            if left == 0 || Instant::now() > end {
                return left;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn own_files(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let own = std::process::id().to_string();
    let all = fs::read_dir(directory).into_iter().flatten().flatten();
    all.filter(move |entry| entry.file_name().to_string_lossy().contains(&own)).map(|entry| entry.path())
}
