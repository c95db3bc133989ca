//! Errors of a task, and of a pool.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::types::error::{Never, SpawnError};
use crate::types::escape::escaped;
use crate::types::exit::ExitReason;

/// Names a task, and the worker that had it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskAt(Arc<Place>);

#[derive(Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Place {
    task: Cow<'static, str>,
    number: u64,
    item: Option<u64>,
    worker: Option<Arc<WorkerAt>>,
}

impl TaskAt {
    pub(crate) fn new(
        task: &'static str,
        number: u64,
        item: Option<u64>,
        worker: Option<&Arc<WorkerAt>>,
    ) -> TaskAt {
        TaskAt(Arc::new(Place { task: task.into(), number, item, worker: worker.cloned() }))
    }

    /// The name of the function.
    pub fn task(&self) -> &str {
        &self.0.task
    }

    /// The number of the task in its pool, counted from 1; items of one `map` or `stream` share one.
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// The place of the item in the input of its `map` or `stream`, counted from 0; `None` for a task that
    /// was given alone.
    pub fn item(&self) -> Option<usize> {
        self.0.item.map(|item| item as usize)
    }

    /// The worker, if one had the task.
    pub fn worker(&self) -> Option<&WorkerAt> {
        self.0.worker.as_deref()
    }
}

/// One process of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
            if let Some(item) = self.0.item {
                write!(f, "item {item} of ")?;
            }
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

/// At which of four borders the data of a task could not be encoded or decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Border {
    /// The arguments, in the caller: nothing was sent.
    EncodeArguments,
    /// The arguments, in the worker: the task was not run.
    DecodeArguments,
    /// The result, in the worker: the task was run.
    EncodeResult,
    /// The result, in the caller.
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
///
/// Each variant says which task, which item of a `map` or `stream`, and which worker (see [`TaskAt`]). So do
/// the texts, but that of [`App`](Self::App), which is the text of the task's own error.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TaskError<E = Never> {
    /// The task returned `Err` (if it was given by [`task()`](macro@crate::task); a plain function's `Result`
    /// is its value). The worker is well.
    App(E, TaskAt),
    /// The worker died while it ran the task: a panic, a signal, an `exit`, a limit. Another worker takes its
    /// place, and no other task is harmed.
    Died(ExitReason, TaskAt),
    /// The task was cancelled, or the pool ended before its turn, or while it ran.
    Cancelled(TaskAt),
    /// The task is not done yet, and the time to wait is over. The task goes on, and can be waited for again.
    Timeout(TaskAt),
    /// The arguments or the result could not be encoded or decoded. The worker is well.
    Codec(Border, String, TaskAt),
    /// The pool takes no more tasks: it is closed.
    Closed(TaskAt),
    /// The pool has ended for this reason.
    Broken(Arc<PoolError>, TaskAt),
    /// The task cannot be run: see the text.
    Refused(Cow<'static, str>, TaskAt),
    /// The operating system refused (no descriptors, no memory) to send the task. It was not run.
    Unreachable(String, TaskAt),
}

impl<E> TaskError<E> {
    /// The task, its item and its worker.
    pub fn at(&self) -> &TaskAt {
        match self {
            TaskError::App(_, at)
            | TaskError::Died(_, at)
            | TaskError::Cancelled(at)
            | TaskError::Timeout(at)
            | TaskError::Codec(_, _, at)
            | TaskError::Closed(at)
            | TaskError::Broken(_, at)
            | TaskError::Refused(_, at)
            | TaskError::Unreachable(_, at) => at,
        }
    }

    /// How the worker ended, if that is the cause.
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
            TaskError::App(error, _) => write!(f, "{error}"),
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PoolError {
    /// The pool is still open: [`close`](crate::Pool::close) it first, or no join would ever return.
    Open {
        /// The pool.
        pool: String,
    },
    /// Its workers failed to start more often than its intensity allows.
    CannotStart {
        /// The pool.
        pool: String,
        /// How many starts failed within the window of the intensity.
        failures: usize,
        /// The last error.
        cause: Box<SpawnError>,
    },
    /// A worker died while it ran a task, and the pool ends with the first one
    /// ([`OnLoss::Break`](crate::pool::OnLoss::Break)).
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

/// A task that could not be taken without waiting. It gives the arguments back.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TrySubmitError<A> {
    /// The arguments.
    pub args: A,
    /// Whether the queue is full; otherwise the pool is closed.
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
