//! What a process of the tree is: its name, its state, and the processes above and below it.

use std::io;
use std::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};
use std::time::Duration;

use super::layout::NAME;
use super::{Process, StatusPage, cut, read_text, write_text};
use crate::sys::memfd::word_enum;
use crate::sys::{clock, futex};

word_enum! {
    /// Where an actor is in its life.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
    pub(crate) enum State {
        /// No supervisor has taken it yet.
        New = 0,
        /// A process exists and prepares itself.
        Starting = 1,
        /// It handles messages.
        Ready = 2,
        /// Its process is gone, and there will be another.
        Restarting = 3,
        /// It has no process, and gets one only if its supervisor is asked for it.
        Down = 4,
        /// It is gone and does not come back.
        Dead = 5,
    }
}

impl StatusPage {
    /// Writes the name, kind, id and entry, for readers of the tree.
    pub(crate) fn sign(&self, name: &str, kind: u32, id: u64, entry: u64) {
        self.0.kind.store(kind, Relaxed);
        self.0.id.store(id, Relaxed);
        self.0.entry.store(entry, Relaxed);
        write_text(&self.0.name, &self.0.name_len, cut(name, NAME).as_bytes());
    }

    /// Writes when the page was made and by which process, the parent, and whether it is a daemon.
    pub(crate) fn date(&self, parent: u32, daemon: bool) {
        self.0.made.store(clock::now(), Relaxed);
        self.0.spawner.store(std::process::id(), Relaxed);
        self.0.parent.store(parent, Relaxed);
        self.0.is_daemon.store(daemon.into(), Relaxed);
    }

    pub(crate) fn made(&self) -> u64 {
        self.0.made.load(Relaxed)
    }

    /// The pid of the process that spawned it; 0 if none did.
    pub(crate) fn parent(&self) -> u32 {
        self.0.parent.load(Relaxed)
    }

    pub(crate) fn is_daemon(&self) -> bool {
        self.0.is_daemon.load(Relaxed) != 0
    }

    /// Writes the id of the declared supervisor above it.
    pub(crate) fn put_below(&self, supervisor: u64) {
        self.0.above.store(supervisor, Relaxed);
    }

    /// Its name, its kind, and where its code is.
    pub(crate) fn signature(&self) -> (String, u32, u64) {
        let name = read_text(&self.0.name, &self.0.name_len);
        let name = String::from_utf8_lossy(&name).into_owned();
        (name, self.0.kind.load(Relaxed), self.0.entry.load(Relaxed))
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.id.load(Relaxed)
    }

    /// The pid of the process that made the page.
    pub(crate) fn spawner(&self) -> u32 {
        self.0.spawner.load(Relaxed)
    }

    pub(crate) fn above(&self) -> u64 {
        self.0.above.load(Relaxed)
    }

    pub(crate) fn supervisor_pid(&self) -> i32 {
        self.0.supervisor_pid.load(Relaxed).cast_signed()
    }

    /// Writes the pid of the actor's own supervisor.
    pub(crate) fn has_supervisor(&self, pid: i32) {
        self.0.supervisor_pid.store(pid.cast_unsigned(), Relaxed);
    }

    pub(crate) fn state(&self) -> State {
        // An unmapped page is looked at so rarely that a mapping is not worth it.
        let word = self.0.first_word().unwrap_or_else(|| self.0.state.load(Acquire));
        State::from_word(word).unwrap_or(State::Dead)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.pid.load(Acquire)
    }

    pub(crate) fn incarnation(&self) -> u64 {
        self.0.incarnation.load(Acquire)
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.0.capacity.load(Relaxed)
    }

    /// Writes how many messages the mailbox holds, as its supervisor knows.
    pub(crate) fn set_capacity(&self, capacity: u32) {
        self.0.capacity.store(capacity, Relaxed);
    }

    /// The queue's depth: as a number, and as the word that changes with it.
    pub(crate) fn depth(&self) -> &AtomicU32 {
        &self.0.depth
    }

    pub(crate) fn waiting(&self) -> &AtomicU32 {
        &self.0.waiting
    }

    pub(crate) fn started(&self, pid: i32, incarnation: u64) {
        self.0.incarnation.store(incarnation, Release);
        self.0.pid.store(pid as u32, Release);
        // The child may have become ready before its parent gets here.
        let without = |state: u32| (state != State::Ready.to_word()).then_some(State::Starting.to_word());
        let _ = self.0.state.fetch_update(SeqCst, SeqCst, without);
    }

