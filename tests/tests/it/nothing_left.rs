//! Whoever is killed, nothing is left behind.
