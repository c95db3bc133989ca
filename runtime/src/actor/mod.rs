//! The typed actor: traits, refs, calls, replies, deferred answers, links, the builder. [`server`] is the loop that handles messages.
//!
//! No task, no declared supervisor and no service stands here: they are built on it.

pub(crate) mod actor_ref;
pub(crate) mod any_ref;
pub(crate) mod builder;
pub(crate) mod current;
pub(crate) mod deferred;
pub(crate) mod forwarded;
pub(crate) mod links;
pub(crate) mod reply;
pub(crate) mod server;
pub(crate) mod traits;
