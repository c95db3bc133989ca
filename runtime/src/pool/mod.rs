//! Pools: functions run in worker processes, and a worker that dies is replaced.
//!
//! Imports no other service, and never `supervisor` or `child`.
//!
//! A [`Pool`] has a supervisor of its own and, below it, workers that are actors. The program keeps the
//! tasks; a worker has only what it works on, and a little more so that it need not wait. Shared memory says
//! at any time which task a worker runs, and holds the results of those it has finished, even after the
//! worker has died. So a worker that dies costs only the task that it ran: its [`TaskHandle`] ends with a typed
//! error, or is run again if it is `idempotent`. No other task is lost or run twice, and the pool goes on
//! with another worker.
//!
//! See the document `docs/pools.md` for all options, and for a comparison with others.

mod awaited;
mod builder;
mod callbacks;
pub(crate) mod dispatcher;
mod error;
mod futures;
pub(crate) mod in_process;
mod insights;
mod job;
mod link;
mod losses;
mod progress;
mod schedule;
mod sent_batch;
pub(crate) mod shared_slots;
mod start;
mod stream;
mod surroundings;
mod task;
mod task_cell;
mod times;
pub(crate) mod wait;
mod watch;
mod worker;
mod worker_context;
pub(crate) mod worker_handle;

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::control::function::Function;
use crate::spawn::shutdown;
use crate::types::error::SpawnError;

pub use builder::{PoolBuilder, Workers};
pub use error::{Border, PoolError, TaskAt, TaskError, TrySubmitError, WorkerAt};
pub use futures::{Ending, Submitting};
pub use insights::{Insights, Report, WorkerInsights};
pub use progress::Progress;
pub use stream::{Indexed, Results, Stream, View, WithInputs};
pub use task::TaskHandle;
pub use wait::{AsCompleted, Until, Waited, as_completed, wait};
pub use worker_context::{WorkerContext, state, worker};

pub(crate) use worker_context::declare;

use self::dispatcher::Dispatcher;
use self::job::{Job, Outcome};
use self::stream::NOT_HERE;
use self::task_cell::Cell;
use once_cell::sync::OnceCell;

use crate::ipc::bounds;
use crate::ipc::codec::{Portable, RawValue};
use crate::sys::per_process::Own;
use crate::task::function::TaskFn;
use crate::types::escape::escaped;

/// What becomes of a task whose worker died while it ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnLoss {
    /// The task has an error, and the pool goes on.
    #[default]
    Fail,
    /// The task is run again by other workers, up to this many times. For tasks that may be run twice.
    Retry(u32),
    /// The task has an error, and the pool ends with all that is pending (Python's `BrokenProcessPool`).
    Break,
}

/// How a pool ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stop {
    /// When all submitted tasks are done.
    Drain,
    /// When running tasks are done; tasks that no worker has begun are cancelled.
    CancelPending,
    /// Now: workers are killed, and all unfinished tasks are cancelled.
    Kill,
}

/// A pool that runs any function.
#[derive(Debug)]
pub enum Any {}

/// A pool that runs one function, from `A` to `T`, or to an error `E`.
#[derive(Debug)]
pub struct Only<A, T, E> {
    kind: PhantomData<fn(A) -> Result<T, E>>,
}

/// Worker processes that run functions (Python's `multiprocessing.Pool` and `ProcessPoolExecutor`).
///
/// A pool that was [built](PoolBuilder::build) is given a function with each task; one that was
/// [started](PoolBuilder::start) with a function runs that one. Functions are plain functions, `#[task]`s and
/// closures that capture nothing; several arguments are given as a tuple. What such a function returns is the
/// task's value, a `Result` too. A `#[task]` that returns a `Result` and is given as `name::task()` has its
/// `Err` as [`TaskError::App`].
///
/// Dropping a pool closes it and blocks until all submitted tasks are done. (During a panic it is aborted
/// instead.) A pool that async code uses does not block its executor: if it was started by
/// [`build_async`](PoolBuilder::build_async), if one of its methods with `_async` was called, or one of its
/// tasks awaited, a drop closes it and returns. Its own thread ends it, and so does the end of a
/// [`phalanx::main`](macro@crate::main), which waits for that.
///
/// ```
/// use phalanx::prelude::*;
/// use phalanx::Pool;
///
/// #[task]
/// fn area(width: u64, height: u64) -> u64 {
///     width * height
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let pool = Pool::builder().workers(2).build()?;
/// assert_eq!(pool.run(area, (3, 4))?, 12);
/// let task = pool.submit(area, (5, 6)); // goes on meanwhile
/// assert_eq!(pool.map(|n: u64| n * n, 1..=4)?, [1, 4, 9, 16]);
/// assert_eq!(task.wait()?, 30);
/// # Ok(())
/// # }
/// ```
pub struct Pool<W = Any> {
    dispatcher: Arc<Dispatcher>,
    /// The function that it runs; `None` for any.
    function: Option<Function>,
    kind: PhantomData<fn() -> W>,
}

