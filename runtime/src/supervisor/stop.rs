//! How children are ended: by the clock, one after the other, or all at once.

use std::time::Duration;

use super::actions::kill_group;
use super::running::{RunningProcess, StopOrder};
use super::watch::{Busy, Idle, Look};
use super::{Child, Supervisor};
use crate::control::orphans;
use crate::control::request::Kind;
use crate::policy::{Event, Shutdown};
use crate::status::{Phase, State, StopMode};
use crate::supervisor::events;
use crate::supervisor::exit_cause::{KillReason, TAKING};
use crate::sys::signal::Mask;
use crate::sys::{clock, poll, process, procfs};
use crate::types::exit::StoppedBy;

/// How long a process may take for its panic report after SIGABRT.
const AFTER_ABORT: u64 = 50_000_000;

/// How often an actor that drains its mailbox is checked.
const WHILE_DRAINING: u64 = 50_000_000;

/// How long a tear-down may take before the supervisor exits all the same.
const TEAR_DOWN: Duration = Duration::from_secs(5);

impl Supervisor {
    /// Begins to end on SIGTERM: a declared supervisor reads from its page how.
    pub(super) fn begin_to_end(&mut self) {
        let asked = self.declared.as_ref().and_then(|declared| declared.page.stop_requested());
        self.ending.begin(asked.unwrap_or(StopMode::Stop));
    }

    /// Kills everything and exits with this code: the owner is gone.
    pub(super) fn tear_down(&mut self, code: i32) -> ! {
        let deadline = clock::after(TEAR_DOWN);
        self.leaving = true;
        events::tear_down();
        for running in self.children.values_mut().filter_map(|child| child.running.as_mut()) {
            running.stage_mut().kill_with_all();
        }
        loop {
            let left = procfs::children(process::pid());
            left.iter().for_each(|&pid| orphans::kill_with_group(pid));
            self.reap_children();
            if left.is_empty() || clock::now() > deadline {
                self.pass_rest_of_output_on();
                process::exit_now(code);
            }
            // SIGCHLD interrupts this; a child that was forked meanwhile is found after it.
            let _ = poll::wait(&[], Some(Duration::from_millis(5)), Some(&Mask::of(&[])));
        }
    }

    /// Takes the next step of an orderly end, if one has begun: daemons are stopped first. Then a declared
    /// supervisor follows its policy; in an own supervisor, tasks end by themselves, and actors are stopped
    /// in reverse order of their start, one after the other.
    pub(super) fn go_on_ending(&mut self) {
        let Some(mode) = self.ending.mode() else { return };
        let alive = self.children.iter_mut().filter(|(_, child)| child.running.is_some());
        let mut daemons = alive.filter(|(_, child)| child.spec().options.daemon).peekable();
        if daemons.peek().is_some() {
            return daemons.for_each(|(&key, child)| {
                child.ask_to_stop(StopMode::Stop, StoppedBy::Program);
                self.timers.watch(key);
            });
        }
        if self.declared.is_some() {
            if self.ending.announce() {
                self.tell_policy(Event::Shutdown);
            }
            return;
        }
        let alive = || self.children.values().filter(|child| child.running.is_some());
        let tasks = || alive().filter(|child| child.spec().kind == Kind::Task);
        if mode == StopMode::Drain && tasks().next().is_some() {
            if self.ending.announce() {
                // A task stopped by a signal would never end, since no process is left that might continue
                // it.
                let running = tasks().filter_map(|task| task.running.as_ref());
                running.for_each(|running| process::kill(running.pid(), process::SIGCONT));
            }
            return;
        }
        match self.children.iter_mut().rev().find(|(_, child)| child.running.is_some()) {
            Some((&key, last)) => {
                last.ask_to_stop(mode, StoppedBy::Program);
                self.timers.watch(key);
            }
            None if self.nested.is_empty() => self.leave(0),
            None => {}
        }
    }

    /// Exits, and leaves nothing behind.
    pub(super) fn leave(&mut self, code: i32) -> ! {
        self.end_children_for_good();
        self.tear_down(code)
    }
}

