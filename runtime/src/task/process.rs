//! The handle of a task.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::actor::any_ref::AnyRef;
use crate::actor::builder::{options, short_name};
use crate::actor::spawning::Spawning;
use crate::control::request::Kind;
use crate::ipc::bounds;
use crate::ipc::codec::{self, Portable};
use crate::logging;
use crate::reactor::death::Death;
use crate::reactor::endpoint::Endpoint;
use crate::reactor::monitor::Monitor;
use crate::reactor::process_handle::{Handle, process_methods};
use crate::spawn::plan::Plan;
use crate::status::ExitRecord;
use crate::sys::clock;
use crate::task::run::{Left, OfTask};
use crate::types::captureless::Captureless;
use crate::types::error::{At, CallError, Never, SendError, SpawnError};
use crate::types::exit::ExitReason;
use crate::types::options::Options;

/// A function that runs in a process of its own; Python's `multiprocessing.Process`, with a typed result.
///
/// It is started by [`Process::spawn`] or by what `#[task]` makes of a function. Dropping the handle does not
/// end the process; the end of the program waits for it unless it is a daemon.
///
/// ```
/// use phalanx::prelude::*;
///
/// #[task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let process = square::spawn(12)?;
/// assert_eq!(process.join()?, 144);
/// assert_eq!(process.exit_code(), Some(0));
/// assert_eq!(square(12), 144); // it still is a function
/// # Ok(())
/// # }
/// ```
pub struct Process<T, E = Never> {
    endpoint: Arc<Endpoint>,
    kind: PhantomData<fn() -> (T, E)>,
}

/// The options of a task, then [`spawn`](Self::spawn).
#[must_use = "a builder does nothing until `spawn`"]
pub struct ProcessBuilder<T, E = Never> {
    pub(crate) plan: Plan,
    kind: PhantomData<fn() -> (T, E)>,
}

impl<T, E> fmt::Debug for ProcessBuilder<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProcessBuilder").field(&self.plan).finish()
    }
}

impl<T: Portable> Process<T> {
    /// Runs a function, or a closure that captures nothing, in a new process.
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let process = Process::spawn(|n: u64| n + 1, 41)?;
    /// assert_eq!(process.join()?, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn spawn<F: FnOnce(A) -> T + Captureless, A: Portable>(
        function: F,
        args: A,
    ) -> Result<Process<T>, SpawnError> {
        const { F::CHECK };
        Process::builder(function, args).spawn()
    }

    /// Like [`spawn`](Self::spawn), as a future: see [`Spawning`].
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn spawn_async<F: FnOnce(A) -> T + Copy + 'static, A: Portable>(
        function: F,
        args: A,
    ) -> Spawning<Process<T>> {
        Process::builder(function, args).spawn_async()
    }

    /// A function in a process of its own, with options.
    pub fn builder<F: FnOnce(A) -> T + Captureless, A: Portable>(_: F, args: A) -> ProcessBuilder<T> {
        const { F::CHECK };
        let entry = OfTask::<F, A, T, ()>::ENTRY;
        let plan =
            Plan::new(Kind::Task, Some(entry), codec::encode_away(args, bounds::SOUNDED), Options::DEFAULT);
        ProcessBuilder::of(Plan { stem: stem_of::<F>(), ..plan })
    }
}

#[cfg(feature = "remote")]
impl<T: Portable, E: Portable> Process<T, E> {
    /// For a function of the runtime that returns a `Result`.
    pub(crate) fn fallible<F: FnOnce(A) -> Result<T, E> + Captureless, A: Portable>(
        _: F,
        args: &A,
    ) -> ProcessBuilder<T, E> {
        const { F::CHECK };
        let entry = OfTask::<F, A, T, (E,)>::FALLIBLE;
        let args = codec::encode_within(args, bounds::SOUNDED).0;
        ProcessBuilder::of(Plan::new(Kind::Task, Some(entry), args, Options::DEFAULT))
    }
}

