//! Watching an actor: one `Down` when it ends.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::reactor::driver::Reactor;
use crate::reactor::endpoint::Endpoint;
use crate::reactor::on_down;
use crate::reactor::waiter::{Outcome, Waiter};
use crate::status::ExitRecord;
use crate::sys::clock;
use crate::types::down::{Down, InProgress, Who};
use crate::types::escape::escaped;
use crate::types::id::ActorId;

/// Watches the process that an actor has now. Exactly one [`Down`] comes when that process ends, whether
/// another follows or not (OTP's `monitor`); at once if it has ended already. Also a future of that `Down`.
///
/// ```
/// # use phalanx::prelude::*;
/// # use phalanx::ExitReason;
/// # #[actor] struct Fragile;
/// #[actor]
/// impl Fragile {
///     fn touch(&self) {
///         std::process::abort()
///     }
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let fragile = Fragile.spawn()?;
/// let mut monitor = fragile.monitor();
/// let _ = fragile.touch().wait();
/// let down = monitor.recv();
/// assert!(matches!(down.reason, ExitReason::Signaled { signal: 6, .. }));
/// assert_eq!(down.in_progress.unwrap().method, "touch");
/// # Ok(())
/// # }
/// ```
#[must_use = "a monitor that is dropped reports nothing"]
pub struct Monitor {
    endpoint: Arc<Endpoint>,
    reactor: Option<&'static Reactor>,
    waiter: Arc<Waiter>,
    /// The process that is watched.
    incarnation: u64,
    future: Option<(u64, u64)>,
    down: Option<Down>,
}

impl Monitor {
    pub(crate) fn new(endpoint: &Arc<Endpoint>) -> Monitor {
        let waiter = Arc::new(Waiter::default());
        // There is a reactor: the endpoint is known to it.
        let reactor = Reactor::get().ok();
        let incarnation = endpoint.on_down(&waiter);
        if let Some(reactor) = reactor {
            // In a copy, it may be an endpoint that the copy was made with. If it cannot be watched, what is
            // known is all there is.
            let _ = reactor.know(endpoint);
            reactor.visit(endpoint);
        }
        Monitor { endpoint: Arc::clone(endpoint), reactor, waiter, incarnation, future: None, down: None }
    }

    /// In a copy of the process that made this monitor: watches the actor's process from the copy.
    fn settle_here(&mut self) {
        if self.reactor.is_none_or(Reactor::is_here) {
            return;
        }
        // What belongs to the original's reactor is left alone.
        (self.waiter, self.reactor, self.future) = (Arc::default(), Reactor::get().ok(), None);
        self.endpoint.on_down_of(self.incarnation, &self.waiter);
        if let Some(reactor) = self.reactor {
            let _ = reactor.know(&self.endpoint);
            reactor.visit(&self.endpoint);
        }
    }

    /// Blocks until the actor has ended. Each further call returns that report again.
    pub fn recv(&mut self) -> Down {
        self.recv_until(None).unwrap_or_else(|| self.report(&ExitRecord::orphaned()))
    }

    /// As [`recv`](Self::recv), for `limit` at most.
    pub fn recv_timeout(&mut self, limit: Duration) -> Option<Down> {
        self.recv_until(Some(clock::after(limit)))
    }

    /// The report, if the actor has ended. Does not block.
    pub fn try_recv(&mut self) -> Option<Down> {
        self.settle_here();
        self.reactor?.look_around();
        self.recv_until(Some(0))
    }

