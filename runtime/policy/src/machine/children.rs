//! The children of a supervisor, and where each of them stands.

use std::collections::{BTreeMap, BTreeSet};

use crate::Nanos;
use crate::intensity::Recent;
use crate::machine::{ChildRules, Key, Ticket};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It has no process, and gets none unless it is asked for.
    Down,
    /// It has no process, and gets one when its turn has come, but not before this time.
    Parked(Nanos),
    /// `in_turn`: later children wait for it.
    Starting { in_turn: bool },
    /// Since when.
    Up(Nanos),
    /// It has been ordered to stop.
    Stopping { was_up: bool },
}

impl State {
    /// Whether there is a process, or may be.
    pub(crate) fn is_alive(self) -> bool {
        matches!(self, State::Starting { .. } | State::Up(_) | State::Stopping { .. })
    }

    fn is_active(self) -> bool {
        matches!(self, State::Up(_) | State::Stopping { was_up: true })
    }
}

/// What happens to a child that must stop because of a sibling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is started again.
    Park,
    /// It stays down: the sibling that it would wait for was removed.
    Down,
}

/// The request that waits for a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Add(Ticket),
    Restart(Ticket),
}

impl Asked {
    pub(crate) fn ticket(self) -> Ticket {
        match self {
            Asked::Add(ticket) | Asked::Restart(ticket) => ticket,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) rules: ChildRules,
    /// Changed by [`Children::set`] only.
    pub(crate) state: State,
    /// It starts with the supervisor, and has not been up yet.
    pub(crate) initial: bool,
    /// It ended by itself or could not be started, and has not been up since.
    pub(crate) trouble: bool,
    /// It must stop. Changed by [`Children::condemn`] and [`Children::set`] only.
    pub(crate) condemned: Option<Then>,
    /// The request for its first start.
    pub(crate) asked: Option<Asked>,
    /// The requests that wait for its stop.
    pub(crate) terminated_by: Vec<Ticket>,
    /// The restarts that count against its own allowance.
    pub(crate) recent: Recent,
    /// How often it has been restarted since it was healthy.
    pub(crate) attempts: u32,
}

impl Child {
    pub(crate) fn new(rules: ChildRules) -> Child {
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

/// All children, in the order of their starts, and which are in which state, so that an event need not look
/// at every child.
#[derive(Debug, Default)]
pub(crate) struct Children {
    all: BTreeMap<Key, Child>,
    parked: BTreeSet<(Nanos, Key)>,
    alive: BTreeSet<Key>,
    /// Living children that must stop because of a sibling.
    condemned: BTreeSet<Key>,
    in_turn: usize,
    active: usize,
    initial: usize,
}

impl Children {
    /// The children that come with the supervisor, of which the `first` ones start with it.
    pub(crate) fn initial(children: Vec<(Key, ChildRules)>, first: Option<u32>) -> Children {
        let first = first.map_or(usize::MAX, |first| usize::try_from(first).unwrap_or(usize::MAX));
        let mut table = Children { initial: children.len().min(first), ..Children::default() };
        for (place, (key, rules)) in children.into_iter().enumerate() {
            let initial = place < first;
            table.insert(key, Child { initial, ..Child::new(rules) });
            if initial {
                table.set(key, State::Parked(0));
            }
        }
        table
    }

    pub(crate) fn insert(&mut self, key: Key, child: Child) {
        self.all.insert(key, child);
    }

    pub(crate) fn remove(&mut self, key: Key) {
        self.not_initial(key);
        self.set(key, State::Down);
        self.all.remove(&key);
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Child> {
        self.all.get(&key)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Child> {
        self.all.get_mut(&key)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (Key, &Child)> {
        self.all.iter().map(|(&key, child)| (key, child))
    }

    pub(crate) fn from(&self, key: Key) -> impl Iterator<Item = (Key, &Child)> {
        self.all.range(key..).map(|(&key, child)| (key, child))
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many are up, or were when they were told to stop.
    #[cfg(test)]
    pub(crate) fn active(&self) -> usize {
        self.active
    }

    /// How many initial children have not been up yet.
    pub(crate) fn initial_left(&self) -> usize {
        self.initial
    }

    /// By time, then in order.
    pub(crate) fn parked(&self) -> impl Iterator<Item = (Nanos, Key)> {
        self.parked.iter().copied()
    }

    pub(crate) fn alive(&self) -> &BTreeSet<Key> {
        &self.alive
    }

    pub(crate) fn condemned(&self) -> &BTreeSet<Key> {
        &self.condemned
    }

    /// Whether a child is starting that others wait for.
    pub(crate) fn is_one_in_turn(&self) -> bool {
        self.in_turn > 0
    }

    /// Puts a child into another state. One without a process is no longer condemned.
    pub(crate) fn set(&mut self, key: Key, state: State) {
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

    /// Sets what happens to a child with a process once it has been stopped because of a sibling.
    pub(crate) fn condemn(&mut self, key: Key, then: Then) {
        if let Some(child) = self.all.get_mut(&key).filter(|child| child.state.is_alive()) {
            child.condemned = Some(then);
            self.condemned.insert(key);
        }
    }

    /// Ends the child's first start, whatever came of it.
    pub(crate) fn not_initial(&mut self, key: Key) {
        if let Some(child) = self.all.get_mut(&key).filter(|child| child.initial) {
            child.initial = false;
            self.initial -= 1;
        }
    }
}
