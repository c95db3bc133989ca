//! Waiting inside one process: the reactor (leader and followers), endpoints, waiters, monitors, `select`,
//! process handles. It must never import `control` or a folder above it, or know a typed actor.

pub(crate) mod context;
pub(crate) mod death;
pub(crate) mod driver;
pub(crate) mod endpoint;
pub(crate) mod foreign;
pub(crate) mod interrupt;
pub(crate) mod last_words;
pub(crate) mod monitor;
pub(crate) mod offload;
pub(crate) mod on_down;
pub(crate) mod own;
pub(crate) mod process_handle;
pub(crate) mod reception;
pub(crate) mod room;
pub(crate) mod select;
pub(crate) mod stopping;
pub(crate) mod travel;
pub(crate) mod wait;
pub(crate) mod waiter;
