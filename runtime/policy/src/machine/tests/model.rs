//! The plain model of supervisors whose children are independent: no index, no turn, everything looked up in
//! full lists.
//!
//! It predicts each action. The length of waits is chance; the model takes what the policy said, and `world`
//! checks the bounds.

use std::collections::BTreeMap;

use crate::machine::{Action, Answer, ChildRules, End, Event, Exit, Key, Rules, Ticket};
use crate::{AutoShutdown, Nanos, Restart, Strategy, duration};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waits for the boot.
    Initial,
    Down,
    Waiting(Nanos),
    Starting,
    Up,
    Stopping,
}

struct One {
    rules: ChildRules,
    stage: Stage,
    /// Has never been up, and is one of those the supervisor has to boot.
    is_initial: bool,
    /// Is being restarted by the policy.
    is_restarting: bool,
    /// The request for its start, and whether that added it.
    asked: Option<(Ticket, bool)>,
    terminated_by: Vec<Ticket>,
    restarts: Vec<Nanos>,
}

pub(crate) struct Model {
    rules: Rules,
    children: BTreeMap<Key, One>,
    restarts: Vec<Nanos>,
    is_booting: bool,
    end: Option<End>,
    has_ended: bool,
    now: Nanos,
    actions: Vec<Action>,
}

impl Model {
    pub(crate) fn new(rules: Rules, children: &[ChildRules]) -> Model {
        let children = (1..).zip(children.iter().copied());
        let initial = |(key, rules)| (key, One { is_initial: true, ..One::new(rules, Stage::Initial, None) });
        Model {
            rules,
            children: children.map(initial).collect(),
            restarts: Vec::new(),
            is_booting: false,
            end: None,
            has_ended: false,
            now: 0,
            actions: Vec::new(),
        }
    }

    /// What the policy, which has returned `said`, should have returned.
    pub(crate) fn handle(&mut self, event: Event, now: Nanos, said: &[Action]) -> Vec<Action> {
        self.now = now;
        match event {
            Event::Boot => self.is_booting = true,
            Event::Shutdown => self.end(End::Shutdown),
            Event::Tick => {}
            Event::Up(key) => self.up(key),
            Event::StartFailed(key) => self.gone(key, None, said),
            Event::Ignored(key) => self.ignored(key),
            Event::Exited(key, exit) => self.gone(key, Some(exit), said),
            Event::Add(ticket, key, rules) => self.add(ticket, key, rules),
            Event::Resume(..) => unreachable!("what goes on below another supervisor has a case of its own"),
            Event::Terminate(ticket, key) => self.terminate(ticket, key),
            Event::Restart(ticket, key) => self.restart(ticket, key),
            Event::Delete(ticket, key) => self.delete(ticket, key),
        }
        self.go_on();
        std::mem::take(&mut self.actions)
    }

    fn one(&mut self, key: Key) -> &mut One {
        self.children.get_mut(&key).unwrap()
    }

    fn up(&mut self, key: Key) {
        let one = self.one(key);
        if one.stage == Stage::Starting {
            (one.stage, one.is_initial, one.is_restarting) = (Stage::Up, false, false);
        }
        // Also while it is being stopped: the request for its start is fulfilled.
        let asked = one.asked.take();
        self.actions.extend(asked.map(|(ticket, _)| Action::Answer(ticket, Answer::Done)));
    }

    fn ignored(&mut self, key: Key) {
        let one = self.one(key);
        let asked = if one.stage == Stage::Starting { one.asked.take() } else { None };
        self.settle(key);
        self.actions.extend(asked.map(|(ticket, _)| Action::Answer(ticket, Answer::Done)));
    }

