//! The environment variable that every process of a tree has.

/// Marks every process of a tree, and whatever it starts, with the tree's random number.
pub(crate) const TREE: &str = "PHALANX_TREE";
