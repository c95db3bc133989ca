//! Attributes where no other attribute reads them, or in the wrong order.

use phalanx::prelude::*;

struct Plain;

impl Plain {
    #[tell] //~ error
    fn told(&self) {}

    #[ask(deadline = "1s")] //~ error
    fn asked(&self) {}

    #[local] //~ error
    fn local(&self) {}
}

#[init] //~ error
fn made() {}

#[idempotent] //~ error
#[task]
fn repeated() {}

fn main() {
    let _ = Plain.told();
    Plain.asked();
    Plain.local();
    made();
    repeated();
}
