//! How actors end, and what is said of it.
