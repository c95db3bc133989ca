//! Options of the calls that are made through a ref.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use crate::actor::flush::Flush;
use crate::actor::raw_ref::RawRef;
use crate::actor::traits::{ActorStruct, Calls};
use crate::types::error::SendError;
use crate::types::escape::escaped;
use crate::types::id::ActorId;

/// The messages of an actor, or of the members of an [`ActorPool`](crate::ActorPool), with options for each
/// that is sent through it. Made by [`ActorRef::within`](crate::ActorRef::within) and its like; more options
/// are added in any order, of two of one kind the later one counts.
///
/// ```
/// # use phalanx::prelude::*;
/// # use std::time::Duration;
/// # #[actor] struct Echo;
/// # #[actor] impl Echo { fn echo(&self, text: String) -> String { text } }
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let echo = Echo.spawn()?;
/// let second = Duration::from_secs(1);
/// assert_eq!(echo.within(second).kill_after(second / 2).if_up().echo("one".into()).wait()?, "one");
/// let soon = echo.if_up().within_or_kill(second); // for several calls
/// assert_eq!(soon.try_echo("two".into())?.wait()?, "two");
/// assert_eq!(soon.echo("three".into()).wait()?, "three");
/// # Ok(())
/// # }
/// ```
pub struct CallOptions<A: ActorStruct> {
    calls: A::Calls,
}

impl<A: ActorStruct> CallOptions<A> {
    pub(crate) fn of(raw: RawRef) -> CallOptions<A> {
        CallOptions { calls: A::Calls::from_raw(raw) }
    }

    fn raw(&self) -> RawRef {
        self.calls.raw().clone()
    }

    /// With a deadline; see [`ActorRef::within`](crate::ActorRef::within).
    pub fn within(&self, limit: Duration) -> CallOptions<A> {
        CallOptions::of(self.raw().within(limit))
    }

    /// With a deadline that ends the handler, too; see
    /// [`ActorRef::within_or_kill`](crate::ActorRef::within_or_kill).
    pub fn within_or_kill(&self, limit: Duration) -> CallOptions<A> {
        CallOptions::of(self.raw().within_or_kill(limit))
    }

    /// With a limit on the handler; see [`ActorRef::kill_after`](crate::ActorRef::kill_after).
    pub fn kill_after(&self, limit: Duration) -> CallOptions<A> {
        CallOptions::of(self.raw().kill_after(limit))
    }

    /// Without waiting for a restart; see [`ActorRef::if_up`](crate::ActorRef::if_up).
    pub fn if_up(&self) -> CallOptions<A> {
        CallOptions::of(self.raw().if_up())
    }

    /// Without waiting for room in the mailbox; see [`ActorRef::try_`](crate::ActorRef::try_).
    pub fn try_(&self) -> CallOptions<A> {
        CallOptions::of(self.raw().demanding_room())
    }

    /// With a message that finds no room parked, in its order, instead of waited for; see
    /// [`ActorRef::when_room`](crate::ActorRef::when_room).
    pub fn when_room(&self) -> CallOptions<A> {
        CallOptions::of(self.raw().parking())
    }

    /// Waits until nothing that this process has sent with [`when_room`](Self::when_room) to the actor, or to a
    /// member of the pool, is parked any more; see [`ActorRef::flush_async`](crate::ActorRef::flush_async).
    ///
    /// # Errors
    /// That of the first tell that was parked and lost since the last flush.
    pub fn flush_async(&self) -> impl Future<Output = Result<(), SendError>> + Send + use<A> {
        Flush::of(self.calls.raw())
    }
}

impl<A: ActorStruct> Deref for CallOptions<A> {
    type Target = A::Calls;

    fn deref(&self) -> &A::Calls {
        &self.calls
    }
}

impl<A: ActorStruct> Clone for CallOptions<A> {
    fn clone(&self) -> Self {
        CallOptions { calls: self.calls.clone() }
    }
}

impl<A: ActorStruct> fmt::Debug for CallOptions<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.calls.raw();
        escaped(f, |f| match &raw.router {
            Some(router) => write!(f, "CallOptions({})", router.name()),
            None => write!(f, "CallOptions({}, {})", raw.endpoint.card.name, ActorId(raw.endpoint.card.id)),
        })
    }
}
