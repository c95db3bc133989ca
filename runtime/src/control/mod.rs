//! What processes of a tree say to and share with each other: [`request`] is what is asked of a supervisor, [`entry`] which code a new process runs,
//! [`attributes`] with which attributes, [`notification`] how a child tells its supervisor something, [`fd_store`] which descriptors outlive a process, [`step`]
//! what is said of a root supervisor that does not come up, [`orphans`] how what is left is found.
//!
//! It is the protocol, and no party to it: neither a child, nor a supervisor, nor a process that spawns.

pub(crate) mod attributes;
pub(crate) mod boot_env;
pub(crate) mod entry;
pub(crate) mod fd_store;
pub(crate) mod function;
pub(crate) mod link;
pub(crate) mod notification;
pub(crate) mod orphans;
pub(crate) mod request;
pub(crate) mod step;
