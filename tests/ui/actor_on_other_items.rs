//! `#[actor]` stands on a struct and on its own impl block.

use phalanx::prelude::*;

#[actor]
enum Choice {
    Left,
    Right(u64),
}

#[actor]
impl Choice {
    fn left(&self) -> bool {
        matches!(self, Choice::Left)
    }
}

#[actor]
union Bits {
    integer: u32,
    float: f32,
}

#[actor]
trait Greet {
    fn greet(&self);
}

#[actor]
struct Greeter;

#[actor]
impl Greeter {}

#[actor]
impl Greet for Greeter {
    fn greet(&self) {}
}

#[actor]
fn square(n: u64) -> u64 {
    n * n
}

fn main() {
    let choice = Choice::Right(3).spawn();
    let _ = choice.map(|choice| choice.left());
    Greeter.greet();
    let _ = (square(3), Bits { float: 1.0 });
}
