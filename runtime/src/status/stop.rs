//! Requests to stop: which incarnation, how, and from which requester.
//!
//! Each word names its incarnation. So a late request does not affect the next process, and no word has to be
//! cleared before that one starts.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::StatusPage;
use crate::sys::memfd::word_enum;
use crate::types::exit::StoppedBy;

word_enum! {
    /// How an actor is to end.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) enum StopMode {
        /// After the message in progress.
        Stop = 1,
        /// After the messages that are queued.
        Drain = 2,
    }
}

/// An order as it lies in the page: the low bits of the incarnation, and what is ordered.
fn word(incarnation: u64, order: u32) -> u64 {
    incarnation << 32 | u64::from(order)
}

/// The order in a word, if it is one to this incarnation.
fn order(word: u64, incarnation: u64) -> Option<u32> {
    let of_this = word >> 32 == incarnation & u64::from(u32::MAX);
    Some(word as u32).filter(|&order| of_this && order != 0)
}

impl StatusPage {
    pub(crate) fn request_stop(&self, incarnation: u64, mode: StopMode, by: StoppedBy) {
        let _ = self.0.stop.fetch_update(SeqCst, SeqCst, |known| {
            // The first requester counts; of the modes, the most urgent one does.
            let (old_mode, old_by) =
                order(known, incarnation).map_or((0, 0), |known| (known >> 8, known & 255));
            let mode = if old_mode == 0 || mode == StopMode::Stop { mode.to_word() } else { old_mode };
            let by = if old_by == 0 { by.to_word() + 1 } else { old_by };
            Some(word(incarnation, mode << 8 | by))
        });
    }

    /// How the process that is there now, or was there last, is to end.
    pub(crate) fn stop_requested(&self) -> Option<StopMode> {
        let ordered = order(self.0.stop.load(SeqCst), self.incarnation())?;
        Some(StopMode::from_word(ordered >> 8).unwrap_or(StopMode::Stop))
    }

    fn asker(&self) -> Option<StoppedBy> {
        let ordered = order(self.0.stop.load(SeqCst), self.incarnation())?;
        (ordered & 255).checked_sub(1).and_then(StoppedBy::from_word)
    }

    /// Whether its supervisor requested its end, at the end of the program or before.
    pub(crate) fn is_stopped_by_supervisor(&self) -> bool {
        matches!(self.asker(), Some(StoppedBy::Program | StoppedBy::Supervisor))
    }

    /// Whether the program, a ref or the supervisor requested its end.
    pub(crate) fn was_ordered(&self) -> bool {
        matches!(self.asker(), Some(StoppedBy::Program | StoppedBy::Ref | StoppedBy::Supervisor))
    }

    pub(crate) fn stopped_by(&self) -> StoppedBy {
        self.asker().unwrap_or(StoppedBy::Signal)
    }

    /// Notes that the holder of a ref is about to stop this incarnation, and gives it this grace. Of several,
    /// the last one counts.
    pub(crate) fn note_grace(&self, incarnation: u64, grace: Duration) {
        let millis = u32::try_from(grace.as_millis()).unwrap_or(u32::MAX);
        self.0.grace.store(word(incarnation, millis.max(1)), SeqCst);
    }

    /// The grace that a holder of a ref gives to the process that is there now, if one does. For its
    /// supervisor, which knows how long a stop may take at least: a lie lets a process hang for longer.
    pub(crate) fn grace_noted(&self) -> Option<Duration> {
        let millis = order(self.0.grace.load(SeqCst), self.incarnation())?;
        Some(Duration::from_millis(millis.into()))
    }

    /// Notes that the holder of a ref is about to send SIGKILL to this incarnation; `after` is the grace that
    /// it had.
    pub(crate) fn note_kill(&self, incarnation: u64, after: Option<Duration>) {
        let millis = after.map_or(0, |after| u32::try_from(after.as_millis()).unwrap_or(u32::MAX - 2) + 1);
        self.0.kill.store(word(incarnation, millis.saturating_add(1)), SeqCst);
    }

    /// Whether a holder of a ref killed it, and after which grace. For reports.
    pub(crate) fn kill_noted(&self) -> Option<Option<Duration>> {
        let noted = order(self.0.kill.load(SeqCst), self.incarnation())?;
        Some((noted - 1).checked_sub(1).map(|millis| Duration::from_millis(millis.into())))
    }

    /// Cancels every process after this incarnation. Its supervisor checks this before a start, during a
    /// delayed one, and again when a process is up.
    pub(crate) fn call_off_after(&self, incarnation: u64) {
        self.0.called_off.store(incarnation.wrapping_add(1), SeqCst);
    }

    /// Whether the start of this incarnation has been called off.
    pub(crate) fn is_called_off(&self, incarnation: u64) -> bool {
        incarnation != 0 && self.0.called_off.load(SeqCst) == incarnation
    }

    /// Clears the cancellation: it took effect, or a requested start overrides it.
    pub(crate) fn call_on(&self) {
        self.0.called_off.store(0, SeqCst);
    }
}
