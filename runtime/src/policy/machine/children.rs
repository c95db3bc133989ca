//! The children of a supervisor, and where each of them stands.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::Nanos;
use crate::policy::intensity::Recent;
use crate::policy::machine::{ChildRules, Key, Ticket};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has no process, and gets none unless somebody asks for it.
    Down,
    /// It has no process, and gets one when its turn has come, but not before this time.
    Parked(Nanos),
    /// `in_turn`: others wait for it.
    Starting { in_turn: bool },
    /// Since when.
    Up(Nanos),
    /// It has been ordered to stop.
    Stopping { was_up: bool },
}

impl State {
    /// Whether there is a process, or may be.
    pub(super) fn is_alive(self) -> bool {
        matches!(self, State::Starting { .. } | State::Up(_) | State::Stopping { .. })
    }

    fn is_active(self) -> bool {
        matches!(self, State::Up(_) | State::Stopping { was_up: true })
    }
}

/// What becomes of a child that has to stop for a sibling's sake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It is started again.
    Park,
    /// It stays down: the one it would have to wait for has been taken out.
    Down,
}

/// Who waits for a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Add(Ticket),
    Restart(Ticket),
}

impl Asked {
    pub(super) fn ticket(self) -> Ticket {
        match self {
            Asked::Add(ticket) | Asked::Restart(ticket) => ticket,
        }
    }
}

#[derive(Debug)]
pub(super) struct Child {
    pub(super) rules: ChildRules,
    /// Changed by [`Children::set`] only.
    pub(super) state: State,
    /// An initial child that has not been up yet.
    pub(super) initial: bool,
    /// It ended by itself or could not be started, and has not been up since.
    pub(super) trouble: bool,
    /// It has to stop. Changed by [`Children::condemn`] and [`Children::set`] only.
    pub(super) condemned: Option<Then>,
    /// Whose request its first start is.
    pub(super) asked: Option<Asked>,
    /// Who waits for its stop.
    pub(super) terminated_by: Vec<Ticket>,
    /// The restarts that count against its own allowance.
    pub(super) recent: Recent,
    /// How often it has been restarted since it was healthy.
    pub(super) attempts: u32,
}

impl Child {
    pub(super) fn new(rules: ChildRules) -> Child {
        Child {
            rules,
            state: State::Down,
            initial: false,
            trouble: false,
            condemned: None,
            asked: None,
            terminated_by: Vec::new(),
            recent: Recent::default(),
            attempts: 0,
        }
    }
}

/// All children, in the order of their starts, and who is in which state, so that an event need not look at everybody.
#[derive(Debug, Default)]
pub(super) struct Children {
    all: BTreeMap<Key, Child>,
    parked: BTreeSet<(Nanos, Key)>,
    alive: BTreeSet<Key>,
    /// Those among the living that have to stop for a sibling's sake.
    condemned: BTreeSet<Key>,
    in_turn: usize,
    active: usize,
    initial: usize,
}

impl Children {
    pub(super) fn initial(children: Vec<(Key, ChildRules)>) -> Children {
        let mut table = Children::default();
        for (key, rules) in children {
            table.insert(key, Child { initial: true, ..Child::new(rules) });
            table.set(key, State::Parked(0));
        }
        table.initial = table.all.len();
        table
    }

    pub(super) fn insert(&mut self, key: Key, child: Child) {
        self.all.insert(key, child);
    }

    pub(super) fn remove(&mut self, key: Key) {
        self.not_initial(key);
        self.set(key, State::Down);
        self.all.remove(&key);
    }

    pub(super) fn get(&self, key: Key) -> Option<&Child> {
        self.all.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Child> {
        self.all.get_mut(&key)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (Key, &Child)> {
        self.all.iter().map(|(&key, child)| (key, child))
    }

    pub(super) fn from(&self, key: Key) -> impl Iterator<Item = (Key, &Child)> {
        self.all.range(key..).map(|(&key, child)| (key, child))
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many are up, or were when they were told to stop.
    #[cfg(test)]
    pub(super) fn active(&self) -> usize {
        self.active
    }

    /// How many initial children have not been up yet.
    pub(super) fn initial_left(&self) -> usize {
        self.initial
    }

    /// By time, then in order.
    pub(super) fn parked(&self) -> impl Iterator<Item = (Nanos, Key)> {
        self.parked.iter().copied()
    }

    pub(super) fn alive(&self) -> &BTreeSet<Key> {
        &self.alive
    }

    pub(super) fn condemned(&self) -> &BTreeSet<Key> {
        &self.condemned
    }

    /// Whether one is starting for which others wait.
    pub(super) fn is_one_in_turn(&self) -> bool {
        self.in_turn > 0
    }

    /// Puts a child into another state. One without a process is no longer condemned.
    pub(super) fn set(&mut self, key: Key, state: State) {
        let Some(child) = self.all.get_mut(&key) else { return };
        let before = std::mem::replace(&mut child.state, state);
        if !state.is_alive() {
            child.condemned = None;
            self.condemned.remove(&key);
            self.alive.remove(&key);
        } else {
            self.alive.insert(key);
        }
        match before {
            State::Parked(at) => drop(self.parked.remove(&(at, key))),
            State::Starting { in_turn: true } => self.in_turn -= 1,
            _ => {}
        }
        match state {
            State::Parked(at) => drop(self.parked.insert((at, key))),
            State::Starting { in_turn: true } => self.in_turn += 1,
            _ => {}
        }
        self.active -= usize::from(before.is_active());
        self.active += usize::from(state.is_active());
    }

    /// Says what becomes of a child with a process once it has been stopped for a sibling's sake.
    pub(super) fn condemn(&mut self, key: Key, then: Then) {
        if let Some(child) = self.all.get_mut(&key).filter(|child| child.state.is_alive()) {
            child.condemned = Some(then);
            self.condemned.insert(key);
        }
    }

    /// The child's first start is over, however.
    pub(super) fn not_initial(&mut self, key: Key) {
        if let Some(child) = self.all.get_mut(&key).filter(|child| child.initial) {
            child.initial = false;
            self.initial -= 1;
        }
    }
}
