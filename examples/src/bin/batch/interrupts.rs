//! Ctrl-C.

use std::{io, process, thread};

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Has `interrupted` called at the first Ctrl-C, by a thread of its own; the second one ends the program at
/// once, and what it has started ends with it. Without this, phalanx would end the program in order at the
/// first one, without a report.
pub(crate) fn on_first(interrupted: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    // Here, and not in the thread: from now on a Ctrl-C is ours.
    let mut interrupts = runtime.block_on(async { signal(SignalKind::interrupt()) })?;
    thread::spawn(move || {
        runtime.block_on(async {
            interrupts.recv().await;
            interrupted();
            interrupts.recv().await;
            process::exit(super::INTERRUPTED.into());
        });
    });
    Ok(())
}
