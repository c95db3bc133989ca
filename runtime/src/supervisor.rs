//! Declared supervisors: which children, in which order, and what happens when one ends.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::actor::{Actor, Options};
use crate::actor_ref::{ActorId, ActorRef};
use crate::builder::ActorBuilder;
use crate::codec::{self, Encoded, Portable};
use crate::error::{SendError, SpawnError};
use crate::exit::ExitReason;
use crate::handle::{Handle, process_methods};
use crate::mailbox::peer::Peer;
use crate::monitor::Monitor;
use crate::plan::{Found, Plan};
use crate::process::request::{self, Answered, ChildFacts, Kind, Operation};
use crate::process::tree::PATIENCE;
use crate::supervise::{AutoShutdown, Backoff, Intensity, Restart, Rules, Shutdown, Status, Strategy};
use crate::sys::{process, time};
use crate::task::{Process, ProcessBuilder};

/// Where supervisors begin: a process that starts its children in order, restarts them when they end, and stops them in reverse order
/// (OTP's `supervisor`). The words, rules and defaults are OTP's, unless said otherwise.
///
/// It is a process of its own, the parent of its children in the operating system too, runs no code of yours, and cannot be hurt by them.
/// It is a child itself: of the supervisor that it is a child of, or of that of the process that starts it, which restarts it
/// according to its own [`restart`](SupervisorBuilder::restart) (not at all, unless told so).
///
/// ```
/// use phalanx::prelude::*;
/// use phalanx::Supervisor;
/// # use std::time::Duration;
///
/// #[actor]
/// struct Counter { count: u64 }
///
/// #[actor]
/// impl Counter {
///     fn next(&mut self) -> u64 {
///         self.count += 1;
///         self.count
///     }
///     fn crash(&self) {
///         std::process::abort()
///     }
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let counter = Counter { count: 0 }.builder().reserve()?;
/// let count = counter.actor_ref();
/// let counters = Supervisor::one_for_one().name("counters").intensity(5, Duration::from_secs(10)).child("a", counter).start()?;
///
/// assert_eq!(count.next().wait()?, 1);
/// assert!(count.crash().wait().is_err()); // this one call is lost
/// assert_eq!(count.next().wait()?, 1); // a new process behind the same ref
/// assert_eq!(count.incarnation(), 2);
/// counters.stop(Duration::from_secs(1))?;
/// # Ok(())
/// # }
/// ```
pub enum Supervisor {}

impl Supervisor {
    fn with(strategy: Strategy) -> SupervisorBuilder {
        let nothing = Ok(Encoded::default());
        let mut plan = Plan::new(Kind::Supervisor, None, nothing, Options::DEFAULT);
        plan.name = Some("supervisor".to_owned());
        let intensity = Some(Intensity::default());
        plan.policy = Some(Rules { strategy, intensity, seed: process::random(), ..Rules::default() });
        SupervisorBuilder::of(plan)
    }

    /// If a child ends, it is restarted, and no other.
    pub fn one_for_one() -> SupervisorBuilder {
        Supervisor::with(Strategy::OneForOne)
    }

    /// If a child ends, all others are stopped, and then all are started.
    pub fn one_for_all() -> SupervisorBuilder {
        Supervisor::with(Strategy::OneForAll)
    }

    /// If a child ends, those that were started after it are stopped, and then it and they are started.
    pub fn rest_for_one() -> SupervisorBuilder {
        Supervisor::with(Strategy::RestForOne)
    }

    /// As [`one_for_one`](Self::one_for_one), for children that are added as one goes, any number of them, and stopped all at once (OTP's
    /// `simple_one_for_one`, Elixir's `DynamicSupervisor`).
    pub fn dynamic() -> SupervisorBuilder {
        Supervisor::with(Strategy::Dynamic)
    }
}

/// A supervisor to be: options, children, then [`start`](Self::start).
///
/// `R` is what its start answers: a [`SupervisorRef`], or a handle that knows the children too, if they are known to the compiler.
#[must_use = "a builder does nothing until `start`"]
pub struct SupervisorBuilder<R = SupervisorRef> {
    pub(crate) plan: Plan,
    kind: PhantomData<fn() -> R>,
}

