//! The traits that `#[actor]` implements.

use std::fmt;

use crate::actor::answer::Answer;
use crate::actor::call::Call;
use crate::actor::message::InitCodec;
use crate::actor::raw_ref::RawRef;
use crate::types::down::Down;
use crate::types::method::Method;
use crate::types::options::Options;

/// A type whose values live in processes of their own. Implemented by `#[actor]`, not by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an actor: write `#[actor]` on the struct, and on one impl block of it",
    label = "lacks `#[actor]` on its impl block, or on the struct too",
    note = "write `#[actor] impl {Self} {{ .. }}` for its messages, empty if it has none"
)]
pub trait Actor: ActorStruct {
    /// What travels to the new process to make the actor: itself, or the arguments of its `#[init]`.
    type Init: 'static;

    #[doc(hidden)]
    const CODEC: InitCodec<Self::Init>;

    #[doc(hidden)]
    const METHODS: &'static [Method];

    #[doc(hidden)]
    fn init(init: Self::Init) -> Result<Self, InitFailure>;

    #[doc(hidden)]
    fn handle(&mut self, call: Call<'_>) -> Answer;

    /// Called when waiting processes have been told that it is ready, before the first message.
    #[doc(hidden)]
    fn on_start(&mut self) {}

    /// Called when a message has been handled and its reply is out.
    #[doc(hidden)]
    fn on_handled(&mut self) {}

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
    message = "`{Self}` is not an actor: write `#[actor]` on the struct too",
    label = "lacks `#[actor]` on the struct",
    note = "the attribute stands on the struct and on the impl block with its messages"
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
