//! The plain model of supervisors whose children come and go together: OTP's own way, which does one thing
//! after the other and calls itself again when a start fails.
//!
//! It holds for processes that start, fail to start and stop in no time; what happens in between is for
//! `properties`.

use std::time::Duration;

use proptest::prelude::*;

use super::world::World;
use crate::machine::{Action, ChildRules, End, Event, Exit, Key, Rules};
use crate::{Intensity, Restart, Strategy};

struct Script {
    strategy: Strategy,
    restarts_left: u32,
    children: Vec<Scripted>,
    actions: Vec<Action>,
    has_ended: bool,
}

#[derive(Clone, Copy)]
struct Scripted {
    key: Key,
    restart: Restart,
    is_alive: bool,
    /// Ended for good.
    is_done: bool,
    failures: u32,
}

impl Script {
    fn exited(&mut self, key: Key, exit: Exit) {
        let Some(at) = self.children.iter().position(|child| child.key == key && child.is_alive) else {
            return;
        };
        let child = &mut self.children[at];
        child.is_alive = false;
        match (child.restart, exit) {
            (Restart::Temporary, _) => {
                self.children.remove(at);
                self.actions.push(Action::Forget(key));
            }
            (Restart::Transient, Exit::Success) => {
                child.is_done = true;
                self.actions.push(Action::Down(key));
            }
            _ => self.restart(key),
        }
    }

    fn restart(&mut self, key: Key) {
        if self.restarts_left == 0 {
            self.stop(0, |child| match child.restart {
                Restart::Temporary => Some(Action::Forget(child.key)),
                _ => Some(Action::Down(child.key)),
            });
            self.has_ended = true;
            return self.actions.push(Action::End(End::Intensity(key)));
        }
        self.restarts_left -= 1;
        let first = if self.strategy == Strategy::OneForAll { 0 } else { key };
        let forget =
            |child: &Scripted| (child.restart == Restart::Temporary).then_some(Action::Forget(child.key));
        self.stop(first, forget);
        let is_gone = |child: &Scripted| child.restart == Restart::Temporary && !child.is_alive;
        self.children.retain(|child| !is_gone(child));
        let group: Vec<usize> =
            (0..self.children.len()).filter(|&at| self.children[at].key >= first).collect();
        for child in group {
            let child = &mut self.children[child];
            if child.is_done {
                continue;
            }
            self.actions.push(Action::Start(child.key));
            if child.failures > 0 {
                child.failures -= 1;
                let failed = child.key;
                return self.restart(failed);
            }
            child.is_alive = true;
        }
    }

    fn stop(&mut self, first: Key, after: impl Fn(&Scripted) -> Option<Action>) {
        for child in self.children.iter_mut().rev().filter(|child| child.is_alive && child.key >= first) {
            child.is_alive = false;
            self.actions.push(Action::Stop(child.key));
            self.actions.extend(after(child));
        }
    }
}

fn restart() -> impl Strategy_<Value = Restart> {
    prop_oneof![3 => Just(Restart::Permanent), 2 => Just(Restart::Transient), 1 => Just(Restart::Temporary)]
}

/// proptest's word for a generator is our word for something else.
use proptest::strategy::Strategy as Strategy_;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn groups_stop_and_start_as_otp_does_it(
        one_for_all: bool,
        restarts in 0..12u32,
        children in prop::collection::vec((restart(), 0..3u32), 1..7),
        exits in prop::collection::vec((1..7u64, prop::bool::weighted(0.8)), 1..8),
    ) {
        let strategy = if one_for_all { Strategy::OneForAll } else { Strategy::RestForOne };
        let intensity = Some(Intensity::new(restarts, Duration::from_secs(1)));
        let rules: Vec<ChildRules> =
            children.iter().map(|&(restart, _)| ChildRules { restart, ..ChildRules::default() }).collect();
        let mut world = World::booted(Rules { strategy, intensity, ..Rules::default() }, &rules);
        world.failing = (1..).zip(children.iter().map(|&(_, failures)| failures)).collect();
        let scripted = |(key, &(restart, failures))| {
            Scripted { key, restart, is_alive: true, is_done: false, failures }
        };
        let children = (1..).zip(&children).map(scripted).collect();
        let mut script =
            Script { strategy, restarts_left: restarts, children, actions: Vec::new(), has_ended: false };
        for (key, is_crash) in exits {
            if script.has_ended || !world.processes.contains_key(&key) {
                continue;
            }
            let exit = if is_crash { Exit::Crash } else { Exit::Success };
            script.exited(key, exit);
            let expected = std::mem::take(&mut script.actions);
            prop_assert_eq!(world.run(Event::Exited(key, exit)), expected);
        }
    }
}
