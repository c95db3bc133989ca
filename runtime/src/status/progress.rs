//! The message in progress: which it is, how often it was begun, which callers would miss its reply.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::StatusPage;
use super::layout::{CANCELLED, UNANSWERED, UNHEARD};
use crate::sys::clock;
use crate::sys::memfd::word_enum;

word_enum! {
    /// What an actor's main thread is doing.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Phase {
        Idle = 0,
        Handling = 1,
        Stopping = 2,
        /// The message is handled, and its reply is being sent.
        Answering = 3,
    }
}

/// The message an actor was busy with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) session: u64,
    pub(crate) seq: u64,
    pub(crate) method: u32,
    pub(crate) since: u64,
    /// When the handler is to be killed, by its caller's wish; 0 for never.
    pub(crate) limit: u64,
    /// It was handled, and its reply is being sent.
    pub(crate) answering: bool,
}

/// The place of a call among those that were taken back, and what stands there: nothing that another process
/// can make without the session, which is random. Calls in a row have places of their own.
fn mark(session: u64, seq: u64) -> (usize, u64) {
    let place = session.wrapping_add(seq) % CANCELLED as u64;
    (place as usize, (session.rotate_left(32) ^ seq).max(1))
}

impl StatusPage {
    pub(crate) fn handled(&self) -> u64 {
        self.0.handled.load(Relaxed)
    }

    /// Counts a purge: everything that was sent up to here is thrown away, wherever it is.
    pub(crate) fn count_purge(&self) {
        self.0.purges.fetch_add(1, SeqCst);
    }

    /// How often the mailbox was purged. A message carries the count that its sender read here; one with an
    /// earlier count is reported as lost and not handled.
    pub(crate) fn purges(&self) -> u64 {
        self.0.purges.load(SeqCst)
    }

    pub(crate) fn begin(&self, session: u64, seq: u64, method: u32, limit: u64) {
        let page = &self.0;
        page.progress.fetch_add(1, SeqCst);
        if !self.has_begun(session, seq) {
            page.seq.store(0, SeqCst);
        }
        page.session.store(session, Relaxed);
        page.limit.store(limit, Relaxed);
        page.method.store(method, Relaxed);
        page.since.store(clock::now(), Relaxed);
        page.words_len.store(0, Relaxed);
        page.phase.store(Phase::Handling.to_word(), SeqCst);
        // Stored last: whenever the process is killed, either it has not begun this message, or the page
        // shows that it has.
        page.seq.store(seq, SeqCst);
        page.progress.fetch_add(1, SeqCst);
    }

    pub(crate) fn finish(&self) {
        self.count_handled();
        self.enter(Phase::Idle);
    }

    pub(crate) fn count_handled(&self) {
        self.0.handled.fetch_add(1, Relaxed);
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.progress.fetch_add(1, SeqCst);
        self.0.since.store(clock::now(), Relaxed);
        self.0.phase.store(phase.to_word(), Relaxed);
        self.0.progress.fetch_add(1, SeqCst);
    }

    /// In a caller: a call of its that has not begun is not to begin. The marks of many calls may take each
    /// other's place: then some are run.
    pub(crate) fn cancel(&self, session: u64, seq: u64) {
        let (place, mark) = mark(session, seq);
        self.0.cancelled[place].store(mark, SeqCst);
        self.0.cancels.store(1, SeqCst);
    }

    /// In the actor: whether the caller has taken this call back.
    pub(crate) fn is_cancelled(&self, session: u64, seq: u64) -> bool {
        // The marks lie on a page of memory that most actors never touch.
        self.0.cancels.load(SeqCst) != 0 && {
            let (place, mark) = mark(session, seq);
            self.0.cancelled[place].load(SeqCst) == mark
        }
    }

    /// Whether this message is the one that was begun last, in this process or in an earlier one.
    pub(crate) fn has_begun(&self, session: u64, seq: u64) -> bool {
        self.0.session.load(SeqCst) == session && self.0.seq.load(SeqCst) == seq
    }

    /// The incarnation that died in the message begun last; 0 if that message was finished or dealt with.
    pub(crate) fn interrupted(&self) -> u64 {
        self.0.interrupted.load(SeqCst)
    }

    /// Notes that the interrupted message was dealt with.
    pub(crate) fn settle_interrupted(&self) {
        self.0.interrupted.store(0, SeqCst);
    }

