//! The typed actor: traits, refs, calls, replies, deferred replies, links, the builder, and the router of a
//! pool of actors; [`server`] is the message loop.
//!
//! Never import `task`, `supervision` or any service: they are built on this folder.

pub(crate) mod actor_ref;
pub(crate) mod answer;
pub(crate) mod any_ref;
pub(crate) mod builder;
pub(crate) mod call;
pub(crate) mod call_options;
pub(crate) mod current;
pub(crate) mod deferred;
pub(crate) mod flush;
pub(crate) mod forwarded;
pub(crate) mod links;
pub(crate) mod message;
pub(crate) mod raw_ref;
pub(crate) mod reply;
pub(crate) mod roles;
pub(crate) mod router;
pub(crate) mod server;
pub(crate) mod spawning;
pub(crate) mod traits;
