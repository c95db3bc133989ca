//! The reply to a call, before it has arrived.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::actor::forwarded::Failure;
use crate::ipc::codec::{self, Portable};
use crate::ipc::envelope::{Body, Status};
use crate::logging;
use crate::reactor::driver::Reactor;
use crate::reactor::endpoint::{Endpoint, Failure as Unsent};
use crate::reactor::interrupt;
use crate::reactor::waiter::{Outcome, Waiter};
use crate::status::ExitRecord;
use crate::sys::clock;
use crate::sys::per_process::COPY;
use crate::types::error::{At, CallError, Never};
use crate::types::exit::ExitReason;

/// At most this much of an error's text is read.
const TEXT: usize = 64 * 1024;

/// The answer to a call that has been sent: wait for it, poll it or await it.
///
/// Calls are pipelined by calling first and waiting later. Dropping a reply drops the answer, not the call,
/// unless it [takes the call back](Self::cancel_on_drop). A reply is a future for any executor; while it is
/// awaited, a background thread of phalanx (one per process) wakes the executor, nothing polls.
///
/// ```
/// # use phalanx::prelude::*;
/// #[actor]
/// struct Squarer;
///
/// #[actor]
/// impl Squarer {
///     fn square(&self, n: u64) -> u64 {
///         n * n
///     }
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let squarer = Squarer.spawn()?;
/// let replies: Vec<_> = (1..=10).map(|n| squarer.square(n)).collect();
/// let squares: Result<Vec<u64>, _> = replies.into_iter().map(|reply| reply.wait()).collect();
/// assert_eq!(squares?, [1, 4, 9, 16, 25, 36, 49, 64, 81, 100]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a dropped reply is lost; for messages without a reply there is `#[tell]`"]
pub struct Reply<T, E = Never> {
    state: State<E>,
    at: Arc<Address>,
    /// The value that comes is a whole `Result<T, E>`.
    nested: bool,
    kind: PhantomData<fn() -> T>,
}

/// Where a call went, for the errors.
pub(crate) struct Address {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) method: &'static str,
}

impl Address {
    pub(crate) fn at(&self) -> At {
        self.at_ended(None)
    }

    /// The place of a call to an actor that was already gone.
    pub(crate) fn at_gone(&self) -> At {
        self.at_ended(self.endpoint.ended())
    }

    fn at_ended(&self, ended: Option<ExitReason>) -> At {
        At::new(&self.endpoint.card.name, self.endpoint.process(), self.method, ended)
    }

    /// The place of a call that was lost with a process: that process, not its successor.
    pub(crate) fn at_death(&self, exit_record: Option<&ExitRecord>) -> At {
        let known = exit_record
            .map(|exit_record| (exit_record.pid, exit_record.incarnation))
            .filter(|&(pid, _)| pid != 0);
        let process = known.unwrap_or_else(|| self.endpoint.process());
        At::new(&self.endpoint.card.name, process, self.method, None)
    }
}

enum State<E> {
    /// Under way.
    Sent(Waiting),
    /// Failed before it was sent.
    Failed(CallError<E>),
    /// The answer has been given out.
    Taken,
}

struct Waiting {
    reactor: &'static Reactor,
    waiter: Arc<Waiter>,
    seq: u64,
    deadline: u64,
    future: Option<(u64, u64)>,
    /// Where the call goes, if it is taken back when the reply is dropped.
    cancel: Option<Arc<Endpoint>>,
}

impl Waiting {
    /// Takes the call back if it still waits for room; returns whether it did.
    fn take_back(&self, at: &Address) -> bool {
        let is_unsent = at.endpoint.take_back(self.seq);
        if is_unsent {
            self.reactor.withdraw(self.seq);
        }
        is_unsent
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.reactor.is_here() {
            // In a forked copy of the waiting process: it must touch nothing that other threads may have
            // locked.
            return;
        }
        let session = self.reactor.abandon(self.seq);
        if let (Some(endpoint), Some(session)) = (&self.cancel, session) {
            // If it still waits for room, it is never sent.
            if endpoint.take_back(self.seq) {
                self.reactor.withdraw(self.seq);
            } else {
                endpoint.status_page.cancel(session, self.seq);
            }
        }
        if let Some(key) = self.future {
            self.reactor.release_future(key);
        }
    }
}