impl Pool {
    /// One pool for the whole program, with default options, started on the first call. The end of a
    /// [`phalanx::main`](macro@crate::main) finishes what is pending in it. (loky's reusable executor.)
    ///
    /// ```
    /// use phalanx::Pool;
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// assert_eq!(Pool::global()?.run(|n: u64| n + 1, 41)?, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`build`](PoolBuilder::build); the next call tries again.
    pub fn global() -> Result<&'static Pool, SpawnError> {
        static GLOBAL: Own<OnceCell<Pool>> = Own::new();
        GLOBAL.here().get_or_try_init(|| Pool::builder().name("global").build())
    }

    /// Returns the options of a new pool.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::new()
    }

    /// Runs `function` in a worker, and blocks until it is done (Python's `apply`).
    ///
    /// # Errors
    /// See [`TaskError`].
    pub fn run<A: Portable, M, F: TaskFn<A, M>>(
        &self,
        function: F,
        args: A,
    ) -> Result<F::Value, TaskError<F::Error>> {
        self.submit(function, args).wait()
    }

    /// Gives the pool a task. Blocks only while its queue is full ([`queue`](PoolBuilder::queue)). If the
    /// task cannot be run (the pool is closed, the arguments cannot be encoded), its result is that error.
    pub fn submit<A: Portable, M, F: TaskFn<A, M>>(
        &self,
        function: F,
        args: A,
    ) -> TaskHandle<F::Value, F::Error> {
        submit(&self.dispatcher, function.function(), args)
    }

    /// As [`submit`](Self::submit), and never blocks.
    ///
    /// # Errors
    /// [`TrySubmitError`], with the arguments, if the queue is full or the pool closed.
    pub fn try_submit<A: Portable, M, F: TaskFn<A, M>>(
        &self,
        function: F,
        args: A,
    ) -> Result<TaskHandle<F::Value, F::Error>, TrySubmitError<A>> {
        try_submit(&self.dispatcher, function.function(), args)
    }

    /// Runs `function` for each item, and blocks until all are done. Results are in the order of the input.
    /// The input is pulled no further than the pool's queue reaches.
    ///
    /// # Errors
    /// The first error in the order of the input; items that no worker has begun by then are dropped.
    ///
    /// # Panics
    /// If the input does.
    pub fn map<A: Portable, M, F: TaskFn<A, M>>(
        &self,
        function: F,
        items: impl IntoIterator<Item = A>,
    ) -> Result<Vec<F::Value>, TaskError<F::Error>> {
        self.stream(function, items).buffer(MAP_BUFFER).collect()
    }

    /// Runs `function` for each item as [`map`](Self::map) does, with a result or an error for each.
    ///
    /// # Panics
    /// If the input does.
    pub fn map_each<A: Portable, M, F: TaskFn<A, M>>(
        &self,
        function: F,
        items: impl IntoIterator<Item = A>,
    ) -> Vec<Result<F::Value, TaskError<F::Error>>> {
        self.stream(function, items).buffer(MAP_BUFFER).collect()
    }

    /// Runs `function` for each item while results are taken; see [`Stream`].
    pub fn stream<A: Portable, M, F: TaskFn<A, M>, I: IntoIterator<Item = A>>(
        &self,
        function: F,
        items: I,
    ) -> Stream<I::IntoIter, F::Value, F::Error> {
        Stream::new(&self.dispatcher, function.function(), items.into_iter())
    }
}

/// How far a map pulls its input ahead of the results.
const MAP_BUFFER: usize = 16 * 1024;

impl<A: Portable, T: Portable, E: Portable> Pool<Only<A, T, E>> {
    fn only(dispatcher: Arc<Dispatcher>, function: Function) -> Self {
        Pool { dispatcher, function: Some(function), kind: PhantomData }
    }

    fn function(&self) -> Function {
        match self.function {
            Some(function) => function,
            None => unreachable!("it was made with one"),
        }
    }

    /// Runs the function in a worker, and blocks until it is done.
    ///
    /// # Errors
    /// See [`TaskError`].
    pub fn run(&self, args: A) -> Result<T, TaskError<E>> {
        self.submit(args).wait()
    }

    /// Gives the pool a task; see [`Pool::submit`](Pool::<Any>::submit).
    pub fn submit(&self, args: A) -> TaskHandle<T, E> {
        submit(&self.dispatcher, self.function(), args)
    }

