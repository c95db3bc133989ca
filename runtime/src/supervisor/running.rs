//! The process of a child, from its fork to its exit.
//!
//! Two things may go on at once, and each has a type of its own, whose times and descriptors exist only while
//! it goes on:
//!
//! - the start, [`Starting`], until the process is known to be ready;
//! - the end, [`Stage`]: left to run, stopping by itself, asked to stop, being killed.
//!
//! They are independent, because a process can be asked to stop before it is ready. The types rule out: a
//! time to kill a process that neither stops nor is to be killed; a stop order without its time
//! and requester; a start limit, a latch or lent descriptors of a process that is known to be ready.
//!
//! Nothing here makes a system call, except to close what is no longer needed and to ask the kernel about a
//! latch.

use std::os::fd::OwnedFd;
use std::time::Duration;

use super::watch::Watch;
use crate::child::setup::Latch;
use crate::policy::Shutdown;
use crate::status::StopMode;
use crate::supervisor::exit_cause::KillReason;
use crate::sys::clock;
use crate::types::exit::StoppedBy;

pub(super) struct RunningProcess {
    pid: i32,
    /// `None`: it is known to be ready.
    starting: Option<Starting>,
    stage: Stage,
    /// What was observed of its progress, and when to look next.
    watch: Watch,
    /// The receiving end of its requests. Never read here, but kept for the own supervisor that the child may
    /// request later. A declared supervisor has none.
    control: Option<OwnedFd>,
}

/// A start that is under way.
pub(super) struct Starting {
    /// When the process must be ready. `None`: that moment has passed.
    pub(super) until: Option<u64>,
    /// Its notification bit says that it is ready; the page may no longer say so.
    pub(super) rang: bool,
    /// The child was down before this process.
    pub(super) was_down: bool,
    /// The latch that released it, if it was a standby process.
    pub(super) latch: Option<Latch>,
    /// Descriptors that it may still take over from the supervisor's table. They stay until it is known to
    /// have a table of its own, or has ended.
    pub(super) lent: Vec<OwnedFd>,
}

/// How far the end of a process has come. Each stage carries its own times.
#[derive(Debug)]
pub(super) enum Stage {
    /// The supervisor wants it to run.
    Running,
    /// It stops without having been asked by its supervisor: for a ref, for a signal from outside, or to be
    /// replaced by a fresh process. Killed at `kill_at`, which is the end of its grace.
    Leaving { by: StoppedBy, grace: Duration, kill_at: u64 },
    /// Asked to stop. Killed at `kill_at`, unless it may take as long as it likes.
    Stopping { order: StopOrder, kill_at: Option<u64> },
    /// To be killed for `why`, or killed already; it is killed (again) at `kill_at`. A request to stop may
    /// have come before or after that.
    Killed { why: KillReason, order: Option<StopOrder>, kill_at: Option<u64> },
}

/// What a process was asked to do, when, and on whose behalf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StopOrder {
    pub(super) mode: StopMode,
    pub(super) at: u64,
    pub(super) by: StoppedBy,
}

impl RunningProcess {
    pub(super) fn new(
        pid: i32,
        starting: Starting,
        watch: Watch,
        control: Option<OwnedFd>,
    ) -> RunningProcess {
        RunningProcess { pid, starting: Some(starting), stage: Stage::Running, watch, control }
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    pub(super) fn control(&self) -> Option<&OwnedFd> {
        self.control.as_ref()
    }

    /// When it is to be checked next.
    pub(super) fn due(&self) -> Option<u64> {
        let start = self.starting.as_ref().and_then(|starting| starting.until);
        [start, self.watch.due(), self.stage.kill_at()].into_iter().flatten().min()
    }

    /// Notes that its notification bit says that it is ready. Has no effect on a process that is known to be
    /// ready.
    pub(super) fn note_ring(&mut self) {
        if let Some(starting) = &mut self.starting {
            starting.rang = true;
        }
    }

    pub(super) fn rang(&self) -> bool {
        self.starting.as_ref().is_some_and(|starting| starting.rang)
    }

    /// Whether its start limit is over while it is not known to be ready.
    pub(super) fn is_late(&self, now: u64) -> bool {
        self.starting.as_ref().and_then(|starting| starting.until).is_some_and(|at| at <= now)
    }

    /// Drops the start limit after it was checked, so that it is checked once.
    pub(super) fn drop_start_limit(&mut self) {
        if let Some(starting) = &mut self.starting {
            starting.until = None;
        }
    }

    /// Ends the start, because the process is known to be ready: closes what belongs to it. Returns whether
    /// the child was down before.
    pub(super) fn finish_start(&mut self) -> bool {
        let Some(Starting { was_down, lent, latch, .. }) = self.starting.take() else { return false };
        drop(lent);
        drop(latch);
        was_down
    }

    /// Whether it was a standby process and has not passed its latch. The kernel is asked.
    pub(super) fn waits_at_latch(&self) -> bool {
        let latch = self.starting.as_ref().and_then(|starting| starting.latch.as_ref());
        latch.is_some_and(Latch::is_unpassed)
    }

    pub(super) fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    pub(super) fn stage(&self) -> &Stage {
        &self.stage
    }

    pub(super) fn stage_mut(&mut self) -> &mut Stage {
        &mut self.stage
    }

    /// What it was asked to do, and why it was killed, if it was.
    pub(super) fn take_end(&mut self) -> (Option<StopOrder>, Option<KillReason>) {
        match std::mem::replace(&mut self.stage, Stage::Running) {
            Stage::Running | Stage::Leaving { .. } => (None, None),
            Stage::Stopping { order, .. } => (Some(order), None),
            Stage::Killed { why, order, .. } => (order, Some(why)),
        }
    }
}

impl Stage {
    pub(super) fn order(&self) -> Option<StopOrder> {
        match self {
            Stage::Running | Stage::Leaving { .. } => None,
            Stage::Stopping { order, .. } => Some(*order),
            Stage::Killed { order, .. } => *order,
        }
    }

