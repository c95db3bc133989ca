//! Functions as processes.
