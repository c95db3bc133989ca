//! Options of a pool, and its start.

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::time::Duration;

use super::dispatcher::Dispatcher;
use super::futures::marked;
use super::progress::{OnProgress, Progress};
use super::surroundings::Surroundings;
use super::worker::Limits;
use super::{Any, OnLoss, Only, Pool};
use crate::actor::spawning::Spawning;
use crate::control::function::Function;
use crate::ipc::bounds::{DEPTH, DEPTHS, SOUNDED, too_deep};
use crate::ipc::codec::{self, Portable, RawValue};
use crate::supervision::Preload;
use crate::task::function::{self, TaskFn};
use crate::types::captureless::Captureless;
use crate::types::error::SpawnError;
use crate::types::escape::escaped;
use crate::types::sealed::Sealed;

/// How many workers a pool has: a number, or a range.
pub trait Workers: Sealed {
    #[doc(hidden)]
    fn bounds(self) -> (usize, usize);
}

impl Workers for usize {
    fn bounds(self) -> (usize, usize) {
        (self, self)
    }
}

impl Workers for RangeInclusive<usize> {
    fn bounds(self) -> (usize, usize) {
        self.into_inner()
    }
}

impl Workers for Range<usize> {
    fn bounds(self) -> (usize, usize) {
        (self.start, self.end.saturating_sub(1))
    }
}

/// Options of a new pool, then [`build`](Self::build) or [`start`](Self::start). Made by [`Pool::builder`].
#[must_use = "a builder does nothing until `build` or `start`"]
pub struct PoolBuilder {
    pub(super) options: Options,
    on_progress: Option<OnProgress>,
    preload: Option<Preload>,
}

/// The options of a pool.
pub(crate) struct Options {
    pub(crate) name: String,
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) queue: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) init: Option<Init>,
    pub(crate) exit: Option<Function>,
    pub(crate) limits: Limits,
    pub(crate) idle_timeout: Duration,
    pub(crate) soft: Option<Duration>,
    pub(crate) hard: Option<Duration>,
    pub(crate) on_loss: OnLoss,
    pub(crate) intensity: (u32, Duration),
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) memory: Option<u64>,
    pub(crate) daemon: bool,
    pub(crate) in_process: bool,
    pub(crate) chunk: Option<usize>,
    pub(crate) depth: u32,
    pub(crate) surroundings: Surroundings,
}

/// The function that makes a worker's state.
pub(crate) struct Init {
    pub(crate) function: Function,
    /// Its encoded argument, and how deep that is.
    pub(crate) args: Result<(RawValue, u32), String>,
}

impl Init {
    /// The limit of the depth of `args` is known only when the pool is built.
    fn new<A: Portable>(function: Function, args: A) -> Init {
        let encoded = codec::encode_away(args, SOUNDED);
        let args = encoded.map(|encoded| (encoded.levels, RawValue::from(encoded)));
        Init { function, args: args.map(|(levels, raw_value)| (raw_value, levels)) }
    }

    fn check(&self, depth: u32) -> Result<(), String> {
        match &self.args {
            Ok((_, levels)) if *levels > depth => {
                Err(format!("cannot encode the argument of `init`: {}", too_deep(*levels, depth)))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone()),
        }
    }
}

/// A pool that runs the function `F`.
type Started<A, M, F> = Pool<Only<A, <F as TaskFn<A, M>>::Value, <F as TaskFn<A, M>>::Error>>;

impl Options {
    pub(crate) fn worker_name(&self, index: usize) -> String {
        format!("{}-{index}", self.name)
    }
}

