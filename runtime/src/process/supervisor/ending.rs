//! How children end: by themselves, by the clock, one after the other, or all at once.

use std::os::fd::AsFd;
use std::time::Duration;

use super::{Child, Nested, Supervisor};
use crate::exit::StoppedBy;
use crate::mailbox::ledger::{Phase, State, StopMode};
use crate::process::farewell::{Verdict, epitaph};
use crate::process::request::Kind;
use crate::process::strays;
use crate::sys::signal::Mask;
use crate::sys::{fd, poll, process, time};

/// How long a process has for its last words after SIGABRT.
const AFTER_ABORT: u64 = 50_000_000;

/// How long a supervisor whose actor is gone may take to end what it started.
const AFTER_OWNER: u64 = 500_000_000;

/// How often an actor that is being drained is looked at.
const WHILE_DRAINING: u64 = 50_000_000;

/// How long a tear-down may take before the supervisor leaves all the same.
const TEAR_DOWN: Duration = Duration::from_secs(5);

impl Supervisor {
    /// Takes note of those who have ended: publishes why, ends what they leave behind, reaps them, rings the bell.
    pub(super) fn bury_the_dead(&mut self) {
        while let Some((pid, wait)) = process::ended_child() {
            if let Some(child) = self.children.remove(&pid) {
                // Its group, while its pid still is the group's.
                process::kill(-pid, process::SIGKILL);
                child.ledger.bury(&epitaph(child.methods, &child.ledger, wait, child.verdict.clone()));
                process::reap(pid);
                self.kill_strays();
                fd::shut_down(child.receiver.as_fd());
                self.expect_end_of_nested(child.pid);
            } else {
                // A nested supervisor, or an orphan that came to us. Its own orphans come to us now.
                let nested = self.nested.remove(&pid);
                if nested.is_none() {
                    process::kill(-pid, process::SIGKILL);
                }
                if self.warden == Some(pid) {
                    self.warden = None;
                }
                process::reap(pid);
                self.kill_strays();
                if let Some(nested) = nested {
                    self.note_end_of_nested(nested.owner);
                }
            }
        }
    }

    /// The supervisor of a dead actor notices by itself; if it does not, it is killed.
    fn expect_end_of_nested(&mut self, owner: i32) {
        let at = time::now() + AFTER_OWNER;
        let bereft = self.nested.values_mut().filter(|nested| nested.owner == owner);
        bereft.for_each(|nested| nested.kill_at = Some(at));
    }

    /// Kills children that are not ours: descendants of the dead, for which every subreaper is a foster parent.
    fn kill_strays(&self) {
        for pid in strays::children(process::pid()) {
            let known = self.children.contains_key(&pid) || self.nested.contains_key(&pid);
            if !known && self.warden != Some(pid) {
                strays::kill_with_group(pid);
            }
        }
    }

    /// Everything ends now: the owner is gone.
    pub(super) fn tear_down(&mut self) -> ! {
        let deadline = time::after(TEAR_DOWN);
        loop {
            let left: Vec<i32> = strays::children(process::pid())
                .into_iter()
                .filter(|&pid| Some(pid) != self.warden)
                .collect();
            left.iter().for_each(|&pid| strays::kill_with_group(pid));
            self.bury_the_dead();
            if left.is_empty() || time::now() > deadline {
                // The warden last: until here somebody may still kill us.
                let Some(warden) = self.warden.take() else { process::exit_now(0) };
                process::kill(warden, process::SIGKILL);
                continue;
            }
            // SIGCHLD interrupts this; a child that was born meanwhile is found after it.
            let _ = poll::wait(&[], Some(Duration::from_millis(5)), Some(&Mask::of(&[])));
        }
    }

