//! What becomes of the items of a worker that has died.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::OnLoss;
use super::dispatcher::Dispatcher;
use super::error::PoolError;
use super::job::{Deliveries, Outcome, Piece};
use super::schedule::{Schedule, Vacated};
use super::worker_handle::{KillReason, Lost, WorkerHandle};
use crate::types::exit::ExitReason;

/// How often an item is tried again if its worker died while it read the arguments: no code of the task had
/// run.
const READS: u32 = 3;

impl Dispatcher {
    /// A worker has ended: items that it had not begun go to others, the item in progress is lost or tried
    /// again.
    pub(super) fn remove_worker(
        &self,
        schedule: &mut Schedule,
        index: usize,
        reason: &ExitReason,
        out: &mut Deliveries,
    ) {
        let Some(vacated) = schedule.vacate(index, reason, out) else { return };
        let Vacated { handle, reason, remains, is_crash } = vacated;
        if is_crash {
            self.tally.crashes.fetch_add(1, Ordering::Relaxed);
            let (pool, at, reason) = (self.options.name.clone(), Arc::clone(&handle.at), reason.clone());
            schedule.log(move || {
                let (worker, pid) = (&*at.name, at.pid);
                tracing::warn!(pool, worker, pid, %reason, "worker ended");
            });
        }
        let mut untouched = Vec::new();
        for lost in &remains.lost {
            match self.outcome_of_loss(schedule, lost, &reason, &handle) {
                Some(outcome) => fail(&lost.piece, out, outcome),
                None => untouched.push(lost.piece.clone()),
            }
        }
        untouched.extend(remains.untouched);
        if schedule.is_cut_off() {
            let broken = schedule.broken();
            for piece in untouched {
                fail(&piece, out, || stopped(broken.as_ref()));
            }
        } else {
            schedule.requeue(untouched);
        }
    }

    /// The outcome of an item whose worker died while it ran; `None`: it is tried again.
    fn outcome_of_loss<'a>(
        &self,
        schedule: &mut Schedule,
        lost: &'a Lost,
        reason: &'a ExitReason,
        handle: &'a WorkerHandle,
    ) -> Option<impl Fn() -> Outcome + use<'a>> {
        let losses = lost.piece.job.count_loss();
        let task = lost.piece.job.function.short_name();
        let allowed = match self.options.on_loss {
            OnLoss::Retry(more) => more.saturating_add(1),
            OnLoss::Fail | OnLoss::Break => 1,
        };
        let allowed = allowed.max(lost.attempts).max(if lost.unread { READS } else { 1 });
        let aborted = schedule.is_cut_off();
        if lost.kill_reason.is_none() && !aborted && losses < allowed {
            return None;
        }
        if self.options.on_loss == OnLoss::Break && lost.kill_reason.is_none() && !aborted {
            let error = PoolError::Lost { pool: self.options.name.clone(), reason: reason.clone() };
            self.break_down(schedule, error);
        }
        Some(move || match &lost.kill_reason {
            Some(KillReason::Cancelled) => Outcome::Cancelled(Some(Arc::clone(&handle.at))),
            Some(KillReason::Broken(error)) => Outcome::Broken(Arc::clone(error)),
            Some(KillReason::Late(after)) => {
                let reason = ExitReason::DeadlineExceeded { method: task.to_owned(), after: *after };
                Outcome::Died(reason, Arc::clone(&handle.at))
            }
            None => Outcome::Died(reason.clone(), Arc::clone(&handle.at)),
        })
    }
}

/// The outcome of items that are never begun, since the pool has ended.
pub(super) fn stopped(broken: Option<&Arc<PoolError>>) -> Outcome {
    broken.map_or(Outcome::Cancelled(None), |error| Outcome::Broken(Arc::clone(error)))
}

/// Every item of `piece` gets this outcome.
pub(super) fn fail(piece: &Piece, out: &mut Deliveries, outcome: impl Fn() -> Outcome) {
    let sink = &piece.job.sink;
    (0..piece.len() as u32).for_each(|n| out.push(sink, piece.index(n), outcome()));
}
