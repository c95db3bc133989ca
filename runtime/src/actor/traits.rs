//! The traits that `#[actor]` implements, and the types that its code names.

use std::fmt;
use std::sync::Arc;

use crate::actor::call::Call;
use crate::actor::deferred::Promise;
use crate::actor::raw_ref::RawRef;
use crate::ipc::bounds;
use crate::ipc::codec::{self, Encoded, Portable};
use crate::ipc::envelope::Status;
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
