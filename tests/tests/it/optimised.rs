//! The part of `it` that CI runs in an optimised build too, where all of it takes too long to be built: what
//! optimised code can do differently. That is what depends on memory that other processes write, on signals
//! and stacks, on processes that come to be by a fork, on descriptors closed twice, and on bytes that are not
//! to be believed.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

mod boot;
mod end_of_program;
mod exits;
mod forks;
mod mailbox;
mod os;
mod payloads;
mod scenario;
mod waits;

/// Pages that are wiped, and supervisors that are killed. Others build more on what these share.
#[allow(dead_code, unused_imports)]
mod supervision {
    mod hurt;
    mod support;
    mod wiped;
}
