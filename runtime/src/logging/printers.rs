//! Where a program that is a test binary prints what its actors tell of their panics: into the output of the
//! test that has started them.
//!
//! The harness of `cargo test` captures what `print!` and `eprint!` write in a test's thread, and in the
//! threads that are started from there: the capture is inherited by [`std::thread::spawn`]. An actor is
//! another process, whose standard error is the real one. So each thread that spawns gets a *printer*, a
//! thread started from it. The number of the printer is inherited by everything below what it spawns, and
//! comes back with a text.
//!
//! Nothing tells when a test is over, and a printer may outlive its test, as its actors may: what it prints
//! then is lost, as what a thread prints that outlives its test.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Mutex, MutexGuard, PoisonError};

use once_cell::sync::OnceCell;

use crate::sys::per_process::Own;
use crate::sys::{clock, process};
use crate::types::escape;

/// So many printers are kept, the newest ones: each is a thread that waits.
const KEPT: usize = 64;

/// So many texts may wait for a printer. It writes to memory, so more than one seldom does.
const WAITING: usize = 16;

/// Its stack: it only prints.
const STACK: usize = 128 * 1024;

enum Job {
    Print(String),
    /// Dropped when everything before it is printed.
    Mark {
        _printed: Sender<()>,
    },
}

#[derive(Default)]
struct Printers {
    /// The number of the last one, counted from 1.
    last: u32,
    senders: BTreeMap<u32, SyncSender<Job>>,
}

/// A copy of the program has threads of its own.
static PRINTERS: Own<Mutex<Printers>> = Own::new();

thread_local! {
    /// The number of this thread's printer; 0 for none.
    static OWN: Cell<u32> = const { Cell::new(0) };
}

fn printers() -> MutexGuard<'static, Printers> {
    PRINTERS.here().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this program looks like a test binary whose output is captured. Others that lie where cargo puts
/// test binaries (benchmarks) may be taken for one: a printer of theirs prints to standard error.
pub(super) fn are_wanted() -> bool {
    static WANTED: OnceCell<bool> = OnceCell::new();
    *WANTED.get_or_init(|| {
        let executable = std::env::current_exe().unwrap_or_default();
        let folder = executable.parent().and_then(|folder| folder.file_name());
        let is_shown = |argument: std::ffi::OsString| argument == "--nocapture" || argument == "--no-capture";
        let shows_all = std::env::var_os("RUST_TEST_NOCAPTURE").is_some_and(|value| value != "0");
        folder == Some(OsStr::new("deps")) && !std::env::args_os().any(is_shown) && !shows_all
    })
}

/// In the program: the printer of this thread, if it needs one.
pub(super) fn own() -> Option<u32> {
    if !are_wanted() {
        return None;
    }
    // A thread whose locals are gone is about to end.
    let known = OWN.try_with(Cell::get).ok()?;
    let mut printers = printers();
    if printers.senders.contains_key(&known) {
        return Some(known);
    }
    // Without one, its actors write to the real standard error.
    let sender = start()?;
    printers.last += 1;
    let number = printers.last;
    printers.senders.insert(number, sender);
    while printers.senders.len() > KEPT {
        printers.senders.pop_first();
    }
    OWN.set(number);
    Some(number)
}

fn start() -> Option<SyncSender<Job>> {
    let (sender, jobs) = mpsc::sync_channel(WAITING);
    let thread = std::thread::Builder::new().name("phalanx-printer".into()).stack_size(STACK);
    thread.spawn(move || print_all(&jobs)).ok().map(|_| sender)
}

#[allow(clippy::print_stderr, reason = "only what these macros print is captured")]
fn print_all(jobs: &Receiver<Job>) {
    for job in jobs {
        if let Job::Print(text) = job {
            eprint!("{text}");
        }
    }
}

/// Prints what a process has sent, which may be anything. Returns whether there is, or was, such a printer.
pub(super) fn print(number: u32, text: &[u8]) -> bool {
    let (sender, last) = {
        let printers = printers();
        (printers.senders.get(&number).cloned(), printers.last)
    };
    if number == 0 || number > last {
        return false;
    }
    let text = escape::lines(&String::from_utf8_lossy(text)).into_owned();
    match sender {
        Some(sender) => drop(sender.send(Job::Print(text))),
        // Its thread spawned long ago, but may be there yet. This one may be in the capture of another test.
        None => process::say(&text),
    }
    true
}

/// Waits until all that was handed to the printers is printed, no longer than `until`.
pub(super) fn settle(until: u64) {
    let (printed, all_printed) = mpsc::channel();
    let senders: Vec<_> = printers().senders.values().cloned().collect();
    for sender in senders {
        // One with a full channel is held up by who reads the program's output.
        let _ = sender.try_send(Job::Mark { _printed: printed.clone() });
    }
    drop(printed);
    while clock::now() < until
        && all_printed.recv_timeout(clock::until(until)) != Err(RecvTimeoutError::Disconnected)
    {}
}

/// Whether this process has any.
pub(super) fn exist() -> bool {
    printers().last > 0
}
