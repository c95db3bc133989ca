//! The handle on a supervisor.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::child_spec::{IntoChild, Reachable};
use super::error::SupervisorError;
use super::info::{ChildCounts, ChildInfo, ChildState};
use crate::actor::spawning::Spawning;
use crate::control::link::PATIENCE;
use crate::control::request::{self, Answered, Operation};
use crate::reactor::endpoint::Endpoint;
use crate::reactor::monitor::Monitor;
use crate::reactor::process_handle::{Handle, process_methods};
use crate::reactor::travel;
use crate::spawn::plan::{Found, Plan};
use crate::sys::clock;
use crate::types::error::{SendError, SpawnError};
use crate::types::escape::escaped;
use crate::types::exit::ExitReason;
use crate::types::id::ActorId;

/// The handle on a supervisor. Cheap to clone; travels in messages, as an [`ActorRef`](crate::ActorRef) does.
#[derive(Clone)]
pub struct SupervisorRef {
    endpoint: Arc<Endpoint>,
}

impl Reachable for SupervisorRef {
    fn at(found: Found) -> Self {
        SupervisorRef { endpoint: found.endpoint }
    }
}

impl SupervisorRef {
    fn handle(&self) -> Handle<'_> {
        Handle(&self.endpoint)
    }

    process_methods!();

    /// The process id of the supervisor.
    ///
    /// # Errors
    /// [`SendError::Gone`] if there is no such process any more, [`SendError::Unavailable`] while it is being
    /// restarted.
    pub fn pid(&self) -> Result<u32, SendError> {
        self.handle().pid()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.endpoint.card.name
    }

    /// What identifies it everywhere.
    pub fn id(&self) -> ActorId {
        ActorId(self.endpoint.card.id)
    }

    /// How often it has been started; 1 for the first process.
    pub fn incarnation(&self) -> u64 {
        self.endpoint.status_page.incarnation()
    }

    /// Blocks until it has ended for good, all its children with it; returns why.
    pub fn join(&self) -> ExitReason {
        self.handle().join()
    }

    /// Like [`join`](Self::join), but returns `None` after `limit`.
    pub fn join_timeout(&self, limit: Duration) -> Option<ExitReason> {
        self.handle().join_until(Some(clock::after(limit)))
    }

    /// Like [`join`](Self::join), as a future: it blocks no thread, and works under any executor. Dropping it
    /// ends nothing.
    pub fn join_async(&self) -> impl Future<Output = ExitReason> + Send + use<> {
        self.handle().join_async()
    }

    /// Like [`join_timeout`](Self::join_timeout), as a future: it blocks no thread, and works under any
    /// executor. Dropping it ends nothing.
    pub fn join_timeout_async(
        &self,
        limit: Duration,
    ) -> impl Future<Output = Option<ExitReason>> + Send + use<> {
        self.handle().join_until_async(clock::after(limit))
    }

    /// Adds a child and starts it; blocks until it is ready or has failed. A failed one leaves nothing: its
    /// id is free.
    ///
    /// # Errors
    /// [`SpawnError::AlreadyStarted`] and [`SpawnError::AlreadyPresent`] if there is a child of this id,
    /// [`SpawnError::MaxChildren`], and all other errors of a spawn.
    pub fn start_child<C: IntoChild>(
        &self,
        id: impl Into<String>,
        child: C,
    ) -> Result<C::Handle, SpawnError> {
        self.start_plan(child.into_child().named(id.into()))
    }

    /// Like [`start_child`](Self::start_child), as a future: see [`Spawning`]. A child whose future is dropped
    /// is stopped as by [`terminate`](crate::ActorRef::terminate), and not restarted.
    ///
    /// # Errors
    /// As [`start_child`](Self::start_child).
    pub fn start_child_async<C: IntoChild>(&self, id: impl Into<String>, child: C) -> Spawning<C::Handle>
    where
        C::Handle: 'static,
    {
        let (supervisor, mut plan) = (Arc::clone(&self.endpoint), child.into_child().named(id.into()));
        let name = plan.id().to_owned();
        Spawning::of_found(
            name,
            move || {
                let found = plan.check_and_reserve(true)?;
                Ok((plan.spawn_below(&supervisor)?, found))
            },
            C::Handle::at,
        )
    }

    pub(crate) fn start_plan<R: Reachable>(&self, mut plan: Plan) -> Result<R, SpawnError> {
        let found = plan.check_and_reserve(true)?;
        plan.spawn_below(&self.endpoint)?;
        Ok(R::at(found))
    }

    /// Stops a child as its spec says, and blocks until it has stopped. It is not restarted; its spec stays
    /// (that of a temporary child goes). Also ends the attempts to restart it. No error if it has no process.
    ///
    /// # Errors
    /// [`SupervisorError::NotFound`]; [`SupervisorError::Gone`] if the supervisor is gone, or goes meanwhile.
    pub fn terminate_child(&self, id: &str) -> Result<(), SupervisorError> {
        self.order(id, Operation::Terminate(id.to_owned()))
    }

    /// Starts a child that has no process; blocks until it is ready or has failed. A failed one keeps its
    /// spec, and no process.
    ///
    /// # Errors
    /// [`SupervisorError::Running`], [`SupervisorError::Restarting`] if it is being restarted anyway,
    /// [`SupervisorError::Failed`], [`SupervisorError::NotFound`], [`SupervisorError::Credentials`] if this
    /// process has given up rights that the child would have.
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

    /// How many children there are.
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
            Answered::Running(pid, incarnation) => {
                Err(SupervisorError::Running { supervisor, child, pid, incarnation })
            }
            Answered::Restarting => Err(SupervisorError::Restarting { supervisor, child }),
            Answered::NotFound => Err(SupervisorError::NotFound { supervisor, child }),
            Answered::Failed(reason) => Err(SupervisorError::Failed { supervisor, child, reason }),
            Answered::ShuttingDown => Err(SupervisorError::Gone { supervisor, reason: None }),
            Answered::Credentials => {
                Err(SupervisorError::Credentials { supervisor, error: request::FOREIGN.to_owned() })
            }
            other => Err(self.unexpected(id, &other)),
        }
    }

    fn ask(&self, what: &str, operation: Operation) -> Result<Answered, SupervisorError> {
        let gone = || SupervisorError::Gone {
            supervisor: self.name().to_owned(),
            reason: self.handle().exit_reason(),
        };
        if self.endpoint.ended().is_some() {
            return Err(gone());
        }
        request::ask(self.endpoint.mailbox(), operation, clock::after(PATIENCE)).map_err(|error| match error
            .kind()
        {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => gone(),
            _ => SupervisorError::Unreachable {
                supervisor: self.name().to_owned(),
                error: format!("{what}: {error}"),
            },
        })
    }

    fn unexpected(&self, what: &str, answer: &Answered) -> SupervisorError {
        let error = format!("{what}: unexpected reply: {answer:?}");
        SupervisorError::Unreachable { supervisor: self.name().to_owned(), error }
    }
}

impl PartialEq for SupervisorRef {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for SupervisorRef {}

impl Hash for SupervisorRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl fmt::Debug for SupervisorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| write!(f, "SupervisorRef({}, {})", self.name(), self.id()))
    }
}

impl fmt::Display for SupervisorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle().fmt(f)
    }
}

impl Serialize for SupervisorRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        travel::put_endpoint(&self.endpoint, serializer)
    }
}

impl<'de> Deserialize<'de> for SupervisorRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        travel::take_endpoint(deserializer).map(|endpoint| SupervisorRef { endpoint })
    }
}