impl PoolBuilder {
    pub(super) fn new() -> PoolBuilder {
        let workers = crate::spawn::shutdown::parallelism();
        let options = Options {
            name: "pool".to_owned(),
            min: workers,
            max: workers,
            queue: 65_536,
            queue_bytes: 256 << 20,
            init: None,
            exit: None,
            limits: Limits::default(),
            idle_timeout: Duration::from_secs(10),
            soft: None,
            hard: None,
            on_loss: OnLoss::Fail,
            intensity: (5, Duration::from_secs(10)),
            start_timeout: None,
            grace: Duration::from_secs(5),
            memory: None,
            daemon: false,
            in_process: false,
            chunk: None,
            depth: DEPTH,
            surroundings: Surroundings::default(),
        };
        PoolBuilder { options, on_progress: None, preload: None }
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// How many workers: `4`, or `2..=8`. With a range, the pool begins with the smaller number, starts more
    /// while tasks wait and no worker is idle, and ends workers that are [idle](Self::idle_timeout) for long.
    /// Default: [`parallelism`](crate::spawn::shutdown::parallelism).
    pub fn workers(self, workers: impl Workers) -> Self {
        let (min, max) = workers.bounds();
        self.with(|options| (options.min, options.max) = (min, max))
    }

    /// The name of the pool, and of its supervisor's process; its workers are called `name-0`, `name-1`, and
    /// so on. Default: "pool".
    pub fn name(self, name: impl Into<String>) -> Self {
        self.with(|options| options.name = name.into())
    }

    /// A function that is run once in each worker before its first task, with a copy of `args`. What it
    /// returns is the worker's state, for [`pool::state`](crate::pool::state); it need not be serde. A worker
    /// in which it panics counts as a failed start, see [`intensity`](Self::intensity). (Python's
    /// `initializer`.)
    pub fn init<F: Fn(A) -> S + Captureless, A: Portable, S: 'static>(self, function: F, args: A) -> Self {
        let made = Init::new(function::state_maker(function), args);
        self.with(|options| options.init = Some(made))
    }

    /// As [`init`](Self::init), for a function that can fail. Its error is that of [`build`](Self::build), or
    /// the cause if the pool ends.
    ///
    /// ```
    /// use phalanx::{Pool, SpawnError};
    ///
    /// fn connect(address: String) -> Result<u32, String> {
    ///     Err(format!("no such host: {address}"))
    /// }
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let error = Pool::builder().workers(2).try_init(connect, "nowhere".into()).build().unwrap_err();
    /// assert!(matches!(error, SpawnError::InitFailed { error, .. } if error.contains("no such host")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_init<F, A, S, E>(self, function: F, args: A) -> Self
    where
        F: Fn(A) -> Result<S, E> + Captureless,
        A: Portable,
        S: 'static,
        E: fmt::Display + 'static,
    {
        let made = Init::new(function::try_state_maker(function), args);
        self.with(|options| options.init = Some(made))
    }

    /// A function that is run in each worker that ends in order: at the end of the pool, or when it is
    /// replaced on purpose. It can use the worker's [`state`](crate::pool::state), and has the time of the
    /// [`shutdown`](Self::shutdown).
    pub fn exit<F: Fn(()) + Captureless>(self, function: F) -> Self {
        let function = function::preloader(function);
        self.with(|options| options.exit = Some(function))
    }

    /// A function that is run once, in the pool's supervisor, before it forks the workers. All workers share
    /// what it loads into statics, copy-on-write, and start as quickly as ever. It runs again when that
    /// supervisor is restarted. It must leave no thread behind: that is refused, as
    /// [`SpawnError::InitFailed`], and so is a panic in it. See
    /// [`SupervisorBuilder::preload`](crate::SupervisorBuilder::preload). (With
    /// [`in_process`](Self::in_process) there is no supervisor, and it is not run.)
    ///
    /// ```
    /// use phalanx::Pool;
    /// use std::sync::OnceLock;
    ///
    /// static PRIMES: OnceLock<Vec<u64>> = OnceLock::new();
    ///
    /// fn load(most: u64) {
    ///     PRIMES.get_or_init(|| (2..most).filter(|n| (2..*n).all(|m| n % m != 0)).collect());
    /// }
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let pool = Pool::builder().workers(2).preload(load, 100).build()?;
    /// assert_eq!(pool.run(|n: usize| PRIMES.get().map(|primes| primes[n]), 10)?, Some(31));
    /// assert!(PRIMES.get().is_none()); // this process has not loaded them
    /// # Ok(())
    /// # }
    /// ```
    pub fn preload<F: Fn(A) + Captureless, A: Portable>(mut self, function: F, args: A) -> Self {
        self.preload = Some((function::preloader(function), codec::encode(&args)));
        self
    }

    /// Replaces each worker by a fresh process after this many tasks. The replacement starts when the old
    /// worker has finished. Default: never. (Python's `maxtasksperchild`.)
    pub fn recycle_after(self, tasks: u64) -> Self {
        self.with(|options| options.limits.tasks = Some(tasks))
    }

    /// Replaces a worker when more than this many bytes of it are resident after a task. Checked every 10 ms
    /// at most. Default: never.
    pub fn recycle_above(self, bytes: u64) -> Self {
        self.with(|options| options.limits.rss = Some(bytes))
    }

    /// Replaces a worker when it has grown by more than this many bytes since its `init`. Default: never.
    pub fn recycle_growth(self, bytes: u64) -> Self {
        self.with(|options| options.limits.growth = Some(bytes))
    }

