//! The serving side, as the program holds it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::error::RemoteError;
use super::listener::{Bounds, Listener, Plan};
use super::options::Options;
use super::protocol::Shape;
use super::registry::{Entry, Registry};
use crate::actor::actor_ref::ActorRef;
use crate::actor::builder::ActorBuilder;
use crate::actor::traits::Actor;
use crate::ipc::codec::Portable;
use crate::policy::Restart;
use crate::queue::Queue;
use crate::remote::secret::Secret;
use crate::types::exit::ExitReason;

/// How long the manager's own processes may take, beyond the time limits of the user.
const REACTION: Duration = Duration::from_secs(10);

/// How many restarts of the listener per minute are allowed; one more ends the manager.
const RESTARTS: u32 = 10;

/// Serves actors and queues to other hosts; made by [`serve`](super::serve). (Python's `BaseManager`, its
/// `start` and `get_server`.)
///
/// It is two processes: one listens, and reads the bytes of other hosts; one keeps the names. If the former
/// dies, it is started again at the same address, at most ten times a minute, and its clients connect again.
///
/// Dropping it ends nothing: it serves until [`stop`](Self::stop), or until the program ends.
pub struct Manager {
    listener: ActorRef<Listener>,
    registry: ActorRef<Registry>,
    address: SocketAddr,
}

impl Manager {
    pub(super) fn start(address: String, secret: &Secret, options: &Options) -> Result<Manager, RemoteError> {
        let registry = ActorBuilder::<Registry>::new(&()).spawn()?;
        let bounds =
            Bounds { clients: options.clients, strangers: options.strangers, in_flight: options.in_flight };
        let plan = Plan { address, terms: options.terms(secret), bounds, registry: registry.clone() };
        let started = start_listener(&plan);
        if started.is_err() {
            let _ = registry.kill();
        }
        let (listener, address) = started?;
        Ok(Manager { listener, registry, address })
    }

    /// Serves an actor under a name, to clients that ask for an actor of this type. Blocks until clients can
    /// find it.
    ///
    /// Messages from other hosts come into its mailbox like any others. When the actor has ended for good, it
    /// is not served any more, and its name can be given to another one.
    ///
    /// # Errors
    /// [`RemoteError::NameTaken`], also if the name is empty or has more than 255 bytes;
    /// [`RemoteError::Ended`].
    pub fn actor<A: Actor>(&self, name: &str, actor: &ActorRef<A>) -> Result<&Manager, RemoteError> {
        self.add(name, Entry { actor: actor.any(), shape: Shape::of::<A>(), capacity: None })
    }

    /// Serves a queue under a name, to clients that ask for a queue of such items. Blocks until clients can
    /// find it.
    ///
    /// Clients use it like a queue of their own host. Items that a client has leased are given back when its
    /// process, its host or the link to it goes away. An item on its way to a client is in the queue again if
    /// it cannot be sent.
    ///
    /// # Errors
    /// As [`actor`](Self::actor).
    pub fn queue<T: Portable>(&self, name: &str, queue: &Queue<T>) -> Result<&Manager, RemoteError> {
        let (actor, capacity) = (queue.process(), Some(queue.bound()));
        self.add(name, Entry { actor, shape: Shape::of_queue::<T>(), capacity })
    }

    fn add(&self, name: &str, entry: Entry) -> Result<&Manager, RemoteError> {
        self.registry.add(name, entry).wait().map_err(RemoteError::of)?;
        Ok(self)
    }

    /// The address at which it listens. Port 0 has been replaced by the chosen port.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// How many connections have proved that they know the secret. Each ref to an actor of this manager is
    /// one.
    ///
    /// # Errors
    /// [`RemoteError::Ended`].
    pub fn clients(&self) -> Result<usize, RemoteError> {
        self.listener.clients().wait().map_err(RemoteError::of)
    }

    /// Why connections were refused or not served: the last 64 errors.
    ///
    /// # Errors
    /// [`RemoteError::Ended`].
    pub fn refusals(&self) -> Result<Vec<RemoteError>, RemoteError> {
        self.listener.refusals().wait().map_err(RemoteError::of)
    }

    /// Blocks until it has ended: by [`stop`](Self::stop), or because its process could not be kept
    /// alive. Returns why. (Python's `serve_forever`.)
    pub fn join(&self) -> ExitReason {
        self.listener.join()
    }

    /// As [`join`](Self::join), for `limit` at most; `None` if it has not ended by then.
    pub fn join_timeout(&self, limit: Duration) -> Option<ExitReason> {
        self.listener.join_timeout(limit)
    }

    /// Ends it: admits no more connections, waits at most `grace` until all received calls have their
    /// replies, and hangs up. The actors and queues that it has served go on. Blocks until it has ended.
    /// (Python's `shutdown`.)
    ///
    /// # Errors
    /// [`RemoteError::Ended`] if it had ended before.
    pub fn stop(&self, grace: Duration) -> Result<(), RemoteError> {
        self.listener.within(grace + REACTION).close(grace).wait().map_err(RemoteError::of)?;
        let stopped = self.listener.stop(REACTION);
        // Only now: the listener asks the registry.
        let _ = self.registry.stop(REACTION);
        stopped.map(drop).map_err(|_| RemoteError::Ended)
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Manager({})", self.address)
    }
}

fn start_listener(plan: &Plan) -> Result<(ActorRef<Listener>, SocketAddr), RemoteError> {
    let listener = ActorBuilder::<Listener>::new(plan)
        .restart(Restart::Permanent)
        .intensity(RESTARTS, Duration::from_secs(60))
        .spawn()?;
    match listener.open().wait() {
        Ok(address) => Ok((listener, address)),
        Err(error) => {
            let _ = listener.stop(REACTION);
            Err(RemoteError::of(error))
        }
    }
}
