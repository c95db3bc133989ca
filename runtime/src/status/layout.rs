//! The layout of the shared page, and who writes what on it.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use crate::sys::memfd::shared_struct;

/// How much of a panic message is kept, in bytes.
pub(crate) const WORDS: usize = 1024;
pub(super) const PLACE: usize = 256;
pub(super) const RECORD: usize = 2048;
/// How many deaths are remembered, and how much of each.
pub(crate) const HISTORY: u64 = 8;
const PLACES: usize = HISTORY as usize;
pub(super) const SHORT: usize = 256;
/// How many callers can be named whose answers a dead incarnation has kept for itself.
pub(super) const FORSAKEN: usize = 8;
/// How many of the last calls can be named that could not be answered.
pub(super) const UNHEARD: usize = 16;
/// How much of the name is kept for those who look at the tree.
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
        /// Spawner, before anybody else has the page.
        capacity: AtomicU32,
        /// Senders add, the actor takes away; the word on which senders sleep.
        depth: AtomicU32,
        /// Senders: how many sleep for room.
        waiting: AtomicU32,
        /// Actor: it wants a supervisor of its own.
        wants_supervisor: AtomicU32,
        /// Supervisor: how many supervisors of this actor's own have ended; the word on which it waits for that.
        supervisors_ended: AtomicU32,
        /// Actor: messages handled since the mailbox was made.
        handled: AtomicU64,
        /// Actor: odd while the four fields below change; even and not zero while a message is in progress.
        progress: AtomicU64,
        /// Actor: whose call is in progress, and which. They stay when it is finished, until the next begins.
        session: AtomicU64,
        seq: AtomicU64,
        /// Actor: the method's index.
        method: AtomicU32,
        /// Actor: see [`super::Phase`].
        phase: AtomicU32,
        /// Actor: when the message, or the phase, began.
        since: AtomicU64,
        /// Actor: when the caller of this message wants its handler killed; 0 for never.
        limit: AtomicU64,
        /// Actor: 1 since one of its processes has been ready.
        risen: AtomicU32,
        /// Supervisor: when it wrote down how the last process ended.
        noted: AtomicU64,
        /// Supervisor, when a process dies in a message: its incarnation; the next one, once it has dealt with that message: 0.
        interrupted: AtomicU64,
        /// Actor: how often the message in progress has been begun.
        attempts: AtomicU32,
        /// Actor: callers who would miss answers if it died now, and to which of their calls; how many more there are is beyond the list.
        unanswered: [AtomicU64; FORSAKEN],
        forsaken_up_to: [AtomicU64; FORSAKEN],
        forsaken_len: AtomicU32,
        /// Actor: how many calls it could not answer because it has not got their callers' reply channels; and the last of them.
        unheard: AtomicU64,
        unheard_session: [AtomicU64; UNHEARD],
        unheard_seq: [AtomicU64; UNHEARD],
        /// Actor: set just before an exit that the runtime means; tells it from an `exit(0)` of user code.
        exit_notice: AtomicU32,
        /// Actor: an allocation failed under a memory limit.
        out_of_memory: AtomicU32,
        /// Each process that asks for a stop: of which incarnation, how, and who that is. See `stop.rs`.
        stop: AtomicU64,
        /// Each process that has it killed: which incarnation, and after which grace.
        kill: AtomicU64,
        /// Each process that calls a restart off: the first incarnation that is not to be started; 0 for none.
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
        /// Supervisor: how often a process died in a message that it had not answered, and how often while it answered one.
        interruptions: AtomicU32,
        cut_answers: AtomicU32,
        /// Supervisor: how often it was restarted after a crash, and how often recycled.
        restarts: AtomicU32,
        recycled: AtomicU32,
        /// Supervisor: how often what lay in the mailbox has been thrown away.
        purges: AtomicU64,
        /// Spawner: what kind of process, its id, that of the declared supervisor above it (0: none), where its code is, its name.
        kind: AtomicU32,
        id: AtomicU64,
        above: AtomicU64,
        entry: AtomicU64,
        /// Spawner: its own pid.
        spawner: AtomicU32,
        /// Supervisor: the pid of the actor's own supervisor.
        supervisor_pid: AtomicU32,
        /// Supervisor: why it could not fork the actor's own supervisor when that was last wanted, as a number of the operating system.
        supervisor_error: AtomicU32,
        name_len: AtomicU32,
        name: [AtomicU8; NAME],
        words: [AtomicU8; WORDS],
        place: [AtomicU8; PLACE],
        exit_record: [AtomicU8; RECORD],
        /// Supervisor: the last deaths, briefly; the place of an incarnation is its number modulo [`HISTORY`].
        history_of: [AtomicU64; PLACES],
        history_len: [AtomicU32; PLACES],
        history: [[AtomicU8; SHORT]; PLACES],
        /// Actor: where its supervisor has it on a list: that one's pid, and the number of the file. See `register.rs`.
        voucher: AtomicU32,
        voucher_number: AtomicU32,
    }
}
