//! Names that would hide a method of the reference, or be hidden by one.

use phalanx::prelude::*;

#[actor]
struct Named;

#[actor]
impl Named {
    fn pid(&self) {}

    fn stop(&self) {}

    fn join_timeout(&self) {}

    fn if_up(&self) {}

    fn kill_after(&self) {}

    fn try_(&self) {}

    fn clone(&self) {}

    fn into(&self) {}

    #[local]
    fn name(&self) {}

    fn spawn(&self) {}

    #[local]
    fn builder(&self) {}

    fn __hidden(&self) {}

    fn add(&self) {}

    fn try_add(&self) {}

    fn try_alone(&self) {}
}

fn main() {
    Named.name();
    let named = Named.spawn();
    let _ = named.map(|named| (named.try_add(), named.try_alone()));
}
