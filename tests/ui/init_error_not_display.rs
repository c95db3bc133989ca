//! The error of `#[init]` is told to whoever spawns the actor, so it can be displayed.

use phalanx::prelude::*;

struct Silent;

#[actor]
struct Worker;

#[actor]
impl Worker {
    #[init]
    fn new() -> Result<Self, Silent> {
        Err(Silent)
    }
}

fn main() {}