    /// As [`submit`](Self::submit), and never blocks.
    ///
    /// # Errors
    /// [`TrySubmitError`], with the arguments, if the queue is full or the pool closed.
    pub fn try_submit(&self, args: A) -> Result<TaskHandle<T, E>, TrySubmitError<A>> {
        try_submit(&self.dispatcher, self.function(), args)
    }

    /// Runs the function for each item; see [`Pool::map`](Pool::<Any>::map).
    ///
    /// # Errors
    /// The first error in the order of the input.
    ///
    /// # Panics
    /// If the input does.
    pub fn map(&self, items: impl IntoIterator<Item = A>) -> Result<Vec<T>, TaskError<E>> {
        self.stream(items).buffer(MAP_BUFFER).collect()
    }

    /// Runs the function for each item as [`map`](Self::map) does, with a result or an error for each.
    ///
    /// # Panics
    /// If the input does.
    pub fn map_each(&self, items: impl IntoIterator<Item = A>) -> Vec<Result<T, TaskError<E>>> {
        self.stream(items).buffer(MAP_BUFFER).collect()
    }

    /// Runs the function for each item while results are taken; see [`Stream`].
    pub fn stream<I: IntoIterator<Item = A>>(&self, items: I) -> Stream<I::IntoIter, T, E> {
        Stream::new(&self.dispatcher, self.function(), items.into_iter())
    }
}

fn submit<A: Portable, T, E>(dispatcher: &Arc<Dispatcher>, function: Function, args: A) -> TaskHandle<T, E> {
    let (task, made) = task_of(dispatcher, function, args);
    let submitted = made
        .and_then(|job| dispatcher.submit(job, true).map_err(|refused| refused.unwrap_or(Outcome::Closed)));
    if let Err(outcome) = submitted {
        task.cell.complete(outcome);
    }
    task
}

/// A task, and what is submitted for it.
fn task_of<A: Portable, T, E>(
    dispatcher: &Arc<Dispatcher>,
    function: Function,
    args: A,
) -> (TaskHandle<T, E>, Result<Arc<Job>, Outcome>) {
    let number = dispatcher.number();
    let cell = Cell::new(dispatcher, number, function.short_name());
    let made = RawValue::pack_away(args, dispatcher.options.depth)
        .map_err(|error| Outcome::Codec(Border::EncodeArguments, error));
    let made = made.and_then(|args| single(function, number, args, Arc::clone(&cell)));
    (TaskHandle::of(cell), made)
}

fn try_submit<A: Portable, T, E>(
    dispatcher: &Arc<Dispatcher>,
    function: Function,
    args: A,
) -> Result<TaskHandle<T, E>, TrySubmitError<A>> {
    let number = dispatcher.number();
    let cell = Cell::new(dispatcher, number, function.short_name());
    let task = TaskHandle::of(Arc::clone(&cell));
    let (packed, levels) = RawValue::pack(&args, dispatcher.options.depth);
    let made = packed.map_err(|error| Outcome::Codec(Border::EncodeArguments, error));
    match made.and_then(|packed| single(function, number, packed, Arc::clone(&cell))) {
        Err(outcome) => drop(cell.complete(outcome)),
        Ok(job) => match dispatcher.submit(job, false) {
            Ok(()) => {}
            Err(None) => return Err(TrySubmitError { args, full: true }),
            Err(Some(Outcome::Closed)) => return Err(TrySubmitError { args, full: false }),
            Err(Some(outcome)) => drop(cell.complete(outcome)),
        },
    }
    bounds::drop_deep(args, levels);
    Ok(task)
}

/// A job of one item.
fn single(function: Function, number: u64, args: RawValue, sink: Arc<Cell>) -> Result<Arc<Job>, Outcome> {
    if !function.is_here() {
        return Err(Outcome::Unreachable(NOT_HERE.to_owned()));
    }
    let (losses, moves) = (AtomicU32::new(0), AtomicU32::new(0));
    let ends = vec![args.bytes.len() as u32];
    Ok(Arc::new(Job { function, number, args, ends, whole: true, sink, first: 0, losses, moves }))
}

/// The pools of this process that have not been dropped: a pool in a static has pending work, too.
static LIVE: Own<Mutex<Vec<Weak<Dispatcher>>>> = Own::new();

fn register(dispatcher: &Arc<Dispatcher>) {
    shutdown::before_end(finish_all);
    let mut live = LIVE.here().lock().unwrap_or_else(PoisonError::into_inner);
    live.retain(|dispatcher| dispatcher.strong_count() > 0);
    live.push(Arc::downgrade(dispatcher));
}

