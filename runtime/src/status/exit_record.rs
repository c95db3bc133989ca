//! What a supervisor writes about exits: the full record of the last one, and short records of earlier ones.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::layout::{HISTORY, RECORD, SHORT};
use super::{State, StatusPage, cut, read_text, write_text};
use crate::sys::clock;
use crate::types::exit::{ExitReason, StoppedBy};
use crate::types::spawn_error_kind::SpawnErrorKind;

/// What a supervisor records about a process that ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ExitRecord {
    /// The pid and the incarnation; 0 if unknown. Filled in when the record is written to the page.
    pub(crate) pid: u32,
    pub(crate) incarnation: u64,
    pub(crate) reason: ExitReason,
    /// As the operating system reports it: the exit code, or −N for signal N.
    pub(crate) code: i32,
    /// It died before it was ready.
    pub(crate) unready: bool,
    /// Why its supervisor did not start it, or why its start failed in the runtime.
    pub(crate) refusal: Option<SpawnErrorKind>,
    pub(crate) in_progress: Option<InProgressRecord>,
    /// How many messages lay in its mailbox, if they are lost with it.
    pub(crate) unserved: u32,
    /// Callers that get no reply: the session, and the last of its calls that this concerns.
    pub(crate) unanswered: Vec<(u64, u64)>,
    /// Why no other process follows, if this exit is not the reason.
    pub(crate) end: Option<End>,
    /// The last lines of a command.
    pub(crate) said: Option<String>,
}

/// Why an actor ended while it waited for its next process.
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

/// See [`crate::InProgress`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InProgressRecord {
    pub(crate) session: u64,
    pub(crate) seq: u64,
    pub(crate) method: String,
    pub(crate) running: Duration,
    /// It was handled, and its reply was being sent.
    pub(crate) answering: bool,
    /// It will be handled again.
    pub(crate) again: bool,
}

impl StatusPage {
    /// Publishes that a process died, and the actor's next state. Called before the process is reaped: a
    /// reader that saw a process in the state may use its pid, which must not be reused yet.
    ///
    /// Pid and incarnation come from the supervisor and overwrite what the page says.
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
        // Always odd, even if a supervisor was killed in here and left it odd.
        let writing = page.deaths.load(SeqCst) | 1;
        page.deaths.store(writing, SeqCst);
        // The fate of the queue is decided after the exit; the record of the same exit is then written again.
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

    /// When the supervisor recorded how the last process ended.
    #[cfg(feature = "floors")]
    pub(crate) fn noted(&self) -> u64 {
        self.0.noted.load(SeqCst)
    }

    /// How often a process died while it handled a message, and how often while it sent a reply.
    pub(crate) fn interruptions(&self) -> (u32, u32) {
        (self.0.interruptions.load(SeqCst), self.0.cut_answers.load(SeqCst))
    }

    /// How the actor ended, if it has no process and will not get one by itself.
    pub(crate) fn exit_record(&self) -> Option<ExitRecord> {
        matches!(self.state(), State::Dead | State::Down)
            .then(|| self.last_death().map_or_else(ExitRecord::orphaned, |last| last.1))
    }

    /// The last exit of a process of this actor, and its incarnation.
    pub(crate) fn last_death(&self) -> Option<(u64, ExitRecord)> {
        let page = &self.0;
        let (of, bytes) = self
            .consistently(|| (page.record_of.load(SeqCst), read_text(&page.exit_record, &page.record_len)))?;
        (of != 0 || !bytes.is_empty())
            .then(|| (of, postcard::from_bytes(&bytes).unwrap_or_else(|_| ExitRecord::orphaned())))
    }

    /// The exit of this incarnation, if the page still remembers it.
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

    /// Reads exit records consistently: again, if a supervisor wrote meanwhile.
    fn consistently<T>(&self, read: impl Fn() -> T) -> Option<T> {
        for _ in 0..1000 {
            let before = self.0.deaths.load(SeqCst);
            let found = read();
            if before.is_multiple_of(2) && self.0.deaths.load(SeqCst) == before {
                return Some(found);
            }
            std::hint::spin_loop();
        }
        // A supervisor was killed while it wrote. Its successor writes the record anew.
        None
    }
}

impl ExitRecord {
    /// What is known of an actor whose supervisor was killed before it recorded the exit.
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
            said: None,
        }
    }

    /// Why the actor ended: the reason of its last process, unless something came after that.
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
        // Callers beyond the first two time out. This record is only for processes that missed several exits.
        let unanswered = self.unanswered.iter().copied().take(2).collect();
        ExitRecord { reason, refusal: None, in_progress, unanswered, said: None, ..self.clone() }
    }
}
