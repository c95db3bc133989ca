//! The life of processes: from the first spawn of a program to the last child of its last supervisor.
//!
//! [`root`] is the program's side: it starts the tree on demand, asks it for processes and ends it; [`kept`] is what it starts again. [`boot`] is what the hook
//! before `main` does in the image that becomes the root supervisor; [`supervisor`] is the loop of every supervisor;
//! [`child`] is what happens between a fork and user code, and [`actor_loop`] what happens after it. [`entry`] says
//! which code a new process runs, [`request`] what is asked of a supervisor, [`register`] which process is whose.

pub(crate) mod actor_loop;
pub(crate) mod attic;
pub(crate) mod batch;
pub(crate) mod board;
pub(crate) mod boot;
pub(crate) mod child;
pub(crate) mod entry;
pub(crate) mod events;
pub(crate) mod farewell;
#[cfg(feature = "floors")]
pub mod floor;
pub(crate) mod kept;
pub(crate) mod last_words;
pub(crate) mod register;
pub(crate) mod request;
pub(crate) mod root;
pub(crate) mod step;
pub(crate) mod strays;
pub(crate) mod supervisor;
pub(crate) mod surroundings;
pub(crate) mod tree;
pub(crate) mod warden;