    /// When to kill the process.
    pub(super) fn kill_at(&self) -> Option<u64> {
        match self {
            Stage::Running => None,
            Stage::Leaving { kill_at, .. } => Some(*kill_at),
            Stage::Stopping { kill_at, .. } | Stage::Killed { kill_at, .. } => *kill_at,
        }
    }

    pub(super) fn is_due(&self, now: u64) -> bool {
        self.kill_at().is_some_and(|at| at <= now)
    }

    pub(super) fn is_killed(&self) -> bool {
        matches!(self, Stage::Killed { .. })
    }

    /// Whether this order was not given before: after a stop, no order is new.
    pub(super) fn is_news(&self, mode: StopMode) -> bool {
        self.order().is_none_or(|order| order.mode != StopMode::Stop && order.mode != mode)
    }

    /// Notes that it stops by itself, unless it is to end anyway.
    pub(super) fn leave(&mut self, by: StoppedBy, grace: Duration, now: u64) {
        if let Stage::Running = self {
            *self = Stage::Leaving { by, grace, kill_at: now.saturating_add(clock::nanos(grace)) };
        }
    }

    /// Notes that it is asked to stop. An earlier time and an earlier reason to kill it stay.
    pub(super) fn ask(&mut self, new: StopOrder) {
        match self {
            Stage::Running => *self = Stage::Stopping { order: new, kill_at: None },
            Stage::Leaving { kill_at, .. } => {
                *self = Stage::Stopping { order: new, kill_at: Some(*kill_at) };
            }
            Stage::Stopping { order, .. } => *order = new,
            Stage::Killed { order, .. } => *order = Some(new),
        }
    }

    /// Sets when a process that is to end is killed. No process is killed without having been asked to stop,
    /// or without a reason.
    pub(super) fn set_kill_at(&mut self, at: u64) {
        match self {
            Stage::Running => {}
            Stage::Leaving { kill_at, .. } => *kill_at = at,
            Stage::Stopping { kill_at, .. } | Stage::Killed { kill_at, .. } => *kill_at = Some(at),
        }
    }

    /// Notes that it is to be killed for this reason, which replaces an earlier one.
    pub(super) fn kill(&mut self, why: KillReason) {
        let (order, kill_at) = (self.order(), self.kill_at());
        *self = Stage::Killed { why, order, kill_at };
    }

    /// Notes that it is killed together with everything else. An earlier reason stays.
    pub(super) fn kill_with_all(&mut self) {
        if !self.is_killed() {
            self.kill(KillReason::Killed { by: StoppedBy::Program, after: None });
        }
    }

