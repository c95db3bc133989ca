//! What runs in a process that spawns: the root supervisor on demand, the plan of a spawn, what is kept to be started again, and the end of the program.
//!
//! It knows entry points, not types: neither `actor` nor `task`.

pub(crate) mod batch;
pub(crate) mod claim;
pub(crate) mod kept;
pub(crate) mod plan;
pub(crate) mod root;
pub(crate) mod shutdown;
pub(crate) mod tree;
