//! What `ps`, `top` and `pstree` call this process.

use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

static START: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static ROOM: AtomicUsize = AtomicUsize::new(0);

/// How much room the first argument of a supervisor leaves for titles.
pub const TITLE: usize = 120;

/// Remembers where the kernel keeps the first argument of this process, so that [`set`] can write there.
///
/// # Safety
/// `argv` is what the kernel passed to this process: null, or an array of `argc` C strings.
pub unsafe fn remember(argc: libc::c_int, argv: *const *const libc::c_char) {
    if argc < 1 || argv.is_null() {
        return;
    }
    // SAFETY: there is at least one argument, and it is a C string.
    let (first, len) = unsafe { (*argv, CStr::from_ptr(*argv).count_bytes()) };
    START.store(first.cast_mut().cast(), Ordering::Relaxed);
    ROOM.store(len, Ordering::Relaxed);
}

/// Names the process, its short name (15 bytes) as well as its command line. Neither is cut inside a
/// character.
pub fn set(title: &str) {
    // The name of an executable may contain anything but a slash and a 0.
    let clean: String =
        title.chars().map(|character| if character.is_control() { '?' } else { character }).collect();
    let mut short = [0_u8; 16];
    let shown = &clean.as_bytes()[..clean.floor_char_boundary(15)];
    short[..shown.len()].copy_from_slice(shown);
    // The last byte is 0. A sandbox that refuses the call leaves the name as it is.
    let _ = CStr::from_bytes_until_nul(&short).map(nix::sys::prctl::set_name);
    let (start, room) = (START.load(Ordering::Relaxed), ROOM.load(Ordering::Relaxed));
    if start.is_null() || room < TITLE {
        return;
    }
    let len = clean.floor_char_boundary(room);
    // SAFETY: `room` bytes from `start` are the first argument of this process, writable memory of its stack
    // that nothing in a supervisor or its children refers to as `&str`; the NUL behind them stays.
    unsafe {
        std::ptr::write_bytes(start, 0, room);
        std::ptr::copy_nonoverlapping(clean.as_ptr(), start, len);
    }
}
