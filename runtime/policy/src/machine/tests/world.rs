//! Simulated time and processes around a policy, with a plain account of what it may do. Everything that must
//! never happen is checked here, on every event of every test.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::machine::{
    Action, Answer, ChildRules, Counts, End, Event, Exit, Key, Policy, Rules, Status, Ticket,
};
use crate::{AutoShutdown, Nanos, Restart, Strategy};

pub(crate) const MILLISECOND: Nanos = 1_000_000;

/// A simulated process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pub(crate) is_up: bool,
    pub(crate) is_stopping: bool,
    /// The policy's own decision to stop it, not a request.
    by_policy: bool,
    /// The policy's own decision to start it: others may wait for it.
    in_turn: bool,
}

pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) rules: Rules,
    pub(crate) now: Nanos,
    pub(crate) children: BTreeMap<Key, ChildRules>,
    pub(crate) processes: BTreeMap<Key, Process>,
    /// Starts of these fail, so many times.
    pub(crate) failing: BTreeMap<Key, u32>,
    pub(crate) end: Option<End>,
    /// All keys that there ever were.
    pub(crate) keys: Vec<Key>,
    /// Down, and not wanted.
    at_rest: BTreeSet<Key>,
    /// Up when a sibling got into trouble, and to be restarted with it.
    doomed: BTreeSet<Key>,
    /// A request wants their end.
    terminated: BTreeSet<Key>,
    /// Initial children that have not been up.
    fresh: BTreeSet<Key>,
    /// Those whose start a request asked for.
    asked: BTreeSet<Key>,
    not_before: BTreeMap<Key, Nanos>,
    /// All restarts there ever were: by child, if it has an allowance of its own.
    restarts: BTreeMap<Option<Key>, Vec<Nanos>>,
    expected_end: Option<End>,
    booted: bool,
    tickets: Ticket,
    unanswered: BTreeSet<Ticket>,
    /// Each event, its time, and the actions that it led to.
    pub(crate) log: Vec<(Event, Nanos, Vec<Action>)>,
}

impl World {
    pub(crate) fn new(rules: Rules, children: &[ChildRules]) -> World {
        let children: Vec<(Key, ChildRules)> = (1..).zip(children.iter().copied()).collect();
        World {
            policy: Policy::new(rules, children.clone()),
            rules,
            now: 7 * MILLISECOND,
            keys: children.iter().map(|&(key, _)| key).collect(),
            fresh: children.iter().map(|&(key, _)| key).collect(),
            children: children.into_iter().collect(),
            processes: BTreeMap::new(),
            failing: BTreeMap::new(),
            end: None,
            at_rest: BTreeSet::new(),
            doomed: BTreeSet::new(),
            terminated: BTreeSet::new(),
            asked: BTreeSet::new(),
            not_before: BTreeMap::new(),
            restarts: BTreeMap::new(),
            expected_end: None,
            booted: false,
            tickets: 0,
            unanswered: BTreeSet::new(),
            log: Vec::new(),
        }
    }

    /// Booted, with all children up.
    pub(crate) fn booted(rules: Rules, children: &[ChildRules]) -> World {
        let mut world = World::new(rules, children);
        world.run(Event::Boot);
        assert!(world.booted);
        world
    }

    pub(crate) fn is_independent(&self) -> bool {
        matches!(self.rules.strategy, Strategy::OneForOne | Strategy::Dynamic)
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.unanswered.insert(self.tickets);
        self.tickets
    }

    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// The next child's key.
    pub(crate) fn key(&mut self) -> Key {
        let key = self.keys.last().map_or(1, |last| last + 1);
        self.keys.push(key);
        key
    }

    pub(crate) fn status(&self, key: Key) -> Option<Status> {
        self.policy.status(key)
    }

    pub(crate) fn counts(&self) -> (usize, usize) {
        let Counts { specs, active } = self.policy.counts();
        (specs, active)
    }

