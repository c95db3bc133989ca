//! What those write who want a stop: how, and who they are.

use std::sync::atomic::Ordering::SeqCst;

use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::exit::StoppedBy;

/// How an actor is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StopMode {
    /// After the message in progress.
    Stop = 1,
    /// After the messages that are queued.
    Drain = 2,
}

impl Ledger {
    pub(crate) fn request_stop(&self, mode: StopMode, by: StoppedBy) {
        // The first to ask is who stopped it; the mode is the most urgent one.
        let _ = self.0.stop_by.compare_exchange(0, by as u32 + 1, SeqCst, SeqCst);
        let urgent = |old: u32| (old == 0 || mode == StopMode::Stop).then_some(mode as u32);
        let _ = self.0.stop_mode.fetch_update(SeqCst, SeqCst, urgent);
    }

    pub(crate) fn stop_requested(&self) -> Option<StopMode> {
        match self.0.stop_mode.load(SeqCst) {
            0 => None,
            2 => Some(StopMode::Drain),
            _ => Some(StopMode::Stop),
        }
    }

    /// Whether somebody has asked for its end through a ref, or its supervisor has.
    pub(crate) fn was_ordered(&self) -> bool {
        matches!(self.0.stop_by.load(SeqCst), 1..=3)
    }

    pub(crate) fn stopped_by(&self) -> StoppedBy {
        match self.0.stop_by.load(SeqCst) {
            1 => StoppedBy::Program,
            2 => StoppedBy::Ref,
            3 => StoppedBy::Supervisor,
            5 => StoppedBy::Itself,
            _ => StoppedBy::Signal,
        }
    }
}
