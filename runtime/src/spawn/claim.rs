//! Registered names of processes being spawned: reserved before the process exists, assigned when it is
//! ready.

use std::sync::Arc;
use std::time::Duration;

use crate::reactor::endpoint::Endpoint;
use crate::reactor::process_handle::Handle;
use crate::registry::client::{self, Reservation, Trouble};
use crate::registry::protocol::Refusal;
use crate::spawn::tree;
use crate::sys::clock;
use crate::types::error::SpawnError;
use crate::types::spawn_error_kind::SpawnErrorKind;

/// How long to wait for an actor of that name that another process is starting.
pub(crate) const STARTING: Duration = Duration::from_secs(60);

/// How long to wait for the end of an actor that was started and cannot have its name.
const KILLED: Duration = Duration::from_secs(5);

/// Starts an actor under this name, unless the name is taken.
pub(crate) fn start_registered(
    name: &str,
    type_name: &str,
    spawn: impl FnOnce() -> Result<Arc<Endpoint>, SpawnError>,
) -> Result<Arc<Endpoint>, SpawnError> {
    start(name, type_name, reserve_for_start(name, type_name)?, spawn)
}

fn reserve_for_start(name: &str, type_name: &str) -> Result<Reservation, SpawnError> {
    let actor = || name.to_owned();
    // Without a tree there is no uplink to the registry, and the caller needs the reason for that.
    tree::get().map_err(|none| SpawnErrorKind::from(none).named(name))?;
    reserve(name, clock::after(STARTING)).map_err(|trouble| match trouble {
        Trouble::Refused(Refusal::Taken { pid }) => SpawnError::AlreadyStarted { actor: actor(), pid },
        trouble => SpawnError::Name { actor: actor(), error: trouble.named(name, type_name) },
    })
}

/// The reserved name of an actor that a supervisor starts together with others.
pub(crate) struct Claim {
    name: String,
    type_name: &'static str,
    endpoint: Arc<Endpoint>,
    reservation: Reservation,
}

impl Claim {
    /// Reserves the name. No other process can get it while the claim exists.
    pub(crate) fn new(
        name: &str,
        type_name: &'static str,
        endpoint: &Arc<Endpoint>,
    ) -> Result<Claim, SpawnError> {
        let reservation = reserve_for_start(name, type_name)?;
        Ok(Claim { name: name.to_owned(), type_name, endpoint: Arc::clone(endpoint), reservation })
    }

    /// Assigns the name, once the actor has started.
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

/// Reserves a name. Starts the tree first, which makes the uplink.
pub(crate) fn reserve(name: &str, deadline: u64) -> Result<Reservation, Trouble> {
    tree::get().map_err(std::io::Error::from)?;
    client::reserve(name, deadline)
}

/// Starts an actor under a reserved name. If the spawn fails, the reservation ends here, and the name is free
/// before the caller sees the error.
pub(crate) fn start(
    name: &str,
    type_name: &str,
    reservation: Reservation,
    spawn: impl FnOnce() -> Result<Arc<Endpoint>, SpawnError>,
) -> Result<Arc<Endpoint>, SpawnError> {
    let endpoint = spawn()?;
    match reservation.confirm(type_name, &endpoint) {
        // An actor that has ended already was started all the same.
        Ok(()) | Err(Trouble::Refused(Refusal::Dead)) => Ok(endpoint),
        Err(trouble) => {
            let handle = Handle(&endpoint);
            let _ = handle.kill();
            let _ = handle.join_until(Some(clock::after(KILLED)));
            Err(SpawnError::Name { actor: name.to_owned(), error: trouble.named(name, type_name) })
        }
    }
}
