//! The engine of names: the table, the protocol, the client of every process, and the thread in the program that keeps the table.
//!
//! It knows endpoints, no actors. The typed API stands in `names`.

pub(crate) mod client;
pub(crate) mod hangups;
pub(crate) mod protocol;
pub(crate) mod table;
pub(crate) mod thread;
