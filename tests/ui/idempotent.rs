//! `#[idempotent]` is about messages.

use phalanx::prelude::*;

#[actor]
struct Import;

#[actor]
impl Import {
    #[init]
    #[idempotent]
    fn new() -> Self {
        Import
    }

    #[local]
    #[idempotent]
    fn helper(&self) {}

    #[idempotent]
    #[on_start]
    fn start(&mut self) {}

    #[on_stop]
    #[idempotent(5)]
    fn stop(&mut self) {}

    #[idempotent]
    fn free() {}

    #[idempotent(1)]
    fn once(&self) {}

    #[idempotent(101)]
    fn often(&self) {}

    #[idempotent(always)]
    fn always(&self) {}

    #[idempotent()]
    fn empty(&self) {}

    #[idempotent = 3]
    fn assigned(&self) {}

    #[idempotent]
    #[idempotent(5)]
    fn twice(&self) {}

    #[tell]
    #[idempotent(100)]
    fn good(&self) {}
}

fn main() {
    let _ = Import::spawn().map(|import| import.good());
}
