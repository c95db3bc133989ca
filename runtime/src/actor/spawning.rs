//! A start as a future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::reactor::endpoint::Endpoint;
use crate::reactor::offload::offload;
use crate::reactor::process_handle::Handle;
use crate::spawn::plan::{Found, Plan};
use crate::types::error::SpawnError;

/// The future of a start, from `spawn_async` and `start_async`: what `spawn` and `start` return. Works under
/// any executor.
///
/// The start begins when the future is first polled. It runs on a thread of phalanx, so the executor's thread
/// is not blocked, however long an `#[init]` takes. There are 32 such threads at most, made on demand; more
/// starts than that at the same time wait in line.
///
/// A future that is dropped before it was polled starts nothing. One that is dropped later stops what it has
/// started, or will have started, as [`terminate`](crate::ActorRef::terminate) does.
///
/// ```
/// # use phalanx::prelude::*;
/// # #[actor] struct Echo;
/// # #[actor] impl Echo { fn echo(&self, text: String) -> String { text } }
/// #[phalanx::main]
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> phalanx::Result<()> {
///     let echo = Echo.spawn_async().await?;
///     assert_eq!(echo.echo("hello".into()).await?, "hello");
///     echo.stop_async(std::time::Duration::from_secs(5)).await?;
///     Ok(())
/// }
/// ```
#[must_use = "a future does nothing unless it is polled"]
pub struct Spawning<T> {
    name: String,
    started: Pin<Box<dyn Future<Output = Result<T, SpawnError>> + Send>>,
}

/// What was started, and how it is stopped if no caller is left.
struct Started<T> {
    value: T,
    stop: Box<dyn FnOnce(T) + Send>,
}

impl<T: 'static> Spawning<T> {
    /// `start` is called when the future is polled, `stop` if the future is dropped later; `name` is for
    /// errors.
    pub(crate) fn new(
        name: String,
        start: impl FnOnce() -> Result<T, SpawnError> + Send + 'static,
        stop: impl FnOnce(T) + Send + 'static,
    ) -> Spawning<T>
    where
        T: Send,
    {
        Spawning::of(name, || start().map(|value| Started { value, stop: Box::new(stop) }), |value| value)
    }

    /// Of what has a process of its own; `of` makes what the caller gets, where the future is awaited.
    pub(crate) fn of_endpoint(
        name: String,
        start: impl FnOnce() -> Result<Arc<Endpoint>, SpawnError> + Send + 'static,
        of: impl FnOnce(Arc<Endpoint>) -> T + Send + 'static,
    ) -> Spawning<T> {
        let start = || start().map(|endpoint| (Arc::clone(&endpoint), endpoint));
        Spawning::of(name, || start().map(Started::ended_by_its_process), of)
    }

    /// Of what has a process of its own, and more behind its handle.
    pub(crate) fn of_found(
        name: String,
        start: impl FnOnce() -> Result<(Arc<Endpoint>, Found), SpawnError> + Send + 'static,
        of: impl FnOnce(Found) -> T + Send + 'static,
    ) -> Spawning<T> {
        Spawning::of(name, || start().map(Started::ended_by_its_process), of)
    }

    fn of<M: Send + 'static>(
        name: String,
        start: impl FnOnce() -> Result<Started<M>, SpawnError> + Send + 'static,
        make: impl FnOnce(M) -> T + Send + 'static,
    ) -> Spawning<T> {
        let undo = |started: Result<Started<M>, SpawnError>| {
            if let Ok(Started { value, stop }) = started {
                stop(value);
            }
        };
        let started = offload(start, undo);
        // What the caller gets need not be `Send`: it is made where the future is awaited.
        let actor = name.clone();
        let started = async {
            match started.await {
                Ok(started) => started.map(|started| make(started.value)),
                Err(error) => Err(SpawnError::Io { actor, error: error.to_string() }),
            }
        };
        Spawning { name, started: Box::pin(started) }
    }
}

impl<T> Started<T> {
    fn ended_by_its_process((endpoint, value): (Arc<Endpoint>, T)) -> Started<T> {
        // An error says that it has ended already.
        Started { value, stop: Box::new(move |_| drop(Handle(&endpoint).terminate())) }
    }
}

impl Plan {
    /// As [`Plan::spawn`]; `of` makes what the caller gets.
    pub(crate) fn spawn_async<T: 'static>(
        self,
        of: impl FnOnce(Arc<Endpoint>) -> T + Send + 'static,
    ) -> Spawning<T> {
        let name = self.name.clone().unwrap_or_else(|| self.stem.to_owned());
        Spawning::of_endpoint(name, || self.spawn(), of)
    }
}

impl<T> Future for Spawning<T> {
    type Output = Result<T, SpawnError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.started.as_mut().poll(context)
    }
}

impl<T> fmt::Debug for Spawning<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spawning").field(&self.name).finish()
    }
}
