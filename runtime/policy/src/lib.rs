//! Restart policy of `phalanx`: what a supervisor does when children end, and what it replies to requests.
//!
//! Pure: an event and the time go in, actions come out. No clock, no pid, no system call, and no randomness
//! except from a given seed. The supervisors of phalanx carry the actions out. Its attributes read their
//! values by the grammars of this crate, and know their options from its table. Words and rules are those of OTP's
//! [`supervisor`](https://www.erlang.org/doc/apps/stdlib/supervisor.html); a function that differs says so.
//!
//! This crate is published because phalanx needs it. phalanx exports what programs use of it; the rest may
//! change with every release.

#![allow(missing_docs, reason = "a part of phalanx, and no interface for others")]

mod backoff;
pub mod duration;
mod intensity;
mod machine;
mod options;
mod spec;

pub use spec::{
    AutoShutdown, Backoff, Destination, Drain, Intensity, Restart, Shutdown, SpecError, Strategy,
};

pub use intensity::Recent;
pub use machine::{Action, Answer, ChildRules, End, Event, Exit, Key, Policy, Rules, Status, Ticket};
pub use options::MOST_ATTEMPTS;
pub use spec::{check, check_child};

/// The monotonic clock, in nanoseconds.
pub type Nanos = u64;
