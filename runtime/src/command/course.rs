//! How things stand with a command, as the threads of its keeper tell each other.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::mailbox::ledger::cut;
use crate::sys::process::{self, Wait};
use crate::sys::signal;

/// How much is kept of the last line that was heard, in bytes.
const WORDS: usize = 512;

pub(super) struct Course {
    pid: i32,
    facts: Mutex<Facts>,
    changed: Condvar,
}

pub(super) struct Facts {
    stage: Stage,
    /// The line that says so has been heard.
    pub(super) ready: bool,
    /// How the command has ended.
    pub(super) ended: Option<Wait>,
    /// How many of its streams are still read.
    reading: usize,
    /// The last line of each stream that is not blank, as long as it is not ready.
    words: [String; 2],
}

/// What the keeper is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its init waits until the command is ready.
    Starting,
    /// The command may end when it likes.
    Running,
    /// The command has been told to end.
    Stopping,
}

/// The two streams of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    Stdout = 0,
    Stderr = 1,
}

impl Course {
    pub(super) fn of(pid: i32, reading: usize) -> Course {
        let words = [String::new(), String::new()];
        let facts = Facts { stage: Stage::Starting, ready: false, ended: None, reading, words };
        Course { pid, facts: Mutex::new(facts), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something has changed, or for `limit`.
    pub(super) fn wait<'a>(&self, facts: MutexGuard<'a, Facts>, limit: Duration) -> MutexGuard<'a, Facts> {
        self.changed.wait_timeout(facts, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// A line has been read.
    pub(super) fn heard(&self, channel: Channel, line: &str, pattern: Option<&str>) {
        let mut facts = self.lock();
        if facts.stage != Stage::Starting || facts.ready {
            return;
        }
        if !line.trim().is_empty() {
            cut(line, WORDS).clone_into(&mut facts.words[channel as usize]);
        }
        if pattern.is_some_and(|pattern| line.contains(pattern)) {
            facts.ready = true;
            self.changed.notify_all();
        }
    }

    /// A stream has been read to its end.
    pub(super) fn has_read(&self) {
        self.lock().reading -= 1;
        self.changed.notify_all();
    }

    /// Waits until all streams have been read to their end, at most for `limit`; answers whether they have.
    pub(super) fn await_output(&self, limit: Duration) -> bool {
        let guard = self.lock();
        let waited = self.changed.wait_timeout_while(guard, limit, |facts| facts.reading > 0);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// The command has ended, and is not reaped yet. Does not return if the keeper ends with it.
    pub(super) fn has_ended(&self, end: Wait) {
        let mut facts = self.lock();
        facts.ended = Some(end);
        self.mirror(&facts);
        self.changed.notify_all();
    }

    /// Whoever waits for it has been told that the command is ready. Does not return if it has ended since.
    pub(super) fn go_on(&self) {
        let mut facts = self.lock();
        facts.stage = Stage::Running;
        self.mirror(&facts);
    }

    /// Ends this process as the command has ended, unless somebody else sees to its end. The lock is held, for good.
    fn mirror(&self, facts: &Facts) {
        let Some(end) = facts.ended else { return };
        if facts.stage != Stage::Running || signal::is_sent(process::SIGTERM) {
            return;
        }
        if crate::current::is_to_stop() {
            // The order is written down before the signal is sent. That may be on its way to its handler now; or who gave the order has died before sending it.
            process::kill(process::pid(), process::SIGTERM);
            return;
        }
        process::reap(self.pid);
        match end {
            Wait::Exited(code) => process::exit_now(code),
            Wait::Signaled { signal, .. } => {
                process::leave_no_core();
                signal::die_of(signal)
            }
        }
    }

    /// Tells the group of the command to end, and waits until the command has.
    pub(super) fn stop(&self, signal: i32) {
        let mut facts = self.lock();
        facts.stage = Stage::Stopping;
        // It is reaped by this thread only, so the number is the group's.
        process::kill_and_continue(-self.pid, signal);
        while facts.ended.is_none() {
            facts = self.changed.wait(facts).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Facts {
    /// The last that was heard: on standard error, or else on standard output.
    pub(super) fn last_words(&self) -> Option<&str> {
        let [stdout, stderr] = &self.words;
        [stderr, stdout].into_iter().map(String::as_str).find(|words| !words.is_empty())
    }
}
