//! The options of an actor or a task, as its attribute or its builder sets them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::{Backoff, ChildRules, Drain, Intensity, Restart, Shutdown};

const MAX_MAILBOX: u32 = 65_535;

/// How deep a value may be, unless an option sets another limit.
pub(crate) const DEPTH: u32 = 128;

/// The options of an attribute.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub name: Option<&'static str>,
    pub mailbox: Option<u32>,
    pub daemon: bool,
    pub deadline: Option<Duration>,
    pub start: Option<Duration>,
    pub grace: Option<Duration>,
    pub timeout: Option<Duration>,
    pub memory: Option<u64>,
    pub restart: Option<Restart>,
    pub intensity: Option<Intensity>,
    pub backoff: Option<Backoff>,
    pub shutdown: Option<Shutdown>,
    pub significant: bool,
    pub recycle: Option<Recycle>,
    pub drain: Option<Drain>,
    pub spare: bool,
    pub nice: Option<i32>,
    pub depth: Option<u32>,
}

impl Options {
    pub const DEFAULT: Options = Options {
        name: None,
        mailbox: None,
        daemon: false,
        deadline: None,
        start: None,
        grace: None,
        timeout: None,
        memory: None,
        restart: None,
        intensity: None,
        backoff: None,
        shutdown: None,
        significant: false,
        recycle: None,
        drain: None,
        spare: false,
        nice: None,
        depth: None,
    };
}

impl Options {
    /// How deep its messages, its state and its replies may be.
    pub(crate) fn depth(&self) -> u32 {
        self.depth.unwrap_or(DEPTH)
    }

    /// Refuses what the attributes refuse too (`macros/src/options/`), because a builder may have set it:
    /// invalid values, and options that contradict each other.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let zero = |option: Option<Duration>| option.is_some_and(|limit| limit.is_zero());
        if self.mailbox.is_some_and(|mailbox| !(1..=MAX_MAILBOX).contains(&mailbox)) {
            return Err("the option `mailbox` is between 1 and 65535 messages");
        }
        if zero(self.deadline) || zero(self.start) || zero(self.timeout) {
            return Err("the options `deadline`, `start` and `timeout` must be greater than zero");
        }
        if zero(self.grace) || self.shutdown == Some(Shutdown::Timeout(Duration::ZERO)) {
            return Err(
                "the option `grace` must be greater than zero; for a stop without one, set `shutdown` to `BrutalKill`",
            );
        }
        if self.memory == Some(0) {
            return Err("the option `memory` is at least 1 byte");
        }
        if self.nice.is_some_and(|nice| !(-20..=19).contains(&nice)) {
            return Err("the option `nice` is between -20 and 19");
        }
        let recycle = self.recycle.unwrap_or_default();
        if recycle.messages == Some(0) || recycle.memory == Some(0) || zero(recycle.age) {
            return Err(
                "the options `recycle_after`, `recycle_above` and `recycle_at_age` must be greater than zero",
            );
        }
        if recycle.jitter > 100 {
            return Err("the option `recycle_jitter` is a percentage, 0 to 100");
        }
        let recycles = recycle.messages.is_some() || recycle.memory.is_some() || recycle.age.is_some();
        if self.restart == Some(Restart::Temporary) && self.spare && !recycles {
            return Err(
                "what is temporary gets no next process, so it needs no spare: the options `restart` and `spare` contradict each other",
            );
        }
        Ok(())
    }

    /// How it is stopped; `otherwise` if no option says so.
    pub(crate) fn how_to_stop(&self, otherwise: Shutdown) -> Shutdown {
        self.shutdown.or(self.grace.map(Shutdown::Timeout)).unwrap_or(otherwise)
    }

    /// How its supervisor treats it; `restart` if no option says so.
    pub(crate) fn rules(&self, restart: Restart) -> ChildRules {
        ChildRules {
            restart: self.restart.unwrap_or(restart),
            significant: self.significant,
            intensity: self.intensity,
            backoff: self.backoff,
        }
    }
}

/// When an actor is replaced by a fresh process.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recycle {
    /// After so many messages.
    pub messages: Option<u64>,
    /// Above so many resident bytes.
    pub memory: Option<u64>,
    /// At this age.
    pub age: Option<Duration>,
    /// Up to so many percent earlier.
    pub jitter: u8,
}

impl Recycle {
    pub const NEVER: Recycle = Recycle { messages: None, memory: None, age: None, jitter: 0 };

    /// The limits set so far, to be added to.
    pub const fn from(earlier: Option<Recycle>) -> Recycle {
        match earlier {
            Some(recycle) => recycle,
            None => Recycle::NEVER,
        }
    }
}
