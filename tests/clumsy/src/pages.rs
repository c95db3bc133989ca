//! Pages that a process shares with its supervisor and its callers, overwritten as a stray pointer does it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

/// Writes these bytes, so often, at the beginning of each status page that a process has open; returns the
/// number of pages.
///
/// # Panics
/// If there is no such process.
pub fn overwrite(pid: u32, bytes: &[u8], times: usize) -> usize {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process is there").flatten();
    let status_pages = descriptors.filter(|entry| {
        fs::read_link(entry.path()).is_ok_and(|path| path.to_string_lossy().contains("phalanx-status-page"))
    });
    let written = status_pages.filter(|entry| {
        let file = OpenOptions::new().write(true).open(entry.path());
        file.is_ok_and(|file| file.write_all_at(&bytes.repeat(times), 0).is_ok())
    });
    written.count()
}

/// How large a status page is.
pub const PAGE: usize = 8192;

/// Fills the memory that a worker shares with its pool with this byte; returns the number of such files.
///
/// # Panics
/// If there is no such process.
pub fn overwrite_lanes(pid: u32, byte: u8) -> usize {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process is there").flatten();
    let lanes = descriptors.filter(|entry| {
        fs::read_link(entry.path()).is_ok_and(|path| path.to_string_lossy().contains("phalanx-shared"))
    });
    let written = lanes.filter(|entry| {
        let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else { return false };
        let len = file.metadata().map_or(0, |facts| facts.len() as usize);
        // Others are the test's own.
        len > LANE && file.write_all_at(&vec![byte; len], 0).is_ok()
    });
    written.count()
}

/// No lane is shorter.
const LANE: usize = 60_000;
