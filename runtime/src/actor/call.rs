//! Decodes a message for its handler, and encodes what comes of it.

use std::fmt;
use std::os::fd::OwnedFd;

use crate::actor::answer::Answer;
use crate::ipc::bounds;
use crate::ipc::codec::{self, Portable};
use crate::ipc::envelope::{Body, Status};
use crate::ipc::user_code::framed;

/// A message on its way into its handler.
#[doc(hidden)]
#[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "read only to pass a message to another host"))]
pub struct Call<'a> {
    pub(crate) method: u32,
    pub(crate) body: &'a Body,
    pub(crate) fds: Vec<OwnedFd>,
    /// Whether a caller waits for the reply.
    pub(crate) ask: bool,
    /// The deadline, on the system's clock; 0 if there is none.
    pub(crate) deadline: u64,
    /// The caller's limit on the handler, in nanoseconds; 0 if only the actor's own limits apply.
    pub(crate) limit: u64,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("method", &self.method).field("ask", &self.ask).finish_non_exhaustive()
    }
}

impl Call<'_> {
    pub fn method(&self) -> u32 {
        self.method
    }

    pub(super) fn arguments<A: Portable>(self) -> Result<A, Answer> {
        codec::decode_within(self.body, self.fds, bounds::here()).map_err(|error| Answer::codec(&error))
    }

    /// Decodes the front of the message, which has no refs in it; the rest can still be read.
    pub(crate) fn front<T: Portable>(&self) -> Option<T> {
        postcard::take_from_bytes(self.body).ok().map(|(front, _)| front)
    }

    pub fn ask<A: Portable, T: Portable>(self, handler: impl FnOnce(A) -> T) -> Answer {
        match self.arguments() {
            Ok(args) => Answer::of(Status::Value, framed(handler, args)),
            Err(answer) => answer,
        }
    }

    pub fn ask_result<A: Portable, T: Portable, E: Portable>(
        self,
        handler: impl FnOnce(A) -> Result<T, E>,
    ) -> Answer {
        match self.arguments() {
            Ok(args) => Answer::of_result(framed(handler, args)),
            Err(answer) => answer,
        }
    }

    pub fn unknown(self) -> Answer {
        Answer::codec("there is no such method")
    }
}
