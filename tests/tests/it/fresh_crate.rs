//! The program of the README, typed into a crate of its own.