impl SupervisorBuilder {
    /// Adds a child, to be started after those before it. `id` names it among its siblings.
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

    /// How many restarts of children within which time are bearable; one more, and it stops all children and ends with
    /// [`ExitReason::IntensityReached`]. Measured in nanoseconds; old restarts expire exactly. Default: 1 in 10 s.
    pub fn intensity(self, restarts: u32, window: Duration) -> Self {
        self.rules(|rules| rules.intensity = Some(Intensity::new(restarts, window)))
    }

    /// How long to wait before a child is restarted: `min` the first time, then longer and longer, up to `max`, with jitter; from the beginning again
    /// when the child has been well for a while. Meanwhile it does everything else. Default: not at all.
    pub fn backoff(self, min: Duration, max: Duration) -> Self {
        self.rules(|rules| rules.backoff = Some(Backoff::new(min, max)))
    }

    /// Whether it ends with its significant children. Default: [`Never`](AutoShutdown::Never).
    pub fn auto_shutdown(self, when: AutoShutdown) -> Self {
        self.rules(|rules| rules.auto_shutdown = when)
    }

    /// How many children it may have, those included that are being restarted. Default: no limit.
    pub fn max_children(self, most: u32) -> Self {
        self.rules(|rules| rules.max_children = Some(most))
    }

    /// How it is restarted itself, by the supervisor above it. Default: [`Permanent`](Restart::Permanent) for the child of a supervisor,
    /// else [`Temporary`](Restart::Temporary). Its children come back with it: those that it was started with.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.plan.options.restart = Some(restart);
        self
    }

    /// How many restarts of the supervisor itself within which time are bearable for the one above it, as for an [actor](ActorBuilder::intensity).
    /// Default: 1 in 10 s for what is started below a process, that of the supervisor for its children.
    pub fn own_intensity(mut self, restarts: u32, window: Duration) -> Self {
        self.plan.options.intensity = Some(Intensity::new(restarts, window));
        self
    }

    /// How it is stopped. Default: [`Infinity`](Shutdown::Infinity), as each of its children has a limit of its own.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.plan.options.shutdown = Some(shutdown);
        self
    }

    /// Its end by itself may end the supervisor above it. Default: no.
    pub fn significant(mut self, significant: bool) -> Self {
        self.plan.options.significant = significant;
        self
    }

    /// Whether it and its children are of no importance for the end of the program, and end first. Default: no.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.plan.options.daemon = daemon;
        self
    }

    /// A function that the supervisor runs with `args` before it forks its first child: what it loads into statics (a `OnceLock`, say), all its children
    /// share, copy-on-write. It runs again when the supervisor is restarted. (`gunicorn`'s `preload_app`, Python's `set_forkserver_preload`.)
    ///
    /// This is the one piece of your code that a supervisor runs, and while it runs the supervisor sees to nothing else. Whatever it does wrong ends the
    /// supervisor: a panic, an endless loop at the program's end. It must leave no thread behind, since a process with threads cannot be forked safely:
    /// that is refused. What it answers is dropped.
    ///
    /// # Panics
    /// At compile time, if the function captures data.
    pub fn preload<F: Fn(A) + Copy + 'static, A: Portable>(mut self, function: F, args: A) -> Self {
        self.plan.preload = Some(crate::task::function::preloader(function));
        self.plan.init = codec::encode(&args);
        self
    }

    /// Makes the handle before the supervisor, so that it can travel to a child.
    ///
    /// # Errors
    /// [`SpawnError::Limit`] at a limit on descriptors.
    pub fn reserve(mut self) -> Result<Reserved<R>, SpawnError> {
        let handle = R::at(self.plan.reserved()?);
        Ok(Reserved { plan: self.plan, handle })
    }

    /// Starts it and its children, in order, each when the one before is ready; blocks until all are, or one has failed.
    ///
    /// # Errors
    /// [`SpawnError::Specs`] if the specs contradict each other: nothing was started. [`SpawnError::InitFailed`] if a child could not be
    /// started, with its id, those above it and the cause: the children before it have been stopped, in reverse order.
    pub fn start(mut self) -> Result<R, SpawnError> {
        let found = self.plan.seated(false)?;
        self.plan.spawn()?;
        Ok(R::at(found))
    }
}

