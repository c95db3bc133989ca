//! Names for what is being spawned: reserved before there is a process, given when it is ready.

use std::sync::Arc;
use std::time::Duration;

use crate::reactor::endpoint::Endpoint;
use crate::reactor::process_handle::Handle;
use crate::registry::client::{self, Reservation, Trouble};
use crate::registry::protocol::Refusal;
use crate::spawn::plan::Failure;
use crate::spawn::tree;
use crate::sys::clock;
use crate::types::error::SpawnError;

/// How long those wait who find that somebody else is starting an actor of that name.
pub(crate) const STARTING: Duration = Duration::from_secs(60);

/// How long one is waited for that was started and cannot have its name.
const KILLED: Duration = Duration::from_secs(5);

/// Starts an actor that is to have this name, unless it is taken.
pub(crate) fn start_registered(
    name: &str,
    type_name: &str,
    spawn: impl FnOnce() -> Result<Arc<Endpoint>, SpawnError>,
) -> Result<Arc<Endpoint>, SpawnError> {
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
    endpoint: Arc<Endpoint>,
    reservation: Reservation,
}

impl Claim {
    /// Reserves the name. Nobody else gets it for as long as the claim exists.
    pub(crate) fn new(
        name: &str,
        type_name: &'static str,
        endpoint: &Arc<Endpoint>,
    ) -> Result<Claim, SpawnError> {
        let reservation = reserve_for_start(name, type_name)?;
        Ok(Claim { name: name.to_owned(), type_name, endpoint: Arc::clone(endpoint), reservation })
    }

    /// It has been started.
    pub(crate) fn confirm(self) -> Result<(), SpawnError> {
        let Claim { name, type_name, endpoint, reservation } = self;
        match reservation.confirm(type_name, &endpoint) {
            Ok(()) | Err(Trouble::Refused(Refusal::Dead)) => Ok(()),
            Err(trouble) => {
                let error = trouble.named(&name, type_name);
                Err(SpawnError::Name { actor: name, error })
            }
        }
    }
}

/// The line is made with the tree.
pub(crate) fn reserve(name: &str, deadline: u64) -> Result<Reservation, Trouble> {
    tree::get().map_err(std::io::Error::from)?;
    client::reserve(name, deadline)
}

/// If the spawn fails, the reservation ends here, and the name is free before anybody is told.
pub(crate) fn start(
    name: &str,
    type_name: &str,
    reservation: Reservation,
    spawn: impl FnOnce() -> Result<Arc<Endpoint>, SpawnError>,
) -> Result<Arc<Endpoint>, SpawnError> {
    let endpoint = spawn()?;
    match reservation.confirm(type_name, &endpoint) {
        // One that has ended so quickly was started all the same.
        Ok(()) | Err(Trouble::Refused(Refusal::Dead)) => Ok(endpoint),
        Err(trouble) => {
            let handle = Handle(&endpoint);
            let _ = handle.kill();
            let _ = handle.join_until(Some(clock::after(KILLED)));
            Err(SpawnError::Name { actor: name.to_owned(), error: trouble.named(name, type_name) })
        }
    }
}
