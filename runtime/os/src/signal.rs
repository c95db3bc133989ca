//! Signals: masks, dispositions, and the handlers of the three roles (root, supervisor, actor).
//!
//! A handler only stores to atomics and makes one async-signal-safe call to wake the waiting thread.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use rustix::net::SendFlags;

use super::{check, copy, zeroed};

/// A set of signals.
pub struct Mask(SigSet);

impl Mask {
    /// The named ones of these signals. (This crate neither blocks nor awaits real-time signals.)
    pub fn of(signals: &[i32]) -> Mask {
        Mask(signals.iter().filter_map(|&signal| Signal::try_from(signal).ok()).collect())
    }

    /// All signals that can be blocked.
    pub fn all() -> Mask {
        Mask(SigSet::all())
    }

    /// As `ppoll` takes it.
    pub(crate) fn set(&self) -> SigSet {
        self.0
    }

    /// Makes this the mask of the calling thread.
    pub fn install(&self) {
        // It fails for a bad address only.
        let _ = self.0.thread_set_mask();
    }
}

/// Runs `act`, which may fail with EFBIG and raise this signal in the calling thread. The signal is
/// discarded; the error remains.
pub(crate) fn without<T>(signal: i32, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let blocked = Mask::of(&[signal]);
    let before = blocked.0.thread_swap_mask(SigmaskHow::SIG_BLOCK).unwrap_or(SigSet::empty());
    let done = act();
    if done.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EFBIG)) {
        let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: a valid set and a valid time; null asks for nothing about the signal. If none is pending,
        // the call fails at once.
        unsafe { libc::sigtimedwait(blocked.0.as_ref(), std::ptr::null_mut(), &now) };
    }
    Mask(before).install();
    done
}

fn action(handler: libc::sighandler_t, flags: libc::c_int) -> libc::sigaction {
    // No flags, empty mask, default action.
    let mut action: libc::sigaction = zeroed();
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    action
}

fn install(signal: i32, handler: libc::sighandler_t, flags: libc::c_int) -> io::Result<()> {
    change(signal, Some(&action(handler, flags))).map(drop)
}

/// Returns what happens on this signal, and sets `new` if given. By number, as nix has no name for real-time
/// signals. Async-signal-safe.
fn change(signal: i32, new: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    let mut old = zeroed();
    let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: null, or an action of `action`, whose callers in this file pass SIG_DFL, SIG_IGN or a function
    // of this file with the right signature; the old one is written to a local variable.
    check(unsafe { libc::sigaction(signal, new, &mut old) }).map(|_| old)
}

/// What a supervisor and all its forks begin with: default dispositions for every signal, nothing blocked.
/// SIGPIPE is ignored, as by Rust's own start. So are SIGTTIN and SIGTTOU: none of these processes is ever in
/// the foreground of a terminal, and nothing would continue one that was stopped there.
pub fn reset() {
    set_defaults();
    // A write to a closed pipe fails then, a read from a terminal too (EIO). A write to a terminal succeeds.
    for signal in [libc::SIGPIPE, libc::SIGTTIN, libc::SIGTTOU] {
        let _ = install(signal, libc::SIG_IGN, 0);
    }
}

/// Default dispositions for every signal, and nothing blocked. Async-signal-safe.
pub fn set_defaults() {
    for signal in 1..=libc::SIGRTMAX() {
        // The call fails for those that cannot be changed (KILL, STOP, those of libc), and that is all right.
        let _ = install(signal, libc::SIG_DFL, 0);
    }
    Mask::of(&[]).install();
}

/// Whether this signal has its default disposition.
pub fn is_default(signal: i32) -> bool {
    disposition(signal) == Some(libc::SIG_DFL)
}

/// Whether the program's handler notes this signal, and no other handler has taken its place.
pub fn is_watched(signal: i32) -> bool {
    disposition(signal) == Some(handler(note_if_ours))
}

/// What happens on this signal. Async-signal-safe.
fn disposition(signal: i32) -> Option<libc::sighandler_t> {
    change(signal, None).ok().map(|old| old.sa_sigaction)
}

fn handler(function: extern "C" fn(libc::c_int)) -> libc::sighandler_t {
    function as libc::sighandler_t
}

/// The signals that have been noted and not yet taken, as a bit set.
static PENDING: AtomicU32 = AtomicU32::new(0);
/// The process for which signals are noted. In a copy of it, made by fork in the user's code, they do what
/// they do by default: the waker is the original's.
static NOTED_FOR: AtomicU64 = AtomicU64::new(0);
/// Where to write to wake the waiting thread; −1 for nowhere.
static WAKE: AtomicI32 = AtomicI32::new(-1);
/// Whether the waker is an eventfd (eight bytes) or a socket (one).
static WAKE_IS_EVENT: AtomicBool = AtomicBool::new(false);