    /// Hands over an event, and carries nothing out.
    pub(crate) fn feed(&mut self, event: Event) -> Vec<Action> {
        let gave_up = self.foresee(event);
        let gone = match event {
            Event::StartFailed(key) | Event::Ignored(key) | Event::Exited(key, _) => Some(key),
            _ => None,
        };
        if let Some(key) = gone {
            self.processes.remove(&key).expect("a process that ends is there");
            self.doomed.remove(&key);
        }
        if let Event::Up(key) = event {
            self.processes.get_mut(&key).expect("a process that is up is there").is_up = true;
            // The request for its start is fulfilled, also if it is being stopped by now.
            self.asked.remove(&key);
        }
        let actions = self.policy.handle(event, self.now);
        for (at, &action) in actions.iter().enumerate() {
            assert_eq!(self.end, None, "{action:?} comes after the end");
            self.observe(event, action, at + 1 == actions.len());
        }
        let given_up: Vec<Key> = actions.iter().filter_map(|action| as_give_up(*action)).collect();
        assert_eq!(given_up, Vec::from_iter(gave_up));
        self.check_views();
        self.log.push((event, self.now, actions.clone()));
        actions
    }

    /// What the event must lead to: notes the end that it brings about, and returns a child that has to give
    /// up.
    fn foresee(&mut self, event: Event) -> Option<Key> {
        match event {
            Event::Exited(key, _) if !self.processes[&key].is_up && !self.processes[&key].is_stopping => {
                return self.foresee(Event::StartFailed(key));
            }
            Event::Shutdown => self.expect_end(End::Shutdown),
            Event::Terminate(_, key) if self.processes.contains_key(&key) => {
                self.terminated.insert(key);
            }
            Event::Add(_, key, rules) if self.policy.presence(key).is_none() => {
                self.children.insert(key, rules);
            }
            Event::StartFailed(key) if self.is_free(key) => {
                let is_fresh = self.fresh.contains(&key);
                match self.children[&key].restart {
                    _ if self.asked.contains(&key) => {}
                    _ if is_fresh => self.expect_end(End::BootFailed(key)),
                    _ if self.doomed.contains(&key) => {}
                    Restart::Temporary => self.is_over(key),
                    _ => return self.trouble(key),
                }
            }
            Event::Exited(key, exit) if self.is_free(key) && exit != Exit::Recycled => {
                let restarts = match self.children[&key].restart {
                    Restart::Permanent => exit != Exit::NoRestart,
                    Restart::Transient => exit == Exit::Crash,
                    Restart::Temporary => false,
                };
                match restarts {
                    false => self.is_over(key),
                    true if self.doomed.contains(&key) => {}
                    true => return self.trouble(key),
                }
            }
            _ => {}
        }
        None
    }

    /// Whether no stop of it was ordered.
    fn is_free(&self, key: Key) -> bool {
        let is_ordered = self.processes[&key].is_stopping || self.terminated.contains(&key);
        !is_ordered && self.expected_end.is_none()
    }

    fn expect_end(&mut self, end: End) {
        self.expected_end.get_or_insert(end);
    }