/// Runs first at the end of the program: pools finish what is pending, and end.
fn finish_all() {
    let live = std::mem::take(&mut *LIVE.here().lock().unwrap_or_else(PoisonError::into_inner));
    let dispatchers: Vec<Arc<Dispatcher>> = live.iter().filter_map(Weak::upgrade).collect();
    for dispatcher in &dispatchers {
        dispatcher
            .end(if dispatcher.options.daemon { Stop::Kill } else { Stop::Drain }, dispatcher.options.daemon);
    }
    dispatchers.iter().for_each(|dispatcher| drop(dispatcher.await_end()));
}

impl<W> Pool<W> {
    fn of(dispatcher: Arc<Dispatcher>) -> Self {
        Pool { dispatcher, function: None, kind: PhantomData }
    }

    /// The name of the pool.
    pub fn name(&self) -> &str {
        &self.dispatcher.options.name
    }

    /// Takes no more tasks: a later one ends with [`TaskError::Closed`]. Tasks that were submitted before are
    /// done. Does not block.
    pub fn close(&self) {
        self.dispatcher.end(Stop::Drain, false);
    }

    /// Blocks until all tasks are done and the workers have ended, after a [`close`](Self::close) or another
    /// end. Returns a summary.
    ///
    /// # Errors
    /// [`PoolError::Open`] if the pool is not closed; otherwise why it has ended by itself, if it has.
    pub fn join(&self) -> Result<Report, PoolError> {
        if !self.dispatcher.is_ending() {
            return Err(PoolError::Open { pool: self.name().to_owned() });
        }
        match self.dispatcher.await_end() {
            Some(error) => Err((*error).clone()),
            None => Ok(self.dispatcher.report()),
        }
    }

    /// As [`join`](Self::join), but blocks for `limit` at most, and returns `None` if the pool has not ended
    /// by then; it goes on ending.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use phalanx::Pool;
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let pool = Pool::builder().workers(1).build()?;
    /// let long = pool.submit(|seconds: u64| std::thread::sleep(Duration::from_secs(seconds)), 1000);
    /// pool.close();
    /// assert!(pool.join_timeout(Duration::from_millis(50)).is_none());
    /// long.cancel_hard();
    /// assert!(pool.join_timeout(Duration::from_secs(10)).is_some_and(|report| report.is_ok()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_timeout(&self, limit: Duration) -> Option<Result<Report, PoolError>> {
        if !self.dispatcher.is_ending() {
            return Some(Err(PoolError::Open { pool: self.name().to_owned() }));
        }
        let ended = self.dispatcher.await_end_within(limit)?;
        Some(ended.map_or_else(|| Ok(self.dispatcher.report()), |error| Err((*error).clone())))
    }

    /// Ends the pool now. Tasks that no worker has begun are cancelled; running tasks are asked to end, and
    /// killed with their workers 100 ms later. Every pending [`TaskHandle`] ends. Does not block;
    /// [`join`](Self::join) does.
    pub fn abort(&self) {
        self.dispatcher.end(Stop::Kill, true);
    }

    /// Ends the pool as `stop` says, and blocks until no worker is left.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn stop(&self, stop: Stop) -> Result<Report, PoolError> {
        self.dispatcher.end(stop, false);
        self.join()
    }

    /// Changes the number of workers that [`workers`](PoolBuilder::workers) set. Surplus workers end when
    /// they have done what they have. Does not block.
    ///
    /// # Panics
    /// If that is no worker at all, or a range that begins with the larger number.
    pub fn resize(&self, workers: impl Workers) {
        let (min, max) = workers.bounds();
        assert!(
            max > 0 && min <= max,
            "a pool has at least one worker, and a range begins with the smaller number"
        );
        self.dispatcher.resize(min, max);
    }

    /// How the workers have spent their time so far. Read from memory: no worker is asked.
    pub fn insights(&self) -> Insights {
        self.dispatcher.insights()
    }

    /// A summary of the pool so far.
    pub fn report(&self) -> Report {
        self.dispatcher.report()
    }
}

impl<W> Drop for Pool<W> {
    fn drop(&mut self) {
        if !self.dispatcher.is_here() {
            return;
        }
        if self.dispatcher.options.daemon || std::thread::panicking() {
            self.abort();
        }
        self.close();
        if callbacks::is_running_one() {
            return;
        }
        if self.dispatcher.is_async.load(Ordering::Relaxed) {
            // Its thread ends it, and the end of the program waits for that.
            return self.dispatcher.leave();
        }
        let _ = self.dispatcher.await_end();
        self.dispatcher.log_unread();
    }
}

impl<W> fmt::Debug for Pool<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| write!(f, "Pool({})", self.name()))
    }
}
