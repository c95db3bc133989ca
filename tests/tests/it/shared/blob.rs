//! `Blob`: bytes that arrive without a copy, and that no process can change.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};

use phalanx::Blob;
use phalanx::prelude::*;
use phalanx_tests::alone;

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 % 251) as u8).collect()
}

/// The memory files of shared data that a process has open: path of the descriptor, and inode.
fn shared_files(pid: u32) -> Vec<(String, u64)> {
    let of = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?;
        let path = entry.path().to_string_lossy().into_owned();
        target.to_string_lossy().contains("phalanx-shared").then_some(())?;
        Some((path, fs::metadata(entry.path()).ok()?.ino()))
    };
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten().filter_map(of).collect()
}

#[actor]
#[derive(Default)]
struct Shelf {
    blobs: Vec<Blob>,
}

#[actor]
impl Shelf {
    fn put(&mut self, blob: Blob) -> usize {
        self.blobs.push(blob);
        self.blobs.len()
    }

    fn get(&self, place: usize) -> Blob {
        self.blobs[place].clone()
    }

    fn is(&self, place: usize, expected: Blob) -> bool {
        self.blobs[place] == expected
    }

    fn make(&self, len: usize) -> Blob {
        Blob::build(len, |all| all.copy_from_slice(&bytes(len))).unwrap()
    }
}

#[test]
fn blobs_of_all_sizes_arrive_whole_there_and_back() {
    alone(|| {
        let shelf = Shelf::default().spawn().unwrap();
        for (place, len) in [0, 1, 4096, 8192, 8193, 100_000, 16 << 20].into_iter().enumerate() {
            let blob = Blob::from(bytes(len));
            shelf.put(blob.clone()).wait().unwrap();
            assert_eq!(shelf.get(place).wait().unwrap(), blob);
            assert!(shelf.is(place, shelf.make(len).wait().unwrap()).wait().unwrap());
        }
    });
}

#[test]
fn a_large_blob_is_one_memory_in_all_processes() {
    alone(|| {
        let shelves: Vec<_> = (0..3).map(|_| Shelf::default().spawn().unwrap()).collect();
        let blob = Blob::from(bytes(1 << 20));
        for shelf in &shelves {
            shelf.put(blob.clone()).wait().unwrap();
        }
        let back = shelves[0].get(0).wait().unwrap();
        assert_eq!(back, blob);
        let all = shelves.iter().map(|shelf| shelf.pid().unwrap()).chain([std::process::id()]);
        let inodes: HashSet<u64> = all.flat_map(shared_files).map(|(_, inode)| inode).collect();
        assert_eq!(inodes.len(), 1);
    });
}

#[test]
fn what_is_received_cannot_be_changed_by_anybody() {
    alone(|| {
        let blob = Blob::build(100_000, |all| all.fill(7)).unwrap();
        let shelf = Shelf { blobs: vec![blob.clone()] }.spawn().unwrap();
        for pid in [std::process::id(), shelf.pid().unwrap()] {
            let files = shared_files(pid);
            assert_eq!(files.len(), 1);
            for (path, _) in files {
                // A fresh description of the same file: what a process of ours could do on purpose.
                let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
                file.write_at(&[8], 0).unwrap_err();
                file.set_len(0).unwrap_err();
                file.set_len(1 << 20).unwrap_err();
                assert_eq!(file.metadata().unwrap().len(), 100_000);
            }
        }
        assert!(blob.iter().all(|&byte| byte == 7));
        assert!(shelf.is(0, blob).wait().unwrap());
    });
}

#[test]
fn a_part_travels_as_a_part() {
    alone(|| {
        let (all, shelf) = (bytes(1 << 20), Shelf::default().spawn().unwrap());
        let blob = Blob::from(all.clone());
        let parts = [0..1 << 20, 1..(1 << 20) - 1, 500_000..500_010, 3..3, 100..90_000];
        for (place, part) in parts.into_iter().enumerate() {
            let cut = blob.slice(part.clone());
            assert_eq!(cut, all[part.clone()]);
            shelf.put(cut).wait().unwrap();
            let back = shelf.get(place).wait().unwrap();
            assert_eq!(back, all[part.clone()]);
            let middle = part.len() / 2..;
            assert_eq!(back.slice(middle.clone()), all[part][middle]);
        }
    });
}

#[test]
fn a_task_can_answer_a_blob() {
    alone(|| {
        let double = |blob: Blob| Blob::from([&*blob, &*blob].concat());
        let blob = Blob::from(bytes(1 << 20));
        let doubled = Process::spawn(double, blob.clone()).unwrap().join().unwrap();
        assert_eq!((doubled.slice(..1 << 20), doubled.slice(1 << 20..)), (blob.clone(), blob));
    });
}

#[test]
fn blobs_in_the_mailbox_of_an_actor_that_is_killed_are_freed() {
    alone(|| {
        let (shelf, blob) = (Shelf::default().spawn().unwrap(), Blob::from(bytes(1 << 20)));
        let replies: Vec<_> = (0..50).map(|_| shelf.put(blob.clone())).collect();
        shelf.kill().unwrap();
        replies.into_iter().for_each(|reply| drop(reply.wait()));
        assert_eq!(shared_files(std::process::id()).len(), 1);
        drop(blob);
        assert_eq!(shared_files(std::process::id()).len(), 0);
    });
}
