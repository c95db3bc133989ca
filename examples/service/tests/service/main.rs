//! The service as its clients meet it: the built program, over HTTP, while files and signals hurt its
//! decoders.

mod answers;
mod client;
mod drain;
mod moments;
mod storm;
mod support;
