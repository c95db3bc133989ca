//! The end of an actor as a future.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::reactor::driver::Reactor;
use crate::reactor::endpoint::Endpoint;
use crate::reactor::interrupt;
use crate::reactor::waiter::{Outcome, Waiter};
use crate::status::ExitRecord;
use crate::sys::per_process::Home;

/// Waits until an actor has ended for good, or until a moment; then there is no exit record. In a program that
/// was interrupted it waits on, as every wait that the end of the tree would end.
pub(crate) struct Death {
    endpoint: Arc<Endpoint>,
    deadline: u64,
    waiter: Option<Arc<Waiter>>,
    waits: Option<(u64, u64)>,
    /// The process in which it waits.
    home: Home,
}

impl Death {
    /// `u64::MAX`: without a deadline.
    pub(crate) fn of(endpoint: &Arc<Endpoint>, deadline: u64) -> Death {
        Death { endpoint: Arc::clone(endpoint), deadline, waiter: None, waits: None, home: Home::here() }
    }
}

/// Fails if the process has no room for a reactor, or no thread for its futures.
impl Future for Death {
    type Output = io::Result<Option<Arc<ExitRecord>>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let reactor = Reactor::get()?;
        let this = &mut *self;
        if !this.home.is_here() {
            // In a forked copy of the process that waited: the copy waits for itself.
            (this.waiter, this.waits, this.home) = (None, None, Home::here());
        }
        reactor.know(&this.endpoint)?;
        let waiter = this.waiter.get_or_insert_with(|| {
            let waiter = Arc::new(Waiter::default());
            this.endpoint.on_death(&waiter);
            reactor.visit(&this.endpoint);
            waiter
        });
        match waiter.poll(context.waker()) {
            Some(Outcome::Late) => Poll::Ready(Ok(None)),
            Some(_) if interrupt::is_interrupted() => Poll::Pending,
            Some(Outcome::Dead(Some(exit_record))) => Poll::Ready(Ok(Some(exit_record))),
            Some(_) => Poll::Ready(Ok(Some(Arc::new(ExitRecord::orphaned())))),
            None => {
                if this.waits.is_none() {
                    this.waits = Some(reactor.attend_future(waiter, this.deadline)?);
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Death {
    fn drop(&mut self) {
        if !self.home.is_here() {
            return;
        }
        if let Some(waiter) = &self.waiter {
            self.endpoint.forget(waiter);
        }
        if let (Some(key), Some(reactor)) = (self.waits, Reactor::existing()) {
            reactor.release_future(key);
        }
    }
}
