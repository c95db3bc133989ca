//! What happens to a child when its process comes up or ends.

use crate::machine::children::{Asked, State, Then};
use crate::machine::{Action, Answer, End, Exit, Key, Policy};
use crate::{AutoShutdown, Nanos, Restart, Strategy, backoff, duration};

/// What a due restart leads to.
enum Verdict {
    Bearable,
    /// The child stays down.
    ChildGivesUp,
    /// The supervisor ends.
    Escalate,
}

impl Policy {
    pub(crate) fn up(&mut self, key: Key, now: Nanos) {
        let Some(child) = self.children.get_mut(key) else { return };
        if !child.state.is_alive() {
            return;
        }
        // Also if it became ready before the order to stop reached it: the request for its start is
        // fulfilled.
        let asked = child.asked.take();
        if matches!(child.state, State::Starting { .. }) {
            child.trouble = false;
            self.children.set(key, State::Up(now));
            self.children.not_initial(key);
        }
        if let Some(asked) = asked {
            self.answer(asked.ticket(), Answer::Done);
        }
    }

    pub(crate) fn start_failed(&mut self, key: Key, now: Nanos) {
        let Some(child) = self.children.get(key) else { return };
        let is_condemned = child.condemned.is_some();
        let is_ordered = self.is_ending() || !child.terminated_by.is_empty();
        match child.state {
            State::Stopping { .. } => self.stopped(key),
            State::Starting { .. } if is_ordered => self.stopped(key),
            // Only the policy tries again by itself. A caller that asked for a start is told, and decides.
            State::Starting { .. } if child.asked.is_some() => self.rest(key),
            State::Starting { .. } if child.initial => {
                self.children.set(key, State::Down);
                self.end(End::BootFailed(key));
            }
            State::Starting { .. } if is_condemned => self.stopped(key),
            // It had been recycled.
            State::Starting { .. } if child.rules.restart == Restart::Temporary => self.is_done(key),
            State::Starting { .. } => self.in_trouble(key, now),
            // A child that is up has not failed to start: it has ended.
            State::Up(_) => self.exited(key, Exit::Crash, now),
            State::Down | State::Parked(_) => {}
        }
    }

    pub(crate) fn ignored(&mut self, key: Key, now: Nanos) {
        let Some(child) = self.children.get_mut(key) else { return };
        match child.state {
            State::Starting { .. } => {
                let asked = child.asked.take();
                self.rest(key);
                if let Some(asked) = asked {
                    self.answer(asked.ticket(), Answer::Done);
                }
            }
            State::Stopping { .. } => self.stopped(key),
            State::Up(_) => self.exited(key, Exit::Success, now),
            State::Down | State::Parked(_) => {}
        }
    }

    pub(crate) fn exited(&mut self, key: Key, exit: Exit, now: Nanos) {
        let Some(child) = self.children.get(key) else { return };
        let is_condemned = child.condemned.is_some();
        let is_ordered = self.is_ending() || !child.terminated_by.is_empty();
        match child.state {
            State::Starting { .. } => self.start_failed(key, now),
            State::Stopping { .. } => self.stopped(key),
            State::Up(_) if is_ordered => self.stopped(key),
            State::Up(since) => {
                let restarts = restarts(child.rules.restart, exit);
                self.reset_if_healthy(key, now.saturating_sub(since));
                match (restarts, is_condemned, exit) {
                    // As good as a stop: its turn to stop would have come, and it is started with the others.
                    (true, true, _) => self.stopped(key),
                    (true, false, Exit::Recycled) => self.start_alone(key),
                    (true, false, _) => self.in_trouble(key, now),
                    (false, ..) => self.is_done(key),
                }
            }
            State::Down | State::Parked(_) => {}
        }
    }

    /// An ordered stop is over. How the process ended does not matter.
    fn stopped(&mut self, key: Key) {
        let Some(child) = self.children.get(key) else { return };
        let is_wanted = child.terminated_by.is_empty() && child.rules.restart != Restart::Temporary;
        if !self.is_ending() && is_wanted && child.condemned == Some(Then::Park) {
            self.children.set(key, State::Parked(0));
        } else {
            self.rest(key);
        }
    }