    /// It has ended for good.
    fn is_over(&mut self, key: Key) {
        let remains = |(other, rules): (&Key, &ChildRules)| {
            rules.significant && *other != key && !self.at_rest.contains(other)
        };
        let ends = match self.rules.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => !self.children.iter().any(remains),
        };
        if ends && self.children[&key].significant {
            self.expect_end(End::Auto);
        }
    }

    /// Counts a restart the plain way: over the list of all there ever were.
    fn trouble(&mut self, key: Key) -> Option<Key> {
        let own = self.children[&key].intensity;
        let restarts = self.restarts.entry(own.map(|_| key)).or_default();
        restarts.push(self.now);
        if let Some(intensity) = own.or(self.rules.intensity) {
            let is_young = |then: &&Nanos| Duration::from_nanos(self.now - **then) < intensity.window;
            if restarts.iter().filter(is_young).count() > intensity.restarts as usize {
                match self.rules.intensity {
                    Some(_) => self.expect_end(End::Intensity(key)),
                    None => {
                        self.is_over(key);
                        return Some(key);
                    }
                }
                return None;
            }
        }
        let others = self.processes.keys().copied().filter(|&other| match self.rules.strategy {
            Strategy::OneForAll => other != key,
            Strategy::RestForOne => other > key,
            Strategy::OneForOne | Strategy::Dynamic => false,
        });
        self.doomed.extend(others);
        None
    }

    fn observe(&mut self, event: Event, action: Action, is_last: bool) {
        match action {
            Action::Start(key) => self.observe_start(event, key),
            Action::Stop(key) => self.observe_stop(event, key),
            Action::Waiting(key, until) => {
                let backoff = self.children[&key].backoff.or(self.rules.backoff).unwrap();
                let wait = Duration::from_nanos(until - self.now);
                assert!(backoff.min <= wait && wait <= backoff.max, "{wait:?} is not in {backoff}");
                self.not_before.insert(key, until);
            }
            Action::Down(key) => {
                assert!(!self.processes.contains_key(&key));
                assert_ne!(self.children[&key].restart, Restart::Temporary);
                assert_ne!(self.rules.strategy, Strategy::Dynamic);
                self.at_rest.insert(key);
                self.has_rested(key);
            }
            Action::Forget(key) => {
                assert!(!self.processes.contains_key(&key));
                self.children.remove(&key).expect("what is forgotten is known");
                self.at_rest.remove(&key);
                self.has_rested(key);
            }
            Action::GiveUp(_) => {}
            Action::Booted => {
                assert!(!std::mem::replace(&mut self.booted, true), "booted twice");
            }
            Action::Answer(ticket, answer) => {
                assert!(self.unanswered.remove(&ticket), "{ticket} is answered twice");
                let is_refused = matches!(answer, Answer::MaxChildren | Answer::ShuttingDown);
                match event {
                    Event::Add(mine, key, _) if mine == ticket && is_refused => {
                        self.children.remove(&key);
                    }
                    _ => {}
                }
            }
            Action::End(end) => {
                assert!(is_last && self.processes.is_empty());
                assert_eq!(Some(end), self.expected_end);
                self.end = Some(end);
            }
        }
    }

    fn has_rested(&mut self, key: Key) {
        self.fresh.remove(&key);
        self.asked.remove(&key);
        self.terminated.remove(&key);
        self.not_before.remove(&key);
    }

    fn observe_start(&mut self, event: Event, key: Key) {
        assert_eq!(self.expected_end, None, "child {key} starts although the supervisor ends");
        assert!(!self.processes.contains_key(&key), "child {key} starts twice");
        assert!(self.children.contains_key(&key));
        assert!(
            self.not_before.remove(&key).is_none_or(|until| until <= self.now),
            "child {key} is too early"
        );
        let is_asked = matches!(event, Event::Add(_, k, _) | Event::Restart(_, k) if k == key);
        let is_recycled =
            matches!(event, Event::Exited(k, Exit::Recycled) if k == key) && !self.doomed.contains(&key);
        assert!(is_asked || !self.at_rest.contains(&key), "nobody asked for {key}");
        self.at_rest.remove(&key);
        if is_asked {
            self.asked.insert(key);
            // A new allowance.
            self.restarts.remove(&Some(key));
        }
        let in_turn = !is_asked && !is_recycled && !self.is_independent();
        if in_turn {
            assert!(
                !self.processes.values().any(|other| other.in_turn && !other.is_up && !other.is_stopping)
            );
            assert!(
                self.doomed.iter().all(|other| !self.processes.contains_key(other)),
                "starts before stops"
            );
        }
        self.processes.insert(key, Process { is_up: false, is_stopping: false, by_policy: false, in_turn });
    }

    fn observe_stop(&mut self, event: Event, key: Key) {
        let by_policy = !matches!(event, Event::Terminate(_, k) if k == key);
        let is_parallel = self.rules.strategy == Strategy::Dynamic;
        if by_policy && !is_parallel {
            // One that came later and is hit later may still overtake those before it.
            let mut later = self.processes.range(key + 1..);
            assert!(!later.any(|(_, other)| other.by_policy), "two stop at once");
            let is_behind =
                |other: &&Key| **other > key && (self.expected_end.is_some() || self.doomed.contains(*other));
            let behind = self.processes.keys().find(is_behind);
            assert_eq!(behind, None, "child {key} stops before one behind it");
        }
        let process = self.processes.get_mut(&key).expect("what is stopped is there");
        assert!(!process.is_stopping, "child {key} is stopped twice");
        (process.is_stopping, process.by_policy) = (true, by_policy);
    }

    /// What the policy says of itself agrees with what can be seen from outside.
    fn check_views(&mut self) {
        for (&key, process) in self.processes.iter().filter(|(_, process)| process.is_up) {
            if !process.is_stopping {
                self.fresh.remove(&key);
                self.asked.remove(&key);
            }
        }
        for &key in &self.keys {
            let status = self.policy.status(key);
            assert_eq!(status.is_some(), self.children.contains_key(&key), "child {key} is {status:?}");
            match self.processes.get(&key) {
                None => assert!(matches!(status, None | Some(Status::Down | Status::Restarting))),
                Some(process) if process.is_stopping => assert_eq!(status, Some(Status::Stopping)),
                Some(process) if process.is_up => assert_eq!(status, Some(Status::Up)),
                Some(_) => assert!(matches!(status, Some(Status::Starting | Status::Restarting))),
            }
            assert!(!self.at_rest.contains(&key) || status == Some(Status::Down));
        }
        let Counts { specs, active } = self.policy.counts();
        assert_eq!(specs, self.children.len());
        assert!(active <= self.processes.len());
        assert!(active >= self.processes.values().filter(|one| one.is_up && !one.is_stopping).count());
        assert!(self.policy.due().is_none_or(|due| due > self.now), "the time has come, and nothing is done");
        assert_eq!(self.policy.handle(Event::Tick, self.now), [], "a second look finds more to do");
    }

    /// Hands over an event and carries out what it leads to, in no time; returns all actions.
    pub(crate) fn run(&mut self, event: Event) -> Vec<Action> {
        let mut actions = self.feed(event);
        let mut at = 0;
        while let Some(&action) = actions.get(at) {
            at += 1;
            let event = match action {
                Action::Start(key) => self.started(key),
                Action::Stop(key) => Event::Exited(key, Exit::Success),
                _ => continue,
            };
            actions.extend(self.feed(event));
        }
        actions
    }

    fn started(&mut self, key: Key) -> Event {
        match self.failing.get_mut(&key) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Event::StartFailed(key)
            }
            _ => Event::Up(key),
        }
    }

    /// Lets time pass, with a tick whenever one is due.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<Action> {
        let until = self.now + u64::try_from(time.as_nanos()).unwrap();
        let mut actions = Vec::new();
        while let Some(due) = self.policy.due().filter(|&due| due <= until) {
            self.now = due;
            actions.extend(self.run(Event::Tick));
        }
        self.now = until;
        actions.extend(self.run(Event::Tick));
        actions
    }

    pub(crate) fn crash(&mut self, key: Key) -> Vec<Action> {
        self.run(Event::Exited(key, Exit::Crash))
    }

    pub(crate) fn add(&mut self, rules: ChildRules) -> (Key, Answer) {
        let (key, ticket) = (self.key(), self.ticket());
        let actions = self.run(Event::Add(ticket, key, rules));
        (key, answer(&actions))
    }

    pub(crate) fn terminate(&mut self, key: Key) -> Answer {
        let ticket = self.ticket();
        answer(&self.run(Event::Terminate(ticket, key)))
    }

    pub(crate) fn restart(&mut self, key: Key) -> Answer {
        let ticket = self.ticket();
        answer(&self.run(Event::Restart(ticket, key)))
    }

    pub(crate) fn delete(&mut self, key: Key) -> Answer {
        let ticket = self.ticket();
        answer(&self.run(Event::Delete(ticket, key)))
    }
}

fn as_give_up(action: Action) -> Option<Key> {
    if let Action::GiveUp(key) = action { Some(key) } else { None }
}

fn answer(actions: &[Action]) -> Answer {
    let mut answers = actions.iter().filter_map(|action| match action {
        Action::Answer(_, answer) => Some(*answer),
        _ => None,
    });
    let answer = answers.next().expect("an answer at once");
    assert_eq!(answers.next(), None);
    answer
}
