//! The rows of the conformance table that speak of policy, with simulated time.

mod model;
mod properties;
mod rows;
mod script;
mod world;
