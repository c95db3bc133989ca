//! The messages of an actor stand in one impl block.

use phalanx::prelude::*;

#[actor]
struct Twice;

#[actor]
impl Twice {
    fn one(&self) {}
}

#[actor]
impl Twice {
    fn two(&self) {}
}

fn main() {}