impl<T: Portable, E: Portable> Process<T, E> {
    /// Blocks until the process has ended and is reaped; returns its function's result. Can be called
    /// repeatedly, however late.
    ///
    /// # Errors
    /// [`CallError::App`] if the function returned `Err`, [`CallError::Died`] if it did not return: it
    /// panicked, was killed, or called `exit`.
    pub fn join(&self) -> Result<T, CallError<E>> {
        let exit_record = self.handle().record_until(None);
        logging::settle_if_failed(self.result(exit_record.as_deref()))
    }

    /// Like [`join`](Self::join), but returns `None` after `limit`.
    pub fn join_timeout(&self, limit: Duration) -> Option<Result<T, CallError<E>>> {
        let exit_record = self.handle().record_until(Some(clock::after(limit)))?;
        Some(logging::settle_if_failed(self.result(Some(&exit_record))))
    }

    /// Like [`join`](Self::join), as a future: it blocks no thread, and works under any executor. So does
    /// `(&process).await`. Dropping the future does not end the process.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_async(&self) -> Joining<T, E> {
        self.into_future()
    }

    /// Like [`join_timeout`](Self::join_timeout), as a future: it blocks no thread, and works under any
    /// executor. Dropping the future does not end the process.
    pub fn join_timeout_async(
        &self,
        limit: Duration,
    ) -> impl Future<Output = Option<Result<T, CallError<E>>>> + Send + use<T, E> {
        let (process, deadline) = (Process::<T, E>::of(Arc::clone(&self.endpoint)), clock::after(limit));
        async move {
            let ended = Death::of(&process.endpoint, deadline).await;
            if matches!(ended, Ok(None)) { None } else { Some(process.outcome(ended)) }
        }
    }

    /// What has become of it, when its death was awaited.
    fn outcome(&self, ended: io::Result<Option<Arc<ExitRecord>>>) -> Result<T, CallError<E>> {
        match ended {
            Ok(exit_record) => self.result(exit_record.as_deref()),
            Err(error) => {
                let at = At::new(&self.endpoint.card.name, self.endpoint.process(), "join", None);
                Err(CallError::Unreachable(error.to_string(), at))
            }
        }
    }

    fn result(&self, exit_record: Option<&ExitRecord>) -> Result<T, CallError<E>> {
        let at = || At::new(&self.endpoint.card.name, self.endpoint.process(), "task", None);
        let reason = exit_record.map_or(ExitReason::SupervisorDied, |exit_record| exit_record.reason.clone());
        let codec = |error| CallError::Codec(error, at());
        let left = match self.endpoint.status_page.result(bounds::BYTES) {
            Some(bytes) if reason == ExitReason::Normal => {
                bytes.map_err(|error| CallError::Unreachable(error.to_string(), at()))?
            }
            _ => return Err(CallError::Died(reason, at())),
        };
        let depth = self.endpoint.card.depth;
        match postcard::from_bytes(&left).map_err(|error| codec(error.to_string()))? {
            Left::Value(bytes) => codec::decode_within(&bytes, Vec::new(), depth).map_err(codec),
            Left::App(bytes) => {
                Err(codec::decode_within(&bytes, Vec::new(), depth).map_or_else(codec, CallError::App))
            }
            Left::Codec(error) => Err(codec(error)),
        }
    }
}

impl<T, E> Process<T, E> {
    pub(crate) fn of(endpoint: Arc<Endpoint>) -> Process<T, E> {
        Process { endpoint, kind: PhantomData }
    }

    fn handle(&self) -> Handle<'_> {
        Handle(&self.endpoint)
    }

    process_methods!();

    /// The process id. It stays the same after the end, when the process does not exist any more.
    pub fn pid(&self) -> u32 {
        self.endpoint.status_page.pid()
    }

    /// Its name; unless it was given one, that of its function (`Process` for a closure) with a number,
    /// counted by the process that spawned it: `square-1`.
    pub fn name(&self) -> &str {
        &self.endpoint.card.name
    }

    /// This task without its type, to recognise it or to watch it.
    pub fn any(&self) -> AnyRef {
        AnyRef(Arc::clone(&self.endpoint))
    }
}

