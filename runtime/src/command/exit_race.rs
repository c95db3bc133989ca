//! The state of a command, as the threads of its shim share it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::TICK;
use crate::reactor::own;
use crate::status::cut;
use crate::sys::process::{self, Wait};
use crate::sys::signal;

/// How much is kept of the last line read, in bytes.
const WORDS: usize = 512;

pub(super) struct Course {
    pid: i32,
    facts: Mutex<Facts>,
    changed: Condvar,
}

pub(super) struct Facts {
    stage: Stage,
    /// The line that means readiness has been read.
    pub(super) ready: bool,
    /// How the command has ended.
    pub(super) ended: Option<End>,
    /// The output of the command and of its helpers has been read, or the time for it is over.
    pub(super) drained: bool,
    streams: [Reading; 2],
    /// How many times [`Course::catch_up`] was called.
    asked: u64,
}

/// How a command has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) wait: Wait,
    /// How many processes it has left behind.
    pub(super) left: usize,
}

/// How far a stream has been read.
#[derive(Debug, Default)]
struct Reading {
    /// It is still read.
    is_open: bool,
    /// The last call of [`Course::catch_up`] at which this stream was empty.
    caught_up: u64,
    /// The last line that is not blank, while the command is not ready.
    words: String,
}

/// The phase of the shim.
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
    /// Creates the state; `is_read` says whether the shim reads the streams.
    pub(super) fn of(pid: i32, is_read: bool) -> Course {
        let streams = [(); 2].map(|()| Reading { is_open: is_read, ..Reading::default() });
        let facts =
            Facts { stage: Stage::Starting, ready: false, ended: None, drained: false, streams, asked: 0 };
        Course { pid, facts: Mutex::new(facts), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something has changed, or for `limit`.
    pub(super) fn wait<'a>(&self, facts: MutexGuard<'a, Facts>, limit: Duration) -> MutexGuard<'a, Facts> {
        self.changed.wait_timeout(facts, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Notes a line. One that comes after the end is not the command's.
    pub(super) fn heard(&self, channel: Channel, line: &str, pattern: Option<&str>) {
        let mut facts = self.lock();
        if facts.stage != Stage::Starting || facts.ready || facts.ended.is_some() {
            return;
        }
        if !line.trim().is_empty() {
            cut(line, WORDS).clone_into(&mut facts.streams[channel as usize].words);
        }
        if pattern.is_some_and(|pattern| line.contains(pattern)) {
            facts.ready = true;
        }
        self.changed.notify_all();
    }

    /// A stream has been read to its end.
    pub(super) fn has_read(&self, channel: Channel) {
        self.lock().streams[channel as usize].is_open = false;
        self.changed.notify_all();
    }

    /// How many times [`Course::catch_up`] was called.
    pub(super) fn asked(&self) -> u64 {
        self.lock().asked
    }

    /// Notes that a stream was empty at or after call number `asked` of [`Course::catch_up`].
    pub(super) fn has_caught_up(&self, channel: Channel, asked: u64) {
        self.lock().streams[channel as usize].caught_up = asked;
        self.changed.notify_all();
    }

    /// Waits until everything that lies in the streams now has been read, at most until `deadline`. `ring`
    /// wakes the readers.
    pub(super) fn catch_up(&self, ring: impl Fn(), deadline: Instant) {
        let mut facts = self.lock();
        facts.asked += 1;
        let asked = facts.asked;
        ring();
        while facts.streams.iter().any(|stream| stream.is_open && stream.caught_up < asked) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            facts = self.wait(facts, left);
        }
    }

    /// Whether any process still holds a stream open that the shim reads.
    pub(super) fn is_reading(&self) -> bool {
        self.lock().streams.iter().any(|stream| stream.is_open)
    }

    /// The command has ended, and is not reaped yet.
    pub(super) fn has_ended(&self, end: End) {
        self.lock().ended = Some(end);
        self.changed.notify_all();
    }

    /// Its output has been read. Does not return if the shim ends with the command.
    pub(super) fn has_drained(&self) {
        let mut facts = self.lock();
        facts.drained = true;
        self.mirror(&facts);
        self.changed.notify_all();
    }

    /// The waiting callers know that the command is ready. Does not return if it has ended since.
    pub(super) fn go_on(&self) {
        let mut facts = self.lock();
        facts.stage = Stage::Running;
        self.mirror(&facts);
    }

    /// The command's pid; `None` if the command has ended and the shim is to end otherwise. Does not return
    /// if the command has ended and the shim ends with it.
    pub(super) fn running_pid(&self) -> Option<i32> {
        let mut facts = self.lock();
        while process::has_ended(self.pid) {
            if signal::is_sent(process::SIGTERM) || own::is_to_stop() {
                return None;
            }
            facts = self.wait(facts, TICK);
        }
        Some(self.pid)
    }

    /// Whether the command was told to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stage == Stage::Stopping || signal::is_sent(process::SIGTERM)
    }

    /// Ends this process as the command has ended, unless a stop was ordered. The lock is never released
    /// then.
    fn mirror(&self, facts: &Facts) {
        let Some(end) = facts.ended.filter(|_| facts.drained) else { return };
        if facts.stage != Stage::Running || signal::is_sent(process::SIGTERM) {
            return;
        }
        if own::is_to_stop() {
            // The stop order is on the status page before its signal is sent. The signal may be on its way to
            // the handler now; or the process that gave the order died before it sent the signal.
            process::kill(process::pid(), process::SIGTERM);
            return;
        }
        process::reap(self.pid);
        match end.wait {
            Wait::Exited(code) => process::exit_now(code),
            Wait::Signaled { signal, .. } => {
                process::leave_no_core();
                signal::die_of(signal)
            }
        }
    }

    /// Tells the group of the command to end, and waits until the command has ended.
    pub(super) fn stop(&self, signal: i32) {
        let mut facts = self.lock();
        facts.stage = Stage::Stopping;
        // Only this thread reaps it, so the number is still the group's.
        process::kill_and_continue(-self.pid, signal);
        while !facts.drained {
            facts = self.changed.wait(facts).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Facts {
    /// The last line read from standard error, or else from standard output.
    pub(super) fn last_words(&self) -> Option<&str> {
        let [stdout, stderr] = &self.streams;
        [stderr, stdout].into_iter().map(|stream| stream.words.as_str()).find(|words| !words.is_empty())
    }
}