/// A child to be.
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

/// What can be the child of a supervisor: builders of actors, of tasks and of supervisors, and what was reserved.
pub trait IntoChild {
    /// How to reach it.
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

/// A child to be whose mailbox exists already, and so do refs to it: what is sent waits for its start.
///
/// So children can be given refs to each other before any of them runs, in cycles too.
#[must_use = "a child does nothing until a supervisor starts it"]
pub struct Reserved<R> {
    plan: Plan,
    handle: R,
}

/// Refs and handles.
#[doc(hidden)]
pub trait Reachable: Sized {
    fn at(found: Found) -> Self;
}

impl<A: Actor> Reachable for ActorRef<A> {
    fn at(found: Found) -> Self {
        ActorRef::of(found.peer)
    }
}

impl<T, E> Reachable for Process<T, E> {
    fn at(found: Found) -> Self {
        Process::of(found.peer)
    }
}

impl Reachable for SupervisorRef {
    fn at(found: Found) -> Self {
        SupervisorRef { peer: found.peer }
    }
}

impl<R: Clone> Reserved<R> {
    /// The ref of the child to be.
    pub fn actor_ref(&self) -> R {
        self.handle.clone()
    }
}

impl<A: Actor> Reserved<ActorRef<A>> {
    /// Says what the actor is to be made of, instead of what it was reserved with. The mailbox stays, with its capacity, its name, and whether it is
    /// a daemon; all other options are those of `builder`.
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
        Reserved { plan: builder.into_plan().sit(reserved), handle }
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

/// The hand on a supervisor. Cheap to clone; travels in messages, as an [`ActorRef`] does.
#[derive(Clone)]
pub struct SupervisorRef {
    peer: Arc<Peer>,
}

impl SupervisorRef {
    fn handle(&self) -> Handle<'_> {
        Handle(&self.peer)
    }

    process_methods!();

    /// The process id of the supervisor.
    ///
    /// # Errors
    /// [`SendError::Gone`] if there is no such process any more, [`SendError::Unavailable`] while it is being restarted.
    pub fn pid(&self) -> Result<u32, SendError> {
        self.handle().pid()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.peer.card.name
    }

    /// What identifies it everywhere.
    pub fn id(&self) -> ActorId {
        ActorId(self.peer.card.id)
    }

    /// How often it has been started; 1 for the first process.
    pub fn incarnation(&self) -> u64 {
        self.peer.ledger.incarnation()
    }

    /// Blocks until it has ended for good, all its children with it; answers why.
    pub fn join(&self) -> ExitReason {
        self.handle().join()
    }

    /// As [`join`](Self::join), for `limit` at most: then `None`.
    pub fn join_timeout(&self, limit: Duration) -> Option<ExitReason> {
        self.handle().join_until(Some(time::after(limit)))
    }

    /// Adds a child and starts it; blocks until it is ready or has failed. A failed one leaves nothing: its id is free.
    ///
    /// # Errors
    /// [`SpawnError::AlreadyStarted`] and [`SpawnError::AlreadyPresent`] if there is a child of this id, [`SpawnError::MaxChildren`], and
    /// all that a spawn can say.
    pub fn start_child<C: IntoChild>(
        &self,
        id: impl Into<String>,
        child: C,
    ) -> Result<C::Handle, SpawnError> {
        self.start_plan(child.into_child().named(id.into()))
    }

    pub(crate) fn start_plan<R: Reachable>(&self, mut plan: Plan) -> Result<R, SpawnError> {
        let found = plan.seated(true)?;
        plan.spawn_below(&self.peer)?;
        Ok(R::at(found))
    }

    /// Stops a child as its spec says, and blocks until it has stopped. It is not restarted; its spec stays (that of a
    /// temporary child goes). Also ends the attempts to restart one. No error if it has no process.
    ///
    /// # Errors
    /// [`SupervisorError::NotFound`]; [`SupervisorError::Gone`] if the supervisor is, or goes.
    pub fn terminate_child(&self, id: &str) -> Result<(), SupervisorError> {
        self.order(id, Operation::Terminate(id.to_owned()))
    }

