//! The end of the program, and how parallel its machine is.

use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::reactor::offload::offload_order;
use crate::reactor::{last_words, room};
use crate::spawn::tree;
use crate::status::{ExitNotice, StopMode};
use crate::sys::clock;

/// What must finish before the tree ends.
static FIRST: OnceCell<fn()> = OnceCell::new();

/// Registers `finish`, to be called when this process ends its tree in order, before anything in the tree is
/// asked to end. For work that is not in a mailbox yet.
pub(crate) fn before_end(finish: fn()) {
    // Only the pools register one.
    let _ = FIRST.set(finish);
}

fn finish_first() {
    room::settle();
    if let Some(finish) = FIRST.get() {
        finish();
    }
}

/// Runs the body of a `#[phalanx::main]`, and ends the program's tree when the body's scope ends, by return
/// or by panic.
#[doc(hidden)]
pub fn run_main<R>(body: impl FnOnce() -> R) -> R {
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                finish_first();
            }
            // A `main` that panics does not wait for work: its results are not needed any more.
            tree::shut_down(if std::thread::panicking() { StopMode::Stop } else { StopMode::Drain });
        }
    }
    let _end = End;
    body()
}

/// Ends everything that this process has spawned, in order, and waits until it has ended, as the end of a
/// `#[phalanx::main]` does.
///
/// Daemons are terminated first: SIGTERM, and SIGKILL when their grace is over. Then tasks are waited for. At
/// last actors handle the messages in their mailboxes and are stopped, in reverse order of their start.
/// Blocks for as long as they have work; Ctrl-C ends it earlier. Spawning afterwards starts a new tree.
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
    finish_first();
    tree::shut_down(StopMode::Drain);
}

/// Like [`shutdown`], as a future: it blocks no thread of the caller, and works under any executor. The end
/// begins when the future is first polled, and goes on even if the future is dropped then.
pub fn shutdown_async() -> impl Future<Output = ()> + Send {
    elsewhere(shutdown)
}

/// Does on a thread of phalanx what ends a tree; here, if none can be started.
async fn elsewhere(end: impl Fn() + Clone + Send + 'static) {
    let ended = offload_order(end.clone()).await;
    ended.unwrap_or_else(|_| end());
}

/// Ends this actor now, in order, from anywhere in its code (Ray's `exit_actor`, Erlang's `exit(normal)`).
/// Cannot be caught: nothing after it runs, not even `#[on_stop]`. Its reason is
/// [`Stopped`](crate::ExitReason::Stopped) by itself; the caller of the message in progress gets no reply. A
/// permanent child is restarted all the same, a transient one is not.
///
/// In a task or in the program itself it is `std::process::exit(0)`.
///
/// ```
/// use phalanx::prelude::*;
/// # #[actor] struct Fuse;
/// #[actor]
/// impl Fuse {
///     fn blow(&self) {
///         phalanx::exit_actor()
///     }
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let fuse = Fuse.spawn()?;
/// assert!(matches!(fuse.blow().wait(), Err(CallError::Stopped(_))));
/// # Ok(())
/// # }
/// ```
pub fn exit_actor() -> ! {
    last_words::leave(ExitNotice::Itself)
}

/// Ends this actor as [`exit_actor`] does, without a restart, whatever its restart type.
pub fn exit_actor_for_good() -> ! {
    last_words::leave(ExitNotice::ForGood)
}

/// In an `#[init]`: this actor is not needed, and that is no error (OTP's `ignore`). Its spawn returns
/// [`SpawnError::Ignored`](crate::SpawnError::Ignored); a supervisor continues with its other children and
/// keeps the spec.
pub fn ignore() -> ! {
    last_words::leave(ExitNotice::Ignored)
}

/// Ends everything as [`shutdown`] does, within `limit` for all of it: what has not ended by then is
/// killed, the whole tree at once. Blocks for at most about that long.
///
/// ```
/// # use phalanx::prelude::*;
/// # use std::time::Duration;
/// # #[actor] struct Stubborn;
/// #[actor]
/// impl Stubborn {
///     #[tell]
///     fn sleep(&self) {
///         std::thread::sleep(Duration::from_secs(1000))
///     }
/// }
///
/// # fn main() -> phalanx::Result<()> {
/// let stubborn = Stubborn.spawn()?;
/// stubborn.sleep()?;
/// phalanx::shutdown_within(Duration::from_millis(100));
/// assert!(!stubborn.is_alive());
/// # Ok(())
/// # }
/// ```
pub fn shutdown_within(limit: Duration) {
    tree::shut_down_by(StopMode::Drain, clock::after(limit));
}

/// Like [`shutdown_within`], as a future: it blocks no thread of the caller, and works under any executor. The
/// end begins when the future is first polled, and goes on even if the future is dropped then.
pub fn shutdown_within_async(limit: Duration) -> impl Future<Output = ()> + Send {
    elsewhere(move || shutdown_within(limit))
}

/// Caps [`parallelism`].
const CAP: &str = "PHALANX_PARALLELISM";

/// How many processes can usefully run at the same time; at least 1. It is the smallest of:
///
/// - the cores that this process may use (its affinity),
/// - the quota of its own control group and of the visible ones above it (`cpu.max`, or `cpu.cfs_quota_us` of
///   version 1), in cores,
/// - the number in the environment variable `PHALANX_PARALLELISM`, if it is one.
///
/// Python's `process_cpu_count` ignores quotas (loky's `cpu_count` does not, joblib/loky#634).
///
/// ```
/// assert!(phalanx::parallelism() >= 1);
/// ```
pub fn parallelism() -> usize {
    let cap = std::env::var(CAP).ok().and_then(|cap| cap.trim().parse::<usize>().ok());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.min(cap.unwrap_or(cores)).max(1)
}
