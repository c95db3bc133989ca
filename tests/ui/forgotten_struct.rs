//! `#[actor]` stands on the struct and on its impl block: here the struct lacks it.

use phalanx::prelude::*;

struct Counter {
    count: u64,
}

#[actor]
impl Counter {
    fn count(&self) -> u64 {
        self.count
    }

    #[tell]
    fn reset(&mut self) {
        self.count = 0;
    }
}

fn main() {
    let _ = Counter { count: 1 }.count();
}
