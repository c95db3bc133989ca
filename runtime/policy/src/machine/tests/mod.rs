//! What a policy does, with simulated time.

mod model;
mod properties;
mod rows;
mod script;
mod world;
