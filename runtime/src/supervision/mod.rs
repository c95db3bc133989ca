//! The typed API over `supervisor/`: supervisors with their children, and handles on them.
//!
//! Never import `command` or any service: they implement the traits of this folder.

pub(crate) mod actor_pool;
mod builder;
pub(crate) mod child_spec;
pub(crate) mod declared;
pub(crate) mod dynamic;
mod error;
mod info;
pub(crate) mod partitioned;
pub(crate) mod supervisor_ref;

use crate::control::request::Kind;
use crate::ipc::codec::Encoded;
use crate::policy::{Intensity, Rules, Strategy};
use crate::spawn::plan::Plan;
use crate::sys::process;
use crate::types::options::Options;

pub(crate) use builder::Preload;
pub use builder::SupervisorBuilder;
pub use child_spec::{ChildSpec, IntoChild, Reachable, Reserved};
pub use error::SupervisorError;
pub use info::{ChildCounts, ChildInfo, ChildState};
pub use supervisor_ref::SupervisorRef;

/// Where supervisors begin. A supervisor is a process that starts its children in order, restarts them when
/// they end, and stops them in reverse order (OTP's `supervisor`). The words, rules and defaults are OTP's,
/// unless said otherwise.
///
/// It is a process of its own, the parent of its children in the operating system too. It runs no user code,
/// and its children cannot hurt it. It is itself a child: of the supervisor above it, or of that of the
/// process that starts it, which restarts it according to its own [`restart`](SupervisorBuilder::restart)
/// (not at all, unless told so).
///
/// ```
/// use phalanx::prelude::*;
/// use phalanx::Supervisor;
/// # use std::time::Duration;
///
/// #[actor]
/// struct Counter { count: u64 }
///
/// #[actor]
/// impl Counter {
///     fn next(&mut self) -> u64 {
///         self.count += 1;
///         self.count
///     }
///     fn crash(&self) {
///         std::process::abort()
///     }
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let counter = Counter { count: 0 }.builder().reserve()?;
/// let count = counter.actor_ref();
/// let counters = Supervisor::one_for_one().name("counters").intensity(5, Duration::from_secs(10));
/// let counters = counters.child("a", counter).start()?;
///
/// assert_eq!(count.next().wait()?, 1);
/// assert!(count.crash().wait().is_err()); // this one call is lost
/// assert_eq!(count.next().wait()?, 1); // a new process behind the same ref
/// assert_eq!(count.incarnation(), 2);
/// counters.stop(Duration::from_secs(1))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum Supervisor {}

impl Supervisor {
    fn with(strategy: Strategy) -> SupervisorBuilder {
        let nothing = Ok(Encoded::default());
        let mut plan = Plan::new(Kind::Supervisor, None, nothing, Options::DEFAULT);
        plan.name = Some("supervisor".to_owned());
        let intensity = Some(Intensity::default());
        plan.policy = Some(Rules { strategy, intensity, seed: process::random(), ..Rules::default() });
        SupervisorBuilder::of(plan)
    }

    /// If a child ends, it is restarted, and no other.
    pub fn one_for_one() -> SupervisorBuilder {
        Supervisor::with(Strategy::OneForOne)
    }

    /// If a child ends, all others are stopped, and then all are started.
    pub fn one_for_all() -> SupervisorBuilder {
        Supervisor::with(Strategy::OneForAll)
    }

    /// If a child ends, those that were started after it are stopped, and then it and they are started.
    pub fn rest_for_one() -> SupervisorBuilder {
        Supervisor::with(Strategy::RestForOne)
    }

    /// Like [`one_for_one`](Self::one_for_one), for any number of children that are added at run time, and
    /// stopped all at once (OTP's `simple_one_for_one`, Elixir's `DynamicSupervisor`).
    pub fn dynamic() -> SupervisorBuilder {
        Supervisor::with(Strategy::Dynamic)
    }
}
