//! A ref without its type: how a message is encoded and sent.

use std::fmt;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::reply::{Address, Reply, died};
use crate::actor::router::{Delivery, Router};
use crate::ipc::codec::{self, Encoded, Portable};
use crate::ipc::envelope::{Outgoing, UNTIL_DEADLINE};
use crate::reactor::context;
use crate::reactor::driver::Reactor;
use crate::reactor::endpoint::{Call, Endpoint, Failure};
use crate::reactor::reception::Reception;
use crate::reactor::waiter::Waiter;
use crate::status::State;
use crate::sys::clock;
use crate::types::error::{At, CallError, SendError, TrySendError};
use crate::types::method::{Method, method_name};

/// A ref without the type: what generated methods send through.
#[doc(hidden)]
#[derive(Clone)]
pub struct RawRef {
    /// The actor; of a pool, the first member.
    pub(crate) endpoint: Arc<Endpoint>,
    /// Decides which member of a pool gets each message.
    pub(crate) router: Option<Arc<Router>>,
    pub(super) methods: &'static [Method],
    pub(super) within: Option<Duration>,
    /// The limit on the handler, as in the envelope.
    pub(super) limit: u64,
    /// Whether sending fails while the actor is being restarted.
    pub(super) only_if_up: bool,
    /// What a message does that finds no room in the mailbox.
    pub(super) room: Room,
}

/// What a message does that finds no room in the mailbox.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Room {
    /// The sending thread waits for it.
    Await,
    /// It fails.
    Demand,
    /// It is parked, and sent by another thread when there is room.
    Park,
}

/// What a message needs before it is sent.
struct Prepared {
    reactor: &'static Reactor,
    outgoing: Outgoing,
    deadline: u64,
}

/// How a message that finds no room in the mailbox waits for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wait {
    No,
    /// The sending thread sleeps, until then at most.
    Until(u64),
    /// It is parked, until then at most.
    Parked(u64),
}

impl Wait {
    /// Until when the sending thread sleeps; 0: not at all.
    pub(super) fn until(self) -> u64 {
        if let Wait::Until(moment) = self { moment } else { 0 }
    }
}

impl Room {
    fn wait(self, deadline: u64) -> Wait {
        match self {
            Room::Await => Wait::Until(deadline),
            Room::Demand => Wait::No,
            Room::Park => Wait::Parked(deadline),
        }
    }
}

/// Why a message was not sent.
pub(super) enum Unsent {
    Failure(Failure),
    /// No process is ready, and the caller does not wait for one.
    Unavailable,
    CallingSelf,
}

/// A message that was not sent, and why.
pub(super) type Back = (Unsent, Outgoing);

impl fmt::Debug for RawRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RawRef").field(&self.endpoint.card.name).finish()
    }
}

impl RawRef {
    fn address(&self, method: u32) -> Address {
        Address { endpoint: Arc::clone(&self.endpoint), method: method_name(self.methods, method) }
    }

    fn at(&self, method: u32) -> At {
        self.address(method).at()
    }

    /// Whether no process is ready, and one will be.
    fn is_unavailable(&self) -> bool {
        self.endpoint.status_page.state() != State::Ready && !self.endpoint.is_dead()
    }

    pub(crate) fn within(self, limit: Duration) -> RawRef {
        RawRef { within: Some(limit), limit: self.limit & !UNTIL_DEADLINE, ..self }
    }

    pub(crate) fn within_or_kill(self, limit: Duration) -> RawRef {
        RawRef { within: Some(limit), limit: self.limit | UNTIL_DEADLINE, ..self }
    }

    pub(crate) fn kill_after(self, limit: Duration) -> RawRef {
        let nanos = clock::nanos(limit).clamp(1, UNTIL_DEADLINE - 1);
        RawRef { limit: self.limit & UNTIL_DEADLINE | nanos, ..self }
    }

    pub(crate) fn if_up(self) -> RawRef {
        RawRef { only_if_up: true, ..self }
    }

