//! How far a pool is: for a callback, or as a bar on the terminal.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use super::insights::Tally;

/// How far a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Progress {
    /// How many tasks it has taken so far.
    pub submitted: u64,
    /// How many of them are done, one way or another.
    pub done: u64,
    /// How many of these have no value.
    pub failed: u64,
    /// How many workers have crashed.
    pub crashes: u64,
    /// The pool has ended: this is the last report.
    pub finished: bool,
}

impl Progress {
    pub(crate) fn of(tally: &Tally, finished: bool) -> Progress {
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let done = tally.done();
        Progress {
            submitted: load(&tally.submitted),
            done,
            failed: done - load(&tally.succeeded),
            crashes: load(&tally.crashes),
            finished,
        }
    }
}

/// A callback for progress.
#[derive(Clone)]
pub(crate) struct OnProgress(Arc<Mutex<Listener>>);

type Listener = dyn FnMut(&Progress) + Send;

impl OnProgress {
    pub(crate) fn new(function: impl FnMut(&Progress) + Send + 'static) -> OnProgress {
        OnProgress(Arc::new(Mutex::new(function)))
    }

    pub(crate) fn tell(&self, progress: &Progress) {
        (self.0.lock().unwrap_or_else(PoisonError::into_inner))(progress);
    }
}

/// A bar on standard error, if that is a terminal.
#[cfg(feature = "progress")]
pub(crate) fn bar() -> Option<OnProgress> {
    use indicatif::{ProgressBar, ProgressStyle};
    use std::io::IsTerminal;
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {eta} {msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    Some(OnProgress::new(move |progress: &Progress| {
        bar.set_length(progress.submitted);
        bar.set_position(progress.done);
        if progress.failed > 0 || progress.crashes > 0 {
            bar.set_message(format!("{} failed, {} crashes", progress.failed, progress.crashes));
        }
        if progress.finished {
            bar.finish();
        }
    }))
}
