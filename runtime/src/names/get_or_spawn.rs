//! Starting actors that have a name from the beginning.

use std::any::type_name;
use std::sync::Arc;
use std::time::Duration;

use super::{NameError, Refusal, lookup};
use crate::actor::actor_ref::ActorRef;
use crate::actor::builder::ActorBuilder;
use crate::actor::traits::Actor;
use crate::reactor::endpoint::Peer;
use crate::reactor::process_handle::Handle;
use crate::registry::client::{self, Reservation, Trouble};
use crate::spawn::plan::Failure;
use crate::spawn::tree;
use crate::sys::clock;
use crate::types::error::SpawnError;

/// How long those wait who find that somebody else is starting an actor of that name.
const STARTING: Duration = Duration::from_secs(60);

/// How long one is waited for that was started and cannot have its name.
const KILLED: Duration = Duration::from_secs(5);

/// The actor that has this name; if there is none, starts the one that `build` describes, and gives it the name (`Agent.start_link` with a name
/// and a match on `already_started`, in one).
///
/// Of all who ask at the same time, in whichever processes, exactly one calls `build` and starts an actor; the others wait for it, and get its
/// ref. If it fails or dies over it, the next one tries. An option [`registered`](ActorBuilder::registered) of what is built is of no account if it is the same name.
///
/// Blocks for as long as a spawn takes, if this one has to start it; while another one does, 60 s at most. The `#[init]` of the actor must not ask for
/// its own name in this way: it would wait for itself.
///
/// # Errors
/// Those of [`spawn`](ActorBuilder::spawn), if this one had to start it and could not. [`SpawnError::Name`] if there is an actor of another type
/// ([`NameError::WrongType`]), another one was still being started after 60 s ([`NameError::Starting`]), or the name cannot be asked for.
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
                // It would wait for the reservation that it has.
                builder.registered.take_if(|other| other == name);
                return start(name, type_name::<A>(), reservation, || builder.spawn_peer()).map(ActorRef::of);
            }
            // Somebody was quicker.
            Err(Trouble::Refused(Refusal::Taken { .. })) if clock::now() < deadline => {}
            Err(trouble) => return Err(failed(trouble.named(name, type_name::<A>()))),
        }
    }
}

/// Starts an actor that is to have this name, unless it is taken.
pub(crate) fn start_registered(
    name: &str,
    type_name: &str,
    spawn: impl FnOnce() -> Result<Arc<Peer>, SpawnError>,
) -> Result<Arc<Peer>, SpawnError> {
    start(name, type_name, reserve_for_start(name, type_name)?, spawn)
}

fn reserve_for_start(name: &str, type_name: &str) -> Result<Reservation, SpawnError> {
    let actor = || name.to_owned();
    // Without a tree there is no line to ask on, and why there is none is what the caller has to know.
    tree::get().map_err(|none| Failure::from(none).named(name))?;
    reserve(name, clock::after(STARTING)).map_err(|trouble| match trouble {
        Trouble::Refused(Refusal::Taken { pid }) => SpawnError::AlreadyStarted { actor: actor(), pid },
        trouble => SpawnError::Name { actor: actor(), error: trouble.named(name, type_name) },
    })
}

/// The name of an actor that is started with others, by a supervisor.
pub(crate) struct Claim {
    name: String,
    type_name: &'static str,
    peer: Arc<Peer>,
    reservation: Reservation,
}

impl Claim {
    /// Reserves the name. Nobody else gets it for as long as the claim exists.
    pub(crate) fn new(name: &str, type_name: &'static str, peer: &Arc<Peer>) -> Result<Claim, SpawnError> {
        let reservation = reserve_for_start(name, type_name)?;
        Ok(Claim { name: name.to_owned(), type_name, peer: Arc::clone(peer), reservation })
    }

    /// It has been started.
    pub(crate) fn confirm(self) -> Result<(), SpawnError> {
        let Claim { name, type_name, peer, reservation } = self;
        match reservation.confirm(type_name, &peer) {
            Ok(()) | Err(Trouble::Refused(Refusal::Dead)) => Ok(()),
            Err(trouble) => {
                let error = trouble.named(&name, type_name);
                Err(SpawnError::Name { actor: name, error })
            }
        }
    }
}

/// The line is made with the tree.
fn reserve(name: &str, deadline: u64) -> Result<Reservation, Trouble> {
    tree::get().map_err(std::io::Error::from)?;
    client::reserve(name, deadline)
}

/// If the spawn fails, the reservation ends here, and the name is free before anybody is told.
fn start(
    name: &str,
    type_name: &str,
    reservation: Reservation,
    spawn: impl FnOnce() -> Result<Arc<Peer>, SpawnError>,
) -> Result<Arc<Peer>, SpawnError> {
    let peer = spawn()?;
    match reservation.confirm(type_name, &peer) {
        // One that has ended so quickly was started all the same.
        Ok(()) | Err(Trouble::Refused(Refusal::Dead)) => Ok(peer),
        Err(trouble) => {
            let handle = Handle(&peer);
            let _ = handle.kill();
            let _ = handle.join_until(Some(clock::after(KILLED)));
            Err(SpawnError::Name { actor: name.to_owned(), error: trouble.named(name, type_name) })
        }
    }
}
