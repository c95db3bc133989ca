//! What travels by descriptor: shared memory, blobs, descriptors, pipes.
//!
//! Never import anything that knows actors.

pub(crate) mod blob;
pub mod fd;
pub(crate) mod pipe;
pub mod shared;
