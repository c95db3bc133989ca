//! A ref: the address of an actor, and a handle on its process.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::actor::any_ref::AnyRef;
use crate::actor::call_options::CallOptions;
use crate::actor::flush::Flush;
use crate::actor::raw_ref::RawRef;
use crate::actor::traits::{Actor, ActorStruct, Calls};
use crate::reactor::endpoint::Endpoint;
use crate::reactor::monitor::Monitor;
use crate::reactor::process_handle::{Handle, process_methods};
use crate::reactor::travel;
use crate::sys::clock;
use crate::types::error::SendError;
use crate::types::escape::escaped;
use crate::types::exit::ExitReason;
use crate::types::id::ActorId;

/// The address of an actor of type `A`: its messages are this type's methods.
///
/// Calling a method sends a message and returns a [`Reply`](crate::Reply); a `#[tell]` method returns whether
/// it was sent. Each message also has a twin `try_..` that never waits: a full mailbox is an error that gives
/// the arguments back. Methods that are not the actor's own, such as [`pid`](Self::pid) or
/// [`stop`](Self::stop), concern its process.
///
/// A ref is cheap to clone, can be used from any thread, and travels: in messages, replies, init arguments
/// and state. Dropping refs does not end the actor; it ends when it is stopped, when it dies, or with the
/// program.
///
/// Refs are equal, and hashed, by the [`id`](Self::id) of their actor, which never changes, so a ref is a good
/// key. Clippy cannot know that; `ignore-interior-mutability = ["phalanx::ActorRef"]` in `clippy.toml` tells
/// it.
///
/// **Blocking.** Sending waits while the mailbox is full (256 messages unless the `mailbox` option says
/// otherwise), at most for the call's deadline. A call also waits while this process has 16,384 calls to that
/// actor under way, sent and not yet answered: an actor keeps that many replies for a caller that does not
/// read them. The deadline is the actor's `timeout` option (60 s), or that of [`within`](Self::within). In
/// async code, send through [`when_room`](Self::when_room), which never blocks, and start, stop and join by the
/// methods whose names end in `_async`.
pub struct ActorRef<A: ActorStruct> {
    calls: A::Calls,
    kind: PhantomData<fn() -> A>,
}

impl<A: Actor> ActorRef<A> {
    pub(crate) fn of(endpoint: Arc<Endpoint>) -> ActorRef<A> {
        ActorRef { calls: A::Calls::from_raw(RawRef::new(endpoint, None, A::METHODS)), kind: PhantomData }
    }
}

