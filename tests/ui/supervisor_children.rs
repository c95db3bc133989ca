//! Children are actors and supervisors.

use phalanx::prelude::*;

struct Plain;

#[actor]
struct Half;

#[supervisor]
struct Shop {
    plain: Plain,
    number: u64,
    half: Half,
    made_elsewhere: ActorRef<Half>,
    #[child(restart = transient, recycle_after = 5)]
    configured: Plain,
    #[child(builder)]
    built: Plain,
}

fn main() {}
