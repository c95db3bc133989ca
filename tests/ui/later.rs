//! Answers that come later, where they cannot.

use phalanx::Later;
use phalanx::prelude::*;

#[actor]
struct Desk;

#[actor]
impl Desk {
    fn right(&mut self) -> Later<Result<u32, String>> {
        phalanx::later().0
    }

    fn fallible(&mut self) -> Result<Later<u32>, String> {
        Ok(phalanx::later().0)
    }

    fn perhaps(&mut self) -> Option<phalanx::Later<u32>> {
        None
    }

    fn both(&mut self) -> (u32, Later<u32>) {
        (1, phalanx::later().0)
    }

    fn twice(&mut self) -> Later<Later<u32>> {
        phalanx::later().0
    }

    fn nothing(&mut self) -> Later {
        phalanx::later().0
    }

    fn borrowed(&mut self) -> Later<&'static str> {
        phalanx::later().0
    }

    fn taken(&mut self, _later: Later<u32>) {}

    #[idempotent]
    fn again(&mut self) -> Later<u32> {
        phalanx::later().0
    }

    #[tell]
    fn told(&mut self) -> Later<u32> {
        phalanx::later().0
    }
}

#[task]
fn work() -> Later<u32> {
    phalanx::later().0
}

fn main() {
    let desk = Desk.spawn().unwrap();
    let right: Result<u32, CallError<String>> = desk.right().wait();
    drop(right);
}
