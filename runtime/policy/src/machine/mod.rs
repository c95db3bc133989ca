//! The machine: `(state, event, now) -> actions`.
//!
//! Nothing is planned ahead. Each event changes the states of children: one is up, one is condemned (it must
//! stop because of a sibling), one is parked (it has no process and will be started). Then the turn is worked
//! out from these states (`turn`): what must stop next, or else what may start next. So an event in the
//! middle of a restart of several children is just one more change of state, and no plan has to be mended.
//!
//! `children` has the states, `exits` what ends of processes do to them, `requests` what users ask.

mod children;
mod exits;
mod requests;
#[cfg(test)]
mod tests;
mod turn;

use std::fmt;

use children::{Children, State};
use serde::{Deserialize, Serialize};

use crate::backoff::Jitter;
use crate::intensity::Recent;
use crate::{AutoShutdown, Backoff, Intensity, Nanos, Restart, Strategy};

/// Identifies a child. The supervisor assigns keys in increasing order.
pub type Key = u64;

/// Identifies a request that wants an answer.
pub type Ticket = u64;

/// The rules of a supervisor as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    pub strategy: Strategy,
    /// None: any number of restarts is allowed.
    pub intensity: Option<Intensity>,
    /// None: restarts are immediate.
    pub backoff: Option<Backoff>,
    pub auto_shutdown: AutoShutdown,
    /// How many specs there may be, whatever their states.
    pub max_children: Option<u32>,
    /// How many of the initial children start with the supervisor, counted from the first; the others are
    /// down until they are asked for. None: all of them start.
    pub first: Option<u32>,
    /// No request can name a child that is down: one that ends for good is forgotten, whatever its restart
    /// type.
    pub forgets: bool,
    /// For the jitter of the backoff.
    pub seed: u64,
}

/// The rules of one child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildRules {
    pub restart: Restart,
    pub significant: bool,
    /// An allowance of its own: its restarts are counted apart from the supervisor's. Using it up ends the
    /// supervisor if that has an intensity, and else only this child.
    pub intensity: Option<Intensity>,
    /// None: the supervisor's.
    pub backoff: Option<Backoff>,
}

/// How a process ended that was up and had no order to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Success,
    Crash,
    /// "Do not restart me", or a stop ordered through a ref.
    NoRestart,
    /// It must be replaced at once, whatever its restart type; this does not count, and no sibling is
    /// restarted.
    Recycled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Start the initial children, or the first of them: in order, each when the one before is up; in a
    /// dynamic supervisor all at once.
    Boot,
    /// start_child.
    Add(Ticket, Key, ChildRules),
    /// A child that has been up below a supervisor that is gone. It is started as after a crash, which does
    /// not count.
    Resume(Key, ChildRules),
    /// The process that `Start` asked for is ready.
    Up(Key),
    /// It ended before it was ready, or could not be made. Nothing of it is left. For a child that is up,
    /// this is its end.
    StartFailed(Key),
    /// Its init returned "ignore": it has no process, and that is no error.
    Ignored(Key),
    /// A process that was up has ended, or one that was ordered to stop.
    Exited(Key, Exit),
    /// terminate_child.
    Terminate(Ticket, Key),
    /// restart_child.
    Restart(Ticket, Key),
    /// delete_child.
    Delete(Ticket, Key),
    /// End in order: in reverse, one after the other; in a dynamic supervisor all at once.
    Shutdown,
    /// Time has passed, see [`Policy::due`].
    Tick,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a process; `Up`, `StartFailed` or `Ignored` follows.
    Start(Key),
    /// End its process as its spec says, also one that is not ready yet. `Exited` follows (`StartFailed` and
    /// `Ignored` will do, too).
    Stop(Key),
    /// It will be started again, but not before then. For introspection.
    Waiting(Key, Nanos),
    /// It has no process, and gets none unless it is asked for. The spec stays.
    Down(Key),
    /// Its spec is gone.
    Forget(Key),
    /// Its own allowance is used up. `Down` or `Forget` follows.
    GiveUp(Key),
    /// Each child that starts with the supervisor has been up (or was ignored, or taken out by request).
    Booted,
    Answer(Ticket, Answer),
    /// All processes are gone, and nothing follows but refusals.
    End(End),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    StartFailed,
    /// There is such a child, without a process.
    AlreadyPresent,
    /// There is such a child, with a process.
    AlreadyStarted,
    Running,
    Restarting,
    NotFound,
    MaxChildren,
    ShuttingDown,
}

/// Why a supervisor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The first start of this initial child failed.
    BootFailed(Key),
    /// This child would have been restarted once too often.
    Intensity(Key),
    /// Significant children have ended.
    Auto,
    Shutdown,
}

