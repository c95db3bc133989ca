//! Ends that are awaited without blocking a thread: joins and stops.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::reactor::death::Death;
use crate::reactor::endpoint::Endpoint;
use crate::reactor::offload::offload_order;
use crate::reactor::process_handle::{Handle, LOOK};
use crate::sys::{clock, process};
use crate::types::error::SendError;
use crate::types::exit::ExitReason;

/// The future of a stop, from `stop_async`: why the process has ended.
#[must_use = "a future does nothing unless it is polled"]
pub struct Stopping {
    name: Arc<str>,
    ended: Pin<Box<dyn Future<Output = Result<ExitReason, SendError>> + Send>>,
}

impl Future for Stopping {
    type Output = Result<ExitReason, SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.ended.as_mut().poll(context)
    }
}

impl fmt::Debug for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stopping").field(&self.name).finish()
    }
}

impl Handle<'_> {
    pub(crate) fn join_async(&self) -> impl Future<Output = ExitReason> + Send + use<> {
        assert!(!self.is_self(), "actor `{}` waits for its own end, for ever", self.0.card.name);
        let ended = self.join_until_async(u64::MAX);
        async { ended.await.unwrap_or(ExitReason::SupervisorDied) }
    }

    /// `u64::MAX`: without a deadline.
    pub(crate) fn join_until_async(
        &self,
        deadline: u64,
    ) -> impl Future<Output = Option<ExitReason>> + Send + use<> {
        let death = Death::of(self.0, deadline);
        async { Some(death.await.ok()??.end_reason()) }
    }

    pub(crate) fn stop_async(&self, grace: Duration) -> Stopping {
        let endpoint = Arc::clone(self.0);
        // The thread that polls may be another one.
        let refused = self.check_stop();
        let ended = async move {
            refused?;
            let deadline = clock::after(grace);
            let order = move |handle: Handle<'_>| handle.end_by(process::SIGTERM, "stop", Some(grace));
            let incarnation = elsewhere(&endpoint, order).await?;
            if let Some(reason) = end_of(&endpoint, incarnation, deadline).await {
                return Ok(reason);
            }
            elsewhere(&endpoint, move |handle| handle.kill_left(incarnation, grace)).await?;
            Ok(end_of(&endpoint, incarnation, u64::MAX).await.unwrap_or(ExitReason::SupervisorDied))
        };
        Stopping { name: Arc::clone(&self.0.card.name), ended: Box::pin(ended) }
    }
}

/// Gives an order on a thread that may wait for the moment until the supervisor has noted what has happened.
async fn elsewhere<T: Send + 'static>(
    endpoint: &Arc<Endpoint>,
    order: impl FnOnce(Handle<'_>) -> Result<T, SendError> + Send + 'static,
) -> Result<T, SendError> {
    let its = Arc::clone(endpoint);
    let ordered = offload_order(move || order(Handle(&its))).await;
    ordered
        .unwrap_or_else(|error| Err(SendError::Unreachable(error.to_string(), Handle(endpoint).at("stop"))))
}

/// As [`Handle::end_of`].
async fn end_of(endpoint: &Arc<Endpoint>, incarnation: u64, deadline: u64) -> Option<ExitReason> {
    loop {
        let look = clock::after(LOOK).min(deadline);
        if let Some(exit_record) = Death::of(endpoint, look).await.ok()? {
            return Some(exit_record.end_reason());
        }
        if let Some(reason) = Handle(endpoint).end_before_another(incarnation) {
            return Some(reason);
        }
        if deadline <= clock::now() {
            return None;
        }
    }
}
