//! The program as a whole: its end, and the machine it runs on.

use crate::mailbox::ledger::StopMode;
use crate::process::tree;

/// Runs the body of a `#[phalanx::main]`, and ends the program's tree when the body's scope ends, by return or by panic.
#[doc(hidden)]
pub fn run_main<R>(body: impl FnOnce() -> R) -> R {
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            // A main that panics does not wait for work: what it was for is not going to happen.
            tree::shut_down(if std::thread::panicking() { StopMode::Stop } else { StopMode::Drain });
        }
    }
    let _end = End;
    body()
}

/// Ends everything that this process has spawned, in order, and waits until it has ended: what the end of a `#[phalanx::main]` does.
///
/// Daemons are terminated first: SIGTERM, and SIGKILL when their grace is over. Then tasks are waited for, and at last actors handle what is in their mailboxes and
/// are stopped, in reverse order of their start. Blocks for as long as they have work; Ctrl-C ends it earlier. Spawning afterwards starts a new tree.
///
/// ```
/// # use phalanx::prelude::*;
/// # #[actor] struct Echo;
/// # #[actor] impl Echo { fn echo(&self, text: String) -> String { text } }
/// # fn main() -> phalanx::Result<()> {
/// let echo = Echo.spawn()?;
/// phalanx::shutdown();
/// assert!(!echo.is_alive());
/// # Ok(())
/// # }
/// ```
pub fn shutdown() {
    tree::shut_down(StopMode::Drain);
}

/// How many processes can run at the same time on this machine: the number of cores that this program may use, at least 1 (Python's `cpu_count`).
///
/// ```
/// assert!(phalanx::parallelism() >= 1);
/// ```
pub fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
