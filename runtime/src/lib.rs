//! Supervised OS-process actors: annotate a struct, get a process.
//!
//! ```
//! use phalanx::prelude::*;
//!
//! /// Counts words, in a process of its own.
//! #[actor]
//! struct WordCount {
//!     total: u64,
//! }
//!
//! #[actor]
//! impl WordCount {
//!     /// Adds the words of `text`, and returns the new total.
//!     fn add(&mut self, text: String) -> u64 {
//!         self.total += text.split_whitespace().count() as u64;
//!         self.total
//!     }
//!
//!     #[tell]
//!     fn reset(&mut self) {
//!         self.total = 0
//!     }
//! }
//!
//! #[phalanx::main]
//! fn main() -> phalanx::Result<()> {
//!     let counter = WordCount { total: 0 }.spawn()?; // a new process
//!     let total = counter.add("to be or not to be".into()).wait()?; // ask
//!     counter.reset()?; // tell
//!     println!("{total} words, counted by process {}", counter.pid()?);
//!     Ok(())
//! }
//! ```
//!
//! The macros:
//!
//! * [`actor`](macro@actor) makes a struct an actor; its methods, called on an [`ActorRef`], are messages and
//!   return a [`Reply`].
//! * [`task`](macro@task) makes a function a [`Process`].
//! * [`supervisor`](macro@supervisor) makes a struct a tree of them: started in order, restarted when they
//!   crash, stopped in reverse order.
//! * [`main`](macro@main) marks where the program ends: daemons are terminated, tasks joined, actors drained
//!   and stopped.
//!
//! What stands on them, and the guide to each:
//!
//! | what | where it begins | guide |
//! |---|---|---|
//! | calls, deadlines, ends, names | [`ActorRef`], [`Reply`], [`Monitor`], [`names`] | [the tour](guide::tour) |
//! | async code | [`Reply`] is a future; [`when_room`](ActorRef::when_room); names with `_async` | [async code](guide::async_code) |
//! | a function over many inputs, in worker processes | [`Pool`] | [pools](guide::pools) |
//! | items between processes, with leases | [`Queue`] | [queues](guide::queues) |
//! | maps, lists, sets and counters of several processes | [`Store`] | [shared state](guide::shared_state) |
//! | locks, semaphores, events, barriers | [`sync`] | [shared state](guide::shared_state#locks) |
//! | memory that is shared, or sent without a copy | [`Shared`], [`Blob`] | [shared state](guide::shared_state) |
//! | any executable as a child | [`Command`](command::Command) | [supervision](guide::supervision#external-commands) |
//! | restarts, backoff, recycling, trees at run time | [`Supervisor`], [`Dynamic`], [`Partitioned`] | [supervision](guide::supervision) |
//! | actors and queues of other hosts | the module `remote` | [remote](guide::remote) |
//! | one log of all processes | [`logging`] | [the tour](guide::tour#one-log) |
//! | a web service in front of all this | | [servers](guide::servers) |
//!
//! Each end has a reason, [`ExitReason`], and each waiting process is told it: [`CallError`], [`Down`]. What is
//! promised, and what is not, stands in [guarantees](guide::guarantees) and [limitations](guide::limitations).
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | what |
//! |---|---|
//! | `logging` | `logging::init`: a subscriber for programs that have none, by `tracing-subscriber` |
//! | `remote` | the module `remote`: actors and queues of other hosts, over TCP, encrypted |
//! | `progress` | `PoolBuilder::progress`: a bar on the terminal for a pool |
//!
//! # Signals
//!
//! From the first spawn on, SIGINT and SIGTERM end the program in order, each only if the program does not
//! handle it itself. `#[phalanx::main(signals = false)]` leaves both alone.
//!
//! No call is needed first: it works in a binary, an example, a test, a bench and a doctest, on Linux (kernel
//! 5.10 or later).

// For the macros, in this crate's own actors.
extern crate self as phalanx;

