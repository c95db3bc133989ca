//! What the environment of every process of a tree says.

/// The variable that marks every process of a tree, whoever started it, with the tree's random number.
pub(crate) const TREE: &str = "PHALANX_TREE";
