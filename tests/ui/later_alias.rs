//! An alias hides from the attribute what it stands for.

use phalanx::prelude::*;

type Soon = phalanx::Later<u32>;

#[actor]
struct Desk;

#[actor]
impl Desk {
    fn soon(&mut self) -> Soon {
        phalanx::later().0
    }
}

fn main() {}
