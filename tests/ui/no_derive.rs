//! Without serde's traits, a state is made in an `#[init]`.

use phalanx::prelude::*;

#[actor(no_derive)]
struct Bare;

#[actor]
impl Bare {}

fn main() {}
