//! The builder of a supervisor: its options and its children.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::child_spec::{IntoChild, Reachable, Reserved};
use super::supervisor_ref::SupervisorRef;
use crate::actor::spawning::Spawning;
use crate::control::function::Function;
use crate::ipc::codec::{self, Encoded, Portable};
use crate::policy::{AutoShutdown, Backoff, Intensity, Restart, Rules, Shutdown};
use crate::spawn::plan::Plan;
use crate::types::captureless::Captureless;
use crate::types::error::SpawnError;

/// The options and children of a supervisor, then [`start`](Self::start).
///
/// `R` is what its start returns: a [`SupervisorRef`], or a handle that knows the children too, if they are
/// known to the compiler.
#[must_use = "a builder does nothing until `start`"]
pub struct SupervisorBuilder<R = SupervisorRef> {
    pub(crate) plan: Plan,
    kind: PhantomData<fn() -> R>,
}

/// What a supervisor runs before it forks, and its encoded arguments.
pub(crate) type Preload = (Function, Result<Encoded, String>);

impl<R> fmt::Debug for SupervisorBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SupervisorBuilder").field(&self.plan).finish()
    }
}

impl SupervisorBuilder {
    /// Adds a child, which is started after those before it. `id` names it among its siblings.
    pub fn child(mut self, id: impl Into<String>, child: impl IntoChild) -> Self {
        self.plan.children.push(child.into_child().named(id.into()));
        self
    }
}

impl<R: Reachable> SupervisorBuilder<R> {
    pub(crate) fn of(plan: Plan) -> Self {
        SupervisorBuilder { plan, kind: PhantomData }
    }

    fn rules(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(self.plan.policy.get_or_insert_with(Rules::default));
        self
    }

    /// The name of its process, in `ps` and `pstree` too. Default: "supervisor".
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.plan.name = Some(name.into());
        self
    }

    /// How many restarts of children are allowed within a window of time; after one more, it stops all
    /// children and ends with [`ExitReason::IntensityReached`](crate::ExitReason::IntensityReached). Measured
    /// in nanoseconds; old restarts expire exactly. Default: 1 in 10 s.
    pub fn intensity(self, restarts: u32, window: Duration) -> Self {
        self.rules(|rules| rules.intensity = Some(Intensity::new(restarts, window)))
    }

    /// How long to wait before a child is restarted: `min` the first time, then longer and longer, up to
    /// `max`, with jitter; from the beginning again when the child has been well for a while. The supervisor
    /// goes on with everything else meanwhile. Default: no wait.
    pub fn backoff(self, min: Duration, max: Duration) -> Self {
        self.rules(|rules| rules.backoff = Some(Backoff::new(min, max)))
    }

    /// Whether it ends with its significant children. Default: [`Never`](AutoShutdown::Never).
    pub fn auto_shutdown(self, when: AutoShutdown) -> Self {
        self.rules(|rules| rules.auto_shutdown = when)
    }

    /// How many children it may have; those being restarted count too. Default: no limit.
    pub fn max_children(self, most: u32) -> Self {
        self.rules(|rules| rules.max_children = Some(most))
    }

    /// How it is restarted itself, by the supervisor above it. Default: [`Permanent`](Restart::Permanent) for
    /// the child of a supervisor, else [`Temporary`](Restart::Temporary). Its children come back with it:
    /// those that it was started with.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.plan.options.restart = Some(restart);
        self
    }

    /// Whether the program starts it again, with the children that it was started with, when the program's
    /// root supervisor has died (a process of the library, killed from outside, or by the kernel for want of
    /// memory). Refs stay valid, and what is queued is served, as over any restart. Default: yes, if the
    /// program started it with a [restart type](Self::restart) other than [`Temporary`](Restart::Temporary).
    /// After the fifth such death within a minute it is given up. It costs the program three descriptors for
    /// each actor below it, and a copy of that actor's init value.
    pub fn outlives_root(mut self, outlives: bool) -> Self {
        self.plan.outlives_root = outlives;
        self
    }

    /// How many restarts of the supervisor itself the one above it allows within a window of time, as for an
    /// [actor](crate::ActorBuilder::intensity). Default: 1 in 10 s for what is started below a process, that
    /// of the supervisor for its children.
    pub fn own_intensity(mut self, restarts: u32, window: Duration) -> Self {
        self.plan.options.intensity = Some(Intensity::new(restarts, window));
        self
    }

    /// How it is stopped. Default: [`Infinity`](Shutdown::Infinity), as each of its children has a limit of
    /// its own.
    pub fn shutdown(mut self, shutdown: impl Into<Shutdown>) -> Self {
        self.plan.options.shutdown = Some(shutdown.into());
        self
    }

    /// Whether its end by itself may end the supervisor above it. Default: no.
    pub fn significant(mut self, significant: bool) -> Self {
        self.plan.options.significant = significant;
        self
    }

    /// Whether it and its children do not keep the program alive, and end first. Default: no.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.plan.options.daemon = daemon;
        self
    }

    /// A function that the supervisor runs with `args` before it forks its first child. All its children
    /// share what it loads into statics (a `OnceLock`, say), copy-on-write. It runs again when the supervisor
    /// is restarted. (`gunicorn`'s `preload_app`, Python's `set_forkserver_preload`.)
    ///
    /// This is the only user code that a supervisor runs, and the supervisor does nothing else meanwhile. Any
    /// failure of it ends the supervisor: a panic, an endless loop at the program's end. It must leave no
    /// thread behind, since a process with threads cannot be forked safely: that is refused. What it returns
    /// is dropped.
    ///
    /// Children are then forked as the C library forks, with the handlers that libraries have registered
    /// (`pthread_atfork`), so random generators that know of forks start anew in each. What does not know of
    /// forks is identical in all of them at their start: a generator with a seed of your own, an id drawn in
    /// the preload, the position of an open file.
    ///
    /// # Panics
    /// At compile time, if the function captures data.
    pub fn preload<F: Fn(A) + Captureless, A: Portable>(mut self, function: F, args: A) -> Self {
        self.set_preload((crate::task::function::preloader(function), codec::encode(&args)));
        self
    }

    pub(crate) fn set_preload(&mut self, (function, args): Preload) {
        self.plan.preload = Some(function);
        self.plan.init = args;
    }

    /// Makes the handle before the supervisor, so that it can travel to a child.
    ///
    /// # Errors
    /// [`SpawnError::Limit`] at a limit on descriptors.
    pub fn reserve(mut self) -> Result<Reserved<R>, SpawnError> {
        let handle = R::at(self.plan.reserved()?);
        Ok(Reserved { plan: self.plan, handle })
    }

    /// Starts it and its children, in order, each when the one before is ready; blocks until all are, or one
    /// has failed.
    ///
    /// # Errors
    /// [`SpawnError::Specs`] if the specs contradict each other: nothing was started.
    /// [`SpawnError::InitFailed`] if a child could not be started, with its id, those above it and the cause:
    /// the children before it have been stopped, in reverse order.
    pub fn start(mut self) -> Result<R, SpawnError> {
        let found = self.plan.check_and_reserve(false)?;
        self.plan.spawn()?;
        Ok(R::at(found))
    }

    /// Like [`start`](Self::start), as a future: see [`Spawning`].
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_async(mut self) -> Spawning<R>
    where
        R: 'static,
    {
        let name = self.plan.name.clone().unwrap_or_default();
        Spawning::of_found(
            name,
            move || {
                let found = self.plan.check_and_reserve(false)?;
                Ok((self.plan.spawn()?, found))
            },
            R::at,
        )
    }
}
