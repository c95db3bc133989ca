//! The promises of phalanx, each tested through real processes.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

mod any_refs;
mod architecture;
mod boot;
mod calls;
mod commands;
mod documents;
mod end_of_program;
mod executors;
mod exits;
mod forks;
mod fresh_crate;
mod guard;
mod links;
mod logging;
mod mailbox;
mod names;
mod nothing_left;
mod os;
mod output;
mod packaging;
mod payloads;
mod pipes;
mod pool;
mod queue;
mod remote;
mod scenario;
mod shared;
mod start;
mod store;
mod supervision;
mod sync;
mod tasks;
mod traits;
mod tree;
mod waits;
