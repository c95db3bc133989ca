//! What a case must not leave behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process;

use crate::processes;
use crate::tempdir::{files, grace_is_over, shared_memory};
use crate::wait::poll;

/// What there is at one moment, of everything that can leak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Children of this process, zombies included.
    children: Vec<String>,
    /// Open descriptors by kind.
    descriptors: BTreeMap<String, usize>,
    /// Mapped memory files.
    mappings: usize,
    /// Shared-memory and temporary files.
    files: BTreeSet<PathBuf>,
    /// Threads that watch a tree.
    watchers: usize,
}

impl Snapshot {
    pub(crate) fn take() -> Snapshot {
        let shown = |child: processes::Stat| format!("{} `{}` {}", child.pid, child.name, child.state);
        Snapshot {
            children: processes::children(process::id()).into_iter().map(shown).collect(),
            descriptors: descriptors(),
            mappings: mappings(),
            files: &shared_memory() | &files(&std::env::temp_dir()),
            watchers: watchers(),
        }
    }

    /// Waits until everything is as it was, for as long as is granted.
    ///
    /// # Panics
    /// If it is not.
    pub(crate) fn assert_restored(&self) {
        let mut last = None;
        let restored = poll(grace_is_over, || self.covers(last.insert(Snapshot::take())).then_some(()));
        assert!(restored.is_some(), "left behind:\nbefore {self:#?}\nafter {last:#?}");
    }

    fn covers(&self, now: &Snapshot) -> bool {
        let descriptors = |(kind, &count): (&String, &usize)| {
            count <= self.descriptors.get(kind).copied().unwrap_or_default()
        };
        now.children == self.children
            && now.mappings <= self.mappings
            && now.watchers <= self.watchers
            && now.files.is_subset(&self.files)
            && now.descriptors.iter().all(descriptors)
    }
}

/// Counted by what they are, without the numbers in `socket:[123]`.
fn descriptors() -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fd").expect("/proc is there").flatten() {
        // The descriptor of this very listing is gone when it is looked at.
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let target = target.to_string_lossy().into_owned();
        if target != format!("/proc/{}/fd", process::id()) {
            let kind = target.split(['[', ' ']).next().unwrap_or_default().to_owned();
            *kinds.entry(kind).or_default() += 1;
        }
    }
    kinds
}

fn mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").expect("/proc is there");
    maps.lines().filter(|line| line.contains("memfd:") || line.contains("/dev/shm")).count()
}

fn watchers() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("/proc is there").flatten();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks
        .map(name)
        .filter(|name| ["phalanx-root", "phalanx-wake"].iter().any(|watcher| name.starts_with(watcher)))
        .count()
}
