//! The layout of the shared page, and which process writes which field.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use crate::sys::memfd::shared_struct;

/// How much of a panic message is kept, in bytes.
pub(crate) const WORDS: usize = 1024;
pub(super) const PLACE: usize = 256;
pub(super) const RECORD: usize = 2048;
/// How many exits are remembered, and how many bytes of each.
pub(crate) const HISTORY: u64 = 8;
const PLACES: usize = HISTORY as usize;
pub(super) const SHORT: usize = 256;
/// How many callers the page can name that would miss replies.
pub(super) const UNANSWERED: usize = 8;
/// How many of the last calls without a reply channel the page can name.
pub(super) const UNHEARD: usize = 16;
/// How many calls can be taken back at one time, if none is to take the place of another.
pub(super) const CANCELLED: usize = 64;
/// How much of the name is kept for readers of the tree.
pub(super) const NAME: usize = 64;

shared_struct! {
    /// The page itself.
    pub(crate) struct Facts {
        /// Supervisor, then actor (ready), then supervisor (dead): see [`super::State`].
        state: AtomicU32,
        /// Supervisor.
        pid: AtomicU32,
        /// Supervisor; raised by one with each start.
        incarnation: AtomicU64,
        /// Spawner: when it made the page.
        made: AtomicU64,
        /// Spawner: its own pid.
        parent: AtomicU32,
        /// Spawner: not 0 for a daemon.
        is_daemon: AtomicU32,
        /// Spawner, before any other process has the page.
        capacity: AtomicU32,
        /// Senders add, the actor takes away; the word on which senders sleep.
        depth: AtomicU32,
        /// Senders: how many sleep for room.
        waiting: AtomicU32,
        /// Actor: it needs a supervisor of its own.
        wants_supervisor: AtomicU32,
        /// Supervisor: how many of the actor's own supervisors have ended; the word on which the actor waits
        /// for that.
        supervisors_ended: AtomicU32,
        /// Actor: messages handled since the mailbox was made.
        handled: AtomicU64,
        /// Actor: odd while the four fields below change; even and not zero while a message is in progress.
        progress: AtomicU64,
        /// Actor: the session and number of the call in progress. They stay until the next message begins.
        session: AtomicU64,
        seq: AtomicU64,
        /// Actor: the method's index.
        method: AtomicU32,
        /// Actor: see [`super::Phase`].
        phase: AtomicU32,
        /// Actor: when the message, or the phase, began.
        since: AtomicU64,
        /// Actor: when the handler is to be killed, by its caller's wish; 0 for never.
        limit: AtomicU64,
        /// Actor: 1 since one of its processes has been ready.
        risen: AtomicU32,
        /// Supervisor: when it recorded how the last process ended.
        noted: AtomicU64,
        /// Supervisor: the incarnation of a process that died in a message. The next process sets it to 0
        /// once it has dealt with that message.
        interrupted: AtomicU64,
        /// Actor: how often the message in progress has been begun.
        attempts: AtomicU32,
        /// Actor: callers that would miss replies if it died now, and up to which of their calls. A length
        /// beyond the list counts those that do not fit.
        unanswered: [AtomicU64; UNANSWERED],
        unanswered_up_to: [AtomicU64; UNANSWERED],
        unanswered_len: AtomicU32,
        /// Actor: how many calls got no reply because the caller's reply channel is missing; and the last of
        /// them.
        unheard: AtomicU64,
        unheard_session: [AtomicU64; UNHEARD],
        unheard_seq: [AtomicU64; UNHEARD],
        /// Callers: not 0 if a call was ever taken back.
        cancels: AtomicU32,
        /// Actor: set just before a deliberate exit of the runtime, unlike an `exit(0)` of user code.
        exit_notice: AtomicU32,
        /// Actor: an allocation failed under a memory limit.
        out_of_memory: AtomicU32,
        /// Each process that requests a stop: the incarnation, the mode, the requester. See `stop.rs`.
        stop: AtomicU64,
        /// Each process that stops it and will kill it: the incarnation, and the grace that it gives.
        grace: AtomicU64,
        /// Each process that has it killed: the incarnation, and the grace that it had.
        kill: AtomicU64,
        /// Each process that cancels a restart: the first incarnation that must not start; 0 for none.
        called_off: AtomicU64,
        /// Actor (its panic hook): lengths of the two texts, and the method's index + 1.
        words_len: AtomicU32,
        place_len: AtomicU32,
        words_method: AtomicU32,
        /// Task: how many bytes of result lie behind the page, plus one.
        result_len: AtomicU64,
        /// Supervisor: odd while the exit record and its place in the history change.
        deaths: AtomicU64,
        /// Supervisor: the length of the exit record, and which incarnation's it is.
        record_len: AtomicU32,
        record_of: AtomicU64,
        /// Supervisor: how often a process died while it handled a message, and how often while it sent a
        /// reply.
        interruptions: AtomicU32,
        cut_answers: AtomicU32,
        /// Supervisor: how often it was restarted after a crash, and how often recycled.
        restarts: AtomicU32,
        recycled: AtomicU32,
        /// Supervisor: how often the queued messages were thrown away.
        purges: AtomicU64,
        /// Spawner: the kind of process, its id, the id of the declared supervisor above it (0: none), where
        /// its code is, its name.
        kind: AtomicU32,
        id: AtomicU64,
        above: AtomicU64,
        entry: AtomicU64,
        /// Spawner: its own pid.
        spawner: AtomicU32,
        /// Supervisor: the pid of the actor's own supervisor.
        supervisor_pid: AtomicU32,
        /// Supervisor: the errno of its last attempt to fork the actor's own supervisor.
        supervisor_error: AtomicU32,
        name_len: AtomicU32,
        name: [AtomicU8; NAME],
        words: [AtomicU8; WORDS],
        place: [AtomicU8; PLACE],
        exit_record: [AtomicU8; RECORD],
        /// Supervisor: short records of the last exits; the place of an incarnation is its number modulo
        /// [`HISTORY`].
        history_of: [AtomicU64; PLACES],
        history_len: [AtomicU32; PLACES],
        history: [[AtomicU8; SHORT]; PLACES],
        /// Callers: marks of calls that are not to begin. See `progress.rs`.
        cancelled: [AtomicU64; CANCELLED],
        /// Actor: which register lists it: the supervisor's pid, and the number of the file. See
        /// `register.rs`.
        voucher: AtomicU32,
        voucher_number: AtomicU32,
    }
}
