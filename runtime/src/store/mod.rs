//! State that several processes share: objects in the process of a [`Store`], changed there, one operation at
//! a time.
//!
//! Imports no other service, and never `spawn`, `supervisor` or `child`.

mod cell;
mod counter;
mod error;
pub(crate) mod function;
mod list;
mod map;
mod object;
mod pages;
mod server;
mod set;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::actor::actor_ref::ActorRef;
use crate::actor::builder::ActorBuilder;
use crate::actor::spawning::Spawning;
use crate::ipc::codec::Portable;
use crate::reactor::stopping::Stopping;
use crate::types::captureless::Captureless;
use crate::types::error::{SendError, SpawnError};
use crate::types::exit::ExitReason;

pub use cell::Cell;
pub use counter::Counter;
pub use error::{StoreError, Swap};
pub use list::List;
pub use map::Map;
use object::Object;
pub use pages::Pages;
use server::Operation;
pub use server::StoreServer;
pub use set::Set;

/// A process that holds state for others: maps, lists, sets, counters, cells; Python's `Manager()`.
///
/// It hands out typed handles ([`Map`], [`List`], [`Set`], [`Counter`], [`Cell`]), which are `Clone +
/// Serialize + Deserialize`: they go into arguments, messages and state, and into other objects of a store.
/// Every operation runs in the store's process, one after the other, each of them atomic. To read a value,
/// change it and write it back, use `update`: a function that captures nothing runs in the store, so no
/// update by another process is lost in between.
///
/// Handles return copies. Nested *handles* are shared, nested values are not: a `Map<String, List<u32>>` is a
/// map of shared lists, a `Map<String, Vec<u32>>` holds values that are changed by `update` or replaced.
///
/// **Panics** in functions given to `update` and its like are caught, and so are panics in `Ord`, `Clone` or
/// `Serialize` of the types: the caller gets [`StoreError::Panicked`], no other caller notices. Such a
/// function works on a copy, which takes the place of the value when it has returned; so a panic leaves the
/// old value.
///
/// **Death.** The data lies in the memory of one process and is gone with it, like that of an Erlang process,
/// or of Python's manager. All handles then return [`StoreError::Lost`] with the reason. A store is not
/// restarted: an empty one behind the old handles would look like the old one. Start another, and hand out
/// its handles; for state that is made anew in place, write an actor with a
/// [`restart`](crate::ActorBuilder::restart). Dropping handles ends nothing: a store ends by
/// [`stop`](Self::stop), or with the process that has started it.
///
/// **Blocking.** Every operation waits for its reply, 60 s at most ([`StoreBuilder::timeout`], or `within` of
/// a handle). In async code, call them on a thread for blocking work.
///
/// ```
/// use phalanx::prelude::*;
/// use phalanx::{Store, store::Map};
///
/// #[task]
/// fn count(words: Map<String, u64>, text: String) {
///     for word in text.split_whitespace() {
///         words.update_or(word, 0, |count, by| *count += by, 1).expect("the store is there");
///     }
/// }
///
/// #[phalanx::main]
/// fn main() -> phalanx::Result<()> {
///     let store = Store::start()?;
///     let words = store.map()?;
///     let tasks: Vec<_> =
///         (0..3).map(|_| count::spawn(words.clone(), "to be or not to be".into())).collect();
///     for task in tasks {
///         task?.join()?;
///     }
///     assert_eq!(words.get("be")?, Some(6)); // no update is lost
///     assert_eq!(words.len()?, 4);
///     Ok(())
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Store {
    server: ActorRef<StoreServer>,
}

/// A store that has not been started yet: options, then [`start`](Self::start).
///
/// ```
/// use std::time::Duration;
///
/// use phalanx::Store;
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let store = Store::builder().name("prices").timeout(Duration::from_secs(2)).memory(1 << 30).start()?;
/// assert_eq!(store.server().name(), "prices");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `start`"]
pub struct StoreBuilder(ActorBuilder<StoreServer>);