// Crates of their own, below all folders.
use phalanx_os as sys;
use phalanx_policy as policy;

mod actor;
mod child;
pub mod command;
mod control;
mod introspect;
mod ipc;
pub mod logging;
pub mod names;
pub mod pool;
mod queue;
mod reactor;
mod registry;
#[cfg(feature = "remote")]
pub mod remote;
mod resources;
mod spawn;
mod status;
pub mod store;
mod supervision;
mod supervisor;
pub mod sync;
mod task;
mod types;

pub use phalanx_macros::{actor, main, supervisor, task};
// The helper attributes of `#[actor]`, so that a misplaced one is an error that says where it stands.
#[doc(hidden)]
pub use phalanx_macros::{ask, idempotent, init, local, on_exit, on_start, on_stop, tell};

pub use actor::actor_ref::ActorRef;
pub use actor::any_ref::AnyRef;
pub use actor::builder::ActorBuilder;
pub use actor::call_options::CallOptions;
pub use actor::current::{Current, current};
pub use actor::deferred::{Answer, Later, later};
pub use actor::links::{link, myself, unlink};
pub use actor::reply::Reply;
pub use actor::spawning::Spawning;
pub use actor::traits::{Actor, ActorStruct, Calls};
pub use introspect::children::{Child, children};
pub use introspect::tree::{Node, NodeKind, NodeState, tree};
pub use ipc::codec::Portable;
pub use names::NameError;
pub use names::group::Group;
pub use phalanx_policy::{AutoShutdown, Backoff, Drain, Intensity, Restart, Shutdown, SpecError, Strategy};
pub use pool::Pool;
pub use queue::{
    GetError, GetTimeoutError, Items, Lease, Leases, PutAllError, PutError, PutTimeoutError, Queue,
    QueueBuilder, QueueError, TryGetError, TryPutError,
};
pub use reactor::monitor::Monitor;
pub use reactor::stopping::Stopping;
pub use reactor::wait::{wait_all, wait_any};
#[cfg(feature = "remote")]
pub use remote::secret::{Secret, SecretError};
pub use resources::pipe::{Pipe, PipeError, pipe};
pub use resources::{fd, fd::Fd};
pub use resources::{
    shared,
    shared::{Blob, Shared},
};
pub use spawn::shutdown::{
    exit_actor, exit_actor_for_good, ignore, parallelism, shutdown, shutdown_async, shutdown_within,
    shutdown_within_async,
};
pub use store::{Store, StoreError};
pub use supervision::actor_pool::{ActorPool, PoolSize};
pub use supervision::declared::Supervised;
pub use supervision::dynamic::Dynamic;
pub use supervision::partitioned::Partitioned;
pub use supervision::{
    ChildCounts, ChildInfo, ChildSpec, ChildState, IntoChild, Reserved, Supervisor, SupervisorBuilder,
    SupervisorError, SupervisorRef,
};
#[doc(inline)]
pub use sys::rlimit::Limit;
pub use task::{Joining, Process, ProcessBuilder, TaskDef, TaskFn};
pub use types::captureless::Captureless;
pub use types::down::{Down, InProgress, Who};
pub use types::error::{At, CallError, Error, Executed, Never, Result, SendError, SpawnError, TrySendError};
pub use types::exit::{ExitReason, StoppedBy};
pub use types::id::ActorId;

/// What most programs use.
pub mod prelude {
    pub use crate::{
        ActorRef, CallError, Down, ExitReason, Monitor, Pool, Process, Queue, Reply, Restart, SendError,
        SpawnError, Supervisor, SupervisorRef, TrySendError, actor, supervisor, task,
    };
    #[doc(hidden)]
    pub use crate::{ask, idempotent, init, local, on_exit, on_start, on_stop, tell};
}

/// What the macros expand to. Only for them, and free to change.
#[doc(hidden)]
#[path = "macro_support.rs"]
pub mod __private;

#[cfg(any(doc, doctest))]
pub mod guide;