extern "C" fn note(signal: libc::c_int) {
    // It is put back for the code that was interrupted.
    let errno = Errno::last_raw();
    if !copy::is_of(NOTED_FOR.load(Ordering::Relaxed)) {
        let _ = install(signal, libc::SIG_DFL, 0);
        // It is blocked until this handler has returned.
        send_here(signal);
        return;
    }
    PENDING.fetch_or(1 << (signal as u32 % 32), Ordering::SeqCst);
    wake();
    Errno::set_raw(errno);
}

/// Writes to the waker, if there is one. Async-signal-safe: neither call touches more than the kernel.
fn wake() {
    let fd = WAKE.load(Ordering::Relaxed);
    if fd < 0 {
        return;
    }
    // SAFETY: `wake_through` was given a descriptor that stays open for the life of the process, and a copy
    // of that process does not come here: `note` checks that first.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let one = 1_u64.to_ne_bytes();
    if WAKE_IS_EVENT.load(Ordering::Relaxed) {
        // A full counter wakes as well.
        let _ = rustix::io::write(fd, &one);
    } else {
        // A full mailbox wakes by itself.
        let _ = rustix::net::send(fd, &one[..1], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }
}

/// The program's handler. A handler that the program has installed later and that calls this one too (as that
/// of `tokio::signal` does) decides what the signal means.
extern "C" fn note_if_ours(signal: libc::c_int) {
    // It is put back for the code that was interrupted.
    let errno = Errno::last_raw();
    let is_ours = is_watched(signal);
    Errno::set_raw(errno);
    if is_ours {
        note(signal);
    }
}

/// From now on this signal is noted, and a system call that it interrupts fails with `EINTR`.
pub fn watch(signal: i32) {
    NOTED_FOR.store(copy::generation(), Ordering::Relaxed);
    let _ = install(signal, handler(note), 0);
}

/// Gives the signal its default disposition again.
pub fn unwatch(signal: i32) {
    let _ = install(signal, libc::SIG_DFL, 0);
}

/// As [`watch`], but system calls go on.
pub fn watch_quietly(signal: i32) {
    NOTED_FOR.store(copy::generation(), Ordering::Relaxed);
    let _ = install(signal, handler(note), libc::SA_RESTART);
}

/// As [`watch_quietly`], in the program: for as long as the program leaves the signal to us.
pub fn watch_for_program(signal: i32) {
    NOTED_FOR.store(copy::generation(), Ordering::Relaxed);
    let _ = install(signal, handler(note_if_ours), libc::SA_RESTART);
}

/// Each noted signal also writes to `fd`, which stays open for the life of the process.
pub fn wake_through(fd: BorrowedFd<'static>, is_event: bool) {
    NOTED_FOR.store(copy::generation(), Ordering::Relaxed);
    WAKE_IS_EVENT.store(is_event, Ordering::Relaxed);
    WAKE.store(fd.as_raw_fd(), Ordering::Relaxed);
}

/// Whether the signal has been noted since the last [`take`].
pub fn is_noted(signal: i32) -> bool {
    PENDING.load(Ordering::SeqCst) & (1 << signal) != 0
}

/// Whether the signal has been noted, or was sent and waits for another thread of this process to note it.
pub fn is_sent(signal: i32) -> bool {
    // The kernel has chosen one thread for it. A thread that unblocks a signal is offered what is pending
    // before the call returns.
    Mask::of(&[signal]).install();
    Mask::of(&[]).install();
    is_noted(signal)
}

/// Whether the signal, which is blocked, has been sent to this process.
pub fn is_pending(signal: i32) -> bool {
    let mut set = zeroed();
    // SAFETY: filled in by sigpending, which fails for a bad address only; both get a local variable.
    unsafe { libc::sigpending(&mut set) == 0 && libc::sigismember(&set, signal) == 1 }
}

/// Whether the signal has been noted; forgets it.
pub fn take(signal: i32) -> bool {
    PENDING.fetch_and(!(1 << signal), Ordering::SeqCst) & (1 << signal) != 0
}

/// Forgets what the process that forked this one had noted, and its waker.
pub fn forget() {
    WAKE.store(-1, Ordering::Relaxed);
    PENDING.store(0, Ordering::SeqCst);
}

/// Ends this process by the signal's default action.
pub fn die_of(signal: i32) -> ! {
    let _ = install(signal, libc::SIG_DFL, 0);
    Mask::of(&[]).install();
    // To this very thread: a signal that the kernel gives to another one might come after the exit below.
    send_here(signal);
    super::process::exit_now(128 + signal)
}

/// Sends a signal to the calling thread, by number: any signal, real-time ones included. Async-signal-safe.
fn send_here(signal: i32) {
    let thread = rustix::thread::gettid().as_raw_pid();
    // SAFETY: integers only.
    unsafe { libc::syscall(libc::SYS_tgkill, super::process::pid(), thread, signal) };
}

/// The word that [`witness_abort`] sets, in memory that the supervisor can read.
static OUT_OF_MEMORY: AtomicPtr<u32> = AtomicPtr::new(std::ptr::null_mut());
static MEMORY_LIMIT: AtomicUsize = AtomicUsize::new(0);
/// The process whose page the word lies in.
static EXPLAINED_FOR: AtomicU64 = AtomicU64::new(0);

/// On SIGABRT, notes in `word` whether memory was the reason, and lets the process die of the signal.
pub fn explain_aborts(word: &'static AtomicU32, limit: u64) {
    OUT_OF_MEMORY.store(word.as_ptr(), Ordering::Relaxed);
    MEMORY_LIMIT.store(limit as usize, Ordering::Relaxed);
    EXPLAINED_FOR.store(copy::generation(), Ordering::Relaxed);
    let _ = install(libc::SIGABRT, handler(witness_abort), libc::SA_RESETHAND);
}

/// Rust aborts after an allocation that failed, C++ after an uncaught `bad_alloc`: the signal alone does not
/// tell them from any other abort. Evidence is either a stack that has been through `handle_alloc_error`, or
/// a process that uses a good part of its limit.
extern "C" fn witness_abort(_: libc::c_int) {
    let word = OUT_OF_MEMORY.load(Ordering::Relaxed);
    if !word.is_null()
        && copy::is_of(EXPLAINED_FOR.load(Ordering::Relaxed))
        && (failed_allocation_on_stack() || private_memory() >= MEMORY_LIMIT.load(Ordering::Relaxed) / 3)
    {
        // SAFETY: `explain_aborts` stored the pointer of a 'static atomic, which is valid for as long as the
        // process; all accesses to it are atomic, those of other processes too.
        unsafe { AtomicU32::from_ptr(word) }.store(1, Ordering::SeqCst);
    }
    // The disposition is the default again (SA_RESETHAND), so this one ends the process as soon as the
    // handler returns, also when the signal was sent from outside.
    let _ = kill(Pid::this(), Signal::SIGABRT);
}

/// How much of the stack is looked at. Between the handler and the caller lie the signal frame and the frames
/// of `abort`, which take less.
const DEPTH: usize = 16 * 1024;

/// A call in `handle_alloc_error` returns to at most so many bytes behind its beginning. The function is a
/// few instructions long, and what lies behind it aborts for other reasons.
const LENGTH: usize = 32;

/// How much is read at a time. A page is a multiple of it, so a piece is mapped or is not. It also has room
/// on an alternate signal stack.
const PIECE: usize = 512;

/// The size of a return address.
const WORD: usize = size_of::<usize>();

/// Whether a return address into `handle_alloc_error` lies on the stack of the thread that aborts.
///
/// No pointer of this function may be used for the frames of its callers, and the optimiser knows that. So
/// the kernel reads them, from addresses that are mere numbers here.
#[inline(never)]
fn failed_allocation_on_stack() -> bool {
    let target = std::alloc::handle_alloc_error as fn(std::alloc::Layout) -> ! as usize;
    let returns_there = |word: usize| word > target && word - target <= LENGTH;
    let mut piece = [0; PIECE];
    let start = std::ptr::from_ref(&piece).addr() / PIECE * PIECE;
    let mut pieces = (0..DEPTH / PIECE).map_while(|number| start.checked_add(number * PIECE));
    pieces.any(|address| {
        let (words, _) = piece.as_chunks_mut();
        read_own_memory(address, words) && words.iter().copied().map(usize::from_ne_bytes).any(returns_there)
    })
}

/// Reads memory of this process, wherever that is; returns whether it is mapped. Async-signal-safe.
fn read_own_memory(address: usize, to: &mut [[u8; WORD]]) -> bool {
    let to = to.as_flattened_mut();
    // The kernel takes this for a number, and so do we: nothing is accessed through it.
    let remote = RemoteIoVec { base: address, len: to.len() };
    match process_vm_readv(Pid::this(), &mut [IoSliceMut::new(to)], &[remote]) {
        Ok(read) => read == to.len(),
        Err(_) => read_through_proc(address, to),
    }
}

/// Reads memory of this process through /proc, where a filter refuses `process_vm_readv`. Open, pread and
/// close are async-signal-safe.
fn read_through_proc(address: usize, to: &mut [u8]) -> bool {
    let file = open(c"/proc/self/mem", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
    file.is_ok_and(|file| rustix::io::pread(file, &mut *to, address as u64) == Ok(to.len()))
}

/// The private writable memory of this process in bytes (`VmData`), read without allocating: open, read and
/// close are async-signal-safe.
fn private_memory() -> usize {
    let mut text = [0_u8; 256];
    let file = open(c"/proc/self/statm", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
    let got = file.map_or(0, |file| rustix::io::read(file, &mut text).unwrap_or(0));
    let text = text.get(..got).unwrap_or(&[]);
    // size resident shared text lib data: the sixth field, in pages.
    let data = text.split(|&byte| byte == b' ').nth(5).unwrap_or(&[]);
    data.iter()
        .filter(|byte| byte.is_ascii_digit())
        .fold(0_usize, |sum, digit| sum.saturating_mul(10).saturating_add(usize::from(digit - b'0')))
        .saturating_mul(4096)
}

/// The name of a signal, such as "SIGSEGV"; "signal N" for those without one.
pub fn name(signal: i32) -> String {
    Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |known| known.as_str().to_owned())
}
