//! A task that was given to a pool: its result, before it is there.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::dispatcher::Core;
use super::error::{Border, TaskAt, TaskError, WorkerAt};
use super::job::{Outcome, Sink};
use super::shared_slots::Status;
use crate::ipc::codec::Portable;
use crate::ipc::user_code;
use crate::reactor::select::later;
use crate::sys::per_process::{COPY, Home, Own};
use crate::types::error::Never;

/// A task that a [`Pool`](crate::Pool) has taken: wait for its result, poll it, await it, or cancel it (Python's `AsyncResult` and `Future`).
///
/// Dropping it lets the task run, and drops its value; an unread error is logged, and counted in the pool's
/// [`Report`](crate::pool::Report).
///
/// ```
/// use phalanx::Pool;
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let pool = Pool::builder().workers(2).build()?;
/// let tasks: Vec<_> = (1..=10).map(|n| pool.submit(|n: u64| n * n, n)).collect();
/// let squares: Result<Vec<u64>, _> = tasks.into_iter().map(|task| task.wait()).collect();
/// assert_eq!(squares?, [1, 4, 9, 16, 25, 36, 49, 64, 81, 100]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a task that is dropped drops its result"]
pub struct Task<T, E = Never> {
    pub(crate) cell: Arc<Cell>,
    kind: PhantomData<fn() -> (T, E)>,
}

/// Where the outcome arrives.
pub(crate) struct Cell {
    inner: Mutex<Inner>,
    home: Home,
    /// In a copy, made by fork, of the process that waits for it.
    copied: Own<Copied>,
    changed: Condvar,
    core: Weak<Core>,
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    /// How deep its result may be.
    depth: u32,
}

struct Copied(Mutex<Inner>);

impl Default for Copied {
    fn default() -> Self {
        let state = State::Done(Arc::new(Outcome::Unreachable(COPY.to_owned())));
        Copied(Mutex::new(Inner { state, ..Inner::default() }))
    }
}

type Callback = Box<dyn FnOnce(&Cell, &Outcome) + Send>;

#[derive(Default)]
struct Inner {
    state: State,
    waiting: usize,
    waker: Option<Waker>,
    /// Those who wait for whichever of several tasks comes first.
    watchers: Vec<Arc<Watch>>,
    callbacks: Vec<Callback>,
    /// Nobody can ask for the result any more.
    dropped: bool,
    /// Its error was noted as unread.
    noted: bool,
}

#[derive(Default)]
enum State {
    #[default]
    Queued,
    /// A worker has it, or will get it.
    Sent,
    Done(Arc<Outcome>),
    Taken,
}

/// What somebody who waits for several tasks sleeps on.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    done: Mutex<u64>,
    changed: Condvar,
}