    /// Counts how often a message has been begun: once more, or for the first time.
    pub(crate) fn count_attempt(&self, again: bool) {
        let attempts = if again { self.attempts().saturating_add(1) } else { 1 };
        self.0.attempts.store(attempts, SeqCst);
    }

    /// How often the message that was begun last has been begun.
    pub(crate) fn attempts(&self) -> u32 {
        self.0.attempts.load(SeqCst)
    }

    /// Names the callers that would miss replies if this process died now.
    pub(crate) fn list_unanswered(&self, callers: impl Iterator<Item = (u64, u64)>) {
        let mut count = 0;
        for (session, up_to) in callers {
            if let Some(place) = self.0.unanswered.get(count) {
                place.store(session, SeqCst);
                self.0.unanswered_up_to[count].store(up_to, SeqCst);
            }
            count += 1;
        }
        self.0.unanswered_len.store(count as u32, SeqCst);
    }

    /// The callers that would miss replies; a 0 stands for all that the list has no room for.
    pub(crate) fn unanswered(&self) -> Vec<(u64, u64)> {
        let len = self.0.unanswered_len.load(SeqCst) as usize;
        let listed = self.0.unanswered.iter().zip(&self.0.unanswered_up_to).take(len);
        let mut callers: Vec<(u64, u64)> =
            listed.map(|(session, up_to)| (session.load(SeqCst), up_to.load(SeqCst))).collect();
        if len > UNANSWERED {
            callers.push((0, u64::MAX));
        }
        callers
    }

    /// Names a call that gets no reply because its caller's reply channel is not here. The actor rings next.
    pub(crate) fn leave_unheard(&self, session: u64, seq: u64) {
        let count = self.0.unheard.load(SeqCst);
        let place = (count % UNHEARD as u64) as usize;
        self.0.unheard_session[place].store(session, SeqCst);
        self.0.unheard_seq[place].store(seq, SeqCst);
        self.0.unheard.store(count.wrapping_add(1), SeqCst);
    }

    /// How many calls got no reply for want of a reply channel; and the last one of this caller among those
    /// after the first `seen`, as far as the page remembers. A forged entry ends calls to this actor only.
    pub(crate) fn unheard(&self, session: u64, seen: u64) -> (u64, Option<u64>) {
        let count = self.0.unheard.load(SeqCst);
        if count == seen {
            return (count, None);
        }
        let news = count.wrapping_sub(seen).min(UNHEARD as u64);
        let places = (1..=news).map(|back| (count.wrapping_sub(back) % UNHEARD as u64) as usize);
        let own = places.filter(|&place| self.0.unheard_session[place].load(SeqCst) == session);
        (count, own.map(|place| self.0.unheard_seq[place].load(SeqCst)).max())
    }

    pub(crate) fn method_in_progress(&self) -> Option<u32> {
        (self.phase() == Phase::Handling).then(|| self.0.method.load(Relaxed))
    }

    pub(crate) fn phase(&self) -> Phase {
        Phase::from_word(self.0.phase.load(Relaxed)).unwrap_or(Phase::Idle)
    }

    /// Since when the actor has been in its phase, or in this message.
    pub(crate) fn since(&self) -> u64 {
        self.0.since.load(Relaxed)
    }

    /// The message in progress. A hung actor no longer changes the fields. For a running one, two equal and
    /// even reads of the counter around them show that they belong together.
    pub(crate) fn progress(&self) -> Option<Progress> {
        for _ in 0..100 {
            let before = self.0.progress.load(SeqCst);
            let progress = self.last_progress();
            let after = self.0.progress.load(SeqCst);
            if before == after && before.is_multiple_of(2) {
                return progress;
            }
        }
        None
    }

    /// The message that a dead process was busy with. It may have been killed while it wrote here, but now it
    /// no longer writes.
    pub(crate) fn last_progress(&self) -> Option<Progress> {
        let page = &self.0;
        let (phase, seq) = (self.phase(), page.seq.load(SeqCst));
        let busy = matches!(phase, Phase::Handling | Phase::Answering) && seq != 0;
        busy.then(|| Progress {
            session: page.session.load(Relaxed),
            seq,
            method: page.method.load(Relaxed),
            since: page.since.load(Relaxed),
            limit: page.limit.load(Relaxed),
            answering: phase == Phase::Answering,
        })
    }

    /// A number that changes with everything the actor does.
    pub(crate) fn moves(&self) -> u64 {
        self.0.progress.load(SeqCst)
    }
}
