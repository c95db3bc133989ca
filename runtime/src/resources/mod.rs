//! What travels by descriptor: shared memory, blobs, files, pipes.
//!
//! Nothing here knows actors.

pub(crate) mod blob;
pub mod fd;
pub(crate) mod pipe;
pub mod shared;
