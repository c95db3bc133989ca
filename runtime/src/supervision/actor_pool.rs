//! A pool of actors: copies of one actor, and each message goes to the least busy of them.
//!
//! Which copies there are, and how busy they are, is on their status pages (see `actor/router`). The
//! mailboxes of all members that a pool can ever have are made before its start. So a handle that is copied
//! or sent knows them for good, a resize is an order to the supervisor and nothing else, and all holders see
//! on the pages what became of it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range, RangeInclusive};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::partitioned::{copies, hash, mixed};
use crate::actor::actor_ref::ActorRef;
use crate::actor::any_ref::AnyRef;
use crate::actor::builder::ActorBuilder;
use crate::actor::call_options::CallOptions;
use crate::actor::raw_ref::RawRef;
use crate::actor::router::{Presence, Router};
use crate::actor::traits::{Actor, ActorStruct};
use crate::policy::Drain;
use crate::reactor::endpoint::Endpoint;
use crate::reactor::offload::offload_order;
use crate::reactor::stopping::Stopping;
use crate::spawn::plan::Found;
use crate::supervision::{Reachable, Supervisor, SupervisorBuilder, SupervisorError, SupervisorRef};
use crate::types::error::SendError;
use crate::types::escape::escaped;
use crate::types::exit::ExitReason;
use crate::types::sealed::Sealed;

/// How many members a pool can have: each message looks at all of them.
const MOST: u32 = 1024;

/// How many members a pool of actors has: a number; or a range, from how many it starts with to how many it
/// can have.
///
/// ```
/// # use phalanx::prelude::*;
/// # #[actor] struct Worker;
/// # #[actor] impl Worker {}
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let fixed = Supervisor::pool("fixed", 2, |_| Worker.builder()).start()?;
/// let elastic = Supervisor::pool("elastic", 2..=4, |_| Worker.builder()).start()?;
/// assert_eq!((fixed.len(), fixed.max_len()), (2, 2));
/// assert_eq!((elastic.len(), elastic.max_len()), (2, 4));
/// # Ok(())
/// # }
/// ```
pub trait PoolSize: Sealed {
    #[doc(hidden)]
    fn bounds(self) -> (u32, u32);
}

impl PoolSize for u32 {
    fn bounds(self) -> (u32, u32) {
        (self, self)
    }
}

impl PoolSize for RangeInclusive<u32> {
    fn bounds(self) -> (u32, u32) {
        self.into_inner()
    }
}

impl PoolSize for Range<u32> {
    fn bounds(self) -> (u32, u32) {
        (self.start, self.end.saturating_sub(1))
    }
}