    /// The next step of an orderly end, if one has begun: daemons first; then tasks end by themselves, and
    /// actors are stopped in reverse order of their start, one after the other.
    pub(super) fn go_on_ending(&mut self) {
        let Some(mode) = self.ending else { return };
        if self.children.values().any(|child| child.spec.daemon) {
            let daemons = self.children.values_mut().filter(|child| child.spec.daemon);
            daemons.for_each(|child| child.ask_to_stop(StopMode::Stop));
            return;
        }
        let waits_for_tasks =
            mode == StopMode::Drain && self.children.values().any(|child| child.spec.kind == Kind::Task);
        if waits_for_tasks {
            return;
        }
        match self.children.values_mut().max_by_key(|child| child.order) {
            Some(last) => last.ask_to_stop(mode),
            None if self.nested.is_empty() => self.leave(),
            None => {}
        }
    }

    /// Leaves, with nothing behind.
    fn leave(&mut self) -> ! {
        self.tear_down()
    }
}

impl Child {
    /// SIGTERM, and force when the grace is over; the first time only.
    fn ask_to_stop(&mut self, mode: StopMode) {
        if self.asked.is_some_and(|(asked, _)| asked == StopMode::Stop || asked == mode) {
            return;
        }
        let (now, grace) = (time::now(), time::nanos(self.spec.grace));
        self.asked = Some((mode, now));
        self.ledger.request_stop(mode, StoppedBy::Program);
        match mode {
            StopMode::Stop => self.kill_at = Some(now.saturating_add(grace)),
            // As long as it works, it is left to work.
            StopMode::Drain => self.check_at = Some(now.saturating_add(WHILE_DRAINING)),
        }
        process::kill(self.pid, process::SIGTERM);
    }

    /// Does what is due: start limit, handler limit, grace.
    pub(super) fn look_at_the_clock(&mut self, now: u64) {
        if self.start_until.is_some_and(|at| at <= now) {
            self.start_until = None;
            if self.ledger.state() < State::Ready {
                self.verdict = Some(Verdict::StartTimeout);
                process::kill(self.pid, process::SIGKILL);
            }
        }
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill_at = None;
            process::kill(-self.pid, process::SIGKILL);
            process::kill(self.pid, process::SIGKILL);
        }
        if self.check_at.is_some_and(|at| at <= now) {
            let handler = self.check_handler(now);
            let drain = self.check_drain(now);
            self.check_at = [handler, drain].into_iter().flatten().min();
        }
    }

    /// Ends a handler that overruns its limit. Answers when to look again.
    fn check_handler(&mut self, now: u64) -> Option<u64> {
        let shortest = self.shortest_limit()?;
        if self.verdict.is_some() {
            return None;
        }
        let Some(busy) = self.ledger.progress() else { return Some(now.saturating_add(shortest)) };
        let Some(limit) = self.limit(busy.method) else { return Some(now.saturating_add(shortest)) };
        // Whatever the child claims, the next look is neither now nor later than a limit from now.
        let since = busy.since.min(now);
        let due = since.saturating_add(limit);
        if due > now {
            return Some(due.min(now.saturating_add(shortest)));
        }
        self.verdict =
            Some(Verdict::DeadlineExceeded { method: busy.method, after: Duration::from_nanos(now - since) });
        self.kill_at = Some(now.saturating_add(AFTER_ABORT));
        process::kill(self.pid, process::SIGABRT);
        None
    }

    /// Ends an actor that has been asked to drain its mailbox and neither works nor goes. Answers when to look again.
    fn check_drain(&mut self, now: u64) -> Option<u64> {
        let (mode, asked) = self.asked?;
        if mode != StopMode::Drain {
            return None;
        }
        let idle_since = self.ledger.since().clamp(asked, now);
        let stuck =
            self.ledger.phase() != Phase::Handling && now - idle_since >= time::nanos(self.spec.grace);
        if stuck {
            self.kill_at = Some(now);
        }
        Some(now.saturating_add(WHILE_DRAINING))
    }
}

impl Nested {
    pub(super) fn of(owner: i32) -> Nested {
        Nested { owner, kill_at: None }
    }
}
