//! A ref: the address of an actor, and a handle on its process.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::actor::any_ref::AnyRef;
use crate::actor::reply::{Address, Reply, died};
use crate::actor::traits::{Actor, ActorStruct, Calls};
use crate::ipc::codec::{self, Encoded, Portable};
use crate::ipc::envelope::Outgoing;
use crate::reactor::driver::Reactor;
use crate::reactor::endpoint::{Call, Endpoint, Failure};
use crate::reactor::monitor::Monitor;
use crate::reactor::process_handle::{Handle, process_methods};
use crate::reactor::waiter::Waiter;
use crate::reactor::{context, travel};
use crate::status::State;
use crate::sys::clock;
use crate::types::error::{At, CallError, SendError, TrySendError};
use crate::types::escape::escaped;
use crate::types::exit::ExitReason;
use crate::types::id::ActorId;
use crate::types::method::{Method, method_name};

/// The address of an actor of type `A`: its messages are this type's methods.
///
/// Calling a method sends a message and returns a [`Reply`]; a `#[tell]` method returns whether it was sent.
/// Each message also has a twin `try_..` that never waits: a full mailbox is an error that gives the
/// arguments back. Methods that are not the actor's own, such as [`pid`](Self::pid) or [`stop`](Self::stop),
/// concern its process.
///
/// A ref is cheap to clone, can be used from any thread, and travels: in messages, replies, init arguments
/// and state. Dropping refs does not end the actor; it ends when it is stopped, when it dies, or with the
/// program.
///
/// **Blocking.** Sending waits while the mailbox is full (256 messages unless the `mailbox` option says
/// otherwise), at most for the call's deadline. A call also waits while this process has 16,384 calls to that
/// actor under way, sent and not yet answered: an actor keeps that many replies for a caller that does not
/// read them. The deadline is the actor's `timeout` option (60 s), or that of [`within`](Self::within).
pub struct ActorRef<A: ActorStruct> {
    calls: A::Calls,
    kind: PhantomData<fn() -> A>,
}

/// A ref without the type: what generated methods send through.
#[doc(hidden)]
#[derive(Clone)]
pub struct RawRef {
    pub(crate) endpoint: Arc<Endpoint>,
    methods: &'static [Method],
    within: Option<Duration>,
    /// For how long the handler may run.
    kill_after: Option<Duration>,
    /// Whether sending fails while the actor is being restarted.
    only_if_up: bool,
}

/// What a call needs before it is sent.
struct Prepared {
    reactor: &'static Reactor,
    outgoing: Outgoing,
    deadline: u64,
}

impl RawRef {
    fn address(&self, method: u32) -> Address {
        Address { endpoint: Arc::clone(&self.endpoint), method: method_name(self.methods, method) }
    }

    fn at(&self, method: u32) -> At {
        self.address(method).at()
    }

    /// Whether there is a process that is ready.
    fn is_up(&self) -> bool {
        self.endpoint.status_page.state() == State::Ready
    }

    fn limit(&self) -> u64 {
        self.kill_after.map_or(0, |limit| clock::nanos(limit).max(1))
    }

    fn encode<A: Portable>(&self, method: u32, args: &A) -> Result<Encoded, SendError> {
        let (encoded, _) = codec::encode_within(args, self.endpoint.card.depth);
        encoded.map_err(|error| SendError::Codec(error, self.at(method)))
    }

    /// Encodes arguments that are not given back to the caller.
    fn encode_away<A: Portable>(&self, method: u32, args: A) -> Result<Encoded, SendError> {
        let encoded = codec::encode_away(args, self.endpoint.card.depth);
        encoded.map_err(|error| SendError::Codec(error, self.at(method)))
    }

    fn prepare(&self, method: u32, encoded: Encoded) -> Result<Prepared, SendError> {
        let unreachable = |error: std::io::Error| SendError::Unreachable(error.to_string(), self.at(method));
        let reactor = Reactor::get().map_err(unreachable)?;
        reactor.know(&self.endpoint).map_err(unreachable)?;
        let outgoing = Outgoing::new(encoded, 1).map_err(unreachable)?;
        let deadline = clock::after(self.within.unwrap_or(self.endpoint.card.timeout));
        Ok(Prepared { reactor, outgoing, deadline })
    }

    fn failure(&self, method: u32, failure: Failure) -> SendError {
        match failure {
            Failure::Full => SendError::Full(self.at(method)),
            Failure::Gone | Failure::Died => SendError::Gone(self.address(method).at_gone()),
            Failure::Io(error) => SendError::Unreachable(error.to_string(), self.at(method)),
        }
    }

