//! Helper attributes: one role for each function, in the right place.

use phalanx::prelude::*;

#[actor]
struct Helped {
    value: u64,
}

#[actor]
impl Helped {
    #[tell]
    fn lost(&mut self) -> u64 {
        self.value
    }

    #[tell]
    fn unit(&mut self) -> () {}

    #[tell]
    #[local]
    fn both(&mut self) {}

    #[ask]
    #[tell]
    fn undecided(&mut self) {}

    #[tell]
    #[tell]
    fn twice(&mut self) {}

    #[tell]
    fn nobody(_value: u64) {}

    #[local]
    fn free() {}

    #[local(always)]
    fn with_options(&self) {}

    #[tell = "1s"]
    fn assigned(&self) {}
}

fn main() {
    let _ = Helped { value: 1 }.spawn().map(|helped| helped.unit());
}
