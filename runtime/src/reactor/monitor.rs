//! Watching an actor: one `Down` when it ends.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::reactor::endpoint::Peer;
use crate::reactor::on_down;
use crate::reactor::router::Router;
use crate::reactor::waiter::{Outcome, Slot};
use crate::status::Epitaph;
use crate::sys::clock;
use crate::types::escape::escaped;
use crate::types::exit::ExitReason;
use crate::types::id::ActorId;

/// The report of an actor's end (OTP's `'DOWN'` message).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Down {
    /// Whose.
    pub who: Who,
    /// Which of its processes, counted from 1.
    pub incarnation: u64,
    /// Why.
    pub reason: ExitReason,
    /// The message that it was handling, if any.
    pub in_progress: Option<InProgress>,
    /// How many messages lay in its mailbox: asks, whose callers are told, and tells, which are dead letters.
    pub unserved: usize,
}

/// An actor, named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Who {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub id: ActorId,
    /// The process that ended.
    pub pid: u32,
}

/// A message that was being handled when its actor died.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InProgress {
    /// The method.
    pub method: String,
    /// How long it had run.
    pub running: Duration,
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| {
            let (who, incarnation) = (&self.who, self.incarnation);
            write!(f, "`{}` (process {}, incarnation {incarnation}): {}", who.name, who.pid, self.reason)?;
            match &self.in_progress {
                Some(busy) => write!(f, ", {:.1?} into `{}`", busy.running, busy.method),
                None => Ok(()),
            }
        })
    }
}

/// Watches the process that an actor has now; exactly one [`Down`] comes out of it, when that process ends, whether there will be another or
/// not (OTP's `monitor`). At once if it has ended already. Also a future of that `Down`.
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
pub struct Monitor {
    peer: Arc<Peer>,
    router: Option<&'static Router>,
    slot: Arc<Slot>,
    /// The process that is watched.
    incarnation: u64,
    future: Option<(u64, u64)>,
    down: Option<Down>,
}

impl Monitor {
    pub(crate) fn new(peer: &Arc<Peer>) -> Monitor {
        let slot = Arc::new(Slot::default());
        // There is a router: the peer is known to it.
        let router = Router::get().ok();
        let incarnation = peer.on_down(&slot);
        if let Some(router) = router {
            // In a copy, one that it was copied with. If that cannot be watched, what is known is all there is.
            let _ = router.know(peer);
            router.visit(peer);
        }
        Monitor { peer: Arc::clone(peer), router, slot, incarnation, future: None, down: None }
    }

    /// In a copy of the process that has made it: watches the same process from here.
    fn settle_here(&mut self) {
        if self.router.is_none_or(Router::is_here) {
            return;
        }
        // What it had there is left alone.
        (self.slot, self.router, self.future) = (Arc::default(), Router::get().ok(), None);
        self.peer.on_down_of(self.incarnation, &self.slot);
        if let Some(router) = self.router {
            let _ = router.know(&self.peer);
            router.visit(&self.peer);
        }
    }

    /// Blocks until the actor has ended. Asked again, answers the same again.
    pub fn recv(&mut self) -> Down {
        self.recv_until(None).unwrap_or_else(|| self.report(&Epitaph::orphaned()))
    }

    /// As [`recv`](Self::recv), for `limit` at most.
    pub fn recv_timeout(&mut self, limit: Duration) -> Option<Down> {
        self.recv_until(Some(clock::after(limit)))
    }

    /// The report, if the actor has ended. Does not block.
    pub fn try_recv(&mut self) -> Option<Down> {
        self.settle_here();
        self.router?.look_around();
        self.recv_until(Some(0))
    }

    /// Has `act` called when the report comes, at once if the actor has ended already. Does not block.
    ///
    /// It is called on a thread of phalanx, one per process, which it should not hold up: others wait for the same thread. An actor
    /// sends itself a message there, and deals with it in its turn. A panic in it is logged.
    ///
    /// ```
    /// use phalanx::prelude::*;
    /// use phalanx::AnyRef;
    /// # #[actor] struct Desk { guests: u32 }
    /// #[actor]
    /// impl Desk {
    ///     /// Somebody comes, and stays until their process ends.
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

    /// Has `waker` woken when the process has ended, by whoever leads the router; answers whether it has ended already.
    pub(crate) fn watch(&self, waker: &Waker) -> bool {
        self.down.is_some() || self.slot.watch(waker)
    }

    /// The report, if the end has been handed out. Looks for none itself.
    pub(crate) fn handed_out(&mut self) -> Option<Down> {
        self.settle_here();
        if self.down.is_none() {
            let outcome = self.slot.take();
            self.keep(outcome);
        }
        self.down.clone()
    }

    fn recv_until(&mut self, deadline: Option<u64>) -> Option<Down> {
        self.settle_here();
        if self.down.is_none() && self.router?.wait(&self.slot, deadline) {
            let outcome = self.slot.take();
            self.keep(outcome);
        }
        self.down.clone()
    }

    fn keep(&mut self, outcome: Option<Outcome>) {
        if let Some(Outcome::Dead(epitaph)) = outcome {
            let epitaph = epitaph.unwrap_or_else(|| Arc::new(Epitaph::orphaned()));
            self.down = Some(self.report(&epitaph));
        }
    }

    fn report(&self, epitaph: &Epitaph) -> Down {
        let (card, ledger) = (&self.peer.card, &self.peer.ledger);
        let busy = epitaph.in_progress.clone();
        let pid = if epitaph.pid == 0 { ledger.pid() } else { epitaph.pid };
        Down {
            who: Who { name: card.name.to_string(), id: ActorId(card.id), pid },
            incarnation: self.incarnation,
            reason: epitaph.reason.clone(),
            in_progress: busy.map(|busy| InProgress { method: busy.method, running: busy.running }),
            unserved: epitaph.unserved as usize,
        }
    }
}

impl Future for Monitor {
    type Output = Down;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Down> {
        self.settle_here();
        if self.down.is_none() {
            let outcome = self.slot.poll(context.waker());
            self.keep(outcome);
        }
        if let Some(down) = &self.down {
            return Poll::Ready(down.clone());
        }
        if self.future.is_none() {
            let attended = self.router.map(|router| router.attend_future(&self.slot, u64::MAX));
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
        let Some(router) = self.router.filter(|router| router.is_here()) else { return };
        self.peer.forget(&self.slot);
        if let Some(key) = self.future {
            router.release_future(key);
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| write!(f, "Monitor({})", self.peer.card.name))
    }
}
