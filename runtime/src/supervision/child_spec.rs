//! What may be a child, and children whose mailboxes exist before them.

use super::builder::SupervisorBuilder;
use crate::actor::actor_ref::ActorRef;
use crate::actor::builder::ActorBuilder;
use crate::actor::traits::Actor;
use crate::spawn::plan::{Found, Plan};
use crate::task::{Process, ProcessBuilder};
use crate::types::error::SpawnError;

/// A child that a supervisor has not started yet.
#[derive(Debug)]
#[must_use = "a child does nothing until a supervisor starts it"]
pub struct ChildSpec {
    pub(crate) plan: Plan,
}

impl ChildSpec {
    pub(crate) fn named(self, id: String) -> Plan {
        let mut plan = self.plan;
        if plan.name.is_none() {
            plan.name = Some(id.clone());
        }
        plan.id = Some(id);
        plan
    }
}

/// What can be the child of a supervisor: builders of actors, of tasks and of supervisors, and reserved
/// children.
pub trait IntoChild {
    /// The ref or handle that reaches it.
    type Handle: Reachable;

    #[doc(hidden)]
    fn into_child(self) -> ChildSpec;
}

impl<A: Actor> IntoChild for ActorBuilder<A> {
    type Handle = ActorRef<A>;

    fn into_child(self) -> ChildSpec {
        ChildSpec { plan: self.into_plan() }
    }
}

impl<T, E> IntoChild for ProcessBuilder<T, E> {
    type Handle = Process<T, E>;

    fn into_child(self) -> ChildSpec {
        ChildSpec { plan: self.plan }
    }
}

impl<R: Reachable> IntoChild for SupervisorBuilder<R> {
    type Handle = R;

    fn into_child(self) -> ChildSpec {
        ChildSpec { plan: self.plan }
    }
}

impl<R: Reachable> IntoChild for Reserved<R> {
    type Handle = R;

    fn into_child(self) -> ChildSpec {
        ChildSpec { plan: self.plan }
    }
}

/// A child whose mailbox exists before its process, and so do refs to it: what is sent waits for its start.
///
/// So children can be given refs to each other before any of them runs, in cycles too.
#[derive(Debug)]
#[must_use = "a child does nothing until a supervisor starts it"]
pub struct Reserved<R> {
    pub(super) plan: Plan,
    pub(super) handle: R,
}

/// Refs and handles.
#[doc(hidden)]
pub trait Reachable: Sized {
    fn at(found: Found) -> Self;
}

impl<A: Actor> Reachable for ActorRef<A> {
    fn at(found: Found) -> Self {
        ActorRef::of(found.endpoint)
    }
}

impl<T, E> Reachable for Process<T, E> {
    fn at(found: Found) -> Self {
        Process::of(found.endpoint)
    }
}

impl<R: Clone> Reserved<R> {
    /// The ref of the child.
    pub fn actor_ref(&self) -> R {
        self.handle.clone()
    }
}

impl<A: Actor> Reserved<ActorRef<A>> {
    /// Replaces what the actor was reserved with by `builder`. The mailbox stays, with its capacity, its
    /// name, and whether it is a daemon; all other options are those of `builder`.
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// # use phalanx::Supervisor;
    /// #[actor]
    /// struct Player { other: Option<ActorRef<Player>> }
    ///
    /// #[actor]
    /// impl Player {
    ///     fn rally(&self, hits: u32) -> u32 {
    ///         match &self.other {
    ///             Some(other) if hits > 0 => { let _ = other.hit(hits - 1); hits }
    ///             _ => 0,
    ///         }
    ///     }
    ///     #[tell]
    ///     fn hit(&self, _hits: u32) {}
    /// }
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let ping = Player { other: None }.builder().name("ping").reserve()?;
    /// let pong = Player { other: Some(ping.actor_ref()) }.builder().name("pong").reserve()?;
    /// let other = Some(pong.actor_ref());
    /// let ping = ping.with(Player { other }.builder());
    /// let player = ping.actor_ref();
    /// let game = Supervisor::one_for_all().name("game").child("ping", ping).child("pong", pong).start()?;
    /// assert_eq!(player.rally(3).wait()?, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with(self, builder: ActorBuilder<A>) -> Self {
        let Reserved { plan: reserved, handle } = self;
        Reserved { plan: builder.into_plan().with_mailboxes_of(reserved), handle }
    }
}

impl<A: Actor> ActorBuilder<A> {
    /// Makes the mailbox before the actor, so that its ref can travel already; a supervisor starts it.
    ///
    /// # Errors
    /// [`SpawnError::Limit`] at a limit on descriptors.
    pub fn reserve(self) -> Result<Reserved<ActorRef<A>>, SpawnError> {
        let mut plan = self.into_plan();
        let handle = ActorRef::at(plan.reserved()?);
        Ok(Reserved { plan, handle })
    }
}