    pub(super) fn demanding_room(self) -> RawRef {
        RawRef { room: Room::Demand, ..self }
    }

    pub(super) fn parking(self) -> RawRef {
        RawRef { room: Room::Park, ..self }
    }

    /// The actor, or all members of the pool.
    pub(super) fn endpoints(&self) -> &[Arc<Endpoint>] {
        self.router.as_ref().map_or(slice::from_ref(&self.endpoint), |router| router.members())
    }

    /// How deep a message may be, whichever member gets it.
    fn depth(&self) -> u32 {
        self.router.as_ref().map_or(self.endpoint.card.depth, |router| router.depth())
    }

    fn encode<A: Portable>(&self, method: u32, args: &A) -> Result<Encoded, SendError> {
        let (encoded, _) = codec::encode_within(args, self.depth());
        encoded.map_err(|error| SendError::Codec(error, self.at(method)))
    }

    /// Encodes arguments that are not given back to the caller.
    fn encode_away<A: Portable>(&self, method: u32, args: A) -> Result<Encoded, SendError> {
        let encoded = codec::encode_away(args, self.depth());
        encoded.map_err(|error| SendError::Codec(error, self.at(method)))
    }

    fn prepare(&self, method: u32, encoded: Encoded) -> Result<Prepared, SendError> {
        let unreachable = |error: std::io::Error| SendError::Unreachable(error.to_string(), self.at(method));
        let reactor = Reactor::get().map_err(unreachable)?;
        let outgoing = Outgoing::new(encoded, 1).map_err(unreachable)?;
        let deadline = clock::after(self.within.unwrap_or(self.endpoint.card.timeout));
        Ok(Prepared { reactor, outgoing, deadline })
    }

    fn error(&self, method: u32, unsent: Unsent) -> SendError {
        match unsent {
            Unsent::Failure(Failure::Full) => SendError::Full(self.at(method)),
            Unsent::Failure(Failure::Gone | Failure::Died) => SendError::Gone(self.address(method).at_gone()),
            Unsent::Failure(Failure::Io(error)) => SendError::Unreachable(error.to_string(), self.at(method)),
            Unsent::Unavailable => SendError::Unavailable(self.at(method)),
            Unsent::CallingSelf => SendError::CallingSelf(self.at(method)),
        }
    }

    fn call_error<E>(&self, method: u32, unsent: Unsent) -> CallError<E> {
        match unsent {
            Unsent::Failure(Failure::Died) => {
                died(self.endpoint.exit_record().as_deref(), &self.address(method))
            }
            unsent => self.error(method, unsent).into(),
        }
    }

    /// The ref of a member of the pool that this is the ref of, with the same options.
    fn member(&self, endpoint: &Arc<Endpoint>) -> RawRef {
        let RawRef { methods, within, limit, only_if_up, room, .. } = *self;
        let endpoint = Arc::clone(endpoint);
        RawRef { endpoint, router: None, methods, within, limit, only_if_up, room }
    }

    /// An actor must not wait for itself. Of a pool, another member gets the call.
    fn check_call<E>(&self, method: u32) -> Result<(), CallError<E>> {
        if self.router.is_none() && context::is_handling(self.endpoint.card.id) {
            return Err(CallError::CallingSelf(self.at(method)));
        }
        Ok(())
    }

    /// Has `send` send a message to the actor, or to the member of the pool whose turn it is.
    ///
    /// # Errors
    /// Why it was not sent, and the ref of the actor that this is about.
    fn deliver<T>(
        &self,
        ask: bool,
        wait: Wait,
        outgoing: Outgoing,
        send: impl Fn(&RawRef, Outgoing, Wait) -> Result<T, Back>,
    ) -> Result<T, (RawRef, Unsent)> {
        let Some(router) = &self.router else {
            return send(self, outgoing, wait).map_err(|(unsent, _)| (self.clone(), unsent));
        };
        let delivery = Delivery { ask, only_if_up: self.only_if_up, wait };
        // The router waits for room, among all members.
        let sent = router
            .send(delivery, outgoing, |member, outgoing, wait| send(&self.member(member), outgoing, wait));
        sent.map_err(|(member, unsent)| (self.member(member), unsent))
    }

