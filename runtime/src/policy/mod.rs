//! Restart policy: what a supervisor does when children end, and what it answers to requests.
//!
//! Pure: an event and the time go in, actions come out. No clock, no pid, no system call, and no randomness but a seed that is
//! given in. The folder `supervisor` carries the actions out. Words and rules are those of OTP's
//! [`supervisor`](https://www.erlang.org/doc/apps/stdlib/supervisor.html); where they differ, the function that differs says so.

mod backoff;
pub(crate) mod duration;
mod intensity;
pub(crate) mod machine;
mod spec;

pub use spec::{AutoShutdown, Backoff, Drain, Intensity, Restart, Shutdown, SpecError, Strategy};

pub(crate) use intensity::Recent;
pub(crate) use machine::{Action, Answer, ChildRules, End, Event, Exit, Key, Policy, Rules, Status, Ticket};
pub(crate) use spec::{check, check_child};

/// The monotonic clock, in nanoseconds.
pub(crate) type Nanos = u64;