impl<A: ActorStruct> ActorRef<A> {
    pub(crate) fn raw(&self) -> &RawRef {
        self.calls.raw()
    }

    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.raw().endpoint
    }

    /// The actor's messages without an option.
    pub(crate) fn plain(&self) -> CallOptions<A> {
        CallOptions::of(self.raw().clone())
    }

    fn handle(&self) -> Handle<'_> {
        Handle(self.endpoint())
    }

    process_methods!();

    /// The actor's messages with a deadline: `counter.within(limit).add(1)`.
    ///
    /// The callee sees it ([`Current::deadline`](crate::Current::deadline)); a message whose deadline has
    /// passed before its turn comes is not run. A handler that has begun is not disturbed by the deadline;
    /// [`within_or_kill`](Self::within_or_kill) ends it.
    pub fn within(&self, limit: Duration) -> CallOptions<A> {
        CallOptions::of(self.raw().clone().within(limit))
    }

    /// The actor's messages with a deadline, as by [`within`](Self::within), at which a handler that has
    /// begun is killed as by [`kill_after`](Self::kill_after). So the limit counts the wait in the mailbox,
    /// too. The caller's wait ends at the same moment: with [`CallError::Timeout`](crate::CallError::Timeout)
    /// or, if the death is known first, [`CallError::Died`](crate::CallError::Died).
    pub fn within_or_kill(&self, limit: Duration) -> CallOptions<A> {
        CallOptions::of(self.raw().clone().within_or_kill(limit))
    }

    /// The actor's messages, without waiting for a restart: if the actor has no ready process at the moment
    /// of sending, a call fails at once with [`CallError::Unavailable`](crate::CallError::Unavailable), a
    /// tell with [`SendError::Unavailable`]. Without `if_up`, a message waits in the mailbox for the next
    /// process. (Ray's `ActorUnavailableError`, on request.)
    pub fn if_up(&self) -> CallOptions<A> {
        CallOptions::of(self.raw().clone().if_up())
    }

    /// The actor's messages, without waiting for room in the mailbox: if it is full, a call's reply is
    /// [`CallError::Full`](crate::CallError::Full), a tell's error is [`SendError::Full`]. No message blocks.
    /// For the twins `try_..`, which give the arguments back, this is no option: they do not wait either.
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// # use std::time::Duration;
    /// # #[actor(mailbox = 1)] struct Slow;
    /// #[actor]
    /// impl Slow {
    ///     #[tell]
    ///     fn sleep(&self) {
    ///         std::thread::sleep(Duration::from_secs(1000))
    ///     }
    ///
    ///     fn add(&self, n: u64) -> u64 {
    ///         n + 1
    ///     }
    /// }
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let slow = Slow.spawn()?;
    /// slow.sleep()?; // soon in progress
    /// slow.sleep()?; // waits for room until then, and takes it
    /// let reply = slow.within(Duration::from_secs(1)).try_().add(41);
    /// assert!(matches!(reply.wait(), Err(CallError::Full(_))));
    /// # slow.kill()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_(&self) -> CallOptions<A> {
        CallOptions::of(self.raw().clone().demanding_room())
    }

    /// The actor's messages, for async code: no message waits for room in the mailbox, and none fails for want
    /// of it at once. If the mailbox is full, the message is parked in front of it, and a thread of phalanx
    /// (one per process) sends it when there is room.
    ///
    /// `counter.when_room().add(1).await` blocks no executor. The wait for room counts to the deadline, after
    /// which the reply is [`CallError::Full`](crate::CallError::Full). If the reply is dropped, the message is
    /// sent all the same, as with every call, unless it [takes the call back](crate::Reply::cancel_on_drop). A
    /// tell returns when it is in the mailbox or parked; [`flush_async`](Self::flush_async) waits for room, and
    /// says whether a tell was lost.
    ///
    /// Messages keep their order: while one is parked, each later message of this process to this actor queues
    /// up behind it, however it is sent. At most 16,384 messages are parked for one actor, and as many calls
    /// under way; beyond that, sending fails with `Full`. The end of the program waits for what the program
    /// has parked; what an actor or a task has parked is lost with its process.
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// # #[actor(mailbox = 2)] struct Counter { total: u64 }
    /// #[actor]
    /// impl Counter {
    ///     fn add(&mut self, n: u64) -> u64 {
    ///         self.total += n;
    ///         self.total
    ///     }
    ///
    ///     #[tell]
    ///     fn note(&mut self) {
    ///         self.total += 1
    ///     }
    /// }
    ///
    /// #[phalanx::main]
    /// #[tokio::main(flavor = "current_thread")]
    /// async fn main() -> phalanx::Result<()> {
    ///     let counter = Counter { total: 0 }.spawn_async().await?;
    ///     let calls = counter.when_room();
    ///     for _ in 0..10 {
    ///         calls.note()?; // never waits
    ///     }
    ///     counter.flush_async().await?; // all of them are in the mailbox
    ///     assert_eq!(calls.add(5).await?, 15);
    ///     Ok(())
    /// }
    /// ```
    pub fn when_room(&self) -> CallOptions<A> {
        CallOptions::of(self.raw().clone().parking())
    }

    /// Waits until nothing that this process has sent with [`when_room`](Self::when_room) is parked any more;
    /// ready at once if nothing is. Blocks no thread, and works under any executor. Dropping the future
    /// changes nothing.
    ///
    /// # Errors
    /// The error of the first tell that was parked and lost since the last flush: [`SendError::Full`] if there
    /// was no room until its deadline, [`SendError::Gone`] if the actor ended.
    pub fn flush_async(&self) -> impl Future<Output = Result<(), SendError>> + Send + use<A> {
        Flush::of(self.raw())
    }

    /// The actor's messages with a limit on their handlers: one that runs longer is killed (SIGABRT, 50 ms
    /// later SIGKILL), and its actor with it; the call ends with [`ExitReason::DeadlineExceeded`]. Counted
    /// from the moment at which the handler begins. A shorter `deadline` of the method or the actor still
    /// applies.
    pub fn kill_after(&self, limit: Duration) -> CallOptions<A> {
        CallOptions::of(self.raw().clone().kill_after(limit))
    }

    /// The process id of the actor.
    ///
    /// # Errors
    /// [`SendError::Gone`] if there is no such process any more.
    pub fn pid(&self) -> Result<u32, SendError> {
        self.handle().pid()
    }

    /// The actor's name: that of the option `name`, or that of the type.
    pub fn name(&self) -> &str {
        &self.raw().endpoint.card.name
    }

    /// What identifies the actor everywhere.
    pub fn id(&self) -> ActorId {
        ActorId(self.raw().endpoint.card.id)
    }

    /// Blocks until the actor has ended and is reaped; returns why. Can be called repeatedly, however late.
    ///
    /// # Panics
    /// In a handler of this very actor, which would wait for ever.
    pub fn join(&self) -> ExitReason {
        self.handle().join()
    }

    /// Like [`join`](Self::join), but returns `None` after `limit`.
    pub fn join_timeout(&self, limit: Duration) -> Option<ExitReason> {
        self.handle().join_until(Some(clock::after(limit)))
    }

    /// Like [`join`](Self::join), as a future: it blocks no thread, and works under any executor. Dropping it
    /// ends nothing.
    ///
    /// # Panics
    /// In a handler of this very actor, as [`join`](Self::join).
    pub fn join_async(&self) -> impl Future<Output = ExitReason> + Send + use<A> {
        self.handle().join_async()
    }

    /// Like [`join_timeout`](Self::join_timeout), as a future: it blocks no thread, and works under any
    /// executor. Dropping it ends nothing.
    pub fn join_timeout_async(
        &self,
        limit: Duration,
    ) -> impl Future<Output = Option<ExitReason>> + Send + use<A> {
        self.handle().join_until_async(clock::after(limit))
    }

    /// This actor without its type, to recognise it or to watch it.
    pub fn any(&self) -> AnyRef {
        AnyRef(Arc::clone(self.endpoint()))
    }

    /// How many messages wait in its mailbox. Read from shared memory: a hung actor is not asked.
    pub fn depth(&self) -> usize {
        self.handle().depth()
    }

    /// How many messages its mailbox takes.
    pub fn capacity(&self) -> usize {
        self.raw().endpoint.status_page.capacity() as usize
    }

    /// How many messages it has handled.
    pub fn handled(&self) -> u64 {
        self.raw().endpoint.status_page.handled()
    }

    /// How often it has been started; 1 for the first process.
    pub fn incarnation(&self) -> u64 {
        self.raw().endpoint.status_page.incarnation()
    }
}

