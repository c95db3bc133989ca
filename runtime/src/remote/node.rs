//! The asking side, as the program holds it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::error::RemoteError;
use super::manager::Manager;
use super::options::Options;
use super::protocol::{LONGEST_NAME, Request, Shape};
use super::proxy::{Plan, Proxy, bind};
use super::transport::Terms;
use crate::actor::actor_ref::ActorRef;
use crate::actor::any_ref::AnyRef;
use crate::actor::builder::ActorBuilder;
use crate::actor::traits::Actor;
use crate::ipc::codec::Portable;
use crate::queue::{Queue, remote};
use crate::remote::secret::Secret;
use crate::task::Process;
#[allow(unused_imports, reason = "for the docs")]
use crate::types::error::CallError;

/// How long a process of this host may take, beyond the time limits of the user.
const REACTION: Duration = Duration::from_secs(5);

/// A manager on another host, as its clients see it; made by [`connect`](super::connect). (Python's
/// `BaseManager.connect`.)
///
/// Each ref has a connection and a process of its own, the *proxy*. A second request for the same name and
/// type returns a ref to the same proxy. Dropping the node ends no proxy: proxies end with the program, or by
/// [`stop`](ActorRef::stop).
pub struct Node {
    address: String,
    terms: Terms,
    backoff: (Duration, Duration),
    depth: Option<u32>,
    /// The proxies, by name and type of their services.
    known: Mutex<HashMap<(String, &'static str), Known>>,
}

/// A proxy, and facts about its service.
#[derive(Clone)]
struct Known {
    actor: AnyRef,
    /// For a queue.
    capacity: Option<u64>,
}

impl Node {
    /// Serves actors and queues of this program to other hosts that know the secret, with the default
    /// [`Options`]. See [`Manager`].
    ///
    /// `address` is `host:port`, as text or as a [`SocketAddr`](std::net::SocketAddr); port 0 takes a free
    /// one ([`Manager::addr`]). Blocks until it listens.
    ///
    /// ```
    /// use phalanx::Secret;
    /// use phalanx::prelude::*;
    /// use phalanx::remote::Node;
    ///
    /// #[actor]
    /// struct Squarer;
    ///
    /// #[actor]
    /// impl Squarer {
    ///     fn square(&self, n: u64) -> u64 {
    ///         n * n
    ///     }
    /// }
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let secret = Secret::from_bytes("a long random text")?;
    /// let manager = Node::serve("127.0.0.1:0", &secret)?;
    /// manager.actor("squarer", &Squarer.spawn()?)?;
    ///
    /// // usually on another host:
    /// let node = Node::connect(manager.addr(), &secret)?;
    /// let squarer = node.actor::<Squarer>("squarer")?;
    /// assert_eq!(squarer.square(7).wait()?, 49);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`RemoteError::Address`], or [`RemoteError::Spawn`] if its processes cannot be started.
    pub fn serve(address: impl fmt::Display, secret: &Secret) -> Result<Manager, RemoteError> {
        Options::default().serve(address, secret)
    }

    /// Connects to a manager, with the default [`Options`]. Blocks until the handshake is done, 5 s at most.
    /// The handshake runs in a process that ends with it: the connection is not kept, each ref has its own.
    ///
    /// # Errors
    /// [`RemoteError::Unreachable`], [`RemoteError::WrongSecret`], [`RemoteError::Version`],
    /// [`RemoteError::Busy`] and the other errors of the handshake.
    pub fn connect(address: impl fmt::Display, secret: &Secret) -> Result<Node, RemoteError> {
        Options::default().connect(address, secret)
    }

    pub(super) fn reach(address: String, secret: &Secret, options: &Options) -> Result<Node, RemoteError> {
        let Options { backoff, depth, .. } = *options;
        let node = Node { address, terms: options.terms(secret), backoff, depth, known: Mutex::default() };
        let probe = |plan: Plan| bind(&plan).map(drop);
        let limit = node.limit();
        let task =
            Process::fallible(probe, &node.plan(Request::Probe, false)).name("remote-probe").deadline(limit);
        task.spawn()?.join().map_err(RemoteError::of)?;
        Ok(node)
    }