impl<T, E> Reply<T, E> {
    pub(crate) fn sent(
        reactor: &'static Reactor,
        waiter: Arc<Waiter>,
        seq: u64,
        deadline: u64,
        at: Address,
    ) -> Reply<T, E> {
        let waiting = Waiting { reactor, waiter, seq, deadline, future: None, cancel: None };
        Reply { state: State::Sent(waiting), at: Arc::new(at), nested: false, kind: PhantomData }
    }

    /// The reply of a deferred handler, which did not know yet whether it would be an error.
    pub(crate) fn nested(self) -> Reply<T, E> {
        Reply { nested: true, ..self }
    }

    pub(crate) fn failed(error: CallError<E>, at: Address) -> Reply<T, E> {
        Reply { state: State::Failed(error), at: Arc::new(at), nested: false, kind: PhantomData }
    }
}

impl<T: Portable, E: Portable> Reply<T, E> {
    /// Wakes `waker` when the answer is there, from the thread that leads the reactor; returns whether it is
    /// there already.
    pub(crate) fn watch(&self, waker: &Waker) -> bool {
        match &self.state {
            State::Sent(waiting) if waiting.reactor.is_here() => waiting.waiter.watch(waker),
            _ => true,
        }
    }

    /// Fails the reply in a copy of the calling process: the answer goes to the original.
    fn leave_original(&mut self) {
        if let State::Sent(waiting) = &self.state
            && !waiting.reactor.is_here()
        {
            self.state = State::Failed(CallError::Unreachable(COPY.to_owned(), self.at.at()));
        }
    }

    /// The answer, if the reactor has handed it out. Does not look for one.
    pub(crate) fn handed_out(&mut self) -> Option<Result<T, CallError<E>>> {
        self.leave_original();
        match &self.state {
            State::Sent(waiting) if !waiting.waiter.is_done() => None,
            State::Taken => None,
            _ => Some(self.wait_until(0)),
        }
    }

