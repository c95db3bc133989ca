//! Lines between two processes.

mod ends;
mod messages;

use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{Blob, Pipe, PipeError};

/// Sends back what it receives, until the other end is gone; returns the number of messages.
#[task]
fn echo(mut end: Pipe<Blob>) -> usize {
    let mut count = 0;
    loop {
        match end.recv() {
            Ok(message) => end.send(&message).unwrap(),
            Err(PipeError::Closed) => return count,
            Err(error) => panic!("{error}"),
        }
        count += 1;
    }
}
