//! What comes next: a stop, a start, or the end of all.

use crate::machine::children::State;
use crate::machine::{Action, Answer, End, Key, Mode, Policy};
use crate::{Nanos, Strategy};

impl Policy {
    pub(crate) fn take_turns(&mut self, now: Nanos) {
        match self.mode {
            Mode::New | Mode::Ended => {}
            Mode::Ending(end) => self.go_on_ending(end),
            Mode::Booting | Mode::Running => {
                if let Some(&last) = self.children.condemned().last() {
                    self.stop(last);
                }
                while let Some((key, _)) = self.next_start().filter(|&(_, at)| at <= now) {
                    let is_initial = self.children.get(key).is_some_and(|child| child.initial);
                    self.start(key, is_initial || self.is_group());
                }
                if self.mode == Mode::Booting && self.children.initial_left() == 0 {
                    self.mode = Mode::Running;
                    self.act(Action::Booted);
                }
            }
        }
    }

    /// Which parked child starts next, and not before when.
    pub(crate) fn next_start(&self) -> Option<(Key, Nanos)> {
        if !matches!(self.mode, Mode::Booting | Mode::Running) {
            return None;
        }
        let is_one_in_turn = self.children.is_one_in_turn();
        let mut parked = self.children.parked().map(|(at, key)| (key, at));
        let is_initial = |key: Key| self.children.get(key).is_some_and(|child| child.initial);
        match self.rules.strategy {
            Strategy::Dynamic => parked.next(),
            // The initial ones start in order, the others as they can.
            Strategy::OneForOne => parked.find(|&(key, _)| !is_one_in_turn || !is_initial(key)),
            _ if is_one_in_turn || !self.children.condemned().is_empty() => None,
            Strategy::RestForOne => parked.min(),
            // They start together: when the child with the longest wait may.
            Strategy::OneForAll => {
                let longest = self.children.parked().map(|(at, _)| at).max()?;
                parked.min().map(|(first, _)| (first, longest))
            }
        }
    }

    fn start(&mut self, key: Key, in_turn: bool) {
        self.children.set(key, State::Starting { in_turn });
        self.act(Action::Start(key));
    }

    /// Starts a child at once; no other child waits for it.
    pub(crate) fn start_alone(&mut self, key: Key) {
        self.start(key, false);
    }

    /// Stops a child, once.
    pub(crate) fn stop(&mut self, key: Key) {
        let was_up = match self.children.get(key).map(|child| child.state) {
            Some(State::Up(_)) => true,
            Some(State::Starting { .. }) => false,
            _ => return,
        };
        self.children.set(key, State::Stopping { was_up });
        self.act(Action::Stop(key));
    }

    /// Ends the supervisor, for the first reason given. From here on nothing starts.
    pub(crate) fn end(&mut self, end: End) {
        if self.is_ending() {
            return;
        }
        self.mode = Mode::Ending(end);
        let keys: Vec<Key> = self.children.iter().map(|(key, _)| key).collect();
        for key in keys {
            let Some(child) = self.children.get_mut(key) else { continue };
            let (state, asked) = (child.state, child.asked.take());
            if matches!(state, State::Parked(_)) {
                self.children.set(key, State::Down);
            }
            if let Some(asked) = asked {
                self.answer(asked.ticket(), Answer::ShuttingDown);
            }
            if self.rules.strategy == Strategy::Dynamic {
                self.stop(key);
            }
        }
    }

    fn go_on_ending(&mut self, end: End) {
        match self.children.alive().last() {
            None => {
                self.mode = Mode::Ended;
                self.act(Action::End(end));
            }
            // All of them have been told already.
            Some(_) if self.rules.strategy == Strategy::Dynamic => {}
            Some(&last) => self.stop(last),
        }
    }
}
