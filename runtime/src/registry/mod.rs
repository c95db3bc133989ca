//! The engine of names: the table, the protocol, the client in every process, and the program's thread that
//! keeps the table. It must never import `control` or a folder above it, and knows endpoints, not `Actor` or
//! `ActorRef`: the typed API stands in `names`.

pub(crate) mod client;
pub(crate) mod hangups;
pub(crate) mod protocol;
pub(crate) mod table;
pub(crate) mod thread;