    /// Replaces a worker that is this old, counted from the moment at which it is ready; not before it has
    /// run a task. Default: never.
    pub fn recycle_at_age(self, age: Duration) -> Self {
        self.with(|options| options.limits.age = Some(age))
    }

    /// How long a worker may be idle before it is ended, if there are more workers than the smallest number.
    /// Default: 10 s.
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.idle_timeout = timeout)
    }

    /// How long a task may run, counted from the moment at which its worker has begun it. Then the worker is
    /// killed and replaced, and the result is [`TaskError::Died`](crate::pool::TaskError::Died) by
    /// [`DeadlineExceeded`](crate::ExitReason::DeadlineExceeded). A shorter `deadline` of its `#[task]` holds
    /// all the same. Default: for ever.
    pub fn deadline(self, limit: Duration) -> Self {
        self.with(|options| options.hard = Some(limit))
    }

    /// The time after which [`WorkerContext::is_cancelled`](crate::pool::WorkerContext::is_cancelled) tells a
    /// task to end. Default: never.
    pub fn soft_deadline(self, limit: Duration) -> Self {
        self.with(|options| options.soft = Some(limit))
    }

    /// What becomes of a task whose worker died while it ran. Tasks that are declared `idempotent` are run
    /// again in any case. Default: [`OnLoss::Fail`].
    pub fn on_loss(self, on_loss: OnLoss) -> Self {
        self.with(|options| options.on_loss = on_loss)
    }

    /// How many failed starts of workers are tolerated, and within which time. One more, and the pool ends
    /// with that cause. Between failed starts the pool waits, longer each time. Workers that die while they
    /// run a task do not count. Default: 5 in 10 s.
    pub fn intensity(self, failures: u32, window: Duration) -> Self {
        self.with(|options| options.intensity = (failures, window))
    }

    /// How many tasks can wait for a worker; while that many do, a submit waits for room. Default: 65536.
    pub fn queue(self, tasks: usize) -> Self {
        self.with(|options| options.queue = tasks)
    }

    /// How many bytes the arguments of waiting tasks may have in total. (A single task may have more.)
    /// Default: 256 MiB.
    pub fn queue_memory(self, bytes: usize) -> Self {
        self.with(|options| options.queue_bytes = bytes)
    }

    /// The [`chunk`](crate::pool::Stream::chunk) of maps and streams. Default: measured while they run.
    pub fn chunk(self, items: usize) -> Self {
        self.with(|options| options.chunk = Some(items))
    }

    /// How long a worker may take to start, its `init` included. Default: 10 s.
    pub fn start_timeout(self, limit: Duration) -> Self {
        self.with(|options| options.start_timeout = Some(limit))
    }

    /// How long a worker may take to end in order, before it is killed. Default: 5 s.
    pub fn shutdown(self, grace: Duration) -> Self {
        self.with(|options| options.grace = grace)
    }

    /// How many bytes of private memory a worker may have ([`RLIMIT_DATA`](crate::ActorBuilder::memory)).
    /// Default: no limit.
    pub fn memory(self, bytes: u64) -> Self {
        self.with(|options| options.memory = Some(bytes))
    }

    /// The maximal depth of arguments and results of tasks, and of the argument of `init`, as
    /// [`depth`](crate::ActorBuilder::depth) counts. A deeper value is
    /// [`TaskError::Codec`](crate::pool::TaskError::Codec) of that task. Default: 128; at most 100,000.
    pub fn depth(self, levels: u32) -> Self {
        self.with(|options| options.depth = levels)
    }

    /// Whether the program may end without what is pending: then dropping the pool ends it at once, like
    /// [`abort`](Pool::abort). Default: no.
    pub fn daemon(self, daemon: bool) -> Self {
        self.with(|options| options.daemon = daemon)
    }

    /// Calls `f` with the progress of the pool, at most every 50 ms, and at the end. It runs on the pool's
    /// thread for callbacks.
    pub fn on_progress(mut self, f: impl FnMut(&Progress) + Send + 'static) -> Self {
        self.on_progress = Some(OnProgress::new(f));
        self
    }

    /// Shows a bar on standard error, if that is a terminal; only this process draws. With the feature
    /// `progress`.
    #[cfg(feature = "progress")]
    pub fn progress(mut self) -> Self {
        self.on_progress = super::progress::bar();
        self
    }

    /// Workers are threads of this process, for debuggers and tests. Arguments and results are encoded all
    /// the same. A task that crashes crashes the program, a running task cannot be killed, and deadlines do
    /// nothing, and neither do the options that set something of a process ([`env`](Self::env),
    /// [`memory`](Self::memory), [`before_start`](Self::before_start), ..); a panic costs only the task, as
    /// usual. (Python's `multiprocessing.dummy`.)
    pub fn in_process(self) -> Self {
        self.with(|options| options.in_process = true)
    }

    /// Starts the pool, and blocks until its first workers are ready. It runs any function.
    ///
    /// # Errors
    /// [`SpawnError::Option`] for invalid options. Any error of the start of a worker,
    /// [`SpawnError::InitFailed`] above all; workers that had been started are stopped again.
    pub fn build(self) -> Result<Pool<Any>, SpawnError> {
        self.open().map(Pool::of)
    }

    /// Starts a pool that runs one function.
    ///
    /// ```
    /// use phalanx::Pool;
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let squares = Pool::builder().workers(2).start(|n: u64| n * n)?;
    /// assert_eq!(squares.run(12)?, 144);
    /// assert_eq!(squares.map(1..=3)?, [1, 4, 9]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn start<A: Portable, M, F: TaskFn<A, M>>(self, function: F) -> Result<Started<A, M, F>, SpawnError> {
        let dispatcher = self.open()?;
        Ok(Pool::only(dispatcher, function.function()))
    }

    /// Like [`build`](Self::build), as a future: see [`Spawning`]. The pool's drop does not block.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_async(self) -> Spawning<Pool<Any>> {
        Spawning::new(self.options.name.clone(), || self.build().map(marked), drop)
    }

    /// Like [`start`](Self::start), as a future: see [`Spawning`]. The pool's drop does not block.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn start_async<A: Portable, M, F: TaskFn<A, M>>(self, function: F) -> Spawning<Started<A, M, F>> {
        let function = function.function();
        let name = self.options.name.clone();
        let start = move || self.open().map(|dispatcher| marked(Pool::only(dispatcher, function)));
        Spawning::new(name, start, drop)
    }

    /// Starts a pool, lends it to `body`, and ends it in order: all submitted tasks are done when this
    /// returns.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn scope<R>(self, body: impl FnOnce(&Pool<Any>) -> R) -> Result<R, SpawnError> {
        let pool = self.build()?;
        Ok(body(&pool))
    }

    fn check(&self) -> Result<(), SpawnError> {
        let options = &self.options;
        let wrong =
            |error: &str| Err(SpawnError::Option { actor: options.name.clone(), error: error.to_owned() });
        if options.max == 0 || options.min > options.max {
            return wrong("the option `workers` is at least 1, and a range begins with the smaller number");
        }
        if options.chunk == Some(0) {
            return wrong("the option `chunk` is at least 1");
        }
        if options.queue == 0 || options.queue_bytes == 0 {
            return wrong("the options `queue` and `queue_memory` are at least 1");
        }
        if [options.hard, options.soft].contains(&Some(Duration::ZERO)) {
            return wrong("the options `deadline` and `soft_deadline` must be greater than zero");
        }
        if options.soft.is_some_and(|soft| options.hard.is_some_and(|hard| soft >= hard)) {
            return wrong("the option `soft_deadline` is shorter than `deadline`, which kills");
        }
        let Limits { tasks, rss, age, .. } = options.limits;
        if tasks == Some(0) || rss == Some(0) || age == Some(Duration::ZERO) {
            return wrong(
                "the options `recycle_after`, `recycle_above` and `recycle_at_age` must be greater than zero",
            );
        }
        if options.start_timeout == Some(Duration::ZERO)
            || options.grace.is_zero()
            || options.memory == Some(0)
        {
            return wrong("the options `start_timeout`, `shutdown` and `memory` must be greater than zero");
        }
        if options.intensity.1.is_zero() {
            return wrong("the window of the option `intensity` must be greater than zero");
        }
        if !(1..=SOUNDED).contains(&options.depth) {
            return wrong(DEPTHS);
        }
        if let Err(error) = options.surroundings.check() {
            return wrong(&error);
        }
        let init = options.init.as_ref().map_or(Ok(()), |init| init.check(options.depth));
        init.map_err(|error| SpawnError::Codec { actor: options.name.clone(), error })
    }

    fn open(self) -> Result<Arc<Dispatcher>, SpawnError> {
        self.check()?;
        let dispatcher = Dispatcher::open(self.options, self.preload)?;
        if let Some(on_progress) = self.on_progress {
            dispatcher.callbacks.report_to(on_progress);
        }
        Ok(dispatcher)
    }
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| {
            let Options { name, min, max, .. } = &self.options;
            write!(f, "PoolBuilder({name}, {min}..={max} workers)")
        })
    }
}
