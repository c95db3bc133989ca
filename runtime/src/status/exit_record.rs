//! What a supervisor writes about deaths: the exit record of the last one, and briefly those before it.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::layout::{HISTORY, RECORD, SHORT};
use super::{State, StatusPage, cut, read_text, write_text};
use crate::policy::SpecError;
use crate::sys::clock;
use crate::types::exit::{ExitReason, StoppedBy};

/// What a supervisor leaves behind about a dead actor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ExitRecord {
    /// Which process it was, and the how many-th of its actor; 0 if that is not known. Filled in when it is written down.
    pub(crate) pid: u32,
    pub(crate) incarnation: u64,
    pub(crate) reason: ExitReason,
    /// As the operating system reports it: the exit code, or −N for signal N.
    pub(crate) code: i32,
    /// It died before it was ready.
    pub(crate) unready: bool,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) in_progress: Option<InProgressRecord>,
    /// How many messages lay in its mailbox, if they are lost with it.
    pub(crate) unserved: u32,
    /// Callers (by session) who miss answers: to their calls up to this one.
    pub(crate) unanswered: Vec<(u64, u64)>,
    /// Why no other process follows, if that is not for how this one ended.
    pub(crate) end: Option<End>,
}

/// Why an actor has ended whose last process had ended before, and was to be followed by another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    /// It has used up its restarts, or those of its supervisor.
    GaveUp,
    /// It was stopped while it waited for its restart.
    CalledOff(StoppedBy),
}

/// One of the processes of an actor, as its supervisor knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) incarnation: u64,
    pub(crate) pid: i32,
}

/// Why a supervisor did not start an actor, or why its start failed in the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    ShuttingDown,
    Mismatch,
    /// It was asked for by a process with other rights.
    Credentials(String),
    Fork(String),
    /// Its mailbox has been shut down.
    Mailbox,
    /// With what it waited for, if it has said so.
    StartTimeout(String),
    Codec(String),
    /// An option, and why it cannot be had.
    Option(String),
    /// There is a child of this id, with or without a process.
    AlreadyStarted(u32),
    AlreadyPresent,
    MaxChildren,
    /// Its `init` wants no process.
    Ignored,
    /// Such a child cannot be under this supervisor.
    Specs(SpecError),
}

/// See [`crate::InProgress`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InProgressRecord {
    pub(crate) session: u64,
    pub(crate) seq: u64,
    pub(crate) method: String,
    pub(crate) running: Duration,
    /// It had been handled, and its answer was on the way.
    pub(crate) answering: bool,
    /// It will be handled again.
    pub(crate) again: bool,
}

impl StatusPage {
    /// Publishes that a process has died, and what comes next. Before it is reaped, so that a pid which was read while the
    /// state said that there is a process is not yet anybody else's.
    ///
    /// Which process it was is the supervisor's word: what the page said of that is written over.
    pub(crate) fn record_exit(&self, who: Process, exit_record: &ExitRecord, next: State) {
        let page = &self.0;
        let incarnation = who.incarnation;
        page.incarnation.store(incarnation, SeqCst);
        page.pid.store(who.pid.cast_unsigned(), SeqCst);
        let exit_record = &ExitRecord { pid: who.pid.cast_unsigned(), incarnation, ..exit_record.clone() };
        let mut buffer = [0_u8; RECORD];
        let bytes: &[u8] = postcard::to_slice(exit_record, &mut buffer).map_or(&[], |bytes| bytes);
        let mut room = [0_u8; SHORT];
        let short = exit_record.shortened();
        let short: &[u8] = postcard::to_slice(&short, &mut room).map_or(&[], |bytes| bytes);
        let place = (incarnation % HISTORY) as usize;
        // Odd in any case: a supervisor that was killed in here has left it so.
        let writing = page.deaths.load(SeqCst) | 1;
        page.deaths.store(writing, SeqCst);
        // What becomes of the queue is decided after the death, and written over it.
        let is_news = page.record_of.load(SeqCst) != incarnation;
        write_text(&page.exit_record, &page.record_len, bytes);
        page.record_of.store(incarnation, SeqCst);
        write_text(&page.history[place], &page.history_len[place], short);
        page.history_of[place].store(incarnation, SeqCst);
        if is_news && exit_record.in_progress.is_some() {
            page.interrupted.store(incarnation, SeqCst);
        }
        if let Some(busy) = exit_record.in_progress.as_ref().filter(|busy| is_news && !busy.again) {
            let counter = if busy.answering { &page.cut_answers } else { &page.interruptions };
            counter.fetch_add(1, SeqCst);
        }
        page.deaths.store(writing.wrapping_add(1), SeqCst);
        if is_news {
            page.noted.store(clock::now(), SeqCst);
        }
        self.settle(next);
    }

