//! Reading the tree from status pages and `/proc`: `tree()` and `children()`.
//!
//! Never import anything that sends.

pub(crate) mod children;
pub(crate) mod tree;
