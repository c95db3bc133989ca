//! The futures of a pool, for any executor.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::awaited::Place;
use super::dispatcher::Dispatcher;
use super::error::{PoolError, TaskError};
use super::insights::Report;
use super::job::Job;
use super::stream::Stream;
use super::task::TaskHandle;
use super::{MAP_BUFFER, Only, Pool, Stop, task_of};
use crate::control::function::Function;
use crate::ipc::codec::Portable;
use crate::task::function::TaskFn;
use crate::types::error::Never;

/// The future of a submit, from [`Pool::submit_async`](crate::Pool::submit_async): the task, when the pool has
/// room for it.
///
/// The pool takes the task when the future is polled and there is room. If it is dropped before that, the task
/// is not run.
#[must_use = "a future does nothing unless it is polled"]
pub struct Submitting<T, E = Never> {
    dispatcher: Arc<Dispatcher>,
    /// `None`: the pool has taken it.
    task: Option<TaskHandle<T, E>>,
    job: Option<Arc<Job>>,
    place: Place,
}

impl<T, E> Submitting<T, E> {
    fn new<A: Portable>(dispatcher: &Arc<Dispatcher>, function: Function, args: A) -> Submitting<T, E> {
        dispatcher.is_async.store(true, Ordering::Relaxed);
        let (task, made) = task_of(dispatcher, function, args);
        let job = match made {
            Ok(job) => Some(job),
            Err(outcome) => {
                task.cell.complete(outcome);
                None
            }
        };
        Submitting { dispatcher: Arc::clone(dispatcher), task: Some(task), job, place: Place::default() }
    }
}

impl<T, E> Unpin for Submitting<T, E> {}

impl<T, E> Future for Submitting<T, E> {
    type Output = TaskHandle<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<TaskHandle<T, E>> {
        let this = &mut *self;
        if let Some(job) = &this.job {
            match this.dispatcher.poll_submit(job, &mut this.place, context.waker()) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(outcome)) => {
                    if let Some(task) = &this.task {
                        task.cell.complete(outcome);
                    }
                }
            }
            this.job = None;
        }
        this.task.take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T, E> Drop for Submitting<T, E> {
    fn drop(&mut self) {
        if self.dispatcher.is_here() {
            self.dispatcher.give_up_room(&mut self.place);
        }
    }
}

impl<T, E> fmt::Debug for Submitting<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Submitting").field(&self.task).finish()
    }
}

/// The future of a pool's end, from [`Pool::join_async`](crate::Pool::join_async) and
/// [`Pool::stop_async`](crate::Pool::stop_async). Dropping it changes nothing.
#[must_use = "a future does nothing unless it is polled"]
pub struct Ending {
    dispatcher: Arc<Dispatcher>,
    stop: Option<Stop>,
    place: Place,
}

impl Future for Ending {
    type Output = Result<Report, PoolError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(stop) = this.stop.take() {
            this.dispatcher.end(stop, false);
        }
        if !this.dispatcher.is_ending() {
            return Poll::Ready(Err(PoolError::Open { pool: this.dispatcher.options.name.clone() }));
        }
        this.dispatcher.poll_end(&mut this.place, context.waker()).map(|broken| match broken {
            Some(error) => Err((*error).clone()),
            None => Ok(this.dispatcher.report()),
        })
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if self.dispatcher.is_here() {
            self.dispatcher.forget_end(&mut self.place);
        }
    }
}

impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ending").field(&self.dispatcher.options.name).finish()
    }
}

/// Collects a stream of results.
async fn collect<A: Portable, T: Portable, E: Portable>(
    mut stream: Stream<impl Iterator<Item = A>, T, E>,
) -> Result<Vec<T>, TaskError<E>> {
    let mut values = Vec::new();
    while let Some(result) = poll_fn(|context| stream.poll_next(context)).await {
        values.push(result?);
    }
    Ok(values)
}

/// Collects a stream of results, errors too.
async fn collect_each<A: Portable, T: Portable, E: Portable>(
    mut stream: Stream<impl Iterator<Item = A>, T, E>,
) -> Vec<Result<T, TaskError<E>>> {
    let mut results = Vec::new();
    while let Some(result) = poll_fn(|context| stream.poll_next(context)).await {
        results.push(result);
    }
    results
}

impl Pool {
    /// Like [`run`](Self::run), as a future: it blocks no thread, and works under any executor. If the future
    /// is dropped and no worker has begun the task, none will; a task that runs goes on, and its result is
    /// dropped.
    ///
    /// # Errors
    /// See [`TaskError`].
    pub fn run_async<A: Portable, M, F: TaskFn<A, M>>(
        &self,
        function: F,
        args: A,
    ) -> impl Future<Output = Result<F::Value, TaskError<F::Error>>> + Send + use<A, M, F> {
        let submitting = self.submit_async(function, args);
        async move { submitting.await.cancel_on_drop().await }
    }

