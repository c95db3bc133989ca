//! Which process this is: a fork without exec copies all memory, so the copy must be told from its original.
//!
//! The kernel wipes one page per process in each fork (`MADV_WIPEONFORK`). So a look at memory replaces a
//! system call, and no fork goes unnoticed, whichever call made it.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use super::mapping::{Advice, Mapping};

/// The page: 0 in a process that has not looked at it yet, the number of its generation afterwards.
static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
/// The highest number that this process or one of its ancestors has taken.
static LAST: AtomicU64 = AtomicU64::new(0);
/// Without such a page: the pid in the upper half, the number of its generation in the lower.
static BY_PID: AtomicU64 = AtomicU64::new(0);
/// Stands for the page if the kernel refuses it.
static NO_PAGE: AtomicU64 = AtomicU64::new(0);

/// The generation of this process: a number that none of its ancestors has, and never 0. Two children of one
/// process may have equal numbers.
pub fn generation() -> u64 {
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
pub fn is_of(generation: u64) -> bool {
    match known() {
        None => generation == 0,
        Some(page) if ptr::eq(page, &NO_PAGE) => BY_PID.load(Ordering::Acquire) == entry(generation),
        Some(page) => page.load(Ordering::Acquire) == generation,
    }
}

/// The page, if there is one already.
fn known() -> Option<&'static AtomicU64> {
    // SAFETY: `page` has published the address of a static, or that of a page of zeroes which stays mapped
    // for good, in every fork too. It is aligned, every pattern of bits is a valid atomic, and all accesses
    // to it are atomic.
    unsafe { PAGE.load(Ordering::Acquire).as_ref() }
}

fn page() -> &'static AtomicU64 {
    if let Some(page) = known() {
        return page;
    }
    let mapping = map();
    let made = mapping.as_ref().map_or(ptr::from_ref(&NO_PAGE).cast_mut(), |page| page.start.as_ptr().cast());
    if PAGE.compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire).is_ok() {
        // This mapping stays. If another thread has published one first, this one is unmapped.
        std::mem::forget(mapping);
    }
    known().unwrap_or(&NO_PAGE)
}

/// `None` if the kernel, or what stands for it, cannot wipe memory.
fn map() -> Option<Mapping> {
    Mapping::anonymous(length(), false).ok().filter(|mapping| mapping.advise(Advice::WipeInChildren))
}

fn length() -> usize {
    super::process::page_size() as usize
}

/// Takes a number above all earlier ones, at the first look of this process.
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

    /// What `code` returns in a fork of this process.
    fn in_a_fork(code: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child makes no call that another thread's lock could hold up: it looks at memory, and
        // leaves.
        match unsafe { libc::fork() } {
            0 => crate::process::exit_now(i32::from(!code())),
            child => {
                let child = nix::unistd::Pid::from_raw(child);
                nix::sys::wait::waitpid(child, None) == Ok(nix::sys::wait::WaitStatus::Exited(child, 0))
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