impl Watch {
    fn bump(&self) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    pub(crate) fn count(&self) -> u64 {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until more than `seen` are done; returns whether that came before the deadline.
    pub(crate) fn wait(&self, seen: u64, deadline: Option<Instant>) -> bool {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        while *done <= seen {
            done = match deadline {
                None => self.changed.wait(done).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    self.changed.wait_timeout(done, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }
}

impl Cell {
    pub(crate) fn new(core: &Arc<Core>, number: u64, name: &'static str) -> Arc<Cell> {
        let (inner, changed) = (Mutex::default(), Condvar::new());
        let (home, copied) = (Home::here(), Own::new());
        let depth = core.options.depth;
        Arc::new(Cell { inner, home, copied, changed, core: Arc::downgrade(core), number, name, depth })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        let inner = if self.home.is_here() { &self.inner } else { &self.copied.here().0 };
        inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn at(&self, worker: Option<&Arc<WorkerAt>>) -> TaskAt {
        TaskAt::new(self.name, self.number, worker)
    }

    /// Puts the outcome in; returns whether there was none.
    pub(crate) fn complete(self: &Arc<Cell>, outcome: Outcome) -> bool {
        let mut inner = self.lock();
        if matches!(inner.state, State::Done(_) | State::Taken) {
            return false;
        }
        let outcome = Arc::new(outcome);
        inner.state = State::Done(Arc::clone(&outcome));
        let callbacks = std::mem::take(&mut inner.callbacks);
        let ordered = matches!(*outcome, Outcome::Cancelled(_) | Outcome::Closed);
        let mut unread = false;
        if outcome.is_error() && !ordered && callbacks.is_empty() {
            if let Some(core) = self.core.upgrade() {
                core.tally.note_error(self.number, || self.describe(&outcome));
                inner.noted = true;
            }
            unread = inner.dropped;
        }
        let (waiting, waker) = (inner.waiting, inner.waker.take());
        let watchers = std::mem::take(&mut inner.watchers);
        drop(inner);
        if waiting > 0 {
            self.changed.notify_all();
        }
        watchers.iter().for_each(|watch| watch.bump());
        callbacks.into_iter().for_each(|callback| self.run_soon(callback, Arc::clone(&outcome)));
        if let Some(waker) = waker {
            user_code::call("a waker", || waker.wake());
        }
        if unread {
            self.log_unread(&outcome);
        }
        true
    }

    fn log_unread(&self, outcome: &Outcome) {
        user_code::call("a subscriber", || {
            tracing::error!(error = self.describe(outcome), "unread task error");
        });
    }

    fn describe(&self, outcome: &Outcome) -> String {
        match failure::<Never>(self, outcome) {
            Some(error) => error.to_string(),
            None => format!("{}: it returned an error of its own", self.at(None)),
        }
    }

    fn run_soon(self: &Arc<Cell>, callback: Callback, outcome: Arc<Outcome>) {
        let cell = Arc::clone(self);
        let call = move || callback(&cell, &outcome);
        match self.core.upgrade() {
            Some(core) => core.callbacks.call(Box::new(call)),
            None => call(),
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.lock().state, State::Done(_) | State::Taken)
    }

    pub(crate) fn unwatch(&self, watch: &Arc<Watch>) {
        self.lock().watchers.retain(|other| !Arc::ptr_eq(other, watch));
    }

    /// Has `watch` count it when it is done; returns whether it is already.
    pub(crate) fn watch(&self, watch: &Arc<Watch>) -> bool {
        let mut inner = self.lock();
        let done = matches!(inner.state, State::Done(_) | State::Taken);
        if !done {
            inner.watchers.push(Arc::clone(watch));
        }
        done
    }

    pub(crate) fn is_error(&self) -> bool {
        matches!(&self.lock().state, State::Done(outcome) if outcome.is_error())
    }

    fn sink(self: &Arc<Cell>) -> Arc<dyn Sink> {
        Arc::clone(self) as Arc<dyn Sink>
    }

    fn note_read(&self, inner: &mut Inner) {
        if std::mem::take(&mut inner.noted)
            && let Some(core) = self.core.upgrade()
        {
            core.tally.note_read(self.number);
        }
    }
}

impl Sink for Cell {
    fn claim(&self, _: u64) -> bool {
        let mut inner = self.lock();
        let wanted = matches!(inner.state, State::Queued);
        if wanted {
            inner.state = State::Sent;
        }
        wanted
    }

    fn unclaim(&self, _: u64) {
        let mut inner = self.lock();
        if matches!(inner.state, State::Sent) {
            inner.state = State::Queued;
        }
    }

    fn deliver(self: Arc<Self>, _: u64, outcome: Outcome) -> bool {
        self.complete(outcome)
    }
}

impl<T, E> Task<T, E> {
    pub(crate) fn of(cell: Arc<Cell>) -> Task<T, E> {
        Task { cell, kind: PhantomData }
    }

    /// Its number in the pool, from 1.
    pub fn number(&self) -> u64 {
        self.cell.number
    }

    /// Whether there is a result, or an error. Does not block.
    pub fn is_done(&self) -> bool {
        self.cell.is_done()
    }

    /// Whether a worker is at it: from the moment at which the worker has begun, which it notes in shared memory, to its end. Does not block.
    pub fn is_running(&self) -> bool {
        !self.is_done() && self.cell.core.upgrade().is_some_and(|core| core.is_running(&self.cell.sink(), 0))
    }

    /// Cancels it, if no worker has begun with it: then none ever will, and its result is [`TaskError::Cancelled`]. Returns whether that is so. A task that runs,
    /// or has run, is left alone. Does not block.
    pub fn cancel(&self) -> bool {
        let Some(core) = self.cell.core.upgrade() else { return false };
        loop {
            let inner = self.cell.lock();
            match inner.state {
                State::Done(_) | State::Taken => return false,
                State::Queued => {
                    drop(inner);
                    return self.cancel_queued(&core);
                }
                State::Sent => {}
            }
            drop(inner);
            // It may be on its way, unread.
            if core.withdraw(&self.cell.sink(), 0) {
                self.complete_cancelled(&core);
                core.settle(1);
                return true;
            }
            if !matches!(self.cell.lock().state, State::Queued) {
                return false;
            }
        }
    }

    /// Whoever takes it from the queue later finds that it is not wanted any more.
    fn cancel_queued(&self, core: &Arc<Core>) -> bool {
        let mut inner = self.cell.lock();
        if !matches!(inner.state, State::Queued) {
            drop(inner);
            return self.cancel();
        }
        inner.state = State::Sent;
        drop(inner);
        self.complete_cancelled(core);
        true
    }

    fn complete_cancelled(&self, core: &Core) {
        let outcome = Outcome::Cancelled(None);
        core.tally.counter(&outcome).fetch_add(1, Ordering::Relaxed);
        self.cell.complete(outcome);
    }

    /// Cancels it, also if it runs: then its worker is killed and replaced, and the result is [`TaskError::Cancelled`] once that process is gone. A worker that
    /// has just finished it is not killed for it, and none is while it does something else. Returns whether it will end as cancelled. Does not block.
    pub fn cancel_hard(&self) -> bool {
        self.cancel() || self.cell.core.upgrade().is_some_and(|core| core.kill(&self.cell.sink(), 0))
    }

    /// Does what [`cancel_hard`](Self::cancel_hard) does; the name is that of Python's libraries.
    pub fn kill(&self) -> bool {
        self.cancel_hard()
    }
}

impl<T: Portable, E: Portable> Task<T, E> {
    /// Blocks until it is done.
    ///
    /// # Errors
    /// See [`TaskError`].
    ///
    /// # Panics
    /// If the result has been taken already, by [`try_get`](Self::try_get) or [`wait_timeout`](Self::wait_timeout).
    pub fn wait(mut self) -> Result<T, TaskError<E>> {
        self.wait_until(None)
    }

    /// As [`wait`](Self::wait), for `limit` at most, and never early. After [`TaskError::Timeout`] the task goes on, and can be waited for again; only
    /// a deadline of the pool kills.
    ///
    /// # Errors
    /// See [`TaskError`].
    ///
    /// # Panics
    /// If the result has been taken already.
    pub fn wait_timeout(&mut self, limit: Duration) -> Result<T, TaskError<E>> {
        self.wait_until(Some(later(Instant::now(), limit)))
    }

    /// The result, if it is there; `None` too if it has been taken already. Does not block.
    pub fn try_get(&mut self) -> Option<Result<T, TaskError<E>>> {
        let inner = self.cell.lock();
        if !matches!(inner.state, State::Done(_)) {
            return None;
        }
        Some(self.take(inner))
    }

    fn wait_until(&mut self, deadline: Option<Instant>) -> Result<T, TaskError<E>> {
        let mut inner = self.cell.lock();
        loop {
            match inner.state {
                State::Done(_) => return self.take(inner),
                State::Taken => panic!("the result of {} has been taken already", self.cell.at(None)),
                _ => {}
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(TaskError::Timeout(self.cell.at(None)));
            }
            inner.waiting += 1;
            inner = match left {
                Some(left) => {
                    self.cell.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.cell.changed.wait(inner).unwrap_or_else(PoisonError::into_inner),
            };
            inner.waiting -= 1;
        }
    }

    fn take(&self, mut inner: MutexGuard<'_, Inner>) -> Result<T, TaskError<E>> {
        let state = std::mem::replace(&mut inner.state, State::Taken);
        self.cell.note_read(&mut inner);
        // Reading it runs code of the user's.
        drop(inner);
        match state {
            State::Done(outcome) => read(&self.cell, &outcome),
            _ => Err(TaskError::Timeout(self.cell.at(None))),
        }
    }

    /// Runs `f` with the result when it is done, or soon, if it is done already; once, on a thread of the pool's that does nothing else, in the order in which
    /// tasks end. If the worker was killed, it is gone by then. A panic in `f` is contained, and said in the log.
    ///
    /// The result can still be waited for.
    pub fn on_done(self, f: impl FnOnce(Result<T, TaskError<E>>) + Send + 'static) -> Self {
        let callback: Callback = Box::new(move |cell, outcome| f(read(cell, outcome)));
        let mut inner = self.cell.lock();
        if let State::Done(outcome) = &inner.state {
            let outcome = Arc::clone(outcome);
            self.cell.note_read(&mut inner);
            drop(inner);
            self.cell.run_soon(callback, outcome);
        } else {
            inner.callbacks.push(callback);
            drop(inner);
        }
        self
    }
}

/// What an outcome is for whoever waits for it.
fn read<T: Portable, E: Portable>(cell: &Cell, outcome: &Outcome) -> Result<T, TaskError<E>> {
    if let Some(error) = failure(cell, outcome) {
        return Err(error);
    }
    let Outcome::Answer(status, raw_value, worker) = outcome else {
        return Err(TaskError::Timeout(cell.at(None)));
    };
    let codec = |error| TaskError::Codec(Border::DecodeResult, error, cell.at(Some(worker)));
    match status {
        Status::App => Err(raw_value.open::<E>(cell.depth).map_or_else(codec, TaskError::App)),
        _ => raw_value.open::<T>(cell.depth).map_err(codec),
    }
}

/// The error of an outcome that is neither a value nor the task's own error.
pub(crate) fn failure<E>(cell: &Cell, outcome: &Outcome) -> Option<TaskError<E>> {
    failed(outcome, |worker| cell.at(worker))
}

/// The error that an outcome is, of an item that has no cell.
pub(crate) fn failed<E>(
    outcome: &Outcome,
    at: impl Fn(Option<&Arc<WorkerAt>>) -> TaskAt,
) -> Option<TaskError<E>> {
    Some(match outcome {
        Outcome::Answer(Status::Value | Status::ValueErr | Status::App, ..) => return None,
        Outcome::Answer(status, raw_value, worker) => {
            let text = String::from_utf8_lossy(&raw_value.bytes).into_owned();
            let border =
                if *status == Status::Arguments { Border::DecodeArguments } else { Border::EncodeResult };
            TaskError::Codec(border, text, at(Some(worker)))
        }
        Outcome::Died(reason, worker) => TaskError::Died(reason.clone(), at(Some(worker))),
        Outcome::Cancelled(worker) => TaskError::Cancelled(at(worker.as_ref())),
        Outcome::Codec(border, error) => TaskError::Codec(*border, error.clone(), at(None)),
        Outcome::Broken(error) => TaskError::Broken(Arc::clone(error), at(None)),
        Outcome::Unreachable(error) => TaskError::Unreachable(error.clone(), at(None)),
        Outcome::Closed => TaskError::Closed(at(None)),
    })
}

impl<T, E> Unpin for Task<T, E> {}

/// For any executor; the pool's thread wakes it.
impl<T: Portable, E: Portable> Future for Task<T, E> {
    type Output = Result<T, TaskError<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Cloned, and dropped, without the lock: both are code of the executor's.
        let mut kept = Some(context.waker().clone());
        let mut inner = self.cell.lock();
        if matches!(inner.state, State::Done(_)) {
            return Poll::Ready(self.take(inner));
        }
        std::mem::swap(&mut inner.waker, &mut kept);
        drop(inner);
        drop(kept);
        Poll::Pending
    }
}

impl<T, E> Drop for Task<T, E> {
    fn drop(&mut self) {
        let mut inner = self.cell.lock();
        inner.dropped = true;
        let state = std::mem::replace(&mut inner.state, State::Taken);
        match state {
            State::Done(outcome) if inner.noted => {
                drop(inner);
                self.cell.log_unread(&outcome);
            }
            State::Done(_) | State::Taken => {}
            waiting => inner.state = waiting,
        }
    }
}

impl<T, E> fmt::Debug for Task<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({}, {})", self.cell.number, self.cell.name)
    }
}
