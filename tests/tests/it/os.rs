//! What the operating system does to processes, and what it sees of them.