impl<A: ActorStruct> Deref for ActorRef<A> {
    type Target = A::Calls;

    fn deref(&self) -> &A::Calls {
        &self.calls
    }
}

impl<A: ActorStruct> Clone for ActorRef<A> {
    fn clone(&self) -> Self {
        ActorRef { calls: self.calls.clone(), kind: PhantomData }
    }
}

impl<A: ActorStruct> PartialEq for ActorRef<A> {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl<A: ActorStruct> Eq for ActorRef<A> {}

impl<A: ActorStruct> Hash for ActorRef<A> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl<A: ActorStruct> fmt::Debug for ActorRef<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| write!(f, "ActorRef({}, {})", self.name(), self.id()))
    }
}

/// The [`sentinel`](Self::sentinel).
///
/// # Panics
/// If the descriptor does not exist yet and the limit on descriptors is reached.
impl<A: ActorStruct> AsFd for ActorRef<A> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.sentinel() {
            Ok(sentinel) => sentinel,
            Err(error) => panic!("no descriptor to watch {self} with: {error}"),
        }
    }
}

/// "`name`, process 4711, child of 4700, started": its name, its pid, the pid of the process that spawned it,
/// and its state; or how it ended, with the signal or the exit code.
impl<A: ActorStruct> fmt::Display for ActorRef<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle().fmt(f)
    }
}

impl<A: ActorStruct> Serialize for ActorRef<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        travel::put_endpoint(&self.raw().endpoint, serializer)
    }
}

impl<'de, A: Actor> Deserialize<'de> for ActorRef<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        travel::take_endpoint(deserializer).map(ActorRef::of)
    }
}