    /// Notes that it is killed now, and not again by itself. Without an earlier reason, the reason is that it
    /// did not stop when asked.
    pub(super) fn use_force(&mut self, shutdown: Shutdown) {
        let ordered = match shutdown {
            Shutdown::Timeout(grace) => Some(grace),
            Shutdown::BrutalKill | Shutdown::Infinity => None,
        };
        match *self {
            Stage::Leaving { by, grace, .. } => self.kill(KillReason::Killed { by, after: Some(grace) }),
            Stage::Stopping { order: StopOrder { by, .. }, .. } => {
                self.kill(KillReason::Killed { by, after: ordered });
            }
            Stage::Running | Stage::Killed { .. } => {}
        }
        if let Stage::Killed { kill_at, .. } = self {
            *kill_at = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOP: StopOrder = StopOrder { mode: StopMode::Stop, at: 5, by: StoppedBy::Supervisor };
    const DRAIN: StopOrder = StopOrder { mode: StopMode::Drain, at: 3, by: StoppedBy::Program };
    const GRACE: Duration = Duration::from_secs(1);
    const SLOW: KillReason = KillReason::DeadlineExceeded { method: 1, after: Duration::from_secs(1) };

    fn process() -> RunningProcess {
        let starting =
            Starting { until: Some(100), rang: false, was_down: true, latch: None, lent: Vec::new() };
        RunningProcess::new(7, starting, Watch::default(), None)
    }

    #[test]
    fn a_process_that_is_left_to_run_has_no_time_to_be_killed() {
        let mut stage = Stage::Running;
        stage.set_kill_at(9);
        stage.use_force(Shutdown::BrutalKill);
        assert!(matches!(stage, Stage::Running));
        assert_eq!((stage.kill_at(), stage.order()), (None, None));
    }

    #[test]
    fn a_drain_can_become_a_stop_and_a_stop_stays_one() {
        let mut stage = Stage::Running;
        assert!(stage.is_news(StopMode::Drain));
        stage.ask(DRAIN);
        assert!(!stage.is_news(StopMode::Drain) && stage.is_news(StopMode::Stop));
        stage.ask(STOP);
        assert!(!stage.is_news(StopMode::Drain) && !stage.is_news(StopMode::Stop));
        assert_eq!(stage.order(), Some(STOP));
    }

    #[test]
    fn a_process_that_does_not_stop_is_killed_for_those_who_asked() {
        let mut process = process();
        process.stage_mut().ask(STOP);
        process.stage_mut().set_kill_at(50);
        assert!(!process.stage().is_due(49) && process.stage().is_due(50));
        process.stage_mut().use_force(Shutdown::Timeout(Duration::from_secs(2)));
        assert_eq!(process.stage().kill_at(), None);
        let (order, why) = process.take_end();
        assert_eq!(order, Some(STOP));
        let killed = KillReason::Killed { by: STOP.by, after: Some(Duration::from_secs(2)) };
        assert_eq!(why, Some(killed));
    }

    #[test]
    fn a_process_that_stops_by_itself_has_a_time_to_be_killed_and_no_order() {
        let mut stage = Stage::Running;
        stage.leave(StoppedBy::Signal, GRACE, 50);
        stage.leave(StoppedBy::Ref, GRACE, 90);
        assert_eq!((stage.kill_at(), stage.order()), (Some(1_000_000_050), None));
        assert!(!stage.is_killed() && stage.is_news(StopMode::Drain));
        stage.use_force(Shutdown::Timeout(Duration::from_secs(5)));
        let killed = KillReason::Killed { by: StoppedBy::Signal, after: Some(GRACE) };
        assert!(matches!(&stage, Stage::Killed { why, order: None, kill_at: None } if *why == killed));
        stage.leave(StoppedBy::Signal, GRACE, 99);
        assert_eq!(stage.kill_at(), None);
    }

    #[test]
    fn an_order_to_a_process_that_stops_already_keeps_its_time() {
        let mut stage = Stage::Running;
        stage.leave(StoppedBy::Signal, GRACE, 50);
        stage.ask(STOP);
        assert_eq!((stage.kill_at(), stage.order()), (Some(1_000_000_050), Some(STOP)));
        stage.leave(StoppedBy::Signal, GRACE, 99);
        assert_eq!(stage.kill_at(), Some(1_000_000_050));
    }

    #[test]
    fn the_first_reason_to_kill_stays_whatever_is_asked_after_it() {
        let mut stage = Stage::Running;
        stage.kill(SLOW);
        stage.set_kill_at(50);
        stage.ask(STOP);
        assert_eq!((stage.kill_at(), stage.order()), (Some(50), Some(STOP)));
        stage.use_force(Shutdown::BrutalKill);
        stage.kill_with_all();
        assert!(matches!(stage, Stage::Killed { why: SLOW, order: Some(STOP), kill_at: None }));
    }

    #[test]
    fn a_start_that_is_over_has_neither_limit_nor_ring() {
        let mut process = process();
        process.note_ring();
        assert!(process.rang() && process.is_late(100) && !process.is_late(99));
        assert_eq!(process.due(), Some(100));
        assert!(process.finish_start(), "it was down");
        process.note_ring();
        assert!(!process.rang() && !process.is_late(u64::MAX) && process.due().is_none());
        assert!(!process.finish_start());
    }

    #[test]
    fn a_start_limit_is_looked_at_once() {
        let mut process = process();
        process.drop_start_limit();
        assert!(!process.is_late(u64::MAX) && !process.waits_at_latch());
        assert!(process.finish_start());
    }
}
