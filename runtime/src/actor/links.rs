//! Links: actors that end together.
//!
//! A link is two watches, one in each of the two processes: each has a thread that waits for the other's end.
//! An actor that does not trap exits then dies too, of the same cause. One that *traps* exits, by an
//! `#[on_exit]` hook, gets the report as a message.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::actor::actor_ref::ActorRef;
use crate::actor::any_ref::AnyRef;
use crate::actor::raw_ref::RawRef;
use crate::actor::traits::Actor;
use crate::ipc::codec;
use crate::reactor::{last_words, own};
use crate::sys::per_process::Own;
use crate::types::down::Down;
use crate::types::error::SendError;
use crate::types::exit::ExitReason;

/// Messages of the runtime; their numbers are beyond all methods.
pub(crate) const LINK: u32 = u32::MAX;
pub(crate) const UNLINK: u32 = u32::MAX - 1;
pub(crate) const EXIT: u32 = u32::MAX - 2;

/// The actors that this process is linked to, each with the number of its link: an exit that comes after an
/// unlink is ignored.
static LINKED: Own<Mutex<Option<HashMap<u64, u64>>>> = Own::new();

fn linked() -> MutexGuard<'static, Option<HashMap<u64, u64>>> {
    LINKED.here().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Links two actors (OTP's `link/1`): if one of them crashes, the other is ended too, with
/// [`ExitReason::Linked`], unless it has an `#[on_exit]` hook, which is then called with the [`Down`]
/// instead. An orderly end (a stop, an exit with 0, a recycling) does not end the other, but a hook is called
/// for it too.
///
/// A link is between the two processes that the actors have when it arrives there, and ends with either: a
/// restarted actor has no links. It is not a message of the actors and not bound to their types, but takes
/// its turn in their mailboxes. Linking twice is linking once. An actor that is gone already counts as
/// crashed. Does not wait until the link is in place.
///
/// ```
/// use phalanx::prelude::*;
/// # #[actor] struct Half;
/// #[actor]
/// impl Half {
///     fn crash(&self) {
///         std::process::abort()
///     }
///     fn here(&self) {}
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let (left, right) = (Half.spawn()?, Half.spawn()?);
/// phalanx::link(&left, &right)?;
/// right.here().wait()?; // the link has arrived before this message
/// let _ = left.crash().wait();
/// assert!(matches!(right.join(), ExitReason::Linked { .. }));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As a tell to either of them.
pub fn link<A: Actor, B: Actor>(one: &ActorRef<A>, other: &ActorRef<B>) -> Result<(), SendError> {
    one.raw().tell_runtime(LINK, &other.any())?;
    other.raw().tell_runtime(LINK, &one.any())
}

/// Ends a link, in both directions (OTP's `unlink/1`). No error if there is none.
///
/// # Errors
/// As a tell to either of them, except that an actor that has ended is no error.
pub fn unlink<A: Actor, B: Actor>(one: &ActorRef<A>, other: &ActorRef<B>) -> Result<(), SendError> {
    let forgive = |sent: Result<(), SendError>| match sent {
        Err(SendError::Gone(_)) => Ok(()),
        other => other,
    };
    forgive(one.raw().tell_runtime(UNLINK, &other.any()))?;
    forgive(other.raw().tell_runtime(UNLINK, &one.any()))
}

/// The ref of the actor that runs this code, for handing out (OTP's `self()`); `None` outside of an actor, or
/// in one of another type.
///
/// ```
/// use phalanx::prelude::*;
/// # #[actor] struct Child { parent: ActorRef<Parent> }
/// # #[actor] impl Child { fn greet(&self) { let _ = self.parent.hello(); } }
/// # #[actor] struct Parent;
/// #[actor]
/// impl Parent {
///     fn raise(&mut self) -> phalanx::Result<ActorRef<Child>> {
///         let parent = phalanx::myself::<Parent>().expect("an actor of this type");
///         Ok(Child { parent }.spawn()?)
///     }
///     #[tell]
///     fn hello(&self) {}
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let parent = Parent.spawn()?;
/// parent.raise().wait()?.greet().wait()?;
/// # Ok(())
/// # }
/// ```
pub fn myself<A: Actor>() -> Option<ActorRef<A>> {
    own::own_endpoint(std::any::type_name::<A>()).map(ActorRef::of)
}

/// Handles a message of the runtime, in the actor. Returns the report of an end if the actor traps exits.
pub(crate) fn handle(method: u32, body: &[u8], fds: Vec<std::os::fd::OwnedFd>, traps: bool) -> Option<Down> {
    match method {
        LINK => {
            if let Ok(other) = codec::decode::<AnyRef>(body, fds) {
                watch(other, traps);
            }
            None
        }
        UNLINK => {
            if let (Ok(other), Some(linked)) = (codec::decode::<AnyRef>(body, fds), linked().as_mut()) {
                linked.remove(&other.id().0);
            }
            None
        }
        EXIT => codec::decode::<Down>(body, fds).ok().filter(|_| traps),
        _ => None,
    }
}

/// Waits for the other's end in a thread of its own.
fn watch(other: AnyRef, traps: bool) {
    let (id, number) = (other.id().0, crate::sys::process::random());
    let mut links = linked();
    if links.get_or_insert_default().contains_key(&id) {
        return;
    }
    links.get_or_insert_default().insert(id, number);
    drop(links);
    let name = format!("link: {}", other.name());
    let spawned = thread::Builder::new().name(name).stack_size(128 * 1024).spawn(move || {
        let down = other.monitor().recv();
        let still_linked = linked().as_mut().is_some_and(|links| {
            let ours = links.get(&id) == Some(&number);
            ours.then(|| links.remove(&id)).is_some()
        });
        if still_linked {
            exit_signal(down, traps);
        }
    });
    if let Err(error) = spawned {
        // A link that cannot be kept must not look like one that is.
        let reason = format!("cannot start a thread: {error}");
        last_words::leave_linked("the link itself", &reason);
    }
}

/// Called when the other actor has ended.
fn exit_signal(down: Down, traps: bool) {
    if traps {
        if let Some(own) = own_raw() {
            // Its mailbox may be full: this waits for room, as every sender does.
            let _ = own.tell_runtime(EXIT, &down);
        }
    } else if !down.reason.is_orderly() && down.reason != ExitReason::Exited(0) {
        last_words::leave_linked(&down.who.name, &down.reason.to_string());
    }
}

/// An untyped ref to this process, for messages of the runtime.
fn own_raw() -> Option<RawRef> {
    own::endpoint().ok().map(RawRef::bare)
}

impl<A: Actor> ActorRef<A> {
    /// Links it with another actor; see [`link`](crate::link).
    ///
    /// # Errors
    /// As a tell to either of them.
    pub fn link<B: Actor>(&self, other: &ActorRef<B>) -> Result<(), SendError> {
        link(self, other)
    }

    /// Ends a link; see [`unlink`](crate::unlink).
    ///
    /// # Errors
    /// As a tell to either of them.
    pub fn unlink<B: Actor>(&self, other: &ActorRef<B>) -> Result<(), SendError> {
        unlink(self, other)
    }
}