impl Store {
    /// Starts a store, in a process of its own, and waits until it is ready.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn start() -> Result<Store, SpawnError> {
        Store::builder().start()
    }

    /// Like [`start`](Self::start), as a future: see [`Spawning`].
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn start_async() -> Spawning<Store> {
        Store::builder().start_async()
    }

    /// A store with options.
    pub fn builder() -> StoreBuilder {
        StoreBuilder(ActorBuilder::new(&()).name("store"))
    }

    /// A new, empty map.
    ///
    /// # Errors
    /// See [`StoreError`], as for every operation.
    pub fn map<K: Portable + Ord + Clone, V: Portable + Clone>(&self) -> Result<Map<K, V>, StoreError> {
        self.create(|(): ()| BTreeMap::<K, V>::new(), ()).map(Map::of)
    }

    /// A new, empty list.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn list<T: Portable + Clone>(&self) -> Result<List<T>, StoreError> {
        self.create(|(): ()| Vec::<T>::new(), ()).map(List::of)
    }

    /// A new, empty set.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn set<T: Portable + Ord + Clone>(&self) -> Result<Set<T>, StoreError> {
        self.create(|(): ()| BTreeSet::<T>::new(), ()).map(Set::of)
    }

    /// A new counter that begins with `initial`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn counter(&self, initial: i64) -> Result<Counter, StoreError> {
        self.create(|initial: i64| initial, initial).map(Counter::of)
    }

    /// A new cell that holds `initial`.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let store = Store::start()?;
    /// let lists = store.map::<String, phalanx::store::List<u32>>()?;
    /// let (tags, hits) = (store.set::<String>()?, store.counter(0)?);
    /// let today = store.cell("Monday".to_owned())?;
    /// lists.insert("primes".into(), store.list()?)?; // a handle: the list behind it is shared
    /// lists.get("primes")?.expect("just put there").extend([2, 3, 5])?;
    /// assert_eq!(lists.get("primes")?.expect("still there").len()?, 3);
    /// # assert!(tags.is_empty()? && hits.get()? == 0 && today.get()? == "Monday");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn cell<T: Portable + Clone>(&self, initial: T) -> Result<Cell<T>, StoreError> {
        self.create(|initial: T| initial, initial).map(Cell::of)
    }

    /// How many objects it holds.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn len(&self) -> Result<usize, StoreError> {
        self.shelf().call(Operation::Len, |server, (): ()| server.len(), ())
    }

    /// Whether it holds no objects.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        self.len().map(|len| len == 0)
    }

    /// The actor behind it, with everything that a ref offers of a process: its pid, its end, a monitor.
    ///
    /// ```
    /// # use phalanx::{Store, StoreError};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let store = Store::start()?;
    /// let counter = store.counter(1)?;
    /// store.server().kill()?;
    /// assert!(matches!(counter.get(), Err(StoreError::Lost { .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub fn server(&self) -> &ActorRef<StoreServer> {
        &self.server
    }

    /// Whether its process exists, and the data with it.
    pub fn is_alive(&self) -> bool {
        self.server.is_alive()
    }

    /// Ends it, and with it all its data: it finishes the operation in progress; after `grace` it is killed.
    /// Blocks until it has ended, and returns why.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let store = Store::start()?;
    /// assert!(store.stop(Duration::from_secs(5))?.is_orderly());
    /// assert!(!store.is_alive());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SendError::Gone`] if it had ended before; [`SendError::CallingSelf`] in a function that runs in this
    /// very store.
    pub fn stop(&self, grace: Duration) -> Result<ExitReason, SendError> {
        self.server.stop(grace)
    }

    /// Like [`stop`](Self::stop), as a future: it blocks no thread of the caller; see
    /// [`ActorRef::stop_async`].
    ///
    /// # Errors
    /// As [`stop`](Self::stop).
    pub fn stop_async(&self, grace: Duration) -> Stopping {
        self.server.stop_async(grace)
    }

    /// The table of objects, as an object.
    fn shelf(&self) -> Object<StoreServer> {
        Object::new(self.server.clone(), StoreServer::ITSELF)
    }

    fn create<S: 'static, F, A: Portable>(&self, make: F, args: A) -> Result<Object<S>, StoreError>
    where
        F: FnOnce(A) -> S + Captureless,
    {
        let add = move |server: &mut StoreServer, args: A| server.add(make(args));
        let id = self.shelf().call(Operation::Create, add, args)?;
        Ok(Object::new(self.server.clone(), id))
    }
}

impl StoreBuilder {
    /// The name of its process. Default: `store`.
    pub fn name(self, name: impl Into<String>) -> Self {
        StoreBuilder(self.0.name(name))
    }

    /// Whether it is a daemon: terminated at the beginning of the program's end, before processes that may
    /// still use it. Default: no.
    pub fn daemon(self, daemon: bool) -> Self {
        StoreBuilder(self.0.daemon(daemon))
    }

    /// How long an operation waits for its reply. Default: 60 s.
    pub fn timeout(self, timeout: Duration) -> Self {
        StoreBuilder(self.0.timeout(timeout))
    }

    /// How many operations wait in its mailbox before callers wait for room, 1 to 65535. Default: 256.
    pub fn mailbox(self, operations: u32) -> Self {
        StoreBuilder(self.0.mailbox(operations))
    }

    /// How long one operation may run before the store is killed, with all its data. Default: for ever, so a
    /// function that does not return keeps the store busy; its callers get [`StoreError::Timeout`].
    pub fn deadline(self, deadline: Duration) -> Self {
        StoreBuilder(self.0.deadline(deadline))
    }

    /// How many bytes of private memory it may have. Beyond that it ends, with all its data. Default: no
    /// limit.
    pub fn memory(self, bytes: u64) -> Self {
        StoreBuilder(self.0.memory(bytes))
    }

    /// How deep the arguments and results of operations may be, as [`depth`](ActorBuilder::depth) counts. An
    /// item or value has two levels less, since an operation wraps it. A deeper value is the [`StoreError`]
    /// of that operation. Default: 128; at most 100,000.
    pub fn depth(self, levels: u32) -> Self {
        StoreBuilder(self.0.depth(levels))
    }

    /// Starts it, and waits until it is ready.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn start(self) -> Result<Store, SpawnError> {
        self.0.spawn().map(|server| Store { server })
    }

    /// Like [`start`](Self::start), as a future: see [`Spawning`].
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn start_async(self) -> Spawning<Store> {
        let name = self.0.plan.name.clone().unwrap_or_default();
        let of = |endpoint| Store { server: ActorRef::of(endpoint) };
        Spawning::of_endpoint(name, || self.0.spawn_endpoint(), of)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.server)
    }
}
