//! The traits that `#[actor]` implements, and the types that its code names.

use std::fmt;
use std::sync::Arc;

use crate::actor::deferred::{Later, Promise};
use crate::actor::raw_ref::RawRef;
use crate::ipc::bounds;
use crate::ipc::codec::{self, Encoded, Portable};
use crate::ipc::envelope::{Body, Status};
use crate::reactor::monitor::Down;
use crate::types::method::Method;
use crate::types::options::Options;

/// A type whose values live in processes of their own. Implemented by `#[actor]`, not by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an actor",
    label = "needs `#[actor]` on the type and on the impl block with its messages",
    note = "write `#[actor] impl {Self} {{ .. }}`, empty if it has no messages"
)]
pub trait Actor: ActorStruct {
    /// What travels to the new process to make the actor: itself, or the arguments of its `#[init]`.
    type Init: Portable;

    #[doc(hidden)]
    const METHODS: &'static [Method];

    #[doc(hidden)]
    fn init(init: Self::Init) -> Result<Self, InitFailure>;

    #[doc(hidden)]
    fn handle(&mut self, call: Call<'_>) -> Answer;

    /// Called when waiting processes have been told that it is ready, before the first message.
    #[doc(hidden)]
    fn on_start(&mut self) {}

    /// Whether it is told of the ends of linked actors, instead of ending too.
    #[doc(hidden)]
    const TRAPS_EXITS: bool = false;

    #[doc(hidden)]
    fn on_exit(&mut self, _: Down) {}

    #[doc(hidden)]
    fn on_stop(&mut self) {}
}

/// The half of [`Actor`] that the attribute on the type writes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an actor",
    label = "needs `#[actor]` on the type",
    note = "the attribute goes on the struct and on the impl block with its messages"
)]
pub trait ActorStruct: Sized + 'static {
    /// The type whose methods are the actor's messages; an [`ActorRef`](crate::ActorRef) derefs to it.
    type Calls: Calls;

    #[doc(hidden)]
    const OPTIONS: Options;
}

/// A generated type whose methods send. Implemented by `#[actor]`.
pub trait Calls: Clone + Send + Sync + 'static {
    #[doc(hidden)]
    fn from_raw(raw: RawRef) -> Self;

    #[doc(hidden)]
    fn raw(&self) -> &RawRef;
}

/// Why an `#[init]` did not make an actor.
#[doc(hidden)]
#[derive(Debug)]
pub struct InitFailure(pub(crate) String);

impl InitFailure {
    pub fn new(error: impl fmt::Display) -> InitFailure {
        InitFailure(error.to_string())
    }
}

/// A message on its way into its handler.
#[doc(hidden)]
#[cfg_attr(
    not(feature = "remote"),
    allow(dead_code, reason = "who hands it on to another host says all of it")
)]
pub struct Call<'a> {
    pub(crate) method: u32,
    pub(crate) body: &'a Body,
    pub(crate) fds: Vec<std::os::fd::OwnedFd>,
    /// Whether a caller waits for the answer.
    pub(crate) ask: bool,
    /// The deadline, on the system's clock; 0 if there is none.
    pub(crate) deadline: u64,
    /// The caller's limit on the handler, in nanoseconds; 0 if only the actor's own limits apply.
    pub(crate) limit: u64,
}

/// The outcome of a message, encoded.
#[doc(hidden)]
pub struct Answer {
    pub(crate) status: Status,
    pub(crate) encoded: Encoded,
    /// Set if the answer comes later: then the two above say nothing.
    pub(crate) later: Option<Arc<Promise>>,
}

impl Answer {
    pub(crate) fn new(status: Status, encoded: Encoded) -> Answer {
        Answer { status, encoded, later: None }
    }

    pub(crate) fn empty(status: Status) -> Answer {
        Answer::new(status, Encoded::default())
    }

    pub(crate) fn codec(text: &str) -> Answer {
        Answer::text(Status::Codec, text)
    }

    pub(crate) fn text(status: Status, text: &str) -> Answer {
        Answer::new(status, Encoded::of_bytes(text.as_bytes().to_vec()))
    }

    /// The handler's own error.
    pub(crate) fn app<E: Portable>(error: E) -> Answer {
        Answer::of(Status::App, error)
    }

    pub(crate) fn of<T: Portable>(status: Status, value: T) -> Answer {
        codec::encode_away(value, bounds::here())
            .map_or_else(|error| Answer::codec(&error), |encoded| Answer::new(status, encoded))
    }

    /// Like [`Answer::of`], but borrows the value; also returns the number of its levels.
    pub(crate) fn of_ref<T: Portable>(status: Status, value: &T) -> (Answer, u32) {
        let (encoded, levels) = codec::encode_within(value, bounds::here());
        let answer =
            encoded.map_or_else(|error| Answer::codec(&error), |encoded| Answer::new(status, encoded));
        (answer, levels)
    }
}

impl Call<'_> {
    pub fn method(&self) -> u32 {
        self.method
    }

    fn arguments<A: Portable>(self) -> Result<A, Answer> {
        codec::decode_within(self.body, self.fds, bounds::here()).map_err(|error| Answer::codec(&error))
    }

    /// Decodes the front of the message, which has no refs in it; the rest can still be read.
    pub(crate) fn front<T: Portable>(&self) -> Option<T> {
        postcard::take_from_bytes(self.body).ok().map(|(front, _)| front)
    }

    pub fn ask<A: Portable, T: Portable>(self, handler: impl FnOnce(A) -> T) -> Answer {
        match self.arguments() {
            Ok(args) => Answer::of(Status::Value, handler(args)),
            Err(answer) => answer,
        }
    }

    pub fn ask_result<A: Portable, T: Portable, E: Portable>(
        self,
        handler: impl FnOnce(A) -> Result<T, E>,
    ) -> Answer {
        match self.arguments().map(handler) {
            Ok(Ok(value)) => Answer::of(Status::Value, value),
            Ok(Err(error)) => Answer::app(error),
            Err(answer) => answer,
        }
    }

    pub fn ask_later<A: Portable, T>(self, handler: impl FnOnce(A) -> Later<T>) -> Answer {
        match self.arguments().map(handler) {
            Ok(later) => Answer { later: later.into_promise(), ..Answer::empty(Status::Value) },
            Err(answer) => answer,
        }
    }

    pub fn tell<A: Portable>(self, handler: impl FnOnce(A)) -> Answer {
        match self.arguments().map(handler) {
            Ok(()) => Answer::empty(Status::Value),
            Err(answer) => answer,
        }
    }

    pub fn unknown(self) -> Answer {
        Answer::codec("there is no such method")
    }
}

/// `Result` under any of its names, such as `io::Result<T>`.
#[doc(hidden)]
pub trait ResultLike {
    type Ok;
    type Err;
    fn into_result(self) -> Result<Self::Ok, Self::Err>;
}

impl<T, E> ResultLike for Result<T, E> {
    type Ok = T;
    type Err = E;

    fn into_result(self) -> Result<T, E> {
        self
    }
}
