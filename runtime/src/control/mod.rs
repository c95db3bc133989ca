//! What processes of a tree send to and share with each other. It must not import `child`, `supervisor` or
//! `spawn`: it is the protocol, and no party to it.
//!
//! - [`request`]: what a process asks of a supervisor; [`link`]: how it gets there.
//! - [`entry`], [`function`]: which code a process runs; [`attributes`]: with which environment and limits.
//! - [`notification`]: how a child signals its supervisor.
//! - [`fd_store`]: which descriptors outlive a process.
//! - [`step`]: what can fail on the way to a root supervisor.
//! - [`orphans`]: how the processes of a dead tree are found.

pub(crate) mod attributes;
pub(crate) mod boot_env;
pub(crate) mod entry;
pub(crate) mod fd_store;
pub(crate) mod function;
pub(crate) mod link;
pub(crate) mod notification;
pub(crate) mod orphans;
pub(crate) mod output;
pub(crate) mod request;
pub(crate) mod step;
