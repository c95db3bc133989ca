//! The state of a command, as the threads of its shim share it.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::TICK;
use super::tail::Tail;
use crate::reactor::{last_words, own};
use crate::status::cut;
use crate::sys::process::{self, Wait};
use crate::sys::signal;
use crate::types::output::Channel;

/// How much is kept of the last line read, in bytes.
const WORDS: usize = 512;

pub(super) struct Course {
    pid: i32,
    facts: Mutex<Facts>,
    changed: Condvar,
}

pub(super) struct Facts {
    stage: Stage,
    /// The command is ready, or has been.
    pub(super) ready: bool,
    /// How the command has ended.
    pub(super) ended: Option<End>,
    /// The output of the command and of its helpers has been read, or the time for it is over.
    pub(super) drained: bool,
    streams: [Reading; 2],
    /// How many times [`Course::catch_up`] was called.
    asked: u64,
    /// The line that meant readiness.
    ready_line: Option<String>,
    /// What the command has said of itself, by its last notification that did.
    status: Option<String>,
    /// The last lines on standard error.
    tail: Tail,
    helper: Option<Helper>,
    /// A caller waits for the end of the shim.
    is_waited_for: bool,
    /// A message is being handled, or its reply is not out.
    is_asked: bool,
}

/// Another child of the shim than the command, which asks whether the command is ready.
#[derive(Clone, Copy, Debug)]
struct Helper {
    /// Not reaped before it has an end here.
    pid: i32,
    end: Option<Wait>,
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

impl Course {
    /// Creates the state; `is_read` says which streams the shim reads.
    pub(super) fn of(pid: i32, is_read: [bool; 2], is_ready: bool) -> Course {
        let streams = is_read.map(|is_open| Reading { is_open, ..Reading::default() });
        let facts = Facts {
            stage: Stage::Starting,
            ready: is_ready,
            ended: None,
            drained: false,
            streams,
            asked: 0,
            ready_line: None,
            status: None,
            tail: Tail::default(),
            helper: None,
            is_waited_for: false,
            is_asked: false,
        };
        Course { pid, facts: Mutex::new(facts), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something has changed, or for `limit`.
    pub(super) fn wait<'a>(&self, facts: MutexGuard<'a, Facts>, limit: Duration) -> MutexGuard<'a, Facts> {
        self.changed.wait_timeout(facts, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// The pid of the command, which may have ended.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// Notes a line. One that comes after the end does not mean that the command is ready.
    pub(super) fn heard(&self, channel: Channel, line: &str, pattern: Option<&str>) {
        let mut facts = self.lock();
        if channel == Channel::Stderr && !facts.drained {
            facts.tail.push(line);
        }
        if facts.stage != Stage::Starting || facts.ready || facts.ended.is_some() {
            return;
        }
        if !line.trim().is_empty() {
            cut(line, WORDS).clone_into(&mut facts.streams[channel as usize].words);
        }
        if pattern.is_some_and(|pattern| line.contains(pattern)) {
            facts.ready = true;
            facts.ready_line = Some(line.to_owned());
        }
        self.changed.notify_all();
    }

    /// Notes what the command has said by a notification.
    pub(super) fn notified(&self, is_ready: bool, status: Option<&str>) {
        let mut facts = self.lock();
        if let Some(status) = status {
            facts.status = Some(cut(status, WORDS).to_owned());
        }
        if is_ready && facts.stage == Stage::Starting && facts.ended.is_none() {
            facts.ready = true;
        }
        self.changed.notify_all();
    }

    /// Notes that the command is ready, as it is seen from outside.
    pub(super) fn note_ready(&self) {
        self.lock().ready = true;
    }

    /// The line that meant readiness, if the command became ready by one.
    pub(super) fn ready_line(&self) -> Option<String> {
        self.lock().ready_line.clone()
    }

    /// What the command has said of itself, if it has.
    pub(super) fn status(&self) -> Option<String> {
        self.lock().status.clone()
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
        self.running().map(|_| self.pid)
    }

    /// Sends a signal to the command, and to no other process; returns as [`running_pid`](Self::running_pid).
    pub(super) fn signal(&self, number: i32) -> Option<io::Result<()>> {
        // It is reaped under the lock only, so its number is not another process' now.
        self.running().map(|_locked| process::signal_child(self.pid, number))
    }

    /// The lock, while the command runs.
    fn running(&self) -> Option<MutexGuard<'_, Facts>> {
        let mut facts = self.lock();
        while process::has_ended(self.pid) {
            if signal::is_sent(process::SIGTERM) || own::is_to_stop() {
                return None;
            }
            facts.is_waited_for = true;
            facts = self.wait(facts, TICK);
        }
        Some(facts)
    }

    /// A message is being handled, or none any more.
    pub(super) fn note_asked(&self, is_asked: bool) {
        self.lock().is_asked = is_asked;
    }

    /// Whether a caller waits for a reply.
    pub(super) fn is_asked(&self) -> bool {
        self.lock().is_asked
    }

    /// Whether a caller waits for the end of the shim.
    pub(super) fn is_waited_for(&self) -> bool {
        self.lock().is_waited_for
    }

    /// Starts the helper, unless there is one.
    pub(super) fn start_helper(&self, start: impl FnOnce() -> Result<i32, String>) -> Result<(), String> {
        // Under the lock, so that its end is not taken for that of an orphan.
        let mut facts = self.lock();
        if facts.helper.is_none() {
            facts.helper = Some(Helper { pid: start()?, end: None });
        }
        Ok(())
    }

    /// How the helper has ended, once; then there may be another one.
    pub(super) fn helper_end(&self) -> Option<Wait> {
        let mut facts = self.lock();
        let end = facts.helper.and_then(|helper| helper.end);
        if end.is_some() {
            facts.helper = None;
        }
        end
    }

    /// Kills the helper with its group, if there is one.
    pub(super) fn kill_helper(&self) {
        let facts = self.lock();
        if let Some(Helper { pid, end: None }) = facts.helper {
            process::kill(-pid, process::SIGKILL);
        }
    }

    /// The pid of the helper, if one runs.
    pub(super) fn helper(&self) -> Option<i32> {
        self.lock().helper.filter(|helper| helper.end.is_none()).map(|helper| helper.pid)
    }

    /// Reaps a child that is not the command; the helper with what is left of its group.
    pub(super) fn reap_other(&self, pid: i32) {
        let mut facts = self.lock();
        match &mut facts.helper {
            Some(helper) if helper.pid == pid && helper.end.is_none() => {
                process::kill(-pid, process::SIGKILL);
                helper.end = process::reap(pid);
                self.changed.notify_all();
            }
            _ => drop(process::reap(pid)),
        }
    }

    /// Whether the command has ended before it was ready.
    pub(super) fn has_failed_to_start(&self) -> bool {
        let facts = self.lock();
        facts.ended.is_some() && !facts.ready
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
        facts.leave_last_lines();
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
    /// Leaves the last lines on standard error on the page of the shim, where the supervisor finds them.
    pub(super) fn leave_last_lines(&self) {
        if let Some(lines) = self.tail.text() {
            last_words::say(&lines);
        }
    }

    /// What the command has said while it is not ready, as the end of a sentence about that.
    pub(super) fn told(&self) -> String {
        let last = self.last_words().map(|words| format!("; its last line was: {words}"));
        let status = self.status.as_ref().map(|status| format!("; its status was: {status}"));
        status.or(last).unwrap_or_default()
    }

    /// The last line read from standard error, or else from standard output.
    pub(super) fn last_words(&self) -> Option<&str> {
        let [stdout, stderr] = &self.streams;
        [stderr, stdout].into_iter().map(|stream| stream.words.as_str()).find(|words| !words.is_empty())
    }
}
