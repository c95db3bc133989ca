//! Starting actors that have a name from the beginning.

use std::any::type_name;

use super::{NameError, Refusal, lookup};
use crate::actor::actor_ref::ActorRef;
use crate::actor::builder::ActorBuilder;
use crate::actor::traits::Actor;
use crate::registry::client::Trouble;
use crate::spawn::claim::{STARTING, reserve, start};
use crate::sys::clock;
use crate::types::error::SpawnError;

/// Returns the actor that has this name; if there is none, starts the one that `build` describes, and gives
/// it the name (`Agent.start_link` with a name and a match on `already_started`, in one).
///
/// Of all callers at one time, in any processes, exactly one calls `build` and starts an actor; the others
/// wait for it, and get its ref. If that caller fails or dies, the next one tries. An option
/// [`registered`](ActorBuilder::registered) of the builder is ignored if it is the same name.
///
/// Blocks for as long as a spawn takes, if this caller has to start it; while another one does, 60 s at most.
/// The `#[init]` of the actor must not ask for its own name in this way: it would wait for itself.
///
/// # Errors
/// Those of [`spawn`](ActorBuilder::spawn), if this caller had to start it and could not.
/// [`SpawnError::Name`] if an actor of another type has the name ([`NameError::WrongType`]), if another one
/// was still being started after 60 s ([`NameError::Starting`]), or if the name cannot be asked for.
///
/// ```
/// # use phalanx::prelude::*;
/// # use phalanx::names;
/// # #[actor] struct Echo;
/// # #[actor] impl Echo { fn echo(&self, text: String) -> String { text } }
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let one = names::get_or_spawn("echo", || Echo.builder())?;
/// let same = names::get_or_spawn("echo", || unreachable!("it is there"))?;
/// assert_eq!(one, same);
/// # Ok(())
/// # }
/// ```
pub fn get_or_spawn<A: Actor>(
    name: &str,
    build: impl FnOnce() -> ActorBuilder<A>,
) -> Result<ActorRef<A>, SpawnError> {
    let failed = |error| SpawnError::Name { actor: name.to_owned(), error };
    let deadline = clock::after(STARTING);
    loop {
        match lookup::<A>(name) {
            Err(NameError::NotFound { .. }) => {}
            found => return found.map_err(failed),
        }
        match reserve(name, deadline) {
            Ok(reservation) => {
                let mut builder = build();
                // It would wait for the reservation that this caller holds.
                builder.registered.take_if(|other| other == name);
                return start(name, type_name::<A>(), reservation, || builder.spawn_endpoint())
                    .map(ActorRef::of);
            }
            // Another caller was quicker.
            Err(Trouble::Refused(Refusal::Taken { .. })) if clock::now() < deadline => {}
            Err(trouble) => return Err(failed(trouble.named(name, type_name::<A>()))),
        }
    }
}