    /// Hands a message to the one actor.
    fn hand_over(
        &self,
        reception: &Arc<Reception>,
        call: Call,
        outgoing: Outgoing,
        wait: Wait,
    ) -> Result<(), (Failure, Outgoing)> {
        match wait {
            Wait::Parked(deadline) => self.endpoint.send_or_park(reception, call, outgoing, deadline),
            wait => self.endpoint.send(reception, call, outgoing, wait.until()),
        }
    }

    /// Sends a call, waiting for room in the mailbox unless the ref says otherwise.
    fn call<A: Portable, T, E>(&self, method: u32, args: A) -> Result<Reply<T, E>, CallError<E>> {
        self.check_call(method)?;
        self.call_encoded(method, self.encode_away(method, args)?, self.room)
    }

    fn call_encoded<T, E>(
        &self,
        method: u32,
        encoded: Encoded,
        room: Room,
    ) -> Result<Reply<T, E>, CallError<E>> {
        let Prepared { reactor, outgoing, deadline } = self.prepare(method, encoded)?;
        let sent = self.deliver(true, room.wait(deadline), outgoing, |actor, outgoing, wait| {
            actor.call_one(reactor, method, outgoing, deadline, wait)
        });
        sent.map_err(|(actor, unsent)| actor.call_error(method, unsent))
    }

    /// Sends a call to the one actor.
    fn call_one<T, E>(
        &self,
        reactor: &'static Reactor,
        method: u32,
        outgoing: Outgoing,
        deadline: u64,
        wait: Wait,
    ) -> Result<Reply<T, E>, Back> {
        #[cfg(debug_assertions)]
        context::warn_of_cycle(&self.endpoint, method_name(self.methods, method));
        if let Err(error) = reactor.know(&self.endpoint) {
            return Err((Unsent::Failure(Failure::Io(error)), outgoing));
        }
        let waiter = Arc::new(Waiter::default());
        let Some(permit) = reactor.acquire_permit(&self.endpoint, wait.until()) else {
            return Err((Unsent::Failure(Failure::Full), outgoing));
        };
        let purges = self.endpoint.status_page.purges();
        let (seq, reception) = reactor.expect(&self.endpoint, &waiter, permit, purges, deadline);
        if self.endpoint.status_page.purges() != purges {
            // The actor went down just now. Its exit may have been reported before this call was registered.
            reactor.withdraw(seq);
            return Err((Unsent::Failure(Failure::Gone), outgoing));
        }
        if self.only_if_up && self.is_unavailable() {
            reactor.withdraw(seq);
            return Err((Unsent::Unavailable, outgoing));
        }
        let reply = Reply::sent(reactor, waiter, seq, deadline, self.address(method));
        let call = Call { seq, ask: true, method, deadline, limit: self.limit, purges };
        let sent = self.hand_over(&reception, call, outgoing, wait);
        if sent.is_err() {
            reactor.withdraw(seq);
        }
        sent.map(|()| reply).map_err(|(failure, outgoing)| (Unsent::Failure(failure), outgoing))
    }

    fn send<A: Portable>(&self, method: u32, args: &A, room: Room) -> Result<(), SendError> {
        self.send_encoded(method, self.encode(method, args)?, room)
    }

    fn send_encoded(&self, method: u32, encoded: Encoded, room: Room) -> Result<(), SendError> {
        let Prepared { reactor, outgoing, deadline } = self.prepare(method, encoded)?;
        // A tell has no deadline unless `within` gave it one: no caller waits for it.
        let expires = if self.within.is_some() { deadline } else { 0 };
        let sent = self.deliver(false, room.wait(deadline), outgoing, |actor, outgoing, wait| {
            actor.send_one(reactor, method, outgoing, expires, wait)
        });
        sent.map_err(|(actor, unsent)| actor.error(method, unsent))
    }

