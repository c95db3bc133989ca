//! What the operating system does to processes, and what it sees of them.

mod deaths;
mod descriptors;
mod image;
mod limits;
mod rights;
mod signals;
mod strays;
