//! The options of an actor or a task, as its attribute or its builder sets them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::{Backoff, ChildRules, Destination, Drain, Intensity, Restart, Shutdown};

const MAX_MAILBOX: u32 = 65_535;

/// How many messages a mailbox holds by default.
const MAILBOX: u32 = 256;

/// How long a call waits by default.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How deep a value may be, unless an option sets another limit.
pub(crate) const DEPTH: u32 = 128;

/// The types of the table whose values an attribute has in another form.
type Text = &'static str;
type Switch = bool;
type Recycling = Option<Recycle>;

/// What an option is that was not set.
trait Unset {
    const UNSET: Self;
}

impl<T> Unset for Option<T> {
    const UNSET: Option<T> = None;
}

impl Unset for Switch {
    const UNSET: Switch = false;
}

macro_rules! options {
    ([
        name: $name:ty { $($attribute_name:tt)* }
        $($field:ident: $type:ty { $($attribute:tt)* })+
    ]) => {
        /// The options of an attribute, and what a builder has changed of them.
        #[doc(hidden)]
        #[derive(Clone, Copy, Debug, Serialize, Deserialize)]
        pub struct Options {
            /// That of the attribute. It does not travel: a builder may set another, which is no constant.
            #[serde(skip)]
            pub name: $name,
            $(pub $field: $type,)+
        }

        impl Options {
            pub const DEFAULT: Options = Options { name: Unset::UNSET, $($field: Unset::UNSET,)+ };

            /// Returns what was `made`, and in each field that is still `plain`, what is `declared`.
            fn merged_by_field(declared: &Options, plain: &Options, made: &Options) -> Options {
                Options {
                    name: pick(declared.name, &plain.name, made.name),
                    $($field: pick(declared.$field, &plain.$field, made.$field),)+
                }
            }
        }
    };
}

crate::policy::spawn_options!(options);

fn pick<T: PartialEq>(declared: T, plain: &T, made: T) -> T {
    if made == *plain { declared } else { made }
}

impl Options {
    /// Returns the `declared` options of a child, but for those that were changed when it was `made`, compared
    /// with its `plain` ones.
    pub(crate) fn merged(declared: &Options, plain: &Options, made: &Options) -> Options {
        Options::merged_by_field(declared, plain, made)
    }

    /// How many messages its mailbox holds.
    pub(crate) fn mailbox(&self) -> u32 {
        self.mailbox.unwrap_or(MAILBOX)
    }

    /// How long a call to it waits by default.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT)
    }

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
        if zero(self.deadline) || zero(self.start_timeout) || zero(self.timeout) {
            return Err("the options `deadline`, `start_timeout` and `timeout` must be greater than zero");
        }
        if self.shutdown == Some(Shutdown::Timeout(Duration::ZERO)) {
            return Err("the option `shutdown` must be greater than zero; \
                 for a stop without a grace, set it to `BrutalKill`");
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
        self.shutdown.unwrap_or(otherwise)
    }

    /// How its supervisor treats it: a `declared` one, or that of the process that spawns it.
    pub(crate) fn rules(&self, declared: bool) -> ChildRules {
        let usual = if declared { Restart::Permanent } else { Restart::Temporary };
        let restart = self.restart.unwrap_or(usual);
        // The supervisor of a process has no intensity limit of its own, so each child has an allowance.
        let allowance = (!declared && restart != Restart::Temporary).then(Intensity::default);
        let intensity = self.intensity.or(allowance);
        ChildRules { restart, significant: self.significant, intensity, backoff: self.backoff }
    }
}

/// When an actor is replaced by a fresh process.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_builder_changes_counts_before_what_is_declared() {
        let declared = Options { mailbox: Some(1), restart: Some(Restart::Transient), ..Options::DEFAULT };
        let made = Options { restart: Some(Restart::Temporary), daemon: true, ..Options::DEFAULT };
        let options = Options::merged(&declared, &Options::DEFAULT, &made);
        assert_eq!((options.mailbox, options.daemon), (Some(1), true));
        assert_eq!(options.restart, Some(Restart::Temporary));
    }

    #[test]
    fn how_a_builder_stops_counts_before_what_is_declared() {
        let declared = Options { shutdown: Some(Shutdown::BrutalKill), ..Options::DEFAULT };
        let made = Options { shutdown: Some(Duration::from_secs(1).into()), ..Options::DEFAULT };
        let otherwise = Shutdown::Infinity;
        let stop = Options::merged(&declared, &Options::DEFAULT, &made).how_to_stop(otherwise);
        assert_eq!(stop, Shutdown::Timeout(Duration::from_secs(1)));
        let plain = Options::merged(&declared, &Options::DEFAULT, &Options::DEFAULT);
        assert_eq!(plain.how_to_stop(otherwise), Shutdown::BrutalKill);
    }
}