    /// A process has ended; `None`: it was not ready yet.
    fn gone(&mut self, key: Key, exit: Option<Exit>, said: &[Action]) {
        let is_ending = self.end.is_some();
        let one = self.one(key);
        let is_temporary = one.rules.restart == Restart::Temporary;
        match (one.stage, exit) {
            (Stage::Stopping, _) => self.settle(key),
            _ if is_ending => self.settle(key),
            (Stage::Starting, _) if one.asked.is_some() => self.settle(key),
            (Stage::Starting, _) if one.is_initial => {
                one.stage = Stage::Down;
                self.end(End::BootFailed(key));
            }
            (Stage::Starting, _) if is_temporary => self.done(key),
            (Stage::Starting, _) => self.trouble(key, said),
            (_, Some(Exit::Recycled)) => {
                one.stage = Stage::Starting;
                self.actions.push(Action::Start(key));
            }
            (_, Some(Exit::NoRestart)) => self.done(key),
            (_, Some(Exit::Success)) if one.rules.restart != Restart::Permanent => self.done(key),
            (_, Some(Exit::Crash)) if is_temporary => self.done(key),
            _ => self.trouble(key, said),
        }
    }

    fn trouble(&mut self, key: Key, said: &[Action]) {
        let (now, of_all) = (self.now, self.rules.intensity);
        let one = self.children.get_mut(&key).unwrap();
        let (list, intensity) = match one.rules.intensity {
            Some(own) => (&mut one.restarts, Some(own)),
            None => (&mut self.restarts, of_all),
        };
        list.push(now);
        let is_too_much = intensity.is_some_and(|intensity| {
            let young = list.iter().filter(|&&then| now - then < duration::nanos(intensity.window));
            young.count() > intensity.restarts as usize
        });
        if is_too_much && of_all.is_some() {
            one.stage = Stage::Down;
            self.end(End::Intensity(key));
        } else if is_too_much {
            self.actions.push(Action::GiveUp(key));
            self.done(key);
        } else {
            one.is_restarting = true;
            let until = said.iter().find_map(|action| match action {
                Action::Waiting(of, until) if *of == key => Some(*until),
                _ => None,
            });
            one.stage = Stage::Waiting(until.unwrap_or(now));
            self.actions.extend(until.map(|until| Action::Waiting(key, until)));
        }
    }

