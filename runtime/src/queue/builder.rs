//! A queue that has not been spawned yet.

use std::fmt;
use std::marker::PhantomData;

use super::Queue;
use super::client::Client;
use super::server::Server;
use crate::actor::builder::ActorBuilder;
use crate::actor::spawning::Spawning;
use crate::ipc::bounds::DEPTH;
use crate::ipc::codec::Portable;
use crate::types::error::SpawnError;

/// The default capacity, in items.
const CAPACITY: u64 = 1024;

/// A queue that has not been spawned yet: options, then [`spawn`](Self::spawn). From [`Queue::builder`].
#[must_use = "a builder does nothing until `spawn`"]
pub struct QueueBuilder<T> {
    capacity: u64,
    name: Option<String>,
    daemon: bool,
    depth: u32,
    kind: PhantomData<fn(T) -> T>,
}

impl<T> fmt::Debug for QueueBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, capacity) = (&self.name, &self.capacity);
        f.debug_struct("QueueBuilder").field("name", name).field("capacity", capacity).finish_non_exhaustive()
    }
}

impl<T: Portable> QueueBuilder<T> {
    pub(super) fn new() -> QueueBuilder<T> {
        QueueBuilder { capacity: CAPACITY, name: None, daemon: false, depth: DEPTH, kind: PhantomData }
    }

    /// The capacity in items, at least 1. Default: 1024.
    pub fn capacity(mut self, items: usize) -> Self {
        self.capacity = (items as u64).min(u64::MAX - 1);
        self
    }

    /// No bound: as many items as memory holds.
    pub fn unbounded(mut self) -> Self {
        self.capacity = u64::MAX;
        self
    }

    /// The name of its process, in `ps` and `top` too (where its first 15 bytes count). Default: `queue`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A daemon is terminated first when the program ends, with the other daemons: before the tasks that may
    /// still use it have ended. Default: no. A queue does not keep the program alive in either case.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = daemon;
        self
    }

    /// How deep an item may be, as [`depth`](ActorBuilder::depth) counts. Putting a deeper one is a `Codec`
    /// error. Default: 128; at most 100,000.
    pub fn depth(mut self, levels: u32) -> Self {
        self.depth = levels;
        self
    }

    /// Starts its process, and waits until it is ready.
    ///
    /// # Errors
    /// See [`SpawnError`]; a capacity of 0 is [`SpawnError::Option`].
    pub fn spawn(self) -> Result<Queue<T>, SpawnError> {
        let name = self.name.unwrap_or_else(|| "queue".to_owned());
        if self.capacity == 0 {
            let error = "the capacity of a queue is at least 1 item".to_owned();
            return Err(SpawnError::Option { actor: name, error });
        }
        let builder: ActorBuilder<Server> = Server::builder(self.capacity);
        let server = builder.name(name).daemon(self.daemon).depth(self.depth).spawn()?;
        Ok(Queue::of(Client::new(server, self.capacity)))
    }
    /// Like [`spawn`](Self::spawn), as a future: see [`Spawning`].
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub fn spawn_async(self) -> Spawning<Queue<T>> {
        let name = self.name.clone().unwrap_or_else(|| "queue".to_owned());
        // An error says that it has ended already.
        Spawning::new(name, || self.spawn(), |queue| drop(queue.client.server.terminate()))
    }
}