    /// An actor must not wait for itself.
    fn check_call<E>(&self, method: u32) -> Result<(), CallError<E>> {
        if context::is_handling(self.endpoint.card.id) {
            return Err(CallError::CallingSelf(self.at(method)));
        }
        #[cfg(debug_assertions)]
        context::warn_of_cycle(&self.endpoint, method_name(self.methods, method));
        Ok(())
    }

    /// Sends a call, waiting for room in the mailbox.
    fn call<A: Portable, T, E>(&self, method: u32, args: A) -> Result<Reply<T, E>, CallError<E>> {
        self.check_call(method)?;
        self.call_encoded(method, self.encode_away(method, args)?, true)
    }

    fn call_encoded<T, E>(
        &self,
        method: u32,
        encoded: Encoded,
        patient: bool,
    ) -> Result<Reply<T, E>, CallError<E>> {
        let Prepared { reactor, outgoing, deadline } = self.prepare(method, encoded)?;
        let waiter = Arc::new(Waiter::default());
        let Some(place) = reactor.start_call(&self.endpoint, if patient { deadline } else { 0 }) else {
            return Err(CallError::Full(self.at(method)));
        };
        let purges = self.endpoint.status_page.purges();
        let (seq, reception) = reactor.expect(&self.endpoint, &waiter, place, purges, deadline);
        if self.endpoint.status_page.purges() != purges {
            // The actor went down just now. Its exit may have been reported before this call was registered.
            reactor.withdraw(seq);
            return Err(CallError::Gone(self.address(method).at_gone()));
        }
        if self.only_if_up && !self.is_up() {
            reactor.withdraw(seq);
            return Err(CallError::Unavailable(self.at(method)));
        }
        let reply = Reply::sent(reactor, waiter, seq, deadline, self.address(method));
        let call = Call { seq, ask: true, method, deadline, limit: self.limit(), purges };
        let sent = self.endpoint.send(&reception, call, outgoing, if patient { deadline } else { 0 });
        if sent.is_err() {
            reactor.withdraw(seq);
        }
        match sent {
            Ok(()) => Ok(reply),
            Err(Failure::Died) => Err(died(self.endpoint.exit_record().as_deref(), &self.address(method))),
            Err(failure) => Err(self.failure(method, failure).into()),
        }
    }

    fn send<A: Portable>(&self, method: u32, args: &A, patient: bool) -> Result<(), SendError> {
        self.send_encoded(method, self.encode(method, args)?, patient)
    }

    fn send_encoded(&self, method: u32, encoded: Encoded, patient: bool) -> Result<(), SendError> {
        let Prepared { reactor, outgoing, deadline } = self.prepare(method, encoded)?;
        if self.only_if_up && !self.is_up() {
            return Err(SendError::Unavailable(self.at(method)));
        }
        // A tell has no deadline unless `within` gave it one: no caller waits for it.
        let expires = if self.within.is_some() { deadline } else { 0 };
        let (limit, purges) = (self.limit(), self.endpoint.status_page.purges());
        let call = Call { seq: reactor.number(), ask: false, method, deadline: expires, limit, purges };
        // The thread that makes room must not wait for room.
        let waits_for_itself = patient && context::serves(self.endpoint.card.id);
        let patient = patient && !waits_for_itself;
        let reception = reactor.reception();
        match self.endpoint.send(&reception, call, outgoing, if patient { deadline } else { 0 }) {
            Err(Failure::Full) if waits_for_itself => Err(SendError::CallingSelf(self.at(method))),
            sent => sent.map_err(|failure| self.failure(method, failure)),
        }
    }

    /// Sends a message of the runtime to the actor's process; it takes its turn in the mailbox.
    pub(crate) fn tell_runtime<A: Portable>(&self, method: u32, args: &A) -> Result<(), SendError> {
        self.send(method, args, true)
    }

    /// A ref without methods, for messages of the runtime.
    pub(crate) fn bare(endpoint: Arc<Endpoint>) -> RawRef {
        RawRef { endpoint, methods: &[], within: None, kill_after: None, only_if_up: false }
    }

    /// This ref, with limits that another ref has.
    #[cfg(feature = "remote")]
    pub(crate) fn limited(self, within: Option<Duration>, kill_after: Option<Duration>) -> RawRef {
        RawRef { within, kill_after, ..self }
    }