    /// Takes the call back when the reply is dropped before the answer has come: a handler that has not begun
    /// does not begin, and the place in the mailbox is free when its turn comes. A handler that has begun goes
    /// on. This is what a future that loses a `select!` or a timeout should do to work that is in vain.
    ///
    /// It is no promise: the handler may begin at the same moment, and of more than 64 calls that are taken
    /// back while they are queued at one actor, some may run. An actor of another host runs what its host has
    /// received already. By default a dropped reply drops the answer only.
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// # use std::time::Duration;
    /// # #[actor] struct Worker { done: u32 }
    /// # #[actor] impl Worker {
    /// #     fn work(&mut self, time: Duration) { std::thread::sleep(time); self.done += 1; }
    /// #     fn done(&self) -> u32 { self.done }
    /// # }
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let worker = Worker { done: 0 }.spawn()?;
    /// let first = worker.work(Duration::from_millis(200));
    /// let second = worker.work(Duration::from_secs(1000)).cancel_on_drop();
    /// drop(second); // it is queued behind the first
    /// first.wait()?;
    /// assert_eq!(worker.done().wait()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel_on_drop(mut self) -> Reply<T, E> {
        if let State::Sent(waiting) = &mut self.state {
            waiting.cancel = Some(Arc::clone(&self.at.endpoint));
        }
        self
    }

    /// Blocks until the answer is there, the actor is dead, or the call's deadline passes (60 s unless the
    /// actor's `timeout` option or [`within`](crate::ActorRef::within) say otherwise).
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Panics
    /// If the answer has been taken already, by [`try_get`](Self::try_get) or
    /// [`wait_timeout`](Self::wait_timeout).
    pub fn wait(mut self) -> Result<T, CallError<E>> {
        let deadline = match &self.state {
            State::Sent(waiting) => waiting.deadline,
            _ => 0,
        };
        self.wait_until(deadline)
    }

    /// Like [`wait`](Self::wait), but blocks for `limit` at most; never returns `Timeout` early.
    ///
    /// After [`CallError::Timeout`] the reply is still good: a later wait may get the answer.
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Panics
    /// If the answer has been taken already.
    pub fn wait_timeout(&mut self, limit: Duration) -> Result<T, CallError<E>> {
        self.wait_until(clock::after(limit))
    }

    /// The answer, if it is there. Does not block.
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// # #[actor] struct Echo;
    /// # #[actor] impl Echo { fn echo(&self, text: String) -> String { text } }
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let echo = Echo.spawn()?;
    /// let mut reply = echo.echo("hello".into());
    /// while !reply.is_done() {
    ///     std::thread::yield_now(); // or something useful
    /// }
    /// assert_eq!(reply.try_get().unwrap()?, "hello");
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_get(&mut self) -> Option<Result<T, CallError<E>>> {
        if !self.is_done() {
            return None;
        }
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Taken => None,
            State::Failed(error) => Some(Err(error)),
            State::Sent(waiting) => waiting.waiter.take().map(|outcome| self.read(outcome)),
        }
    }

    /// Whether there is an answer (or a failure) to be had without waiting. Does not block.
    pub fn is_done(&mut self) -> bool {
        self.leave_original();
        match &self.state {
            State::Sent(waiting) => {
                if !waiting.waiter.is_done() {
                    waiting.reactor.look_around();
                }
                waiting.waiter.is_done()
            }
            _ => true,
        }
    }

    fn wait_until(&mut self, deadline: u64) -> Result<T, CallError<E>> {
        self.leave_original();
        if let State::Sent(waiting) = &self.state {
            let deadline = deadline.min(waiting.deadline);
            if !waiting.reactor.wait(&waiting.waiter, Some(deadline)) {
                let is_unsent = deadline == waiting.deadline && waiting.take_back(&self.at);
                return Err(if is_unsent {
                    CallError::Full(self.at.at())
                } else {
                    CallError::Timeout(self.at.at())
                });
            }
        }
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Failed(error) => Err(error),
            State::Sent(waiting) => match waiting.waiter.take() {
                Some(outcome) => logging::settle_if_failed(self.read(outcome)),
                None => Err(CallError::Timeout(self.at.at())),
            },
            State::Taken => panic!("the reply of {} has been taken already", self.at.at()),
        }
    }

    fn read(&self, outcome: Outcome) -> Result<T, CallError<E>> {
        let depth = self.at.endpoint.card.depth;
        match outcome {
            Outcome::Answer { status: Status::Value, body, fds } if self.nested => {
                match codec::decode_within::<Result<T, E>>(&body, fds, depth) {
                    Ok(Ok(value)) => Ok(value),
                    Ok(Err(error)) => Err(CallError::App(error)),
                    Err(error) => Err(CallError::Codec(error, self.at.at())),
                }
            }
            Outcome::Answer { status, body, fds } => read_answer(status, &body, fds, &self.at),
            Outcome::Dead(exit_record) => {
                interrupt::park_if_interrupted();
                Err(died(exit_record.as_deref(), &self.at))
            }
            Outcome::Unheard => {
                let error = "the actor could not receive the reply channel of this process: no descriptor is free in its own";
                Err(CallError::Unreachable(error.to_owned(), self.at.at()))
            }
            Outcome::Unsent(Unsent::Full) => Err(CallError::Full(self.at.at())),
            Outcome::Unsent(Unsent::Gone | Unsent::Died) => {
                Err(died(self.at.endpoint.exit_record().as_deref(), &self.at))
            }
            Outcome::Unsent(Unsent::Io(error)) => {
                Err(CallError::Unreachable(error.to_string(), self.at.at()))
            }
            Outcome::Garbled(error) => Err(CallError::Unreachable(error, self.at.at())),
            Outcome::Late | Outcome::Ready => Err(CallError::Timeout(self.at.at())),
        }
    }
}

