//! What can go wrong with a task, and with a pool.

use std::fmt;
use std::sync::Arc;

use crate::types::error::{Never, SpawnError};
use crate::types::escape::escaped;
use crate::types::exit::ExitReason;

/// Which task it was, and which worker had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskAt(Arc<Place>);

#[derive(Debug, PartialEq, Eq)]
struct Place {
    task: &'static str,
    number: u64,
    worker: Option<Arc<WorkerAt>>,
}

impl TaskAt {
    pub(crate) fn new(task: &'static str, number: u64, worker: Option<&Arc<WorkerAt>>) -> TaskAt {
        TaskAt(Arc::new(Place { task, number, worker: worker.cloned() }))
    }

    /// The name of the function.
    pub fn task(&self) -> &str {
        self.0.task
    }

    /// The number of the task in its pool, counted from 1; items of one `map` or `stream` share one.
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// The worker, if one had it.
    pub fn worker(&self) -> Option<&WorkerAt> {
        self.0.worker.as_deref()
    }
}

/// One process of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerAt {
    /// The name of the worker.
    pub name: Arc<str>,
    /// Its place in the pool, from 0.
    pub index: usize,
    /// Its process.
    pub pid: u32,
    /// How many processes have had this place, this one included.
    pub incarnation: u64,
}

impl fmt::Display for TaskAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| {
            write!(f, "task {} (`{}`)", self.0.number, self.0.task)?;
            match &self.0.worker {
                Some(worker) => write!(f, " in {worker}"),
                None => Ok(()),
            }
        })
    }
}

impl fmt::Display for WorkerAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| {
            write!(f, "worker `{}` (process {}, incarnation {})", self.name, self.pid, self.incarnation)
        })
    }
}

/// At which of its four borders a task's data could not be encoded or decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Border {
    /// The arguments, where they were given: nothing was sent.
    EncodeArguments,
    /// The arguments, in the worker: the task was not run.
    DecodeArguments,
    /// The result, in the worker: the task was run.
    EncodeResult,
    /// The result, where it was wanted.
    DecodeResult,
}

impl fmt::Display for Border {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Border::EncodeArguments => "encoding the arguments",
            Border::DecodeArguments => "decoding the arguments in the worker",
            Border::EncodeResult => "encoding the result in the worker",
            Border::DecodeResult => "decoding the result",
        })
    }
}

/// Why a task has no value. `E` is the task's own error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskError<E = Never> {
    /// The task answered `Err` (if it was given by [`task()`](macro@crate::task); a plain function's `Result` is its value). The worker is well.
    App(E),
    /// The worker died of it: a panic, a signal, an `exit`, a limit. Another one takes its place, and no other task is harmed.
    Died(ExitReason, TaskAt),
    /// It was cancelled, or the pool was ended before its turn, or while it ran.
    Cancelled(TaskAt),
    /// It is not done yet: a wait was over. The task goes on, and its result can be waited for again.
    Timeout(TaskAt),
    /// Its arguments or its result could not be encoded or decoded. The worker is well.
    Codec(Border, String, TaskAt),
    /// The pool takes no more tasks: it is closed.
    Closed(TaskAt),
    /// The pool has ended, for this reason.
    Broken(Arc<PoolError>, TaskAt),
    /// What was asked for cannot be: see the text.
    Refused(&'static str, TaskAt),
    /// The operating system refused (no descriptors, no memory) to send it. It was not run.
    Unreachable(String, TaskAt),
}

impl<E> TaskError<E> {
    /// Which task and worker it was; `None` for the task's own error.
    pub fn at(&self) -> Option<&TaskAt> {
        match self {
            TaskError::App(_) => None,
            TaskError::Died(_, at)
            | TaskError::Cancelled(at)
            | TaskError::Timeout(at)
            | TaskError::Codec(_, _, at)
            | TaskError::Closed(at)
            | TaskError::Broken(_, at)
            | TaskError::Refused(_, at)
            | TaskError::Unreachable(_, at) => Some(at),
        }
    }

    /// How the worker ended, if that is why there is no value.
    pub fn exit_reason(&self) -> Option<&ExitReason> {
        match self {
            TaskError::Died(reason, _) => Some(reason),
            _ => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for TaskError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            TaskError::App(error) => write!(f, "{error}"),
            TaskError::Died(reason, at) => write!(f, "{at}: the worker died: {reason}"),
            TaskError::Cancelled(at) => write!(f, "{at}: cancelled"),
            TaskError::Timeout(at) => write!(f, "{at}: not done yet"),
            TaskError::Codec(border, error, at) => write!(f, "{at}: {border}: {error}"),
            TaskError::Closed(at) => write!(f, "{at}: the pool is closed"),
            TaskError::Broken(error, at) => write!(f, "{at}: {error}"),
            TaskError::Refused(error, at) => write!(f, "{at}: {error}"),
            TaskError::Unreachable(error, at) => write!(f, "{at}: {error}"),
        })
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for TaskError<E> {}

/// Why a pool has ended by itself, or cannot be joined.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolError {
    /// It is still open: [`close`](crate::Pool::close) it first, or no join would ever return.
    Open {
        /// The pool.
        pool: String,
    },
    /// Its workers could not be started, more often than is bearable.
    CannotStart {
        /// The pool.
        pool: String,
        /// How often, within the window of its intensity.
        failures: usize,
        /// The last reason.
        cause: Box<SpawnError>,
    },
    /// A worker died of a task, and the pool was told to end with the first one ([`OnLoss::Break`](crate::pool::OnLoss::Break)).
    Lost {
        /// The pool.
        pool: String,
        /// How the worker ended.
        reason: ExitReason,
    },
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            PoolError::Open { pool } => write!(f, "pool `{pool}` is open: close it before it is joined"),
            PoolError::CannotStart { pool, failures, cause } => {
                write!(f, "pool `{pool}` has ended: its workers did not start {failures} times: {cause}")
            }
            PoolError::Lost { pool, reason } => {
                write!(f, "pool `{pool}` has ended: a worker died of a task: {reason}")
            }
        })
    }
}

impl std::error::Error for PoolError {}

/// A task that was not taken without waiting; it gives the arguments back.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrySubmitError<A> {
    /// The arguments.
    pub args: A,
    /// Whether the pool is full, and not closed.
    pub full: bool,
}

impl<A> fmt::Debug for TrySubmitError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrySubmitError").field("full", &self.full).finish_non_exhaustive()
    }
}

impl<A> fmt::Display for TrySubmitError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.full { "the pool's queue is full" } else { "the pool is closed" })
    }
}

impl<A> std::error::Error for TrySubmitError<A> {}