impl Supervisor {
    /// A pool of actors: copies of one actor, each a process of its own, below one supervisor. A call goes to
    /// the least busy of them. `make` gets the index of each member, from 0.
    ///
    /// The strategy is one_for_one; the ids of the children are their indexes; their processes are named
    /// `name-index`, unless `make` sets another name. A member that is stopped serves what is queued, as long
    /// as its `shutdown` allows, unless `make` sets another [`drain`](ActorBuilder::drain).
    ///
    /// `size` is a number, or a range such as `4..=16`: then it starts with 4 members, and
    /// [`resize`](ActorPool::resize) changes that up to 16. At most 1024. A size of 0 is refused at the
    /// start, and so is a range that ends before it begins
    /// ([`SpawnError::Option`](crate::SpawnError::Option)).
    ///
    /// With `mailbox(1)` and a short `within`, a pool refuses work instead of queueing it.
    ///
    /// ```
    /// use phalanx::prelude::*;
    /// # use std::time::Duration;
    ///
    /// #[actor]
    /// struct Decoder;
    ///
    /// #[actor]
    /// impl Decoder {
    ///     fn decode(&self, bytes: Vec<u8>) -> usize {
    ///         if bytes.is_empty() { std::process::abort() } // a bug in a C library, say
    ///         bytes.len()
    ///     }
    /// }
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let pool = Supervisor::pool("decoders", 4, |_| Decoder.builder());
    /// let decoders = pool.intensity(1000, Duration::from_secs(10)).start()?;
    /// let sent: Vec<_> = (1..=8).map(|len| decoders.decode(vec![7; len])).collect();
    /// assert!(matches!(decoders.decode(vec![]).wait(), Err(CallError::Died(..)))); // this one only
    /// let lens: Result<Vec<usize>, _> = sent.into_iter().map(|reply| reply.wait()).collect();
    /// assert_eq!(lens?, [1, 2, 3, 4, 5, 6, 7, 8]);
    /// decoders.stop(Duration::from_secs(5))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn pool<A: Actor>(
        name: impl Into<String>,
        size: impl PoolSize,
        mut make: impl FnMut(u32) -> ActorBuilder<A>,
    ) -> SupervisorBuilder<ActorPool<A>> {
        let name = name.into();
        let (first, most) = size.bounds();
        let mut plan = Supervisor::one_for_one().plan;
        plan.fault = match (first, most) {
            (0, _) => Some("a pool has at least one member"),
            _ if most > MOST => Some("a pool has at most 1024 members"),
            _ if first > most => Some("a pool cannot start with more members than it can have"),
            _ => None,
        };
        if plan.fault.is_none() {
            plan.children = copies(&name, most, |index| {
                let mut builder = make(index);
                builder.plan.options.drain.get_or_insert(Drain::Always);
                builder
            });
        }
        plan.policy.get_or_insert_default().first = (first < most).then_some(first);
        SupervisorBuilder::of(plan).name(name)
    }
}

/// A pool of actors: the handle on the members that [`Supervisor::pool`] has started.
///
/// It has the messages of its actor, as an [`ActorRef`] has, with the same waits and errors. Each goes to the
/// member with the fewest messages before it, at the moment of the call: those in its mailbox, and the one
/// that it works on. Of members that are equally busy each gets one in turn. (Akka's `SmallestMailboxPool`;
/// Elixir's `PartitionSupervisor` if calls are made [`by_key`](Self::by_key).)
///
/// - A member without a ready process, because it is being started, restarted or recycled, gets a message
///   only if no ready member has room. It keeps the ones that it has, and serves them when it is back.
/// - A call waits for room only while **all** mailboxes are full, and `try_..` is
///   [`Full`](SendError::Full) only then. So a member that hangs with a full mailbox is passed over.
/// - Once sent, a message stays with its member: if that hangs, so do the messages in its mailbox. Set a
///   `deadline`, or use [`within_or_kill`](CallOptions::within_or_kill).
/// - A member that calls the pool in a handler does not get its own call; if there is no other one, the call
///   is [`CallingSelf`](crate::CallError::CallingSelf). Members that do so may wait for each other, until a
///   deadline.
/// - If all members are gone for good, it is [`Gone`](crate::CallError::Gone).
///
/// No process is asked for any of this: it is read from shared memory, at a cost that grows with
/// [`max_len`](Self::max_len) by some tens of nanoseconds a member. Two senders that look at the same moment
/// may choose the same member. The number of messages is all that is looked at: not how long each takes, nor
/// replies that were put off ([`Later`](crate::Later)).
///
/// Messages of one sender may overtake each other, since they go to several members;
/// [`by_key`](Self::by_key) keeps the order of those that belong together.
///
/// The handle is cheap to clone, can be used from any thread, and travels in messages, as long as the pool
/// cannot have more than 30 members (29 in the state of a new actor): a message takes 31 refs. A receiver
/// chooses by itself. It costs each process two descriptors for each member that there can be.
///
/// Methods of the pool hide messages of the same name: `(*pool).len()` sends the message `len`.
pub struct ActorPool<A: ActorStruct> {
    calls: CallOptions<A>,
    router: Arc<Router>,
    supervisor: SupervisorRef,
}

impl<A: Actor> ActorPool<A> {
    /// `members` is not empty.
    fn new(supervisor: SupervisorRef, members: Vec<Arc<Endpoint>>) -> ActorPool<A> {
        let router = Arc::new(Router::new(supervisor.name(), members));
        let calls = CallOptions::of(RawRef::routed(Arc::clone(&router), A::METHODS));
        ActorPool { calls, router, supervisor }
    }

