//! Children of one type, added and removed at run time.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::policy::Strategy;
use crate::spawn::plan::Found;
use crate::supervision::declared::{Frame, Supervised};
use crate::supervision::{ChildSpec, IntoChild, Reachable, Supervisor, SupervisorBuilder, SupervisorRef};
use crate::types::error::SpawnError;
use crate::types::escape::escaped;
use crate::types::options::Options;

/// A dynamic supervisor as a field of a [`#[supervisor]`](macro@crate::supervisor), and the handle on it: its
/// children are actors (or supervisors) of the type `C`, added with [`add`](Self::add). It is made of a
/// [`Supervisor::dynamic`], with options as you like.
///
/// It derefs to a [`SupervisorRef`] for all the rest, and travels as one does.
///
/// ```
/// use phalanx::prelude::*;
/// use phalanx::Dynamic;
///
/// #[actor]
/// struct Worker { factor: u64 }
///
/// #[actor]
/// impl Worker {
///     fn work(&self, n: u64) -> u64 { n * self.factor }
/// }
///
/// #[supervisor]
/// struct Plant { workers: Dynamic<Worker> }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let plant = Plant::start(PlantArgs { workers: Supervisor::dynamic().max_children(10) })?;
/// let worker = plant.workers.add("seven", Worker { factor: 7 })?;
/// assert_eq!(worker.work(6).wait()?, 42);
/// plant.workers.terminate_child("seven")?;
/// # Ok(())
/// # }
/// ```
pub struct Dynamic<C> {
    supervisor: SupervisorRef,
    kind: PhantomData<fn() -> C>,
}

impl<C: Supervised> Dynamic<C> {
    /// Adds a child made of `args` and starts it; blocks until it is ready or has failed. A failed one leaves
    /// nothing: its id is free.
    ///
    /// To give it options, use [`start_child`](SupervisorRef::start_child), which takes a builder.
    ///
    /// # Errors
    /// Those of [`start_child`](SupervisorRef::start_child).
    pub fn add(&self, id: impl Into<String>, args: C::Args) -> Result<C::Ref, SpawnError> {
        self.supervisor.start_plan(C::filled(args).named(id.into()))
    }
}

impl<C> Deref for Dynamic<C> {
    type Target = SupervisorRef;

    fn deref(&self) -> &SupervisorRef {
        &self.supervisor
    }
}

// For any type, so that a supervisor can have a dynamic one of its own kind below it.
impl<C: 'static> Supervised for Dynamic<C> {
    type Args = SupervisorBuilder;
    type Ref = Dynamic<C>;
    const OPTIONS: Options = Options::DEFAULT;
    const IS_SUPERVISOR: bool = true;

    fn frame() -> Frame {
        Frame::supervisor("supervisor", Options::DEFAULT, Supervisor::dynamic())
    }

    fn filled(mut builder: SupervisorBuilder) -> ChildSpec {
        let is_dynamic = builder.plan.policy.is_some_and(|rules| rules.strategy == Strategy::Dynamic);
        if !is_dynamic || !builder.plan.children.is_empty() {
            builder.plan.fault = Some("a `Dynamic` is made of a `Supervisor::dynamic()` without children");
        }
        builder.into_child()
    }
}

impl<C> Reachable for Dynamic<C> {
    fn at(found: Found) -> Self {
        Dynamic { supervisor: SupervisorRef::at(found), kind: PhantomData }
    }
}

impl<C> Clone for Dynamic<C> {
    fn clone(&self) -> Self {
        Dynamic { supervisor: self.supervisor.clone(), kind: PhantomData }
    }
}

impl<C> fmt::Debug for Dynamic<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| write!(f, "Dynamic({}, {})", self.supervisor.name(), self.supervisor.id()))
    }
}

impl<C> Serialize for Dynamic<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.supervisor.serialize(serializer)
    }
}

impl<'de, C> Deserialize<'de> for Dynamic<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let supervisor = SupervisorRef::deserialize(deserializer)?;
        Ok(Dynamic { supervisor, kind: PhantomData })
    }
}
