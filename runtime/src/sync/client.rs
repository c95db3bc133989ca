//! The caller's side of a lock server: taking, giving up, giving back.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::clients::{self, Ticket};
use super::error::{LockError, Poisoned};
use super::lock_server::{Kept, LockServer, Poison, Taken};
use crate::actor::actor_ref::ActorRef;
use crate::actor::reply::Reply;
use crate::ipc::codec::Portable;
use crate::sys::per_process::{self, COPY, Home, Own};
use crate::types::error::{At, CallError, SendError};
use crate::types::exit::ExitReason;
use crate::types::id::ActorId;

/// Why a caller got nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    Busy,
    Timeout,
    Gone { reason: Option<ExitReason>, at: At },
    Call(CallError),
    System(String),
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Trouble {
        match error {
            CallError::Died(reason, at) => Trouble::Gone { reason: Some(reason), at },
            CallError::Gone(at) | CallError::Stopped(at) => Trouble::Gone { reason: at.ended().cloned(), at },
            CallError::Timeout(_) | CallError::Full(_) => Trouble::Timeout,
            other => Trouble::Call(other),
        }
    }
}

impl From<SendError> for Trouble {
    fn from(error: SendError) -> Trouble {
        Trouble::from(CallError::from(error))
    }
}

/// How long a caller waits for its turn.
#[derive(Clone, Copy)]
pub(super) enum Wait {
    /// It does not wait for its turn, only for the server's reply.
    Never,
    /// [`Duration::MAX`] stands for no limit.
    AtMost(Duration),
}

/// How long to wait for a reply that does not depend on other callers.
pub(super) const ANSWER: Duration = Duration::from_secs(60);

/// What the server has granted. It is given back exactly once.
pub(super) struct Turn<T: Portable> {
    server: ActorRef<LockServer<T>>,
    ticket: Ticket,
    /// Nothing is left to give back.
    is_over: bool,
    /// The process that holds it. A copy of that process does not.
    home: Home,
}

/// A turn, the value that came with it, and the death of the last holder, if it died.
pub(super) type Granted<T> = (Turn<T>, Kept<T>, Option<Poison>);

/// The end of a time limit; `None` if it is never.
pub(super) fn deadline(limit: Duration) -> Option<Instant> {
    Instant::now().checked_add(limit)
}

/// How long it is from now to a deadline.
pub(super) fn remaining(deadline: Option<Instant>) -> Duration {
    deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()))
}

/// A guard of a value. Its type says how the value is taken.
pub(super) trait LockGuard<T: Portable>: Sized {
    /// How many permits of the lock's server it stands for.
    const PERMITS: u32;

    fn new(turn: Turn<T>, value: Kept<T>, mark: Mark) -> Self;

    /// The guard, or the error that contains it, if the last holder died.
    fn granted((turn, value, poison): Granted<T>, mark: Mark) -> Result<Self, LockError<Self>> {
        Poisoned::check(Self::new(turn, value, mark), poison)
    }
}

/// Takes a lock, which this thread must not hold yet.
pub(super) fn lock<T: Portable, G: LockGuard<T>>(
    server: &ActorRef<LockServer<T>>,
    wait: Wait,
) -> Result<G, LockError<G>> {
    let mark = Mark::set(server.id()).ok_or(LockError::HeldByThisThread)?;
    G::granted(take(server, G::PERMITS, wait)?, mark)
}

/// Takes permits.
pub(super) fn take<T: Portable>(
    server: &ActorRef<LockServer<T>>,
    permits: u32,
    wait: Wait,
) -> Result<Granted<T>, Trouble> {
    let (waits, deadline) = match wait {
        Wait::Never => (false, deadline(ANSWER)),
        Wait::AtMost(limit) => (true, deadline(limit)),
    };
    let ticket = clients::ticket(server, deadline, |calls, party, who| calls.enter(party, who))?;
    let turn = Turn { server: server.clone(), ticket, is_over: false, home: Home::here() };
    let reply = server.within(remaining(deadline)).take(ticket, permits, waits);
    turn.receive(reply)
}

impl<T: Portable> Turn<T> {
    /// Waits for the grant. If that fails, dropping `self` gives the ticket back, since the server may have
    /// granted it.
    fn receive(self, reply: Reply<Taken<T>>) -> Result<Granted<T>, Trouble> {
        let grant = match reply.wait()? {
            Taken::Granted(grant) => grant,
            Taken::Busy => return Err(Trouble::Busy),
        };
        if grant.confirm {
            self.server.took(self.ticket)?;
        }
        Ok((self, grant.value, grant.poison))
    }