    /// Starts a child that has no process; blocks until it is ready or has failed. A failed one keeps its spec, and no process.
    ///
    /// # Errors
    /// [`SupervisorError::Running`], [`SupervisorError::Restarting`] if it is being restarted anyway, [`SupervisorError::Failed`],
    /// [`SupervisorError::NotFound`].
    pub fn restart_child(&self, id: &str) -> Result<(), SupervisorError> {
        self.order(id, Operation::Restart(id.to_owned()))
    }

    /// Forgets a child that has no process.
    ///
    /// # Errors
    /// [`SupervisorError::Running`], [`SupervisorError::Restarting`], [`SupervisorError::NotFound`].
    pub fn delete_child(&self, id: &str) -> Result<(), SupervisorError> {
        self.order(id, Operation::Delete(id.to_owned()))
    }

    /// All children, in the order of their starts.
    ///
    /// # Errors
    /// [`SupervisorError::Gone`].
    pub fn which_children(&self) -> Result<Vec<ChildInfo>, SupervisorError> {
        match self.ask("which_children", Operation::Children)? {
            Answered::Children(children) => Ok(children.into_iter().map(ChildInfo::of).collect()),
            other => Err(self.unexpected("which_children", &other)),
        }
    }

    /// How many there are.
    ///
    /// # Errors
    /// [`SupervisorError::Gone`].
    pub fn count_children(&self) -> Result<ChildCounts, SupervisorError> {
        let children = self.which_children()?;
        let count = |test: &dyn Fn(&ChildInfo) -> bool| children.iter().filter(|child| test(child)).count();
        Ok(ChildCounts {
            specs: children.len(),
            active: count(&|child| matches!(child.state, ChildState::Up | ChildState::Stopping)),
            supervisors: count(&|child| child.is_supervisor),
            workers: count(&|child| !child.is_supervisor),
        })
    }

    fn order(&self, id: &str, operation: Operation) -> Result<(), SupervisorError> {
        let (supervisor, child) = (self.name().to_owned(), id.to_owned());
        match self.ask(id, operation)? {
            Answered::Done => Ok(()),
            Answered::Running(pid) => Err(SupervisorError::Running { supervisor, child, pid }),
            Answered::Restarting => Err(SupervisorError::Restarting { supervisor, child }),
            Answered::NotFound => Err(SupervisorError::NotFound { supervisor, child }),
            Answered::Failed(reason) => Err(SupervisorError::Failed { supervisor, child, reason }),
            Answered::ShuttingDown => Err(SupervisorError::Gone { supervisor, reason: None }),
            other => Err(self.unexpected(id, &other)),
        }
    }

    fn ask(&self, what: &str, operation: Operation) -> Result<Answered, SupervisorError> {
        let gone = || SupervisorError::Gone {
            supervisor: self.name().to_owned(),
            reason: self.handle().exit_reason(),
        };
        if self.peer.ended().is_some() {
            return Err(gone());
        }
        request::ask(self.peer.mailbox(), operation, time::after(PATIENCE)).map_err(|error| {
            match error.kind() {
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => gone(),
                _ => SupervisorError::Unreachable {
                    supervisor: self.name().to_owned(),
                    error: format!("{what}: {error}"),
                },
            }
        })
    }

    fn unexpected(&self, what: &str, answer: &Answered) -> SupervisorError {
        let error = format!("{what}: an answer to another question: {answer:?}");
        SupervisorError::Unreachable { supervisor: self.name().to_owned(), error }
    }
}

impl PartialEq for SupervisorRef {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for SupervisorRef {}

impl fmt::Debug for SupervisorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SupervisorRef({}, {})", self.name(), self.id())
    }
}

impl fmt::Display for SupervisorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle().fmt(f)
    }
}

impl Serialize for SupervisorRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        codec::put_peer(&self.peer, serializer)
    }
}

impl<'de> Deserialize<'de> for SupervisorRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        codec::take_peer(deserializer).map(|peer| SupervisorRef { peer })
    }
}