    /// When the supervisor of this actor has written down how its last process ended.
    #[cfg(feature = "floors")]
    pub(crate) fn noted(&self) -> u64 {
        self.0.noted.load(SeqCst)
    }

    /// How often a process died in a message, and how often while it sent an answer.
    pub(crate) fn interruptions(&self) -> (u32, u32) {
        (self.0.interruptions.load(SeqCst), self.0.cut_answers.load(SeqCst))
    }

    /// How it ended, if it has no process and gets none by itself.
    pub(crate) fn exit_record(&self) -> Option<ExitRecord> {
        matches!(self.state(), State::Dead | State::Down)
            .then(|| self.last_death().map_or_else(ExitRecord::orphaned, |last| last.1))
    }

    /// The last death of a process of this actor, and which incarnation it was.
    pub(crate) fn last_death(&self) -> Option<(u64, ExitRecord)> {
        let page = &self.0;
        let (of, bytes) = self
            .consistently(|| (page.record_of.load(SeqCst), read_text(&page.exit_record, &page.record_len)))?;
        (of != 0 || !bytes.is_empty())
            .then(|| (of, postcard::from_bytes(&bytes).unwrap_or_else(|_| ExitRecord::orphaned())))
    }

    /// The death of this incarnation, if it is not too long ago.
    pub(crate) fn death_of(&self, incarnation: u64) -> Option<ExitRecord> {
        if let Some((of, exit_record)) = self.last_death()
            && of == incarnation
        {
            return Some(exit_record);
        }
        let page = &self.0;
        let place = (incarnation % HISTORY) as usize;
        let bytes = self.consistently(|| {
            let known = page.history_of[place].load(SeqCst) == incarnation;
            known.then(|| read_text(&page.history[place], &page.history_len[place]))
        })??;
        postcard::from_bytes(&bytes).ok()
    }

    /// Reads what a supervisor writes about deaths, in one piece.
    fn consistently<T>(&self, read: impl Fn() -> T) -> Option<T> {
        for _ in 0..1000 {
            let before = self.0.deaths.load(SeqCst);
            let found = read();
            if before.is_multiple_of(2) && self.0.deaths.load(SeqCst) == before {
                return Some(found);
            }
            std::hint::spin_loop();
        }
        // A supervisor that was killed while it wrote; who follows it writes anew.
        None
    }
}

impl ExitRecord {
    /// What is known of an actor whose supervisor was killed before it could write anything down.
    pub(crate) fn orphaned() -> ExitRecord {
        ExitRecord {
            pid: 0,
            incarnation: 0,
            reason: ExitReason::SupervisorDied,
            code: -9,
            unready: false,
            refusal: None,
            in_progress: None,
            unserved: 0,
            unanswered: Vec::new(),
            end: None,
        }
    }

    /// Why the actor has ended: as its last process has, unless something came after that.
    pub(crate) fn end_reason(&self) -> ExitReason {
        match self.end {
            None => self.reason.clone(),
            Some(End::GaveUp) => ExitReason::GaveUp { last: Box::new(self.reason.clone()) },
            Some(End::CalledOff(by)) => ExitReason::Stopped(by),
        }
    }

    /// This record, with texts that fit into the history.
    fn shortened(&self) -> ExitRecord {
        let short = |text: &String| cut(text, 80).to_owned();
        let reason = match &self.reason {
            ExitReason::Panicked { message, location, .. } => {
                ExitReason::Panicked { message: short(message), location: short(location), method: None }
            }
            ExitReason::InitFailed(text) => ExitReason::InitFailed(short(text)),
            ExitReason::Broken(text) => ExitReason::Broken(short(text)),
            ExitReason::Linked { to, reason } => ExitReason::Linked { to: short(to), reason: short(reason) },
            ExitReason::DeadlineExceeded { method, after } => {
                ExitReason::DeadlineExceeded { method: short(method), after: *after }
            }
            other => other.clone(),
        };
        let in_progress =
            self.in_progress.clone().map(|busy| InProgressRecord { method: short(&busy.method), ..busy });
        // Those beyond two are told by their deadlines: this is for a process that has not looked for several deaths.
        let unanswered = self.unanswered.iter().copied().take(2).collect();
        ExitRecord { reason, refusal: None, in_progress, unanswered, ..self.clone() }
    }
}
