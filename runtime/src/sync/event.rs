//! A flag that processes wait for.

use std::fmt;
use std::time::Duration;

use phalanx_macros::actor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::client::Trouble;
use super::error::SyncError;
use super::lock::handle;
use crate::actor::actor_ref::ActorRef;
use crate::actor::any_ref::AnyRef;
use crate::actor::deferred::{Answer, Later, later};
use crate::types::error::{SendError, SpawnError};
use crate::types::exit::ExitReason;

/// A flag that processes wait for: Python's `Event`.
///
/// All processes that wait when it is set go on, even if it is cleared right afterwards. A process that dies
/// while it waits leaves nothing behind.
///
/// ```
/// use phalanx::sync::Event;
/// use phalanx::prelude::*;
///
/// #[task]
/// fn start_together(go: Event) -> bool {
///     go.wait().is_ok()
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let go = Event::new()?;
/// let runners = (start_together::spawn(go.clone())?, start_together::spawn(go.clone())?);
/// go.set()?;
/// assert!(runners.0.join()? && runners.1.join()?);
/// # Ok(())
/// # }
/// ```
pub struct Event {
    server: ActorRef<Flag>,
}

handle!(Event);

/// The server.
#[actor]
pub(super) struct Flag {
    is_set: bool,
    waiting: Vec<Answer<()>>,
    /// When more wait than this, callers that have gone are removed.
    crowd: usize,
}

#[actor]
impl Flag {
    #[init]
    fn new() -> Self {
        Flag { is_set: false, waiting: Vec::new(), crowd: 0 }
    }

    pub(super) fn set(&mut self) {
        self.is_set = true;
        for answer in self.waiting.drain(..) {
            // A caller that has gone needs no reply.
            let _ = answer.send(());
        }
    }

    pub(super) fn clear(&mut self) {
        self.is_set = false;
        self.forget();
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_set
    }

    pub(super) fn until_set(&mut self) -> Later<()> {
        let (later, answer) = later();
        if self.is_set {
            let _ = answer.send(());
            return later;
        }
        self.waiting.push(answer);
        if self.waiting.len() > self.crowd {
            self.forget();
        }
        later
    }
}

impl Flag {
    /// Removes callers whose time limit has ended, or that have died.
    fn forget(&mut self) {
        self.waiting.retain(Answer::is_wanted);
        self.crowd = (self.waiting.len() * 2).max(8);
    }
}

impl Event {
    /// A new event that is not set, in a process of its own.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn new() -> Result<Event, SpawnError> {
        let server = Flag::builder().name("event").spawn()?;
        Ok(Event { server })
    }

    /// Sets it: all waits end. Blocks until the server has done so.
    ///
    /// # Errors
    /// See [`SyncError`]; so for all methods.
    pub fn set(&self) -> Result<(), SyncError> {
        Ok(self.server.set().wait().map_err(Trouble::from)?)
    }

    /// Clears it: later waits are for the next time that it is set.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let event = phalanx::sync::Event::new()?;
    /// event.set()?;
    /// assert!(event.is_set()?);
    /// event.wait()?; // at once
    /// event.clear()?;
    /// assert!(!event.wait_timeout(Duration::from_millis(20))?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`SyncError`].
    pub fn clear(&self) -> Result<(), SyncError> {
        Ok(self.server.clear().wait().map_err(Trouble::from)?)
    }

    /// Whether it is set at this instant.
    ///
    /// # Errors
    /// See [`SyncError`].
    pub fn is_set(&self) -> Result<bool, SyncError> {
        Ok(self.server.is_set().wait().map_err(Trouble::from)?)
    }

    /// Waits until it is set, without a limit, but not beyond the death of the server.
    ///
    /// # Errors
    /// See [`SyncError`].
    pub fn wait(&self) -> Result<(), SyncError> {
        Ok(self.server.within(Duration::MAX).until_set().wait().map_err(Trouble::from)?)
    }

    /// Waits as [`wait`](Self::wait) does, for `limit` at most. Returns whether it was set. Never returns
    /// `false` early.
    ///
    /// # Errors
    /// See [`SyncError`].
    pub fn wait_timeout(&self, limit: Duration) -> Result<bool, SyncError> {
        match self.server.within(limit).until_set().wait().map_err(Trouble::from) {
            Ok(()) => Ok(true),
            Err(Trouble::Timeout) => Ok(false),
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// The server of the event: to look at, and to watch.
    pub fn server(&self) -> AnyRef {
        self.server.any()
    }

    /// Ends the server. All present and later calls get [`SyncError::Gone`]. Blocks for `grace` at most; then
    /// the server is killed.
    ///
    /// # Errors
    /// [`SendError::Gone`] if it had ended before.
    pub fn stop(&self, grace: Duration) -> Result<ExitReason, SendError> {
        self.server.stop(grace)
    }
}