    /// A call with arguments that are already encoded.
    #[cfg(feature = "remote")]
    pub(crate) fn ask_encoded(&self, method: u32, args: Vec<u8>) -> Reply<()> {
        let encoded = Encoded { bytes: args, ..Encoded::default() };
        self.call_encoded(method, encoded, true)
            .unwrap_or_else(|error| Reply::failed(error, self.address(method)))
    }

    #[cfg(feature = "remote")]
    pub(crate) fn tell_encoded(&self, method: u32, args: Vec<u8>) -> Result<(), SendError> {
        self.send_encoded(method, Encoded { bytes: args, ..Encoded::default() }, true)
    }

    pub fn ask<A: Portable, T: Portable>(&self, method: u32, args: A) -> Reply<T> {
        self.call(method, args).unwrap_or_else(|error| Reply::failed(error, self.address(method)))
    }

    pub fn ask_result<A: Portable, T: Portable, E: Portable>(&self, method: u32, args: A) -> Reply<T, E> {
        self.call(method, args).unwrap_or_else(|error| Reply::failed(error, self.address(method)))
    }

    /// For a method that returns a `Later<Result<T, E>>`.
    pub fn ask_later_result<A: Portable, T: Portable, E: Portable>(
        &self,
        method: u32,
        args: A,
    ) -> Reply<T, E> {
        self.ask_result(method, args).nested()
    }

    pub fn try_ask_later_result<A: Portable, T: Portable, E: Portable>(
        &self,
        method: u32,
        args: A,
    ) -> Result<Reply<T, E>, TrySendError<A>> {
        self.try_call(method, args).map(Reply::nested)
    }

    pub fn try_ask<A: Portable, T: Portable>(
        &self,
        method: u32,
        args: A,
    ) -> Result<Reply<T>, TrySendError<A>> {
        self.try_call(method, args)
    }

    pub fn try_ask_result<A: Portable, T: Portable, E: Portable>(
        &self,
        method: u32,
        args: A,
    ) -> Result<Reply<T, E>, TrySendError<A>> {
        self.try_call(method, args)
    }

    fn try_call<A: Portable, T, E>(&self, method: u32, args: A) -> Result<Reply<T, E>, TrySendError<A>> {
        let sent = self.check_call(method).and_then(|()| {
            let encoded = self.encode(method, &args)?;
            self.call_encoded(method, encoded, false)
        });
        match sent {
            Ok(reply) => Ok(reply),
            Err(CallError::Full(at)) => Err(TrySendError { args, error: SendError::Full(at) }),
            Err(CallError::Gone(at)) => Err(TrySendError { args, error: SendError::Gone(at) }),
            Err(CallError::Codec(error, at)) => {
                Err(TrySendError { args, error: SendError::Codec(error, at) })
            }
            Err(CallError::Unreachable(error, at)) => {
                Err(TrySendError { args, error: SendError::Unreachable(error, at) })
            }
            // Also for an actor that calls itself: the reply says so.
            Err(error) => Ok(Reply::failed(error, self.address(method))),
        }
    }

    pub fn tell<A: Portable>(&self, method: u32, args: A) -> Result<(), SendError> {
        self.send_encoded(method, self.encode_away(method, args)?, true)
    }

    pub fn try_tell<A: Portable>(&self, method: u32, args: A) -> Result<(), TrySendError<A>> {
        self.send(method, &args, false).map_err(|error| TrySendError { args, error })
    }
}

impl<A: Actor> ActorRef<A> {
    pub(crate) fn of(endpoint: Arc<Endpoint>) -> ActorRef<A> {
        ActorRef {
            calls: A::Calls::from_raw(RawRef {
                endpoint,
                methods: A::METHODS,
                within: None,
                kill_after: None,
                only_if_up: false,
            }),
            kind: PhantomData,
        }
    }
}

