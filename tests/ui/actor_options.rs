//! Every wrong option is shown at once, and the item is there nevertheless.

use phalanx::prelude::*;

#[actor(restarts = transient, name = "", mailbox = 0, deadline = "2 seconds", start_timeout = "0s", shutdown = 5)]
struct One {
    value: u64,
}

#[actor]
impl One {
    fn value(&self) -> u64 {
        self.value
    }
}

#[actor(name = 3, name = "two", mailbox = 65536, memory = "64MB", timeout = "1.s", daemon = "yes")]
struct Two;

#[actor(name = "two", daemon)]
impl Two {
    #[ask(deadline = "soon")]
    fn value(&self) -> u64 {
        2
    }

    #[tell(timeout = "1s")]
    fn reset(&self) {}
}

#[actor(memory = 0, crate)]
struct Three;

#[actor]
impl Three {}

#[actor(name "three")]
struct Four;

#[actor]
impl Four {}

#[actor(name = "a\nb")]
struct Five;

#[actor]
impl Five {}

#[actor(deadlin = "1s", nmae = "six", time_out = "1s", threads = 4)]
struct Six;

#[actor]
impl Six {}

fn main() {
    let _ = One { value: 1 }.spawn();
    let _ = Two.spawn();
    let _ = (Three, Four, Five, Six);
}
