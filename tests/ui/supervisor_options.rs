//! Every wrong option of a supervisor and of its children is shown at once, at the faulty word.

use phalanx::prelude::*;

#[actor]
struct Db;

#[actor]
impl Db {}

#[supervisor(strategy = one_for_each, intensity = "5 in 0s", backoff = "30s..100ms", auto_shutdown = sometimes, limit = 3)]
struct One {
    #[child(restart = always, intensity = "many", backoff = "0s..1s", shutdown = "soon")]
    a: Db,
    #[child(significant, restart = permanent)]
    b: Db,
    #[child(strategy = one_for_one)]
    c: Db,
    #[child(shutdown = infinity, shutdown = "5s")]
    d: Db,
    #[child = "transient"]
    e: Db,
    #[child(daemon)]
    #[child(significant = false)]
    f: Db,
    __g: Db,
}

#[supervisor(strategy = "one_for_one", intensity = "-1 in 1s", max_children = 1, mailbox = 5, name = "")]
struct Two {
    a: Db,
    b: Db,
}

// Significant, where nobody would care.
#[supervisor(auto_shutdown = never)]
struct Three {
    #[child(significant, restart = transient)]
    a: Db,
}

#[supervisor(strategy = dynamic, auto_shutdown = any_significant, max_children = -1)]
struct Four {
    #[child(significant, restart = temporary)]
    a: Db,
}

#[supervisor(significant, restart = permanent)]
struct Five {}

fn main() {
    // What is generated is there nevertheless.
    let _ = One::start(OneArgs { a: Db, b: Db, c: Db, d: Db, e: Db, f: Db, __g: Db }).map(|one| one.a);
    let _ = Two::start_with(|_| TwoArgs { a: Db, b: Db });
    let _ = (Three::builder(ThreeArgs { a: Db }), Four::builder(FourArgs { a: Db }), Five::builder(FiveArgs {}));
}
