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
//!     /// Adds the words of `text`, and answers the new total.
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
//! * [`actor`](macro@actor) makes a struct an actor; its methods, called on an [`ActorRef`], are messages and answer a [`Reply`].
//! * [`task`](macro@task) makes a function a [`Process`].
//! * [`supervisor`](macro@supervisor) makes a struct a tree of them: started in order, restarted when they crash, stopped in reverse order.
//! * [`Command`] makes any executable a child with the same start, stop and end.
//! * [`main`](macro@main) marks where the program ends: daemons are terminated, tasks joined, actors drained and stopped.
//! * [`names`] and [`Group`]s find actors from every process of the tree, without a ref that was handed on.
//! * What ends, says why: [`ExitReason`]; who waits, is told: [`CallError`], [`Monitor`].
//!
//! Nothing has to be called first: it works in a binary, an example, a test, a bench and a doctest, on Linux (kernel 5.10 or later).

// For the macros, in the actors that are our own.
extern crate self as phalanx;

mod ipc;
mod policy;
mod reactor;
mod registry;
pub(crate) mod status;
mod sys;
mod types;

mod actor;
mod actor_ref;
mod any_ref;
mod builder;
mod command;
mod current;
mod declared;
mod dynamic;
pub mod fd;
mod function;
mod introspect;
mod later;
mod links;
pub mod logging;
pub mod names;
mod partitioned;
mod pipe;
mod plan;
pub mod pool;
mod process;
mod program;
mod queue;
mod relay;
#[cfg(feature = "remote")]
pub mod remote;
mod reply;
#[cfg(feature = "remote")]
mod secret;
pub mod shared;
pub mod store;
mod supervisor;
pub mod sync;
mod task;

pub use phalanx_macros::{actor, main, supervisor, task};

pub use actor::{Actor, ActorStruct, Calls};
pub use actor_ref::{ActorId, ActorRef};
pub use any_ref::AnyRef;
pub use builder::ActorBuilder;
pub use command::{Command, CommandCalls, CommandRef, Keeper, Output, Ready};
pub use current::{Current, current};
pub use declared::Supervised;
pub use dynamic::Dynamic;
pub use fd::Fd;
pub use introspect::{Node, NodeKind, NodeState, tree};
pub use ipc::codec::Portable;
pub use later::{Answer, Later, later};
pub use links::{link, myself, unlink};
pub use names::NameError;
pub use names::group::Group;
pub use partitioned::Partitioned;
pub use pipe::{Pipe, PipeError, pipe};
pub use policy::{AutoShutdown, Backoff, Drain, Intensity, Restart, Shutdown, SpecError, Strategy};
pub use pool::{Pool, Task};
pub use process::tree::{Child, children};
pub use program::{exit_actor, exit_actor_for_good, ignore, parallelism, shutdown, shutdown_within};
pub use queue::{
    GetError, GetTimeoutError, Items, Lease, Leases, PutAllError, PutError, PutTimeoutError, Queue,
    QueueBuilder, QueueError, TryGetError, TryPutError,
};
pub use reactor::monitor::{Down, InProgress, Monitor, Who};
pub use reactor::wait::{wait_all, wait_any};
pub use reply::Reply;
#[cfg(feature = "remote")]
pub use secret::{Secret, SecretError};
pub use shared::{Blob, Shared};
pub use store::{Cell, Counter, List, Map, Set, Store, StoreError};
pub use supervisor::{
    ChildCounts, ChildInfo, ChildSpec, ChildState, IntoChild, Reserved, Supervisor, SupervisorBuilder,
    SupervisorError, SupervisorRef,
};
pub use sync::{
    Barrier, BarrierError, Event, Guard, Lock, LockError, Poisoned, RwLock, Semaphore, SyncError,
};
pub use sys::rlimit::Limit;
pub use task::{Joining, Process, ProcessBuilder, TaskDef, TaskFn};
pub use types::error::{At, CallError, Error, Executed, Never, Result, SendError, SpawnError, TrySendError};
pub use types::exit::{ExitReason, StoppedBy};

/// What most programs use.
pub mod prelude {
    pub use crate::{
        ActorRef, CallError, Down, ExitReason, Monitor, Process, Reply, SendError, SpawnError, Supervisor,
        SupervisorRef, TrySendError, actor, supervisor, task,
    };
}

/// What the macros write against. Not for anybody else, and free to change.
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

/// The programs of the documents are compiled and run with ours. Those of the README and of `docs/tour.md` go on from each
/// other: a test of the workspace puts them together. Another test checks that no document with a program is missing here.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../docs/supervision.md")]
    struct Supervision;

    #[doc = include_str!("../../docs/from-python.md")]
    struct FromPython;

    #[doc = include_str!("../../docs/queues.md")]
    struct Queues;

    #[doc = include_str!("../../docs/shared-state.md")]
    struct SharedState;

    #[doc = include_str!("../../docs/pools.md")]
    struct Pools;
    #[cfg(feature = "remote")]
    #[doc = include_str!("../../docs/remote.md")]
    struct Remote;
}
