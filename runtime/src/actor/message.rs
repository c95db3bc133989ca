//! What the expansion of an actor knows of one message: how it is sent, and how its handler is called.
//!
//! All that is asked of the types of a message is asked where this is made, and nothing where it is used. So
//! a type that cannot travel is one error of the compiler, and not one in each function that is generated.

use std::fmt;
use std::os::fd::OwnedFd;

use crate::actor::answer::Answer;
use crate::actor::call::Call;
use crate::actor::deferred::Later;
use crate::actor::raw_ref::RawRef;
use crate::actor::reply::Reply;
use crate::actor::roles::{AppError, Arguments, Returned, State};
use crate::ipc::codec::{self, Encoded, Portable};
use crate::ipc::envelope::Status;
use crate::ipc::user_code::framed;
use crate::types::error::{Never, SendError, TrySendError};

/// One message: its handler takes an `A` and returns an `O`; sending it returns `Sent`, or `Tried` if it does
/// not wait for room.
#[doc(hidden)]
pub struct Message<A, O, Sent, Tried> {
    method: u32,
    send: fn(&RawRef, u32, A) -> Sent,
    try_send: fn(&RawRef, u32, A) -> Result<Tried, TrySendError<A>>,
    decode: fn(Call<'_>) -> Result<A, Answer>,
    answer: fn(O) -> Answer,
}

/// A message with a reply.
#[doc(hidden)]
pub type Ask<A, O, T, E = Never> = Message<A, O, Reply<T, E>, Reply<T, E>>;

/// A message without a reply.
#[doc(hidden)]
pub type Tell<A> = Message<A, (), Result<(), SendError>, ()>;

impl<A, O, Sent, Tried> fmt::Debug for Message<A, O, Sent, Tried> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("method", &self.method).finish_non_exhaustive()
    }
}

impl<A, O, Sent, Tried> Message<A, O, Sent, Tried> {
    /// Waits for room in the mailbox, until the call's deadline.
    pub fn send(&self, actor: &RawRef, args: A) -> Sent {
        (self.send)(actor, self.method, args)
    }

    pub fn try_send(&self, actor: &RawRef, args: A) -> Result<Tried, TrySendError<A>> {
        (self.try_send)(actor, self.method, args)
    }

    pub fn handle(&self, call: Call<'_>, handler: impl FnOnce(A) -> O) -> Answer {
        match (self.decode)(call) {
            Ok(args) => (self.answer)(framed(handler, args)),
            Err(answer) => answer,
        }
    }
}

/// For a handler that returns a `T`.
pub const fn ask<A: Arguments, T: Returned>(method: u32) -> Ask<A, T, T> {
    Message {
        method,
        send: RawRef::ask,
        try_send: RawRef::try_ask,
        decode: |call| call.arguments(),
        answer: |value| Answer::of(Status::Value, value),
    }
}

/// For a handler that returns a `Result`.
pub const fn ask_result<A: Arguments, T: Returned, E: AppError>(method: u32) -> Ask<A, Result<T, E>, T, E> {
    Message {
        method,
        send: RawRef::ask_result,
        try_send: RawRef::try_ask_result,
        decode: |call| call.arguments(),
        answer: Answer::of_result,
    }
}

/// For a handler whose reply comes later.
pub const fn ask_later<A: Arguments, T: Returned>(method: u32) -> Ask<A, Later<T>, T> {
    Message {
        method,
        send: RawRef::ask,
        try_send: RawRef::try_ask,
        decode: |call| call.arguments(),
        answer: Answer::of_later,
    }
}

/// For a handler whose reply comes later, and may be an error then.
pub const fn ask_later_result<A: Arguments, T: Returned, E: AppError>(
    method: u32,
) -> Ask<A, Later<Result<T, E>>, T, E> {
    Message {
        method,
        send: RawRef::ask_later_result,
        try_send: RawRef::try_ask_later_result,
        decode: |call| call.arguments(),
        answer: Answer::of_later,
    }
}

/// For a handler without a reply.
pub const fn tell<A: Arguments>(method: u32) -> Tell<A> {
    Message {
        method,
        send: RawRef::tell,
        try_send: RawRef::try_tell,
        decode: |call| call.arguments(),
        answer: |()| Answer::empty(Status::Value),
    }
}

/// As [`codec::encode_within`].
type Encode<T> = fn(&T, u32) -> (Result<Encoded, String>, u32);

/// As [`codec::decode_within`].
type Decode<T> = fn(&[u8], Vec<OwnedFd>, u32) -> Result<T, String>;

/// How that travels which an actor is made of.
#[doc(hidden)]
pub struct InitCodec<T> {
    pub(crate) encode: Encode<T>,
    pub(crate) decode: Decode<T>,
}

impl<T> fmt::Debug for InitCodec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitCodec").finish_non_exhaustive()
    }
}

impl<T: Portable> InitCodec<T> {
    pub(crate) const NEW: InitCodec<T> =
        InitCodec { encode: codec::encode_within, decode: codec::decode_within };
}

/// For an actor that is its own state.
pub const fn codec_of_state<A: State>() -> InitCodec<A> {
    InitCodec::NEW
}

/// For an actor that an `#[init]` makes.
pub const fn codec_of_arguments<A: Arguments>() -> InitCodec<A> {
    InitCodec::NEW
}
