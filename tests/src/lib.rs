//! What the tests of phalanx share.
//!
//! Every case runs in a program of its own ([`alone`]): under a hard limit of time, with a temporary
//! directory of its own, and with a leak check at its end. Cases that are about whole programs run one of
//! `src/bin` ([`Program`]).

// A case says on standard output that it has passed.
#[allow(clippy::print_stdout)]
mod case;
// Only tests use it.
#[allow(missing_docs)]
mod latch;
mod leaks;
pub mod processes;
mod program;
pub mod recorder;
mod tempdir;
mod wait;

pub use case::{alone, outcome};
pub use latch::Latch;
pub use phalanx_clumsy::{forks, pages};
pub use program::{Program, Run};
pub use tempdir::machine_is_busy;
pub use wait::{
    CLEANUP_LIMIT_WHEN_BUSY, EVENT_TIMEOUT, FOREVER, LATCH_TIMEOUT, PROGRAM_TIMEOUT, RESTART_WINDOW,
    eventually, handled, until, until_handled, until_seen,
};