    /// The child has ended by itself, and is not restarted.
    fn is_done(&mut self, key: Key) {
        let is_significant = self.children.get(key).is_some_and(|child| child.rules.significant);
        self.rest(key);
        let remains =
            || self.children.iter().any(|(_, child)| child.rules.significant && child.state != State::Down);
        let ends = match self.rules.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => is_significant,
            AutoShutdown::AllSignificant => is_significant && !remains(),
        };
        if ends {
            self.end(End::Auto);
        }
    }

    /// The child has no process, and gets none unless it is asked for. It is forgotten where no request can
    /// bring it back: a temporary child, one of a dynamic supervisor or of a process's own one, one whose
    /// addition failed.
    pub(crate) fn rest(&mut self, key: Key) {
        let Some(child) = self.children.get_mut(key) else { return };
        child.trouble = false;
        let asked = child.asked.take();
        let terminated_by = std::mem::take(&mut child.terminated_by);
        let has_its_time = child.rules.restart == Restart::Temporary || self.rules.forgets;
        if has_its_time || self.rules.strategy == Strategy::Dynamic || matches!(asked, Some(Asked::Add(_))) {
            self.children.remove(key);
            self.act(Action::Forget(key));
        } else {
            self.children.not_initial(key);
            self.children.set(key, State::Down);
            self.act(Action::Down(key));
        }
        asked.into_iter().for_each(|asked| self.answer(asked.ticket(), Answer::StartFailed));
        terminated_by.into_iter().for_each(|ticket| self.answer(ticket, Answer::Done));
    }

    /// The child has ended, or could not be restarted. Restarts it if its allowance permits, and its group
    /// with it.
    fn in_trouble(&mut self, key: Key, now: Nanos) {
        match self.count(key, now) {
            Verdict::Bearable => {
                self.wait(key, now);
                self.condemn_group(key);
            }
            Verdict::ChildGivesUp => {
                self.leave_behind(key);
                self.act(Action::GiveUp(key));
                self.is_done(key);
            }
            Verdict::Escalate => {
                self.children.set(key, State::Down);
                self.end(End::Intensity(key));
            }
        }
    }

    fn count(&mut self, key: Key, now: Nanos) -> Verdict {
        let Some(child) = self.children.get_mut(key) else { return Verdict::Bearable };
        let own = child.rules.intensity;
        let Some(intensity) = own.or(self.rules.intensity) else { return Verdict::Bearable };
        let recent = if own.is_some() { &mut child.recent } else { &mut self.recent };
        match recent.one_more_is_too_many(intensity, now) {
            false => Verdict::Bearable,
            true if self.rules.intensity.is_some() => Verdict::Escalate,
            true => Verdict::ChildGivesUp,
        }
    }

    fn wait(&mut self, key: Key, now: Nanos) {
        let Some(child) = self.children.get_mut(key) else { return };
        child.trouble = true;
        child.attempts = child.attempts.saturating_add(1);
        let attempt = child.attempts;
        let backoff = child.rules.backoff.or(self.rules.backoff);
        let wait = backoff.map_or(0, |backoff| backoff::wait(backoff, attempt, &mut self.jitter));
        let until = now.saturating_add(wait);
        self.children.set(key, State::Parked(until));
        if until > now {
            self.act(Action::Waiting(key, until));
        }
    }

    /// A child that has been up for so long has got over its troubles.
    fn reset_if_healthy(&mut self, key: Key, uptime: Nanos) {
        let Some(child) = self.children.get_mut(key) else { return };
        let backoff = child.rules.backoff.or(self.rules.backoff).map(|backoff| backoff.max);
        let window = child.rules.intensity.or(self.rules.intensity).map(|intensity| intensity.window);
        if uptime >= backoff.max(window).map_or(0, duration::nanos) {
            child.attempts = 0;
        }
    }

    /// The siblings that stop and start with this child must stop. What is not running now stays as it is.
    fn condemn_group(&mut self, key: Key) {
        let first = match self.rules.strategy {
            Strategy::OneForOne | Strategy::Dynamic => return,
            Strategy::OneForAll => 0,
            Strategy::RestForOne => key,
        };
        let group = self.children.from(first).filter(|(_, child)| child.state.is_alive());
        let group: Vec<Key> =
            group.filter(|(_, child)| child.condemned.is_none()).map(|(key, _)| key).collect();
        group.into_iter().for_each(|key| self.children.condemn(key, Then::Park));
    }

    /// A child is removed. If its group had to wait for it, the children after it stay down, as in OTP: what
    /// they depend on will not be there.
    pub(crate) fn leave_behind(&mut self, key: Key) {
        if !self.is_group() || !self.children.get(key).is_some_and(|child| child.trouble) {
            return;
        }
        let after = self.children.from(key + 1).filter(|(_, child)| !child.initial);
        let after: Vec<(Key, State, bool)> =
            after.map(|(key, child)| (key, child.state, child.condemned.is_some())).collect();
        for (key, state, is_condemned) in after {
            match state {
                State::Parked(_) => self.rest(key),
                _ if is_condemned => self.children.condemn(key, Then::Down),
                _ => {}
            }
        }
    }
}

/// OTP's table, for a child that has ended by itself; one that was ordered to stop is not restarted.
fn restarts(restart: Restart, exit: Exit) -> bool {
    match (restart, exit) {
        (_, Exit::Recycled) => true,
        (_, Exit::NoRestart) | (Restart::Temporary, _) => false,
        (Restart::Permanent, Exit::Success | Exit::Crash) | (Restart::Transient, Exit::Crash) => true,
        (Restart::Transient, Exit::Success) => false,
    }
}