/// A child of a supervisor, as [`SupervisorRef::which_children`] lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildInfo {
    /// Its name among its siblings.
    pub id: String,
    /// Its process, if it has one.
    pub pid: Option<u32>,
    /// What it is doing.
    pub state: ChildState,
    /// Whether it is a supervisor, and not a worker.
    pub is_supervisor: bool,
    /// When it is restarted.
    pub restart: Restart,
    /// How it is stopped.
    pub shutdown: Shutdown,
    /// Whether its end may end the supervisor.
    pub significant: bool,
    /// Whether it is a daemon.
    pub daemon: bool,
    /// How often it has been started.
    pub incarnation: u64,
    /// How often it was restarted by its supervisor, recycling apart.
    pub restarts: u32,
}

/// What a child of a supervisor is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChildState {
    /// It has no process, and gets none unless somebody asks for it, or a sibling in trouble has recovered.
    Down,
    /// It starts.
    Starting,
    /// It works.
    Up,
    /// It has been told to stop.
    Stopping,
    /// It has ended, or could not be started, and is started again, now or after a while.
    Restarting,
}

impl ChildInfo {
    fn of(facts: ChildFacts) -> ChildInfo {
        ChildInfo {
            id: facts.id,
            pid: facts.pid,
            state: match facts.status {
                Status::Down => ChildState::Down,
                Status::Starting => ChildState::Starting,
                Status::Up => ChildState::Up,
                Status::Stopping => ChildState::Stopping,
                Status::Restarting => ChildState::Restarting,
            },
            is_supervisor: facts.kind == Kind::Supervisor,
            restart: facts.restart,
            shutdown: facts.shutdown,
            significant: facts.significant,
            daemon: facts.daemon,
            incarnation: facts.incarnation,
            restarts: facts.restarts,
        }
    }
}

/// How many children a supervisor has (OTP's `count_children`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildCounts {
    /// All of them, with and without a process.
    pub specs: usize,
    /// Those that have a process and are ready.
    pub active: usize,
    /// Those that are supervisors.
    pub supervisors: usize,
    /// Those that are not.
    pub workers: usize,
}

/// Why a supervisor did not do what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SupervisorError {
    /// There is no child of this id.
    NotFound {
        /// The supervisor.
        supervisor: String,
        /// The id.
        child: String,
    },
    /// The child has a process.
    Running {
        /// The supervisor.
        supervisor: String,
        /// The id.
        child: String,
        /// That process.
        pid: u32,
    },
    /// The child is being restarted.
    Restarting {
        /// The supervisor.
        supervisor: String,
        /// The id.
        child: String,
    },
    /// The child was started, and did not get ready.
    Failed {
        /// The supervisor.
        supervisor: String,
        /// The id.
        child: String,
        /// Why.
        reason: ExitReason,
    },
    /// The supervisor has ended, or is about to.
    Gone {
        /// The supervisor.
        supervisor: String,
        /// How it ended, if it has.
        reason: Option<ExitReason>,
    },
    /// The operating system refused, or the supervisor does not read its requests.
    Unreachable {
        /// The supervisor.
        supervisor: String,
        /// What was asked, and what the system said.
        error: String,
    },
}

impl fmt::Display for SupervisorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SupervisorError::NotFound { supervisor, child } => {
                write!(f, "supervisor `{supervisor}` has no child `{child}`")
            }
            SupervisorError::Running { supervisor, child, pid } => {
                write!(f, "child `{child}` of supervisor `{supervisor}` runs, as process {pid}")
            }
            SupervisorError::Restarting { supervisor, child } => {
                write!(f, "child `{child}` of supervisor `{supervisor}` is being restarted")
            }
            SupervisorError::Failed { supervisor, child, reason } => {
                write!(f, "child `{child}` of supervisor `{supervisor}` did not start: {reason}")
            }
            SupervisorError::Gone { supervisor, reason } => {
                write!(f, "supervisor `{supervisor}` is gone")?;
                reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
            }
            SupervisorError::Unreachable { supervisor, error } => {
                write!(f, "supervisor `{supervisor}`: {error}")
            }
        }
    }
}

impl std::error::Error for SupervisorError {}