    /// The member that a message sent now would go to. Messages through this ref go to this member, whatever
    /// becomes of it: several that belong together, for example. If all members are gone, the ref is that of
    /// one that is gone.
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// # #[actor] struct Worker;
    /// # #[actor] impl Worker {}
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let workers = Supervisor::pool("workers", 2, |_| Worker.builder()).start()?;
    /// let one = workers.least_busy();
    /// assert!(workers.members().contains(&one));
    /// assert_ne!(workers.least_busy(), one); // equally busy: the other one's turn
    /// # Ok(())
    /// # }
    /// ```
    pub fn least_busy(&self) -> ActorRef<A> {
        ActorRef::of(Arc::clone(self.router.least_busy()))
    }

    /// The member that `key` belongs to: one and the same in every process of the program, and across
    /// restarts. What one sender sends by one key is handled in its order.
    ///
    /// Members are weighed by the key's hash (that of [`Partitioned::of`](crate::Partitioned::of)) and their
    /// index, and the heaviest one of those that are not gone or told to stop is it (rendezvous hashing, or
    /// highest random weight). So a [`resize`](Self::resize) moves only the keys of the members that it takes
    /// away, or its share of keys to each that it adds. In the moment of the move, messages of a key can be
    /// with two members. If all are gone, the ref is that of one that is gone.
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// # #[actor] struct Worker;
    /// # #[actor] impl Worker {}
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let workers = Supervisor::pool("workers", 3, |_| Worker.builder()).start()?;
    /// assert_eq!(workers.by_key("customer 7"), workers.by_key("customer 7"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn by_key<K: Hash + ?Sized>(&self, key: &K) -> ActorRef<A> {
        let key = hash(key);
        let members = self.router.members().iter().enumerate();
        let stay = members.filter(|(_, member)| Presence::of(member) < Presence::Leaving);
        let heaviest = stay.max_by_key(|&(index, _)| weight(key, index));
        heaviest.map_or_else(|| self.least_busy(), |(_, member)| ActorRef::of(Arc::clone(member)))
    }

    /// The members that it has now, in the order of their indexes: those that are up, and those that are
    /// being started, restarted or stopped.
    pub fn members(&self) -> Vec<ActorRef<A>> {
        self.present().map(|member| ActorRef::of(Arc::clone(member))).collect()
    }
}

impl<A: ActorStruct> ActorPool<A> {
    fn present(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.router.members().iter().filter(|member| Presence::of(member) != Presence::Gone)
    }

    /// How many [`members`](Self::members) it has now.
    pub fn len(&self) -> usize {
        self.present().count()
    }

    /// Whether it has no member any more, so that messages are refused.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many members it can have: the end of the range that it was made with.
    pub fn max_len(&self) -> usize {
        self.router.members().len()
    }

    /// How many messages wait in the mailboxes of all members.
    pub fn depth(&self) -> usize {
        let depths = self.present().map(|member| member.status_page.depth());
        depths.map(|depth| depth.load(Ordering::SeqCst) as usize).sum()
    }

    /// How many messages all members together have handled, since the start of the pool.
    pub fn handled(&self) -> u64 {
        self.router.members().iter().map(|member| member.status_page.handled()).sum()
    }

    /// How often members were started again, since the start of the pool; recycling apart. By member:
    /// [`which_children`](SupervisorRef::which_children) of its [`supervisor`](Self::supervisor).
    pub fn restarts(&self) -> u64 {
        self.router.members().iter().map(|member| u64::from(member.status_page.restarts().0)).sum()
    }

    /// The supervisor of the members. The ids of its children are the indexes, as texts.
    pub fn supervisor(&self) -> &SupervisorRef {
        &self.supervisor
    }

