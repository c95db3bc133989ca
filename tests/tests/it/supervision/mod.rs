//! Restarts, and supervisors that are declared.

mod actor_pools;
mod auto_shutdown;
mod declared;
mod dynamic;
mod families;
mod forged;
mod hurt;
mod intensity;
mod methods;
mod nested;
mod order;
mod programs;
mod requests;
mod restarts;
mod root;
mod spares;
mod starting;
mod stopping;
mod storm;
mod strategies;
mod support;
mod system;
mod types;
mod wiped;
