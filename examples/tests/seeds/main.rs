//! The programs of the sources do what their rows promise, and leave nothing behind.

#![allow(unreachable_pub, dead_code, reason = "the support module serves several tests")]

#[path = "../support/mod.rs"]
mod support;

mod comparison;
mod daemons;
mod list;
mod pools;
mod processes;
mod queues;
mod ran;
mod remotes;
