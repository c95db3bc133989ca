//! Which process this is: a fork without exec copies all memory, and so has to be told from its original.
//!
//! One page per process is wiped by the kernel in each fork (`MADV_WIPEONFORK`). So a look at the memory says what would cost a system call
//! otherwise, and no fork can go unseen, by whichever call it was made.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// The page: 0 in a process that has not looked at it yet, the number of its generation afterwards.
static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
/// The highest number that this process or one of its ancestors has taken.
static LAST: AtomicU64 = AtomicU64::new(0);
/// Where there is no such page: the pid, and the number of its generation below it.
static BY_PID: AtomicU64 = AtomicU64::new(0);
/// Stands for the page if the kernel refuses it.
static NO_PAGE: AtomicU64 = AtomicU64::new(0);

/// A number that this process shares with none of those that it was forked from; never 0. Its children may have the number of their siblings.
pub(crate) fn generation() -> u64 {
    let page = page();
    if ptr::eq(page, &NO_PAGE) {
        return by_pid();
    }
    match page.load(Ordering::Acquire) {
        0 => begin(page),
        number => number,
    }
}

/// Whether this process is of that generation. Async-signal-safe: it makes no page, and takes no number.
pub(crate) fn is_of(generation: u64) -> bool {
    // SAFETY: `page` has published an address that stays mapped for good, in every fork too.
    match unsafe { PAGE.load(Ordering::Acquire).as_ref() } {
        None => generation == 0,
        Some(page) if ptr::eq(page, &NO_PAGE) => BY_PID.load(Ordering::Acquire) == entry(generation),
        Some(page) => page.load(Ordering::Acquire) == generation,
    }
}

fn page() -> &'static AtomicU64 {
    // SAFETY: as in `is_of`.
    if let Some(page) = unsafe { PAGE.load(Ordering::Acquire).as_ref() } {
        return page;
    }
    let made = map().unwrap_or(ptr::from_ref(&NO_PAGE).cast_mut());
    match PAGE.compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: a page of zeroes that is never unmapped, or a static: a valid atomic either way.
        Ok(_) => unsafe { &*made },
        Err(other) => {
            if !ptr::eq(made, &NO_PAGE) {
                // SAFETY: mapped just now by `map`, and nobody else has heard of it.
                unsafe { libc::munmap(made.cast(), length()) };
            }
            // SAFETY: as above; another thread has made that one.
            unsafe { &*other }
        }
    }
}

/// `None`: the kernel, or what stands for it, cannot wipe memory.
fn map() -> Option<*mut AtomicU64> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping at an address of the kernel's choice aliases no Rust object.
    let start = unsafe { libc::mmap(ptr::null_mut(), length(), protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the range is the mapping that has just been made.
    if unsafe { libc::madvise(start, length(), libc::MADV_WIPEONFORK) } != 0 {
        // SAFETY: mapped just now, and nobody else has heard of it.
        unsafe { libc::munmap(start, length()) };
        return None;
    }
    Some(start.cast())
}

fn length() -> usize {
    super::process::page_size() as usize
}

/// The first look of this process: takes a number above all those before.
fn begin(page: &AtomicU64) -> u64 {
    // Counted first: a fork in between takes a higher one.
    let number = LAST.fetch_add(1, Ordering::AcqRel) + 1;
    match page.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => number,
        Err(other) => other,
    }
}

fn by_pid() -> u64 {
    loop {
        let known = BY_PID.load(Ordering::Acquire);
        let number = known & u64::from(u32::MAX);
        if number != 0 && known == entry(number) {
            return number;
        }
        let next = entry(number + 1);
        let _ = BY_PID.compare_exchange(known, next, Ordering::AcqRel, Ordering::Acquire);
    }
}

fn entry(number: u64) -> u64 {
    u64::from(std::process::id()) << 32 | number & u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `code` answers in a fork of this process.
    fn in_a_fork(code: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child makes no call that another thread's lock could hold up: it looks at memory, and leaves.
        match unsafe { libc::fork() } {
            0 => crate::sys::process::exit_now(i32::from(!code())),
            child => {
                let mut status = 0;
                // SAFETY: the status is written to a local variable.
                assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
                status == 0
            }
        }
    }

    #[test]
    fn a_fork_is_of_another_generation_and_so_is_its_fork() {
        let own = generation();
        assert!(own != 0 && own == generation() && is_of(own));
        assert!(in_a_fork(|| {
            let copied = !is_of(own) && generation() > own;
            let second = generation();
            copied && second == generation() && in_a_fork(|| !is_of(second) && generation() > second)
        }));
        assert!(is_of(own));
    }

    #[test]
    fn without_the_page_the_pid_tells_them_apart() {
        let own = by_pid();
        assert!(own != 0 && own == by_pid());
        assert!(in_a_fork(|| by_pid() > own && by_pid() == by_pid()));
        assert_eq!(own, by_pid());
    }
}