fn read_answer<T: Portable, E: Portable>(
    status: Status,
    body: &Body,
    fds: Vec<OwnedFd>,
    at: &Address,
) -> Result<T, CallError<E>> {
    let text = |body: &Body| String::from_utf8_lossy(&body[..body.len().min(TEXT)]).into_owned();
    let depth = at.endpoint.card.depth;
    match status {
        Status::Value => {
            codec::decode_within(body, fds, depth).map_err(|error| CallError::Codec(error, at.at()))
        }
        Status::App => Err(codec::decode_within(body, fds, depth)
            .map_or_else(|error| CallError::Codec(error, at.at()), CallError::App)),
        Status::Codec => Err(CallError::Codec(text(body), at.at())),
        Status::Expired => Err(CallError::Timeout(at.at())),
        Status::Lost => {
            let exit_record =
                codec::decode::<ExitRecord>(body, fds).unwrap_or_else(|_| ExitRecord::orphaned());
            let at = at.at_death(Some(&exit_record));
            Err(CallError::Died(exit_record.reason, at))
        }
        Status::Unanswered => Err(CallError::Unanswered(at.at())),
        Status::Relayed => Err(match codec::decode::<Failure>(body, fds) {
            Ok(failure) => failure.into_error(|ended| at.at_ended(ended)),
            Err(error) => CallError::Codec(error, at.at()),
        }),
        Status::Dropped => Err(CallError::Unreachable(text(body), at.at())),
    }
}

pub(crate) fn died<E>(exit_record: Option<&ExitRecord>, at: &Address) -> CallError<E> {
    match exit_record.map_or_else(|| ExitRecord::orphaned().reason, |exit_record| exit_record.reason.clone())
    {
        ExitReason::Stopped(_) => CallError::Stopped(at.at_death(exit_record)),
        reason => CallError::Died(reason, at.at_death(exit_record)),
    }
}

impl<T, E> Unpin for Reply<T, E> {}

impl<T: Portable, E: Portable> Future for Reply<T, E> {
    type Output = Result<T, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_outcome(context).map(|outcome| match outcome {
            Some(outcome) => outcome.and_then(|outcome| self.read(outcome)),
            // Failed before it was sent, or taken.
            None => self.wait_timeout(Duration::ZERO),
        })
    }
}

/// An answer as it has come: a value or the handler's error.
#[cfg(feature = "remote")]
pub(crate) struct Packed {
    pub(crate) status: Status,
    pub(crate) body: Body,
    pub(crate) fds: Vec<OwnedFd>,
}

#[cfg(feature = "remote")]
impl Reply<()> {
    /// Its outcome, still encoded, for forwarding.
    pub(crate) fn poll_encoded(&mut self, context: &mut Context<'_>) -> Poll<Result<Packed, Failure>> {
        self.poll_outcome(context).map(|outcome| match outcome {
            Some(Ok(Outcome::Answer { status: status @ (Status::Value | Status::App), body, fds })) => {
                Ok(Packed { status, body, fds })
            }
            Some(outcome) => Err(Failure::of_none(outcome.and_then(|outcome| self.read(outcome)))),
            None => Err(Failure::of_none(self.wait_timeout(Duration::ZERO))),
        })
    }
}

impl<T: Portable, E: Portable> Reply<T, E> {
    /// `None` if it is not under way.
    fn poll_outcome(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Outcome, CallError<E>>>> {
        self.leave_original();
        let State::Sent(waiting) = &mut self.state else { return Poll::Ready(None) };
        if interrupt::is_interrupted() {
            // The program is about to end by a signal; what the end of its actors would report is not news.
            return Poll::Pending;
        }
        if let Some(outcome) = waiting.waiter.poll(context.waker()) {
            let is_unsent = matches!(outcome, Outcome::Late) && waiting.take_back(&self.at);
            let outcome = if is_unsent { Outcome::Unsent(Unsent::Full) } else { outcome };
            self.state = State::Taken;
            return Poll::Ready(Some(Ok(outcome)));
        }
        if waiting.future.is_none() {
            match waiting.reactor.attend_future(&waiting.waiter, waiting.deadline) {
                Ok(key) => waiting.future = Some(key),
                Err(error) => {
                    return Poll::Ready(Some(Err(CallError::Unreachable(error.to_string(), self.at.at()))));
                }
            }
        }
        Poll::Pending
    }
}

impl<T, E> fmt::Debug for Reply<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({})", self.at.at())
    }
}