    fn done(&mut self, key: Key) {
        let is_significant = self.one(key).rules.significant;
        self.settle(key);
        let is_last = !self.children.values().any(|one| one.rules.significant && one.stage != Stage::Down);
        let ends = match self.rules.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => is_last,
        };
        if is_significant && ends {
            self.end(End::Auto);
        }
    }

    fn settle(&mut self, key: Key) {
        let is_dynamic = self.rules.strategy == Strategy::Dynamic;
        let one = self.one(key);
        (one.stage, one.is_initial, one.is_restarting) = (Stage::Down, false, false);
        let (asked, terminated_by) = (one.asked.take(), std::mem::take(&mut one.terminated_by));
        let was_added = asked.is_some_and(|(_, by_adding)| by_adding);
        if is_dynamic || was_added || one.rules.restart == Restart::Temporary {
            self.children.remove(&key);
            self.actions.push(Action::Forget(key));
        } else {
            self.actions.push(Action::Down(key));
        }
        self.actions.extend(asked.map(|(ticket, _)| Action::Answer(ticket, Answer::StartFailed)));
        self.actions.extend(terminated_by.into_iter().map(|ticket| Action::Answer(ticket, Answer::Done)));
    }

    fn end(&mut self, end: End) {
        if self.end.is_some() {
            return;
        }
        self.end = Some(end);
        for (&key, one) in &mut self.children {
            if let Some((ticket, _)) = one.asked.take() {
                self.actions.push(Action::Answer(ticket, Answer::ShuttingDown));
            }
            match one.stage {
                Stage::Initial | Stage::Waiting(_) => one.stage = Stage::Down,
                Stage::Starting | Stage::Up if self.rules.strategy == Strategy::Dynamic => {
                    one.stage = Stage::Stopping;
                    self.actions.push(Action::Stop(key));
                }
                _ => {}
            }
        }
    }

    fn go_on(&mut self) {
        if let Some(end) = self.end {
            let last = self.children.iter_mut().rev().find(|(_, one)| one.is_alive());
            match last {
                None if !self.has_ended => {
                    self.has_ended = true;
                    self.actions.push(Action::End(end));
                }
                Some((&key, one)) if one.stage != Stage::Stopping => {
                    one.stage = Stage::Stopping;
                    self.actions.push(Action::Stop(key));
                }
                _ => {}
            }
            return;
        }
        let is_static = self.rules.strategy == Strategy::OneForOne;
        let mut is_one_on_its_way =
            is_static && self.children.values().any(|one| one.is_initial && one.stage == Stage::Starting);
        for (&key, one) in self.children.iter_mut().filter(|(_, one)| one.stage == Stage::Initial) {
            if !is_one_on_its_way {
                one.stage = Stage::Starting;
                self.actions.push(Action::Start(key));
                is_one_on_its_way = is_static;
            }
        }
        let now = self.now;
        let mut due: Vec<(Nanos, Key)> =
            self.children.iter().filter_map(|(&key, one)| one.due(key, now)).collect();
        due.sort_unstable();
        for (_, key) in due {
            self.one(key).stage = Stage::Starting;
            self.actions.push(Action::Start(key));
        }
        if self.is_booting && self.children.values().all(|one| !one.is_initial) {
            self.is_booting = false;
            self.actions.push(Action::Booted);
        }
    }

    fn add(&mut self, ticket: Ticket, key: Key, rules: ChildRules) {
        let answer = if self.end.is_some() {
            Answer::ShuttingDown
        } else if self.rules.max_children.is_some_and(|max| self.children.len() >= max as usize) {
            Answer::MaxChildren
        } else {
            self.children.insert(key, One::new(rules, Stage::Starting, Some((ticket, true))));
            return self.actions.push(Action::Start(key));
        };
        self.actions.push(Action::Answer(ticket, answer));
    }

    /// The child, unless there is nothing to do about it.
    fn wanted(&mut self, ticket: Ticket, key: Key) -> Option<&mut One> {
        let refusal = if self.end.is_some() { Answer::ShuttingDown } else { Answer::NotFound };
        if self.end.is_some() || !self.children.contains_key(&key) {
            self.actions.push(Action::Answer(ticket, refusal));
            return None;
        }
        self.children.get_mut(&key)
    }

    fn terminate(&mut self, ticket: Ticket, key: Key) {
        let Some(one) = self.wanted(ticket, key) else { return };
        match one.stage {
            Stage::Down => return self.actions.push(Action::Answer(ticket, Answer::Done)),
            _ => one.terminated_by.push(ticket),
        }
        match one.stage {
            Stage::Starting | Stage::Up => {
                one.stage = Stage::Stopping;
                self.actions.push(Action::Stop(key));
            }
            Stage::Waiting(_) | Stage::Initial => self.settle(key),
            Stage::Down | Stage::Stopping => {}
        }
    }

    fn restart(&mut self, ticket: Ticket, key: Key) {
        let Some(one) = self.wanted(ticket, key) else { return };
        let refusal = one.refusal();
        if one.stage != Stage::Down {
            return self.actions.push(Action::Answer(ticket, refusal));
        }
        (one.stage, one.asked) = (Stage::Starting, Some((ticket, false)));
        one.restarts.clear();
        self.actions.push(Action::Start(key));
    }

    fn delete(&mut self, ticket: Ticket, key: Key) {
        let Some(one) = self.wanted(ticket, key) else { return };
        let refusal = one.refusal();
        let answer = match one.stage {
            Stage::Down | Stage::Initial => {
                self.children.remove(&key);
                self.actions.push(Action::Forget(key));
                Answer::Done
            }
            _ => refusal,
        };
        self.actions.push(Action::Answer(ticket, answer));
    }
}

impl One {
    fn new(rules: ChildRules, stage: Stage, asked: Option<(Ticket, bool)>) -> One {
        let (is_initial, is_restarting) = (false, false);
        let (terminated_by, restarts) = (Vec::new(), Vec::new());
        One { rules, stage, is_initial, is_restarting, asked, terminated_by, restarts }
    }

    fn is_alive(&self) -> bool {
        matches!(self.stage, Stage::Starting | Stage::Up | Stage::Stopping)
    }

    fn due(&self, key: Key, now: Nanos) -> Option<(Nanos, Key)> {
        match self.stage {
            Stage::Waiting(until) if until <= now => Some((until, key)),
            _ => None,
        }
    }

    fn refusal(&self) -> Answer {
        match self.stage {
            Stage::Initial | Stage::Waiting(_) => Answer::Restarting,
            Stage::Starting if self.is_restarting => Answer::Restarting,
            _ => Answer::Running,
        }
    }
}
