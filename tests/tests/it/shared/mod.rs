//! Memory that several processes see.

mod memory;
