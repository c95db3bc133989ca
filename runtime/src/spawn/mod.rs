//! What runs in a process that spawns: the root supervisor on demand, the plan of a spawn, what is kept for a
//! restart, name claims, and the end of the program. It must not import `actor` or `task`: it knows entry
//! points, not types.

pub(crate) mod batch;
pub(crate) mod claim;
pub(crate) mod kept;
pub(crate) mod plan;
pub(crate) mod root;
pub(crate) mod shutdown;
pub(crate) mod tree;