    /// Changes how many members there are: those with the first indexes. Any holder can.
    ///
    /// Growing starts members, one after the other, and blocks until each is ready. Members that had been
    /// stopped through their refs are started, too.
    ///
    /// Shrinking stops members, the last one first, each when the one after it has gone, and blocks until all
    /// of them have. From the moment at which it is told so, a member gets no more messages from any holder.
    /// It serves what is in its mailbox, as long as its `shutdown` allows: 5 s by default, after which its
    /// calls end with [`Died`](crate::CallError::Died) or [`Stopped`](crate::CallError::Stopped). A member
    /// that waits for its restart does not get it, and the calls in its mailbox end with the reason of its
    /// last death. A call that was on its way just as the member stopped is
    /// [`Stopped`](crate::CallError::Stopped), and was not run.
    ///
    /// A pool whose supervisor is restarted has as many members as at its start. Of two resizes at the same
    /// time, the later order counts for each member. Not to be called in a handler of a member that it would
    /// stop: that waits for itself, and is killed when its `shutdown` is over.
    ///
    /// # Errors
    /// [`SupervisorError::Size`] if `members` is 0 or above [`max_len`](Self::max_len). Those of
    /// [`restart_child`](SupervisorRef::restart_child), and [`SupervisorError::Gone`] if the supervisor is
    /// gone: then some members may have been started or stopped.
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// # #[actor] struct Worker;
    /// # #[actor] impl Worker { fn work(&self, n: u32) -> u32 { n * n } }
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let workers = Supervisor::pool("workers", 1..=4, |_| Worker.builder()).start()?;
    /// workers.resize(4)?;
    /// let sent: Vec<_> = (1..=9).map(|n| workers.work(n)).collect();
    /// workers.resize(2)?; // what was sent is served
    /// let squares: Result<Vec<u32>, _> = sent.into_iter().map(|reply| reply.wait()).collect();
    /// assert_eq!((workers.len(), squares?), (2, vec![1, 4, 9, 16, 25, 36, 49, 64, 81]));
    /// assert!(workers.resize(5).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn resize(&self, members: u32) -> Result<(), SupervisorError> {
        let most = u32::try_from(self.max_len()).unwrap_or(u32::MAX);
        if !(1..=most).contains(&members) {
            let supervisor = self.supervisor.name().to_owned();
            return Err(SupervisorError::Size { supervisor, wanted: members, most });
        }
        for index in (members..most).rev() {
            match self.supervisor.terminate_child(&index.to_string()) {
                // A temporary one that has ended, and so is not there.
                Ok(()) | Err(SupervisorError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for index in 0..members {
            match self.supervisor.restart_child(&index.to_string()) {
                Ok(()) | Err(SupervisorError::Running { .. } | SupervisorError::Restarting { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Stops the pool, its members in reverse order; blocks until they have ended, and returns why the
    /// supervisor ended. Each serves what is in its mailbox, as long as its `shutdown` allows. After `grace`,
    /// all that is left is killed.
    ///
    /// # Errors
    /// [`SendError::Gone`] if it had ended before.
    pub fn stop(&self, grace: Duration) -> Result<ExitReason, SendError> {
        self.supervisor.stop(grace)
    }

    /// Like [`resize`](Self::resize), as a future: it blocks no thread of the caller, and works under any
    /// executor. The resize begins when the future is first polled, and goes on even if the future is dropped
    /// then.
    ///
    /// # Errors
    /// As [`resize`](Self::resize).
    pub fn resize_async(
        &self,
        members: u32,
    ) -> impl Future<Output = Result<(), SupervisorError>> + Send + use<A> {
        let pool = self.clone();
        let resized = offload_order({
            let pool = pool.clone();
            move || pool.resize(members)
        });
        // Here, if there can be no thread for it.
        async move { resized.await.unwrap_or_else(|_| pool.resize(members)) }
    }

    /// Like [`stop`](Self::stop), as a future: it blocks no thread of the caller, and works under any executor.
    /// The stop begins when the future is first polled. If it is dropped after that, the order stands.
    ///
    /// # Errors
    /// As [`stop`](Self::stop).
    pub fn stop_async(&self, grace: Duration) -> Stopping {
        self.supervisor.stop_async(grace)
    }
}

/// How much a member weighs for a key. Of equal indexes there are none, so of equal weights neither.
fn weight(key: u64, index: usize) -> u64 {
    mixed(key ^ mixed(index as u64 + 1))
}

impl<A: Actor> Reachable for ActorPool<A> {
    fn at(found: Found) -> Self {
        let (supervisor, below) = found.open();
        let members: Vec<ActorRef<A>> = below.rest();
        ActorPool::new(supervisor, members.iter().map(|member| Arc::clone(member.endpoint())).collect())
    }
}

/// The messages of the actor, and their options: each message goes to the least busy member.
///
/// ```
/// # use phalanx::prelude::*;
/// # use std::time::Duration;
/// # #[actor] struct Worker;
/// # #[actor] impl Worker { fn work(&self, n: u32) -> u32 { n * n } }
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let workers = Supervisor::pool("workers", 2, |_| Worker.builder()).start()?;
/// let soon = workers.within(Duration::from_secs(5)).if_up();
/// assert_eq!((workers.work(2).wait()?, soon.work(3).wait()?, soon.try_work(4)?.wait()?), (4, 9, 16));
/// # Ok(())
/// # }
/// ```
impl<A: ActorStruct> Deref for ActorPool<A> {
    type Target = CallOptions<A>;

    fn deref(&self) -> &CallOptions<A> {
        &self.calls
    }
}

impl<A: ActorStruct> Clone for ActorPool<A> {
    fn clone(&self) -> Self {
        let (calls, router) = (self.calls.clone(), Arc::clone(&self.router));
        ActorPool { calls, router, supervisor: self.supervisor.clone() }
    }
}

/// Equal if they are handles on the pool of one supervisor.
impl<A: ActorStruct> PartialEq for ActorPool<A> {
    fn eq(&self, other: &Self) -> bool {
        self.supervisor == other.supervisor
    }
}

impl<A: ActorStruct> Eq for ActorPool<A> {}

impl<A: ActorStruct> Hash for ActorPool<A> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.supervisor.hash(state);
    }
}

impl<A: ActorStruct> fmt::Debug for ActorPool<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, len, most) = (self.supervisor.name(), self.len(), self.max_len());
        escaped(f, |f| write!(f, "ActorPool({name}, {len} of {most} members)"))
    }
}

impl<A: ActorStruct> Serialize for ActorPool<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let members: Vec<AnyRef> =
            self.router.members().iter().map(|member| AnyRef(Arc::clone(member))).collect();
        (&self.supervisor, members).serialize(serializer)
    }
}

