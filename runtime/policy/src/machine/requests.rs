//! What users ask of a supervisor. No request waits for a sibling's trouble: refusals come at once, and
//! `Done` when it is done.

use crate::machine::children::{Asked, Child, State, Then};
use crate::machine::{Action, Answer, ChildRules, Key, Policy, Ticket};

impl Policy {
    pub(crate) fn add(&mut self, ticket: Ticket, key: Key, rules: ChildRules) {
        if let Some(refusal) = self.refuse_addition(key) {
            return self.answer(ticket, refusal);
        }
        self.children.insert(key, Child { asked: Some(Asked::Add(ticket)), ..Child::new(rules) });
        self.start_alone(key);
    }

    pub(crate) fn resume(&mut self, key: Key, rules: ChildRules) {
        if self.refuse_addition(key).is_none() {
            self.children.insert(key, Child { trouble: true, ..Child::new(rules) });
            self.start_alone(key);
        }
    }

    fn refuse_addition(&self, key: Key) -> Option<Answer> {
        let is_full = |max| self.children.len() >= usize::try_from(max).unwrap_or(usize::MAX);
        if self.is_ending() {
            return Some(Answer::ShuttingDown);
        }
        self.presence(key)
            .or_else(|| self.rules.max_children.is_some_and(is_full).then_some(Answer::MaxChildren))
    }

    pub(crate) fn terminate(&mut self, ticket: Ticket, key: Key) {
        let Some(state) = self.find(ticket, key) else { return };
        if state == State::Down {
            return self.answer(ticket, Answer::Done);
        }
        self.leave_behind(key);
        let Some(child) = self.children.get_mut(key) else { return };
        child.terminated_by.push(ticket);
        match state {
            State::Parked(_) => self.rest(key),
            // Where siblings stop too, it stops when its turn comes.
            State::Starting { .. } | State::Up(_) if child.condemned.is_none() => self.stop(key),
            _ => {}
        }
    }

    pub(crate) fn restart(&mut self, ticket: Ticket, key: Key) {
        let Some(state) = self.find(ticket, key) else { return };
        if state != State::Down {
            return self.refuse(ticket, key);
        }
        if let Some(child) = self.children.get_mut(key) {
            child.asked = Some(Asked::Restart(ticket));
            // A request starts afresh: earlier failures do not count against it.
            child.attempts = 0;
            child.recent.forget();
        }
        self.start_alone(key);
    }

    pub(crate) fn delete(&mut self, ticket: Ticket, key: Key) {
        let Some(state) = self.find(ticket, key) else { return };
        let Some(child) = self.children.get_mut(key) else { return };
        match state {
            State::Down => {}
            State::Parked(_) if !child.trouble => {}
            _ => return self.refuse(ticket, key),
        }
        let asked = child.asked.take();
        self.children.remove(key);
        self.act(Action::Forget(key));
        asked.into_iter().for_each(|asked| self.answer(asked.ticket(), Answer::StartFailed));
        self.answer(ticket, Answer::Done);
    }

    /// The child's state, if there is something to do about it; else the answer is given.
    fn find(&mut self, ticket: Ticket, key: Key) -> Option<State> {
        let state = self.children.get(key).map(|child| child.state);
        match state {
            _ if self.is_ending() => self.answer(ticket, Answer::ShuttingDown),
            None => self.answer(ticket, Answer::NotFound),
            Some(state) => return Some(state),
        }
        None
    }

    /// Refuses a request because the child is not down, or not for good.
    fn refuse(&mut self, ticket: Ticket, key: Key) {
        let is_restarting = self.children.get(key).is_some_and(|child| {
            let comes_back = child.condemned == Some(Then::Park) && child.terminated_by.is_empty();
            let is_tried = child.trouble && matches!(child.state, State::Starting { .. });
            comes_back || is_tried || matches!(child.state, State::Parked(_))
        });
        self.answer(ticket, if is_restarting { Answer::Restarting } else { Answer::Running });
    }
}