impl Child {
    /// Stops it as its spec says, on the first request only.
    pub(super) fn ask_to_stop(&mut self, mode: StopMode, by: StoppedBy) {
        let Child { spawn, incarnation, running: Some(running), .. } = self else { return };
        if !running.stage().is_news(mode) {
            return;
        }
        let at = clock::now();
        if mode == StopMode::Drain && spawn.spec.ends_by_itself() {
            running.stage_mut().ask(StopOrder { mode, at, by: StoppedBy::Program });
            return;
        }
        running.stage_mut().ask(StopOrder { mode, at, by });
        spawn.status_page.request_stop(*incarnation, mode, by);
        match (mode, spawn.spec.shutdown()) {
            (_, Shutdown::BrutalKill) => running.stage_mut().set_kill_at(at),
            (StopMode::Stop, Shutdown::Timeout(grace)) => {
                running.stage_mut().set_kill_at(at.saturating_add(clock::nanos(grace)));
            }
            // It is not disturbed while it works.
            (StopMode::Drain, _) => running.watch().look_next(Some(at.saturating_add(WHILE_DRAINING))),
            (StopMode::Stop, Shutdown::Infinity) => {}
        }
        match running.stage().is_due(at) {
            true => running.use_force(spawn.spec.shutdown()),
            false => process::kill_and_continue(running.pid(), process::SIGTERM),
        }
    }

    /// Does what is due: start limit, handler limit, grace.
    pub(super) fn look_at_the_clock(&mut self, now: u64) {
        if self.running.as_ref().is_some_and(|running| running.is_late(now)) {
            self.end_late_start();
        }
        let Child { spawn, running: Some(running), .. } = self else { return };
        if running.stage().is_due(now) {
            running.use_force(spawn.spec.shutdown());
        }
        if running.watch().is_due(now) {
            self.limit_own_stop(now);
            let handler = self.check_handler(now);
            let drain = self.check_drain(now);
            if let Some(running) = &mut self.running {
                running.watch().look_next([handler, drain].into_iter().flatten().min());
            }
        }
    }

    /// Kills a process that is not ready when its start limit is over. Its readiness may not have been
    /// noticed before this.
    fn end_late_start(&mut self) {
        let is_up = self.is_up();
        let Child { spawn, incarnation, running: Some(running), .. } = self else { return };
        running.drop_start_limit();
        if !is_up {
            let (spec, limit) = (&spawn.spec, spawn.spec.start_limit());
            running.stage_mut().kill(KillReason::StartTimeout { after: limit });
            events::killed_by_the_watchdog(spec, running.pid(), *incarnation, "#[init]", limit);
            process::kill(running.pid(), process::SIGKILL);
        }
    }

    /// Checks whether a message has begun that has a limit set by its caller.
    pub(super) fn look_for_limit(&mut self, now: u64) {
        let limited =
            self.running.is_some() && self.status_page().progress().is_some_and(|busy| busy.limit != 0);
        if let Some(running) = self.running.as_mut().filter(|_| limited) {
            running.watch().look_next(Some(now));
        }
    }

    /// Gives a process its grace, and no more, that stops without an order: for a ref, for a signal from
    /// outside, or to be replaced by a fresh process. A ref that gives it more time is right, and may die in
    /// that time.
    pub(super) fn limit_own_stop(&mut self, now: u64) {
        let Shutdown::Timeout(grace) = self.spec().shutdown() else { return };
        let status_page = self.status_page();
        let is_stopping = self.state == State::Ready && status_page.phase() == Phase::Stopping;
        if !is_stopping {
            return;
        }
        let grace = status_page.grace_noted().map_or(grace, |noted| noted.max(grace));
        let is_recycling = self.spec().options.recycle.is_some() && status_page.stop_requested().is_none();
        let by = if is_recycling { StoppedBy::Itself } else { status_page.stopped_by() };
        if let Some(running) = &mut self.running {
            running.stage_mut().leave(by, grace, now);
        }
    }

