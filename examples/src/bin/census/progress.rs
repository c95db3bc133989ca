//! Progress of the survey: a bar on a terminal, a line now and then elsewhere. Always on stderr.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Files between two lines.
const STEP: usize = 500;

/// Counts every file, from any thread.
pub(crate) enum Progress {
    Bar(ProgressBar),
    Lines { total: usize, done: AtomicUsize },
}

impl Progress {
    /// For `total` files, in the form that suits stderr.
    pub(crate) fn new(total: usize) -> Progress {
        if !io::stderr().is_terminal() {
            return Progress::Lines { total, done: AtomicUsize::new(0) };
        }
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} files, {elapsed}{msg}") {
            bar.set_style(style);
        }
        Progress::Bar(bar)
    }

    /// One more file is done.
    pub(crate) fn file_done(&self) {
        match self {
            Progress::Bar(bar) => bar.inc(1),
            Progress::Lines { total, done } => {
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                if done.is_multiple_of(STEP) || done == *total {
                    say(&format!("{done} of {total} files"));
                }
            }
        }
    }

    /// A parser died; `restarts` is how many did up to now.
    pub(crate) fn restarted(&self, restarts: usize) {
        if let Progress::Bar(bar) = self {
            bar.set_message(format!(", {restarts} parsers started anew"));
        }
    }

    /// The survey is over: removes the bar.
    pub(crate) fn finish(&self) {
        if let Progress::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// Writes a line to stderr, which may have no reader.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "census: {line}");
}