    /// Fails in a copy of the process that holds the turn.
    fn at_home(&self) -> Result<(), Trouble> {
        if self.home.is_here() { Ok(()) } else { Err(Trouble::System(COPY.to_owned())) }
    }

    /// Gives the turn back, and takes it again when another holder has changed the value.
    pub(super) fn park(self, deadline: Option<Instant>) -> Result<Granted<T>, Trouble> {
        self.at_home()?;
        let reply = self.server.within(remaining(deadline)).park(self.ticket);
        self.receive(reply)
    }

    /// Makes `value` the one that later holders get. Waits until the server has it.
    pub(super) fn commit(&self, value: &Kept<T>) -> Result<(), Trouble> {
        self.at_home()?;
        self.server.commit(self.ticket, value.clone()).wait()?;
        Ok(())
    }

    /// Sends `value` and does not wait for its arrival. If it cannot be sent, the turn is over, and the next
    /// holder gets an error.
    pub(super) fn put(self, value: &Kept<T>) -> Result<Turn<T>, Trouble> {
        self.at_home()?;
        match self.server.put(self.ticket, value.clone()) {
            Ok(()) => Ok(self),
            Err(error) => {
                let message = format!("the new value was lost, its holder lives: {error}");
                self.abandon(ExitReason::Panicked { message, location: String::new(), method: None });
                Err(error.into())
            }
        }
    }

    /// Gives the turn back. Waits until the server has it.
    pub(super) fn release(mut self) -> Result<(), Trouble> {
        self.at_home()?;
        self.server.release(self.ticket).wait()?;
        self.is_over = true;
        Ok(())
    }

    /// Gives the turn back as a holder that failed: the next one gets an error with `reason`.
    pub(super) fn abandon(mut self, reason: ExitReason) {
        self.is_over = true;
        if self.home.is_here() {
            give(&self.server, self.ticket, Some(reason));
        }
    }

    pub(super) fn server(&self) -> &ActorRef<LockServer<T>> {
        &self.server
    }
}

impl<T: Portable> Drop for Turn<T> {
    fn drop(&mut self) {
        if !self.is_over && self.home.is_here() {
            give(&self.server, self.ticket, None);
        }
    }
}

/// Ends a ticket. The message must arrive, or all callers behind it would wait for ever.
fn give<T: Portable>(server: &ActorRef<LockServer<T>>, ticket: Ticket, broken: Option<ExitReason>) {
    if !needs_another_try(server.give(ticket, broken.clone())) {
        return;
    }
    let server = server.clone();
    let again = move || while needs_another_try(server.give(ticket, broken.clone())) {};
    // If no thread can be made, this process will soon end, and its end gives everything back.
    let _ = thread::Builder::new().name("phalanx-release".to_owned()).spawn(again);
}

/// Whether a message could not be sent although the server lives.
fn needs_another_try(sent: Result<(), SendError>) -> bool {
    match sent {
        Ok(()) | Err(SendError::Gone(_)) => false,
        Err(SendError::Full(_)) => true,
        Err(_) => {
            thread::sleep(Duration::from_millis(10));
            true
        }
    }
}

/// The locks that this process holds, each with the thread that holds it.
static HELD: Own<Mutex<HashSet<(ActorId, usize)>>> = Own::new();

fn held() -> MutexGuard<'static, HashSet<(ActorId, usize)>> {
    HELD.here().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes that this thread holds a lock. Not `Send`: the thread that sets it must also remove it.
pub(super) struct Mark(ActorId, PhantomData<*const ()>);

impl Mark {
    /// `None` if this thread holds the lock already.
    pub(super) fn set(lock: ActorId) -> Option<Mark> {
        held().insert((lock, per_process::thread())).then(|| Mark(lock, PhantomData))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        held().remove(&(self.0, per_process::thread()));
    }
}

/// Why a thread that panics gives a lock back.
pub(super) fn panicked() -> ExitReason {
    let thread = thread::current();
    ExitReason::Panicked {
        message: "a thread panicked while it held the lock; its process lives".to_owned(),
        location: format!("thread `{}`", thread.name().unwrap_or("?")),
        method: None,
    }
}
