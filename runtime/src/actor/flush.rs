//! Waiting for room in a mailbox without blocking: until nothing is parked in front of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::actor::raw_ref::RawRef;
use crate::reactor::endpoint::{Endpoint, Failure};
use crate::reactor::waiter::Waiter;
use crate::sys::per_process::Home;
use crate::types::error::{At, SendError};

/// Ready when every message that this process has parked for the actor, or for the members of the pool, is in
/// its mailbox, or lost.
pub(super) struct Flush {
    /// Those for which something may be parked.
    waits: Vec<(Arc<Endpoint>, Arc<Waiter>)>,
    /// Why the first tell was lost.
    lost: Option<SendError>,
    /// The process in which it waits.
    home: Home,
}

impl Flush {
    pub(super) fn of(raw: &RawRef) -> Flush {
        let waits = raw.endpoints().iter().map(|endpoint| (Arc::clone(endpoint), Arc::default())).collect();
        Flush { waits, lost: None, home: Home::here() }
    }

    fn forget(&mut self) {
        for (endpoint, waiter) in self.waits.drain(..) {
            endpoint.forget_flush(&waiter);
        }
    }
}

impl Future for Flush {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let flush = &mut *self;
        if !flush.home.is_here() {
            // A copy of the process has parked nothing, and leaves what belongs to the original alone.
            flush.waits.iter_mut().for_each(|(_, waiter)| *waiter = Arc::default());
            flush.home = Home::here();
        }
        let lost = &mut flush.lost;
        flush.waits.retain(|(endpoint, waiter)| match endpoint.poll_flushed(waiter, context.waker()) {
            Poll::Pending => true,
            Poll::Ready(failure) => {
                *lost = lost.take().or_else(|| failure.map(|failure| error(endpoint, failure)));
                false
            }
        });
        if !flush.waits.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(flush.lost.take().map_or(Ok(()), Err))
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        if self.home.is_here() {
            self.forget();
        }
    }
}

/// The error of a tell that was parked and lost.
fn error(endpoint: &Endpoint, failure: Failure) -> SendError {
    let at = |ended| At::new(&endpoint.card.name, endpoint.process(), "flush_async", ended);
    match failure {
        Failure::Full => SendError::Full(at(None)),
        Failure::Gone | Failure::Died => SendError::Gone(at(endpoint.ended())),
        Failure::Io(error) => SendError::Unreachable(error.to_string(), at(None)),
    }
}