impl<A: ActorStruct> ActorRef<A> {
    pub(crate) fn raw(&self) -> &RawRef {
        self.calls.raw()
    }

    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.raw().endpoint
    }

    fn handle(&self) -> Handle<'_> {
        Handle(self.endpoint())
    }

    process_methods!();

    /// The actor's messages with a deadline: `counter.within(limit).add(1)`.
    ///
    /// The callee sees it ([`Current::deadline`](crate::Current::deadline)); a message whose deadline has
    /// passed before its turn comes is not run.
    pub fn within(&self, limit: Duration) -> A::Calls {
        A::Calls::from_raw(RawRef { within: Some(limit), ..self.raw().clone() })
    }

    /// The actor's messages, without waiting for a restart: if the actor has no ready process at the moment
    /// of sending, a call fails at once with [`CallError::Unavailable`], a tell with
    /// [`SendError::Unavailable`]. Without `if_up`, a message waits in the mailbox for the next process.
    /// (Ray's `ActorUnavailableError`, on request.)
    pub fn if_up(&self) -> A::Calls {
        A::Calls::from_raw(RawRef { only_if_up: true, ..self.raw().clone() })
    }

    /// The actor's messages with a limit on their handlers: one that runs longer is killed (SIGABRT, 50 ms
    /// later SIGKILL), and its actor with it; the call ends with [`ExitReason::DeadlineExceeded`]. Counted
    /// from the moment at which the handler begins. A shorter `deadline` of the method or the actor still
    /// applies.
    pub fn kill_after(&self, limit: Duration) -> A::Calls {
        A::Calls::from_raw(RawRef { kill_after: Some(limit), ..self.raw().clone() })
    }

    /// The process id of the actor.
    ///
    /// # Errors
    /// [`SendError::Gone`] if there is no such process any more.
    pub fn pid(&self) -> Result<u32, SendError> {
        self.handle().pid()
    }

    /// The actor's name: that of the option `name`, or that of the type.
    pub fn name(&self) -> &str {
        &self.raw().endpoint.card.name
    }

    /// What identifies the actor everywhere.
    pub fn id(&self) -> ActorId {
        ActorId(self.raw().endpoint.card.id)
    }

    /// Blocks until the actor has ended and is reaped; returns why. Can be called repeatedly, however late.
    ///
    /// # Panics
    /// In a handler of this very actor, which would wait for ever.
    pub fn join(&self) -> ExitReason {
        self.handle().join()
    }

    /// Like [`join`](Self::join), but returns `None` after `limit`.
    pub fn join_timeout(&self, limit: Duration) -> Option<ExitReason> {
        self.handle().join_until(Some(clock::after(limit)))
    }

    /// This actor without its type, to recognise it or to watch it.
    pub fn any(&self) -> AnyRef {
        AnyRef(Arc::clone(self.endpoint()))
    }

    /// How many messages wait in its mailbox. Read from shared memory: a hung actor is not asked.
    pub fn depth(&self) -> usize {
        self.handle().depth()
    }

    /// How many messages its mailbox takes.
    pub fn capacity(&self) -> usize {
        self.raw().endpoint.status_page.capacity() as usize
    }

    /// How many messages it has handled.
    pub fn handled(&self) -> u64 {
        self.raw().endpoint.status_page.handled()
    }

    /// How often it has been started; 1 for the first process.
    pub fn incarnation(&self) -> u64 {
        self.raw().endpoint.status_page.incarnation()
    }
}

impl<A: ActorStruct> Deref for ActorRef<A> {
    type Target = A::Calls;

    fn deref(&self) -> &A::Calls {
        &self.calls
    }
}

impl<A: ActorStruct> Clone for ActorRef<A> {
    fn clone(&self) -> Self {
        ActorRef { calls: self.calls.clone(), kind: PhantomData }
    }
}

impl<A: ActorStruct> PartialEq for ActorRef<A> {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl<A: ActorStruct> Eq for ActorRef<A> {}

impl<A: ActorStruct> fmt::Debug for ActorRef<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| write!(f, "ActorRef({}, {})", self.name(), self.id()))
    }
}

/// The [`sentinel`](Self::sentinel).
///
/// # Panics
/// If the descriptor does not exist yet and the limit on descriptors is reached.
impl<A: ActorStruct> AsFd for ActorRef<A> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.sentinel() {
            Ok(sentinel) => sentinel,
            Err(error) => panic!("no descriptor to watch {self} with: {error}"),
        }
    }
}

/// "`name`, process 4711, child of 4700, started": its name, its pid, the pid of the process that spawned it,
/// and its state; or how it ended, with the signal or the exit code.
impl<A: ActorStruct> fmt::Display for ActorRef<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle().fmt(f)
    }
}

impl<A: ActorStruct> Serialize for ActorRef<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        travel::put_endpoint(&self.raw().endpoint, serializer)
    }
}

impl<'de, A: Actor> Deserialize<'de> for ActorRef<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        travel::take_endpoint(deserializer).map(ActorRef::of)
    }
}
