//! The paths that the macros expand to.

pub use crate::types::method::Method;
pub use crate::types::options::Options;
pub use crate::types::options::Recycle;
pub use serde;

pub use crate::actor::actor_ref::ActorRef;
pub use crate::actor::answer::Answer;
pub use crate::actor::builder::ActorBuilder;
pub use crate::actor::call::Call;
pub use crate::actor::deferred::Later;
pub use crate::actor::message::{
    Ask, InitCodec, Message, Tell, ask, ask_later, ask_later_result, ask_result, codec_of_arguments,
    codec_of_state, tell,
};
pub use crate::actor::raw_ref::RawRef;
pub use crate::actor::reply::Reply;
pub use crate::actor::roles::{AppError, Argument, Arguments, Field, Returned, State};
pub use crate::actor::spawning::Spawning;
pub use crate::actor::traits::{Actor, ActorStruct, Calls, InitFailure, ResultLike};
pub use crate::ipc::codec::Portable;
pub use crate::policy::{AutoShutdown, Backoff, Destination, Drain, Intensity, Restart, Shutdown};
pub use crate::spawn::plan::Found;
pub use crate::spawn::root::leave_signals;
pub use crate::spawn::shutdown::run_main;
pub use crate::supervision::declared::{
    Frame, Supervised, built, check_is_actor, check_significant, declared, start, start_async, start_with,
};
pub use crate::supervision::{ChildSpec, IntoChild, Reachable, Supervisor, SupervisorBuilder, SupervisorRef};
pub use crate::task::declared::{DeclaredTask, task, task_result};
pub use crate::task::function::TaskDef;
pub use crate::task::{Process, ProcessBuilder};
pub use crate::types::down::Down;
pub use crate::types::error::{SendError, SpawnError, TrySendError};
pub use std::any::type_name_of_val;

/// Finds out whether the impl block of an actor has the attribute too.
pub const fn check_has_block<A: Actor>() {}

/// Starts an actor with the options of its attribute.
///
/// # Errors
/// See [`SpawnError`].
pub fn spawn<A: Actor>(init: A::Init) -> Result<ActorRef<A>, SpawnError> {
    builder(init).spawn()
}

/// Starts an actor with the options of its attribute, when the future is polled.
pub fn spawn_async<A: Actor>(init: A::Init) -> Spawning<ActorRef<A>> {
    builder(init).spawn_async()
}

/// The builder of an actor.
pub fn builder<A: Actor>(init: A::Init) -> ActorBuilder<A> {
    ActorBuilder::new(&init)
}

/// Called by a function as it begins: that of this `path`, which may be run `attempts` times, and may take
/// `deadline` nanoseconds (0: no limit).
pub fn task_begins(path: &str, attempts: u32, deadline: u64) {
    crate::pool::declare(Some(path), attempts, deadline);
}

/// Called by the function that has just been called, whichever it is: see [`task_begins`].
pub fn any_task_begins(attempts: u32, deadline: u64) {
    crate::pool::declare(None, attempts, deadline);
}

/// The line on which every process of a tree sends its requests for names, for the tests that write rubbish
/// to it.
pub fn line_of_names() -> Option<std::os::fd::BorrowedFd<'static>> {
    crate::ipc::uplink::names()
}

/// The sending end of the log of the tree, for the tests that write rubbish to it.
pub fn log_line() -> Option<std::os::fd::BorrowedFd<'static>> {
    crate::ipc::uplink::log()
}

/// When the supervisor of this actor knew how its last process had ended: nanoseconds since the system was
/// started. For benchmarks.
#[cfg(feature = "floors")]
pub fn noted<A: crate::Actor>(actor: &crate::ActorRef<A>) -> u64 {
    actor.endpoint().status_page.noted()
}
