//! Memory that the kernel maps into this process.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

/// A mapping; unmapped on drop.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) start: NonNull<libc::c_void>,
    pub(crate) len: usize,
}

// SAFETY: a mapping is plain memory, valid in every thread until it is unmapped by its one owner.
unsafe impl Send for Mapping {}
// SAFETY: as above; what is read and written through it is up to the types that own one.
unsafe impl Sync for Mapping {}

/// What the kernel is told about a mapping. None of these changes what this process reads there.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(crate) enum Advice {
    /// Later forks do not have it.
    KeepFromChildren = libc::MADV_DONTFORK,
    /// Later forks have zeroes there.
    WipeInChildren = libc::MADV_WIPEONFORK,
    /// Its memory is made present now. Linux before 5.14 does not know this advice, and does nothing.
    Populate = libc::MADV_POPULATE_WRITE,
}

impl Mapping {
    /// The beginning of a file, shared with all that map it.
    pub(crate) fn of(file: BorrowedFd<'_>, len: usize, protection: libc::c_int) -> io::Result<Mapping> {
        Mapping::new(len, protection, libc::MAP_SHARED, file.as_raw_fd())
    }

    /// Zeroes that can be read and written, without a file: shared with later forks, or copied by them.
    pub(crate) fn anonymous(len: usize, shared: bool) -> io::Result<Mapping> {
        let kind = if shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        Mapping::new(len, libc::PROT_READ | libc::PROT_WRITE, kind | libc::MAP_ANONYMOUS, -1)
    }

    /// The callers pass no `MAP_FIXED`.
    fn new(len: usize, protection: libc::c_int, flags: libc::c_int, file: i32) -> io::Result<Mapping> {
        // SAFETY: a new mapping at an address of the kernel's choice aliases no Rust object.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, file, 0) };
        match NonNull::new(start) {
            Some(start) if start.as_ptr() != libc::MAP_FAILED => Ok(Mapping { start, len }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Returns whether the kernel has followed the advice.
    pub(crate) fn advise(&self, advice: Advice) -> bool {
        // SAFETY: the region was mapped by `new` and is ours; none of the advices changes its contents in
        // this process, or unmaps it.
        unsafe { libc::madvise(self.start.as_ptr(), self.len, advice as libc::c_int) == 0 }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // An error would mean that it is no mapping any more, so nothing is left to be unmapped.
        // SAFETY: the region was mapped by `new`, and nothing can reach it after its owner is dropped.
        let _ = unsafe { libc::munmap(self.start.as_ptr(), self.len) };
    }
}