    /// Like [`submit`](Self::submit), as a future: while the queue is full, it blocks no thread. See
    /// [`Submitting`].
    ///
    /// ```
    /// use phalanx::Pool;
    ///
    /// #[phalanx::main]
    /// #[tokio::main(flavor = "current_thread")]
    /// async fn main() -> phalanx::Result<()> {
    ///     let pool = Pool::builder().workers(2).queue(1).build_async().await?;
    ///     let task = pool.submit_async(|n: u64| n * n, 12).await; // when there is room
    ///     assert_eq!(task.await?, 144);
    ///     assert_eq!(pool.run_async(|n: u64| n + 1, 1).await?, 2);
    ///     assert_eq!(pool.map_async(|n: u64| n * n, 1..=4).await?, [1, 4, 9, 16]);
    ///     Ok(())
    /// }
    /// ```
    pub fn submit_async<A: Portable, M, F: TaskFn<A, M>>(
        &self,
        function: F,
        args: A,
    ) -> Submitting<F::Value, F::Error> {
        Submitting::new(&self.dispatcher, function.function(), args)
    }

    /// Like [`map`](Self::map), as a future: it blocks no thread, and works under any executor. The input is
    /// pulled when the future is polled. If the future is dropped, items that no worker has begun are dropped.
    ///
    /// # Errors
    /// As [`map`](Self::map).
    ///
    /// # Panics
    /// If the input does.
    pub fn map_async<A: Portable, M, F: TaskFn<A, M>, I: IntoIterator<Item = A>>(
        &self,
        function: F,
        items: I,
    ) -> impl Future<Output = Result<Vec<F::Value>, TaskError<F::Error>>> + use<A, M, F, I> {
        self.dispatcher.is_async.store(true, Ordering::Relaxed);
        collect(self.stream(function, items).buffer(MAP_BUFFER))
    }

    /// Like [`map_each`](Self::map_each), as a future; see [`map_async`](Self::map_async).
    ///
    /// # Panics
    /// If the input does.
    pub fn map_each_async<A: Portable, M, F: TaskFn<A, M>, I: IntoIterator<Item = A>>(
        &self,
        function: F,
        items: I,
    ) -> impl Future<Output = Vec<Result<F::Value, TaskError<F::Error>>>> + use<A, M, F, I> {
        self.dispatcher.is_async.store(true, Ordering::Relaxed);
        collect_each(self.stream(function, items).buffer(MAP_BUFFER))
    }
}

impl<A: Portable, T: Portable, E: Portable> Pool<Only<A, T, E>> {
    /// Like [`run`](Self::run), as a future; see [`Pool::run_async`](Pool::<Any>::run_async).
    ///
    /// # Errors
    /// See [`TaskError`].
    pub fn run_async(&self, args: A) -> impl Future<Output = Result<T, TaskError<E>>> + Send + use<A, T, E> {
        let submitting = self.submit_async(args);
        async move { submitting.await.cancel_on_drop().await }
    }

    /// Like [`submit`](Self::submit), as a future; see [`Pool::submit_async`](Pool::<Any>::submit_async).
    pub fn submit_async(&self, args: A) -> Submitting<T, E> {
        Submitting::new(&self.dispatcher, self.function(), args)
    }

    /// Like [`map`](Self::map), as a future; see [`Pool::map_async`](Pool::<Any>::map_async).
    ///
    /// # Errors
    /// As [`map`](Self::map).
    ///
    /// # Panics
    /// If the input does.
    pub fn map_async<I: IntoIterator<Item = A>>(
        &self,
        items: I,
    ) -> impl Future<Output = Result<Vec<T>, TaskError<E>>> + use<A, T, E, I> {
        self.dispatcher.is_async.store(true, Ordering::Relaxed);
        collect(self.stream(items).buffer(MAP_BUFFER))
    }

    /// Like [`map_each`](Self::map_each), as a future; see [`map_async`](Self::map_async).
    ///
    /// # Panics
    /// If the input does.
    pub fn map_each_async<I: IntoIterator<Item = A>>(
        &self,
        items: I,
    ) -> impl Future<Output = Vec<Result<T, TaskError<E>>>> + use<A, T, E, I> {
        self.dispatcher.is_async.store(true, Ordering::Relaxed);
        collect_each(self.stream(items).buffer(MAP_BUFFER))
    }
}

impl<W> Pool<W> {
    /// Like [`join`](Self::join), as a future: it blocks no thread, and works under any executor.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_async(&self) -> Ending {
        self.ending(None)
    }

    /// Like [`stop`](Self::stop), as a future: it blocks no thread, and works under any executor. The pool ends
    /// as `stop` says once the future has been polled, even if it is dropped then.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn stop_async(&self, stop: Stop) -> Ending {
        self.ending(Some(stop))
    }

    fn ending(&self, stop: Option<Stop>) -> Ending {
        self.dispatcher.is_async.store(true, Ordering::Relaxed);
        Ending { dispatcher: Arc::clone(&self.dispatcher), stop, place: Place::default() }
    }
}

/// A pool that async code has started.
pub(super) fn marked<W>(pool: Pool<W>) -> Pool<W> {
    pool.dispatcher.is_async.store(true, Ordering::Relaxed);
    pool
}