    /// Writes which register lists the process: the supervisor's pid, and the number of the file.
    pub(crate) fn be_vouched_for(&self, supervisor: i32, number: i32) {
        self.0.voucher.store(supervisor.cast_unsigned(), Relaxed);
        self.0.voucher_number.store(number.cast_unsigned(), Release);
    }

    /// Which register lists the process: the supervisor's pid, and the number of the file.
    pub(crate) fn voucher(&self) -> (i32, i32) {
        let number = self.0.voucher_number.load(Acquire).cast_signed();
        (self.0.voucher.load(Relaxed).cast_signed(), number)
    }

    /// Makes the page say that the process is ready: its supervisor knows that it is.
    pub(crate) fn restore(&self, process: Process) {
        self.0.incarnation.store(process.incarnation, Release);
        self.0.pid.store(process.pid.cast_unsigned(), Release);
        self.0.state.store(State::Ready.to_word(), SeqCst);
    }

    /// Publishes what the supervisor decided for an actor without a process.
    pub(crate) fn settle(&self, next: State) {
        self.0.state.store(next.to_word(), SeqCst);
        if next == State::Dead || next == State::Down {
            futex::wake(&self.0.depth, i32::MAX);
        }
    }

    /// Writes how often it was restarted and recycled, for readers of the tree.
    pub(crate) fn note_restarts(&self, (restarts, recycled): (u32, u32)) {
        self.0.restarts.store(restarts, Relaxed);
        self.0.recycled.store(recycled, Relaxed);
    }

    /// How often it was restarted, and how often recycled.
    pub(crate) fn restarts(&self) -> (u32, u32) {
        (self.0.restarts.load(Relaxed), self.0.recycled.load(Relaxed))
    }

    /// Marks the actor as ready. Returns whether this is its first process to become so.
    pub(crate) fn ready(&self) -> bool {
        let page = &self.0;
        let starting = |state: u32| (state < State::Ready.to_word()).then_some(State::Ready.to_word());
        let _ = page.state.fetch_update(SeqCst, SeqCst, starting);
        page.risen.swap(1, SeqCst) == 0
    }

    /// Whether any of its processes has been ready.
    pub(crate) fn has_been_ready(&self) -> bool {
        self.0.risen.load(SeqCst) != 0
    }

    /// How many of the actor's own supervisors have ended.
    pub(crate) fn supervisors_ended(&self) -> u32 {
        self.0.supervisors_ended.load(SeqCst)
    }

    /// Sleeps until another own supervisor has ended, or a second has passed.
    pub(crate) fn await_supervisor_end(&self, seen: u32) {
        futex::wait(&self.0.supervisors_ended, seen, Duration::from_secs(1));
    }

    pub(crate) fn want_supervisor(&self) {
        self.0.wants_supervisor.store(1, SeqCst);
    }

    pub(crate) fn leave_result(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)?;
        self.0.result_len.store(bytes.len() as u64 + 1, SeqCst);
        Ok(())
    }

    /// The result of a task that returned, of at most `limit` bytes.
    pub(crate) fn result(&self, limit: u64) -> Option<io::Result<Vec<u8>>> {
        let len = self.0.result_len.load(SeqCst).checked_sub(1)?;
        Some(self.0.appended(len, limit))
    }

    /// Why the actor's own supervisor could not be forked, as an errno; 0 if no fork failed.
    pub(crate) fn supervisor_error(&self) -> i32 {
        self.0.supervisor_error.load(SeqCst).cast_signed()
    }

    pub(crate) fn note_supervisor_error(&self, error: i32) {
        self.0.supervisor_error.store(error.cast_unsigned(), SeqCst);
    }

    /// Publishes that the actor's own supervisor has ended, the `count`th to do so.
    pub(crate) fn supervisor_ended(&self, count: u32) {
        self.0.supervisors_ended.store(count, SeqCst);
        futex::wake(&self.0.supervisors_ended, i32::MAX);
    }

    pub(crate) fn take_supervisor_wish(&self) -> bool {
        self.0.wants_supervisor.swap(0, SeqCst) != 0
    }
}
