//! `#[actor]` stands on the struct and on its impl block: here the block lacks it.

use phalanx::prelude::*;

#[actor]
struct Counter { //~ error
    count: u64,
}

impl Counter {
    fn count(&self) -> u64 {
        self.count
    }
}

fn main() {
    let _ = Counter { count: 1 }.count();
}