/// What a child is doing, for lists of children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It has no process: none is wanted, or it must wait for a sibling in trouble.
    Down,
    /// Its first start (or first since it was down) is under way.
    Starting,
    Up,
    Stopping,
    /// It ended or could not be started, and is being restarted: it waits, or tries.
    Restarting,
}

#[cfg(test)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub specs: usize,
    /// Those that are up, including those that have just been told to stop.
    pub active: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Before `Boot`.
    New,
    Booting,
    Running,
    /// No start from here on.
    Ending(End),
    Ended,
}

pub struct Policy {
    rules: Rules,
    children: Children,
    mode: Mode,
    /// The restarts of all children without an allowance of their own.
    recent: Recent,
    jitter: Jitter,
    /// The actions of the current event so far.
    actions: Vec<Action>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Policy {
    pub fn new(rules: Rules, children: Vec<(Key, ChildRules)>) -> Policy {
        Policy {
            rules,
            children: Children::initial(children, rules.first),
            mode: Mode::New,
            recent: Recent::default(),
            jitter: Jitter::new(rules.seed),
            actions: Vec::new(),
        }
    }

    /// Takes an event, and returns what must be done about it, in this order. An impossible event (about an
    /// unknown child, or a process that does not exist) leads to nothing.
    pub fn handle(&mut self, event: Event, now: Nanos) -> Vec<Action> {
        match event {
            Event::Boot if self.mode == Mode::New => self.boot(),
            Event::Boot | Event::Tick => {}
            Event::Add(ticket, key, rules) => self.add(ticket, key, rules),
            Event::Resume(key, rules) => self.resume(key, rules),
            Event::Up(key) => self.up(key, now),
            Event::StartFailed(key) => self.start_failed(key, now),
            Event::Ignored(key) => self.ignored(key, now),
            Event::Exited(key, exit) => self.exited(key, exit, now),
            Event::Terminate(ticket, key) => self.terminate(ticket, key),
            Event::Restart(ticket, key) => self.restart(ticket, key),
            Event::Delete(ticket, key) => self.delete(ticket, key),
            Event::Shutdown => self.end(End::Shutdown),
        }
        self.take_turns(now);
        std::mem::take(&mut self.actions)
    }

    /// Those that do not start with the others are known to be down before any of these is up.
    fn boot(&mut self) {
        self.mode = Mode::Booting;
        let later = self.children.iter().filter(|(_, child)| !child.initial);
        self.actions.extend(later.map(|(key, _)| Action::Down(key)));
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// When `Tick` is wanted: later than the last event, or never.
    pub fn due(&self) -> Option<Nanos> {
        self.next_start().map(|(_, at)| at)
    }

    /// The children that have no process and will be started.
    pub fn waiting(&self) -> impl Iterator<Item = Key> {
        let is_over = self.is_ending();
        self.children.parked().map(|(_, key)| key).filter(move |_| !is_over)
    }

    /// None: there is no such child.
    pub fn status(&self, key: Key) -> Option<Status> {
        let child = self.children.get(key)?;
        Some(match child.state {
            State::Down => Status::Down,
            State::Parked(_) | State::Starting { .. } if child.trouble => Status::Restarting,
            State::Parked(_) => Status::Down,
            State::Starting { .. } => Status::Starting,
            State::Up(_) => Status::Up,
            State::Stopping { .. } => Status::Stopping,
        })
    }

    #[cfg(test)]
    pub fn counts(&self) -> Counts {
        Counts { specs: self.children.len(), active: self.children.active() }
    }

    /// What to answer to a request that adds this child once more; None: it does not exist.
    pub fn presence(&self, key: Key) -> Option<Answer> {
        Some(match self.status(key)? {
            Status::Down | Status::Restarting => Answer::AlreadyPresent,
            Status::Starting | Status::Up | Status::Stopping => Answer::AlreadyStarted,
        })
    }

    /// Whether others wait until this child is up; and the request that asked for it, if any.
    pub fn is_waited_for(&self, key: Key) -> (bool, Option<Ticket>) {
        let child = self.children.get(key);
        let in_turn = child.is_some_and(|child| child.state == State::Starting { in_turn: true });
        let asked = child.and_then(|child| child.asked).map(children::Asked::ticket);
        (in_turn || self.mode == Mode::Booting, asked)
    }

    /// Whether children come and go together.
    fn is_group(&self) -> bool {
        matches!(self.rules.strategy, Strategy::OneForAll | Strategy::RestForOne)
    }

    /// Whether it stops its children for good, for whatever reason.
    pub fn is_ending(&self) -> bool {
        matches!(self.mode, Mode::Ending(_) | Mode::Ended)
    }

    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.act(Action::Answer(ticket, answer));
    }
}