    /// Has `act` called when the report comes, at once if the actor has ended already. Does not block.
    ///
    /// `act` runs on a thread of phalanx, one per process, and should not hold it up, because others wait for
    /// that thread. An actor sends itself a message there, and deals with it in its turn. A panic in `act` is
    /// logged.
    ///
    /// ```
    /// use phalanx::prelude::*;
    /// use phalanx::AnyRef;
    /// # #[actor] struct Desk { guests: u32 }
    /// #[actor]
    /// impl Desk {
    ///     /// A guest comes, and stays until its process ends.
    ///     fn welcome(&mut self, guest: AnyRef) {
    ///         self.guests += 1;
    ///         let desk = phalanx::myself::<Desk>();
    ///         guest.monitor().on_down(move |down| {
    ///             if let Some(desk) = desk {
    ///                 let _ = desk.has_left(down);
    ///             }
    ///         });
    ///     }
    ///
    ///     #[tell]
    ///     fn has_left(&mut self, _: Down) {
    ///         self.guests -= 1;
    ///     }
    ///
    ///     fn guests(&self) -> u32 {
    ///         self.guests
    ///     }
    /// }
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let desk = Desk { guests: 0 }.spawn()?;
    /// let guest = Process::spawn(|()| std::thread::sleep(std::time::Duration::from_secs(100)), ())?;
    /// desk.welcome(guest.any()).wait()?;
    /// assert_eq!(desk.guests().wait()?, 1);
    /// guest.kill()?;
    /// while desk.guests().wait()? > 0 {}
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// If that thread cannot be started, as [`std::thread::spawn`] does.
    pub fn on_down(self, act: impl FnOnce(Down) + Send + 'static) {
        on_down::attend(self, Box::new(act));
    }

    /// Has `waker` woken when the process has ended, by the thread that leads the reactor; returns whether it
    /// has ended already.
    pub(crate) fn watch(&self, waker: &Waker) -> bool {
        self.down.is_some() || self.waiter.watch(waker)
    }

    /// The report, if the end has been handed out. Does not look for one itself.
    pub(crate) fn handed_out(&mut self) -> Option<Down> {
        self.settle_here();
        if self.down.is_none() {
            let outcome = self.waiter.take();
            self.keep(outcome);
        }
        self.down.clone()
    }

    fn recv_until(&mut self, deadline: Option<u64>) -> Option<Down> {
        self.settle_here();
        if self.down.is_none() && self.reactor?.wait(&self.waiter, deadline) {
            let outcome = self.waiter.take();
            self.keep(outcome);
        }
        self.down.clone()
    }

    fn keep(&mut self, outcome: Option<Outcome>) {
        if let Some(Outcome::Dead(exit_record)) = outcome {
            let exit_record = exit_record.unwrap_or_else(|| Arc::new(ExitRecord::orphaned()));
            self.down = Some(self.report(&exit_record));
        }
    }

    fn report(&self, exit_record: &ExitRecord) -> Down {
        let (card, status_page) = (&self.endpoint.card, &self.endpoint.status_page);
        let busy = exit_record.in_progress.clone();
        let pid = if exit_record.pid == 0 { status_page.pid() } else { exit_record.pid };
        Down {
            who: Who { name: card.name.to_string(), id: ActorId(card.id), pid },
            incarnation: self.incarnation,
            reason: exit_record.reason.clone(),
            in_progress: busy.map(|busy| InProgress { method: busy.method, running: busy.running }),
            unserved: exit_record.unserved as usize,
            last_lines: exit_record.said.clone(),
        }
    }
}

impl Future for Monitor {
    type Output = Down;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Down> {
        self.settle_here();
        if self.down.is_none() {
            let outcome = self.waiter.poll(context.waker());
            self.keep(outcome);
        }
        if let Some(down) = &self.down {
            return Poll::Ready(down.clone());
        }
        if self.future.is_none() {
            let attended = self.reactor.map(|reactor| reactor.attend_future(&self.waiter, u64::MAX));
            match attended {
                Some(Ok(key)) => self.future = Some(key),
                // Without a thread to wake the executor, waiting here is all that is left.
                _ => return Poll::Ready(self.recv()),
            }
        }
        Poll::Pending
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let Some(reactor) = self.reactor.filter(|reactor| reactor.is_here()) else { return };
        self.endpoint.forget(&self.waiter);
        if let Some(key) = self.future {
            reactor.release_future(key);
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| write!(f, "Monitor({})", self.endpoint.card.name))
    }
}
