//! Reading the tree, from status pages and `/proc`.
//!
//! Nothing here sends.

pub(crate) mod children;
pub(crate) mod tree;
