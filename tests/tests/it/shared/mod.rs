//! Memory that several processes see.

mod blob;
mod memory;
