//! The handle of a task in a pool.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::dispatcher::Dispatcher;
use super::error::TaskError;
use super::job::Outcome;
use super::task_cell::{Callback, Cell, Inner, State, read};
use crate::ipc::codec::Portable;
use crate::logging;
use crate::reactor::select::later;
use crate::types::error::Never;

/// A task that a [`Pool`](crate::Pool) has taken: wait for its result, poll it, await it, or cancel it
/// (Python's `AsyncResult` and `Future`).
///
/// Dropping it lets the task run, and drops its value. An error that no caller has read is logged, and
/// counted in the pool's [`Report`](crate::pool::Report).
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
pub struct TaskHandle<T, E = Never> {
    pub(crate) cell: Arc<Cell>,
    cancels_on_drop: bool,
    kind: PhantomData<fn() -> (T, E)>,
}

impl<T, E> TaskHandle<T, E> {
    pub(crate) fn of(cell: Arc<Cell>) -> TaskHandle<T, E> {
        TaskHandle { cell, cancels_on_drop: false, kind: PhantomData }
    }

    /// The number of the task in the pool, from 1.
    pub fn number(&self) -> u64 {
        self.cell.number
    }

    /// Whether there is a result, or an error. Does not block.
    pub fn is_done(&self) -> bool {
        self.cell.is_done()
    }

    /// Whether a worker runs it: from the moment at which the worker notes in shared memory that it has
    /// begun, to its end. Does not block.
    pub fn is_running(&self) -> bool {
        !self.is_done()
            && self
                .cell
                .dispatcher
                .upgrade()
                .is_some_and(|dispatcher| dispatcher.is_running(&self.cell.sink(), 0))
    }

    /// Cancels the task if no worker has begun it: then none ever will, and its result is
    /// [`TaskError::Cancelled`]. Returns whether that is so. A task that runs, or has run, is left alone.
    /// Does not block.
    pub fn cancel(&self) -> bool {
        let Some(dispatcher) = self.cell.dispatcher.upgrade() else { return false };
        loop {
            let inner = self.cell.lock();
            match inner.state {
                State::Done(_) | State::Taken => return false,
                State::Queued => {
                    drop(inner);
                    return self.cancel_queued(&dispatcher);
                }
                State::Sent => {}
            }
            drop(inner);
            // It may have been sent, and not read yet.
            if dispatcher.withdraw(&self.cell.sink(), 0) {
                self.complete_cancelled(&dispatcher);
                dispatcher.settle(1);
                return true;
            }
            if !matches!(self.cell.lock().state, State::Queued) {
                return false;
            }
        }
    }

    /// Cancels the task, as by [`cancel`](Self::cancel), when this handle is dropped before it is done: when a
    /// future that awaits it is dropped, say, because its client has hung up. Default: a task whose handle is
    /// dropped is run, and its result is dropped.
    ///
    /// ```
    /// use phalanx::Pool;
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let pool = Pool::builder().workers(1).build()?;
    /// let nap = |ms: u64| std::thread::sleep(std::time::Duration::from_millis(ms));
    /// let first = pool.submit(nap, 50);
    /// drop((0..100).map(|_| pool.submit(nap, 1_000).cancel_on_drop()).collect::<Vec<_>>());
    /// first.wait()?;
    /// pool.close();
    /// assert!(pool.join()?.cancelled > 90); // in far less than 100 seconds
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel_on_drop(mut self) -> TaskHandle<T, E> {
        self.cancels_on_drop = true;
        self
    }

    /// The dispatcher finds later that it is not wanted any more, when it takes it from the queue.
    fn cancel_queued(&self, dispatcher: &Arc<Dispatcher>) -> bool {
        let mut inner = self.cell.lock();
        if !matches!(inner.state, State::Queued) {
            drop(inner);
            return self.cancel();
        }
        inner.state = State::Sent;
        drop(inner);
        self.complete_cancelled(dispatcher);
        true
    }

    fn complete_cancelled(&self, dispatcher: &Dispatcher) {
        let outcome = Outcome::Cancelled(None);
        dispatcher.tally.counter(&outcome).fetch_add(1, Ordering::Relaxed);
        self.cell.complete(outcome);
    }

    /// Cancels the task even if it runs: then its worker is killed and replaced, and the result is
    /// [`TaskError::Cancelled`] once that process is gone. A worker that has just finished the task, or that
    /// does something else, is not killed. Returns whether the task will end as cancelled. Does not block.
    pub fn cancel_hard(&self) -> bool {
        self.cancel()
            || self.cell.dispatcher.upgrade().is_some_and(|dispatcher| dispatcher.kill(&self.cell.sink(), 0))
    }

    /// Alias of [`cancel_hard`](Self::cancel_hard), named as in Python's libraries.
    pub fn kill(&self) -> bool {
        self.cancel_hard()
    }
}

impl<T: Portable, E: Portable> TaskHandle<T, E> {
    /// Blocks until it is done.
    ///
    /// # Errors
    /// See [`TaskError`].
    ///
    /// # Panics
    /// If the result has been taken already, by [`try_get`](Self::try_get) or
    /// [`wait_timeout`](Self::wait_timeout).
    pub fn wait(mut self) -> Result<T, TaskError<E>> {
        self.wait_until(None)
    }

    /// As [`wait`](Self::wait), for `limit` at most, and never early. After [`TaskError::Timeout`] the task
    /// goes on, and can be waited for again; only a deadline of the pool kills it.
    ///
    /// # Errors
    /// See [`TaskError`].
    ///
    /// # Panics
    /// If the result has been taken already.
    pub fn wait_timeout(&mut self, limit: Duration) -> Result<T, TaskError<E>> {
        self.wait_until(Some(later(Instant::now(), limit)))
    }

    /// The result, if it is ready; `None` too if it has been taken already. Does not block.
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
                State::Done(_) => return logging::settle_if_failed(self.take(inner)),
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
        // Decoding it runs user code.
        drop(inner);
        match state {
            State::Done(outcome) => read(&self.cell, &outcome),
            _ => Err(TaskError::Timeout(self.cell.at(None))),
        }
    }

    /// Runs `f` once with the result, when the task is done, or soon if it is done already. It runs on the
    /// pool's thread for callbacks, in the order in which tasks end. If the worker was killed, it is gone by
    /// then. A panic in `f` is contained and logged.
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

impl<T, E> Unpin for TaskHandle<T, E> {}

/// For any executor; the pool's thread wakes it.
impl<T: Portable, E: Portable> Future for TaskHandle<T, E> {
    type Output = Result<T, TaskError<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(dispatcher) = self.cell.dispatcher.upgrade() {
            dispatcher.is_async.store(true, Ordering::Relaxed);
        }
        // Cloned and dropped without the lock: both run code of the executor.
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

impl<T, E> Drop for TaskHandle<T, E> {
    fn drop(&mut self) {
        if self.cancels_on_drop {
            self.cancel();
        }
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

impl<T, E> fmt::Debug for TaskHandle<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskHandle({}, {})", self.cell.number, self.cell.name)
    }
}