    /// Sends a tell to the one actor.
    fn send_one(
        &self,
        reactor: &'static Reactor,
        method: u32,
        outgoing: Outgoing,
        deadline: u64,
        wait: Wait,
    ) -> Result<(), Back> {
        if let Err(error) = reactor.know(&self.endpoint) {
            return Err((Unsent::Failure(Failure::Io(error)), outgoing));
        }
        if self.only_if_up && self.is_unavailable() {
            return Err((Unsent::Unavailable, outgoing));
        }
        let (limit, purges) = (self.limit, self.endpoint.status_page.purges());
        let call = Call { seq: reactor.number(), ask: false, method, deadline, limit, purges };
        // The thread that makes room must not wait for room.
        let waits_for_itself = wait.until() != 0 && context::serves(self.endpoint.card.id);
        let wait = if waits_for_itself { Wait::No } else { wait };
        let sent = self.hand_over(&reactor.reception(), call, outgoing, wait);
        sent.map_err(|(failure, outgoing)| match failure {
            Failure::Full if waits_for_itself => (Unsent::CallingSelf, outgoing),
            failure => (Unsent::Failure(failure), outgoing),
        })
    }

    /// Sends a message of the runtime to the actor's process; it takes its turn in the mailbox.
    pub(crate) fn tell_runtime<A: Portable>(&self, method: u32, args: &A) -> Result<(), SendError> {
        self.send(method, args, Room::Await)
    }

    /// A ref without methods, for messages of the runtime.
    pub(crate) fn bare(endpoint: Arc<Endpoint>) -> RawRef {
        RawRef::new(endpoint, None, &[])
    }

    /// The ref of a pool: each message goes to the member that the router chooses.
    pub(crate) fn routed(router: Arc<Router>, methods: &'static [Method]) -> RawRef {
        RawRef::new(Arc::clone(router.anyone()), Some(router), methods)
    }

    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        router: Option<Arc<Router>>,
        methods: &'static [Method],
    ) -> RawRef {
        RawRef { endpoint, router, methods, within: None, limit: 0, only_if_up: false, room: Room::Await }
    }

    /// This ref, with limits that another ref has.
    #[cfg(feature = "remote")]
    pub(crate) fn limited(self, within: Option<Duration>, limit: u64) -> RawRef {
        RawRef { within, limit, ..self }
    }

    /// A call with arguments that are already encoded.
    #[cfg(feature = "remote")]
    pub(crate) fn ask_encoded(&self, method: u32, args: Vec<u8>) -> Reply<()> {
        let encoded = Encoded { bytes: args, ..Encoded::default() };
        self.call_encoded(method, encoded, self.room)
            .unwrap_or_else(|error| Reply::failed(error, self.address(method)))
    }

    #[cfg(feature = "remote")]
    pub(crate) fn tell_encoded(&self, method: u32, args: Vec<u8>) -> Result<(), SendError> {
        self.send_encoded(method, Encoded { bytes: args, ..Encoded::default() }, self.room)
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
            self.call_encoded(method, encoded, Room::Demand)
        });
        sent.or_else(|error| {
            let error = match error {
                CallError::Full(at) => SendError::Full(at),
                CallError::Gone(at) => SendError::Gone(at),
                CallError::Codec(error, at) => SendError::Codec(error, at),
                CallError::Unreachable(error, at) => SendError::Unreachable(error, at),
                // Also for an actor that calls itself: the reply says so.
                error => return Ok(Reply::failed(error, self.address(method))),
            };
            Err(TrySendError { args, error })
        })
    }

    pub fn tell<A: Portable>(&self, method: u32, args: A) -> Result<(), SendError> {
        self.send_encoded(method, self.encode_away(method, args)?, self.room)
    }

    pub fn try_tell<A: Portable>(&self, method: u32, args: A) -> Result<(), TrySendError<A>> {
        self.send(method, &args, Room::Demand).map_err(|error| TrySendError { args, error })
    }
}