    /// A ref to the actor that the manager serves under this name. Blocks until the manager has confirmed
    /// name and type.
    ///
    /// Its methods are sent to the manager. Everything about a process (`pid`, `stop`, `kill`, `monitor`,
    /// `join`, links and so on) concerns the proxy, a process of this host. Without a connection a call fails
    /// at once with [`CallError::Disconnected`], and the proxy tries to connect. Arguments and results must
    /// not hold refs or other descriptors.
    ///
    /// # Errors
    /// [`RemoteError::UnknownName`], [`RemoteError::OtherType`], [`RemoteError::OtherVersion`], and those of
    /// [`connect`](Self::connect).
    pub fn actor<A: Actor>(&self, name: &str) -> Result<ActorRef<A>, RemoteError> {
        let proxy = self.proxy(name, std::any::type_name::<A>(), Shape::of::<A>(), A::OPTIONS, false)?;
        Ok(ActorRef::of(proxy.actor.into_endpoint()))
    }

    /// A handle of the queue that the manager serves under this name. Blocks until the manager has confirmed
    /// name and item type.
    ///
    /// It is used like any queue, and can be passed to other processes of this host. Items that they have
    /// leased are given back when they die, and when the link is lost. [`stop`](Queue::stop) ends the
    /// connection, not the queue. Without a connection every call fails at once with
    /// [`QueueError::Disconnected`](crate::QueueError::Disconnected).
    ///
    /// # Errors
    /// As those of [`actor`](Self::actor).
    pub fn queue<T: Portable>(&self, name: &str) -> Result<Queue<T>, RemoteError> {
        let shape = Shape::of_queue::<T>();
        let proxy = self.proxy(name, std::any::type_name::<Queue<T>>(), shape, remote::OPTIONS, true)?;
        Ok(Queue::elsewhere(proxy.actor, proxy.capacity.unwrap_or(u64::MAX)))
    }

    /// The manager's address, as it was given.
    pub fn addr(&self) -> &str {
        &self.address
    }

    /// The proxy that exists and is alive, or a new one.
    fn proxy(
        &self,
        name: &str,
        type_name: &'static str,
        shape: Shape,
        options: crate::types::options::Options,
        queue: bool,
    ) -> Result<Known, RemoteError> {
        if name.len() > LONGEST_NAME {
            return Err(RemoteError::UnknownName { name: name.to_owned() });
        }
        let key = (name.to_owned(), type_name);
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(proxy) = known().get(&key).filter(|proxy| proxy.actor.is_alive()) {
            return Ok(proxy.clone());
        }
        let proxy = self.start(name, shape, options, queue)?;
        known().insert(key, proxy.clone());
        Ok(proxy)
    }

    fn plan(&self, request: Request, queue: bool) -> Plan {
        let (address, terms) = (self.address.clone(), self.terms.clone());
        Plan { address, terms, request, queue, backoff: self.backoff }
    }

    /// How long a connection may take until the manager has confirmed it.
    fn limit(&self) -> Duration {
        self.terms.handshake + self.terms.silence + REACTION
    }

    fn start(
        &self,
        name: &str,
        shape: Shape,
        options: crate::types::options::Options,
        queue: bool,
    ) -> Result<Known, RemoteError> {
        let plan = self.plan(Request::Bind(name.to_owned(), shape), queue);
        // Some characters of a service's name are not allowed in the name of a process.
        let shown: String = name.chars().filter(|character| !character.is_control()).take(64).collect();
        let mut builder = ActorBuilder::<Proxy>::new(&plan).name(format!("{shown}@{}", self.address));
        builder.plan.options.mailbox = options.mailbox;
        builder.plan.options.timeout = options.timeout;
        builder.plan.options.depth = self.depth.or(options.depth);
        let proxy = builder.spawn()?;
        match proxy.within(self.limit()).connect().wait() {
            Ok(welcome) => Ok(Known { actor: proxy.any(), capacity: welcome.capacity }),
            Err(error) => {
                let _ = proxy.kill();
                Err(RemoteError::of(error))
            }
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.address)
    }
}