impl<'de, A: Actor> Deserialize<'de> for ActorPool<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (supervisor, members) = <(SupervisorRef, Vec<AnyRef>)>::deserialize(deserializer)?;
        if members.is_empty() {
            return Err(D::Error::custom("an `ActorPool` without members"));
        }
        Ok(ActorPool::new(supervisor, members.into_iter().map(|member| member.0).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(count: usize) -> Vec<usize> {
        let heaviest = |key: u64| (0..count).max_by_key(|&index| weight(hash(&key), index));
        (0..4000).filter_map(heaviest).collect()
    }

    #[test]
    fn a_member_more_takes_its_share_of_the_keys_and_moves_no_others() {
        for count in [2, 3, 4, 8] {
            let (before, after) = (places(count - 1), places(count));
            let moved: Vec<usize> = before
                .iter()
                .zip(&after)
                .filter(|(before, after)| before != after)
                .map(|(_, &to)| to)
                .collect();
            assert!(moved.iter().all(|&to| to == count - 1));
            let share = 4000 / count;
            assert!((share * 8 / 10..share * 12 / 10).contains(&moved.len()), "{} of {count}", moved.len());
        }
    }

    #[test]
    fn a_size_is_a_number_or_a_range() {
        assert_eq!([4_u32.bounds(), (2..=4_u32).bounds(), (2..5_u32).bounds()], [(4, 4), (2, 4), (2, 4)]);
    }
}
