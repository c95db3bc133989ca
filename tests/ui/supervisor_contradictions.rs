//! What an actor's own attribute says may be impossible below a supervisor.

use phalanx::prelude::*;

#[actor(significant)]
struct Significant;

#[actor]
impl Significant {}

#[actor(significant, restart = transient)]
struct Transient;

#[actor]
impl Transient {}

#[supervisor]
struct Inner {}

#[supervisor(auto_shutdown = all_significant)]
struct Outer {
    permanent: Significant,
    fine: Transient,
    #[child(restart = permanent)]
    made_permanent: Transient,
    #[child(significant)]
    inner: Inner,
    #[child(mailbox = 5, recycle_after = 5, builder)]
    other: Inner,
}

#[supervisor]
struct Never {
    transient: Transient,
    #[child(significant = false)]
    fine: Transient,
}

fn main() {}