    /// Ends a handler that overruns its limit. Returns when to look again.
    fn check_handler(&mut self, now: u64) -> Option<u64> {
        let shortest = self.shortest_limit();
        let busy = self.look_at_its_message(now);
        let running = self.running.as_mut()?;
        if running.stage().is_killed() {
            return None;
        }
        let Some(busy) = busy else { return self.check_idle(now, shortest?) };
        let Some(limit) = busy.limit else { return Some(now.saturating_add(shortest?)) };
        // Whatever the child claims, the next look is neither now nor more than a limit away.
        let due = busy.since.saturating_add(limit);
        if due > now {
            return Some(due.min(now.saturating_add(shortest.unwrap_or(limit).min(limit))));
        }
        let after = Duration::from_nanos(now.saturating_sub(busy.since));
        running.stage_mut().kill(KillReason::DeadlineExceeded { method: busy.method, after });
        running.stage_mut().set_kill_at(now.saturating_add(AFTER_ABORT));
        process::kill(running.pid(), process::SIGABRT);
        self.say_that_it_is_killed(busy.method, after);
        None
    }

    /// The message that it is busy with, by its page and by earlier looks. A page that was overwritten is
    /// corrected as far as the supervisor knows better.
    fn look_at_its_message(&mut self, now: u64) -> Option<Busy> {
        let is_up = self.state == State::Ready;
        let is_sound = !is_up || self.status_page().state() == State::Ready;
        if !is_sound {
            self.status_page().restore(self.process());
        }
        // Read first: if the message changes meanwhile, the next look finds another number.
        let moves = self.status_page().moves();
        let told = self.status_page().progress();
        let busy = told.map(|progress| Busy::told(progress, self.limit(progress.method), now));
        let longest = self.longest_limit();
        self.running.as_mut()?.watch().look(Look { moves, is_sound, busy }, longest, now)
    }

    /// Kills an actor that takes no messages although some are queued: its process was stopped, or its
    /// receiving thread is gone. Returns when to look again.
    fn check_idle(&mut self, now: u64, limit: u64) -> Option<u64> {
        let (status_page, is_ready) = (&self.spawn.status_page, self.state == State::Ready);
        let (moves, waiting) =
            (status_page.moves(), status_page.depth().load(std::sync::atomic::Ordering::SeqCst) > 0);
        let running = self.running.as_mut()?;
        let is_idle = is_ready && status_page.phase() == Phase::Idle;
        let could_take = is_idle && waiting && self.spawn.spec.kind == Kind::Actor;
        match running.watch().look_idle(could_take.then_some(moves), limit, now) {
            Idle::LookAgain(at) => Some(at),
            Idle::TooLong(after) => {
                running.stage_mut().kill(KillReason::DeadlineExceeded { method: TAKING, after });
                running.stage_mut().set_kill_at(now);
                None
            }
        }
    }

    /// Kills an actor that was asked to drain its mailbox and neither works nor exits. Returns when to look
    /// again.
    fn check_drain(&mut self, now: u64) -> Option<u64> {
        let (phase, since) = (self.status_page().phase(), self.status_page().since());
        let shutdown = self.spec().shutdown();
        let running = self.running.as_mut()?;
        let StopOrder { mode, at: asked, .. } = running.stage().order()?;
        let Shutdown::Timeout(grace) = shutdown else { return None };
        if mode != StopMode::Drain {
            return None;
        }
        // It has been idle since the time it gives, but at the earliest since the request.
        let idle_since = since.max(asked);
        if phase != Phase::Handling && now.saturating_sub(idle_since.min(now)) >= clock::nanos(grace) {
            running.stage_mut().set_kill_at(now);
        }
        Some(now.saturating_add(WHILE_DRAINING))
    }
}

impl RunningProcess {
    fn use_force(&mut self, shutdown: Shutdown) {
        self.stage_mut().use_force(shutdown);
        kill_group(self.pid());
    }
}
