//! How much stack a thread has left, and more of it.
//!
//! Values are encoded, decoded and dropped by recursion. They may be as deep as their author likes, and the
//! stack of a thread may be small.

use std::cell::Cell;

use corosensei::stack::DefaultStack;

use super::zeroed;

/// With less than this left, the next few levels of recursion run on another stack. In builds without
/// optimisation one level of a derived impl takes about two kilobytes, more if it carries large arrays.
const RESERVE: usize = 128 * 1024;

/// The size of that other stack; untouched pages take no memory.
const SEGMENT: usize = 1024 * 1024;

/// How much of a new stack is used before the first line runs on it, amply.
const MARGIN: usize = 16 * 1024;

thread_local! {
    /// The lowest address of the stack that this thread runs on; 0 if not asked yet, `usize::MAX` if unknown.
    static LIMIT: Cell<usize> = const { Cell::new(0) };
}

/// Looks the limit up in a supervisor, for its children, which run on a copy of its stack.
pub fn prepare() {
    find_limit();
}

/// Forgets the limit of this thread's stack, because `RLIMIT_STACK` changes.
pub fn forget() {
    LIMIT.set(0);
}

/// The stack pointer. Not the address of a local: AddressSanitizer keeps some of these elsewhere.
#[inline(always)]
fn here() -> usize {
    let here: usize;
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    // SAFETY: reads a register, and touches neither memory nor flags.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!("mov {}, rsp", out(reg) here, options(nomem, nostack, preserves_flags));
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!("mov {}, sp", out(reg) here, options(nomem, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let local = 0_u8;
        here = std::hint::black_box(&raw const local).addr();
    }
    here
}

#[cold]
#[inline(never)]
fn find_limit() -> usize {
    let mut attributes: libc::pthread_attr_t = zeroed();
    // SAFETY: the attributes are filled in by pthread_getattr_np, and destroyed if that has succeeded.
    let limit = unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) != 0 {
            usize::MAX
        } else {
            let (mut start, mut size) = (std::ptr::null_mut(), 0);
            let known = libc::pthread_attr_getstack(&attributes, &mut start, &mut size) == 0;
            libc::pthread_attr_destroy(&mut attributes);
            if known { start.addr() } else { usize::MAX }
        }
    };
    LIMIT.set(limit);
    limit
}

/// Whether this stack has the reserve left. Not generic, as [`with_room`] is compiled for each type of `act`.
#[inline]
fn has_reserve() -> bool {
    let limit = match LIMIT.get() {
        0 => find_limit(),
        limit => limit,
    };
    here().saturating_sub(limit) >= RESERVE
}

/// Runs `act`, which takes a part of the reserve, on this stack or on a new one. `None`, and `act` does not
/// run, if there is no memory for a new stack.
#[inline(always)]
pub fn with_room<T>(act: impl FnOnce() -> T) -> Option<T> {
    if has_reserve() { Some(act()) } else { with(SEGMENT, act) }
}

/// Runs `act` on a new stack of this size. `None`, and `act` does not run, if there is no memory for it.
#[cold]
#[inline(never)]
pub fn with<T>(size: usize, act: impl FnOnce() -> T) -> Option<T> {
    let (mut act, mut done) = (Some(act), None);
    on_stack(size, &mut || {
        if let Some(act) = act.take() {
            done = Some(act());
        }
    });
    done
}

/// As [`with`], but compiled once: the code of this crate alone has some 600 types of `act`.
fn on_stack(size: usize, act: &mut dyn FnMut()) {
    /// Restores the limit of the former stack, also if `act` panics.
    struct Back(usize);
    impl Drop for Back {
        fn drop(&mut self) {
            LIMIT.set(self.0);
        }
    }
    // The library does not check what is added to it.
    let Some(size) = size.checked_add(MARGIN).filter(|&size| isize::try_from(size).is_ok()) else { return };
    // Whichever of its calls fails, it is for want of memory or of mappings.
    let Ok(stack) = DefaultStack::new(size) else { return };
    let _back = Back(LIMIT.get());
    corosensei::on_stack(stack, || {
        LIMIT.set(here().saturating_sub(size - MARGIN));
        act();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dig(levels: usize) -> usize {
        let ballast = std::hint::black_box([levels; 64]);
        if levels == 0 {
            0
        } else {
            with_room(|| dig(levels - 1)).unwrap() + usize::from(ballast[7] == levels)
        }
    }

    #[test]
    fn recursion_goes_as_deep_as_it_likes_on_a_small_stack() {
        let small = std::thread::Builder::new().stack_size(64 * 1024);
        assert_eq!(small.spawn(|| dig(10_000)).unwrap().join().unwrap(), 10_000);
        assert_eq!(dig(100_000), 100_000);
    }

    /// With the value that it was thrown with, and the limit of the stack before.
    #[test]
    fn a_panic_on_a_new_stack_reaches_the_one_before() {
        let limit = find_limit();
        let thrown = std::panic::catch_unwind(|| with(SEGMENT, || std::panic::panic_any(42_u8)));
        assert_eq!(thrown.unwrap_err().downcast_ref(), Some(&42_u8));
        assert_eq!(LIMIT.get(), limit);
        assert_eq!(with(SEGMENT, || "and again"), Some("and again"));
    }

    #[test]
    fn what_runs_on_a_new_stack_is_elsewhere() {
        let (outside, inside) = (here(), with(SEGMENT, here).unwrap());
        assert!(outside.abs_diff(inside) > MARGIN, "{inside:x} and {outside:x}");
    }

    /// Holds also where a sanitizer has put the locals somewhere else.
    #[test]
    fn a_thread_is_where_its_stack_is() {
        let size = 256 * 1024;
        let thread = std::thread::Builder::new().stack_size(size);
        let (here, limit) = thread.spawn(|| (here(), find_limit())).unwrap().join().unwrap();
        assert!((limit..limit + 2 * size).contains(&here), "{here:x} above {limit:x}");
    }

    #[test]
    fn a_stack_that_cannot_be_had_is_none() {
        assert!(with(usize::MAX, || ()).is_none() && with(1 << 60, || ()).is_none());
    }
}