/// The [`sentinel`](Self::sentinel).
///
/// # Panics
/// If the descriptor does not exist yet and the limit on descriptors is reached.
impl<T, E> AsFd for Process<T, E> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.sentinel() {
            Ok(sentinel) => sentinel,
            Err(error) => panic!("no descriptor to watch {self} with: {error}"),
        }
    }
}

/// "`name`, process 4711, child of 4700, started": its name, its pid, the pid of the process that spawned it,
/// and its state; or how it ended, with the signal or the exit code.
impl<T, E> fmt::Display for Process<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle().fmt(f)
    }
}

/// The future of a [`Process`]: the result of [`join`](Process::join). Works under any executor; dropping it
/// does not end the process.
#[must_use = "a future does nothing unless it is polled"]
pub struct Joining<T, E = Never> {
    process: Process<T, E>,
    death: Death,
}

impl<T, E> fmt::Debug for Joining<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Joining").field(&self.process).finish()
    }
}

impl<T, E> Unpin for Joining<T, E> {}

impl<T: Portable, E: Portable> Future for Joining<T, E> {
    type Output = Result<T, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.death).poll(context).map(|ended| self.process.outcome(ended))
    }
}

/// Like [`join`](Process::join), without blocking the thread: `process.await`, or `(&process).await` to keep
/// the handle.
///
/// ```
/// # use phalanx::prelude::*;
/// # use std::task::{Context, Poll, Wake, Waker};
/// # struct Unpark(std::thread::Thread);
/// # impl Wake for Unpark {
/// #     fn wake(self: std::sync::Arc<Self>) { self.0.unpark() }
/// # }
/// # fn block_on<F: Future>(future: F) -> F::Output {
/// #     let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
/// #     let mut future = std::pin::pin!(future);
/// #     loop {
/// #         match future.as_mut().poll(&mut Context::from_waker(&waker)) {
/// #             Poll::Ready(output) => return output,
/// #             Poll::Pending => std::thread::park(),
/// #         }
/// #     }
/// # }
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// # block_on(async {
/// let process = Process::spawn(|n: u64| n * n, 12)?;
/// assert_eq!((&process).await?, 144);
/// assert_eq!(process.exit_code(), Some(0));
/// # Ok(())
/// # })
/// # }
/// ```
impl<T: Portable, E: Portable> IntoFuture for Process<T, E> {
    type Output = Result<T, CallError<E>>;
    type IntoFuture = Joining<T, E>;

    fn into_future(self) -> Joining<T, E> {
        let death = Death::of(&self.endpoint, u64::MAX);
        Joining { process: self, death }
    }
}

impl<T: Portable, E: Portable> IntoFuture for &Process<T, E> {
    type Output = Result<T, CallError<E>>;
    type IntoFuture = Joining<T, E>;

    fn into_future(self) -> Joining<T, E> {
        Process::of(Arc::clone(&self.endpoint)).into_future()
    }
}

/// The function's name; `Process` for a closure, as in Python.
fn stem_of<F>() -> &'static str {
    let name = short_name(std::any::type_name::<F>());
    if name.contains('{') { "Process" } else { name }
}

impl<T, E> fmt::Debug for Process<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({self})")
    }
}

impl<T, E> ProcessBuilder<T, E> {
    pub(super) fn of(plan: Plan) -> ProcessBuilder<T, E> {
        ProcessBuilder { plan, kind: PhantomData }
    }

    /// The name and the options of a `#[task]`.
    pub(super) fn with(mut self, task: &'static str, options: Options) -> Self {
        self.plan.stem = task;
        self.plan.options = options;
        match options.name {
            Some(name) => self.name(name),
            None => self,
        }
    }

    options!();

    /// Starts the process, and waits until it runs the function.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn spawn(self) -> Result<Process<T, E>, SpawnError> {
        self.plan.spawn().map(Process::of)
    }

    /// Like [`spawn`](Self::spawn), as a future: see [`Spawning`].
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn spawn_async(self) -> Spawning<Process<T, E>>
    where
        T: 'static,
        E: 'static,
    {
        self.plan.spawn_async(Process::of)
    }
}
