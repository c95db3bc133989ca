//! What can go wrong, one small type per kind of call: with calls and messages here, with starts in [`spawn`].

mod any;
mod spawn;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::types::escape::{Line, escaped};
use crate::types::exit::ExitReason;

pub use any::{Error, Result};
pub use spawn::SpawnError;

/// Where a call was going: the actor, its process, the method.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct At(Arc<Details>);

#[derive(Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Details {
    actor: Arc<str>,
    pid: u32,
    incarnation: u64,
    method: Cow<'static, str>,
    ended: Option<ExitReason>,
}

impl At {
    /// `process` is its pid and its incarnation; 0 where there has been none.
    pub(crate) fn new(
        actor: &Arc<str>,
        process: (u32, u64),
        method: &'static str,
        ended: Option<ExitReason>,
    ) -> At {
        let (pid, incarnation) = process;
        At(Arc::new(Details { actor: Arc::clone(actor), pid, incarnation, method: method.into(), ended }))
    }

    /// The actor's name.
    pub fn actor(&self) -> &str {
        &self.0.actor
    }

    /// The process that the error is about: for [`CallError::Died`] the one that died, else the actor's
    /// process at the time of the error. `None` if it never had one.
    pub fn pid(&self) -> Option<u32> {
        Some(self.0.pid).filter(|&pid| pid != 0)
    }

    /// The number of that process among all processes of the actor, counted from 1; `None` if it never had
    /// one.
    pub fn incarnation(&self) -> Option<u64> {
        Some(self.0.incarnation).filter(|&incarnation| incarnation != 0)
    }

    /// The method that was called.
    pub fn method(&self) -> &str {
        &self.0.method
    }

    /// For an actor that was gone before the call: how it had ended.
    pub fn ended(&self) -> Option<&ExitReason> {
        self.0.ended.as_ref()
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| {
            write!(f, "`{}` of actor `{}`", self.0.method, self.0.actor)?;
            match (self.0.pid, self.0.incarnation) {
                (0, _) => Ok(()),
                (pid, 0) => write!(f, " (process {pid})"),
                (pid, incarnation) => write!(f, " (process {pid}, incarnation {incarnation})"),
            }
        })
    }
}

/// The error of a handler that cannot fail: it has no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Never {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Serialize for Never {
    fn serialize<S: Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> std::result::Result<Never, D::Error> {
        Err(serde::de::Error::custom("an error where there cannot be one"))
    }
}

/// Why a call has no reply. `E` is the handler's own error.
///
/// Each variant but [`App`](Self::App) says actor, process and method (see [`At`]). It can travel: a handler
/// may return the error of a call that it made itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CallError<E = Never> {
    /// The handler returned `Err`. The actor is well.
    App(E),
    /// The actor died, with this call in its mailbox or in progress.
    Died(ExitReason, At),
    /// No reply within the deadline. The call may still run; its reply is dropped.
    Timeout(At),
    /// The mailbox stayed full until the deadline. The call was not sent.
    Full(At),
    /// The actor was stopped before the call's turn came.
    Stopped(At),
    /// The actor does not exist any more, and will not come back. The call was not sent.
    Gone(At),
    /// The actor has no process at the moment, there will be one, and the caller did not want to wait
    /// ([`if_up`](crate::ActorRef::if_up)). The call was not sent.
    Unavailable(At),
    /// Arguments or reply could not be encoded or decoded; the actor is well.
    Codec(String, At),
    /// An actor called itself: its handler would wait for itself. Call the method on `self`, or tell.
    CallingSelf(At),
    /// The handler deferred its reply and then dropped it (see [`Answer`](crate::Answer)); the actor is well.
    Unanswered(At),
    /// The actor is on another host, and the link to it is lost. It comes back by itself.
    Disconnected {
        /// Whether the call was executed.
        executed: Executed,
        /// How the link was lost, or why there is none.
        why: String,
        /// Where the call was going.
        at: At,
    },
    /// The operating system refused (no descriptors, no memory), or the reply was lost.
    Unreachable(String, At),
}

/// Whether a call was executed although its link was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Executed {
    /// It has not, and will not be: it never left this host. It can be made again.
    No,
    /// Unknown here: it was sent, and then the link was lost, with it or with its reply.
    Unknown,
}

impl<E> CallError<E> {
    /// Where the call was going; `None` for the handler's own error.
    pub fn at(&self) -> Option<&At> {
        match self {
            CallError::App(_) => None,
            CallError::Died(_, at)
            | CallError::Timeout(at)
            | CallError::Full(at)
            | CallError::Stopped(at) => Some(at),
            CallError::Gone(at)
            | CallError::Unavailable(at)
            | CallError::Codec(_, at)
            | CallError::CallingSelf(at)
            | CallError::Unanswered(at)
            | CallError::Disconnected { at, .. }
            | CallError::Unreachable(_, at) => Some(at),
        }
    }

    /// The handler's own error; or, as an error, what else was wrong.
    pub(crate) fn into_app(self) -> std::result::Result<E, CallError> {
        Err(match self {
            CallError::App(error) => return Ok(error),
            CallError::Died(reason, at) => CallError::Died(reason, at),
            CallError::Timeout(at) => CallError::Timeout(at),
            CallError::Full(at) => CallError::Full(at),
            CallError::Stopped(at) => CallError::Stopped(at),
            CallError::Gone(at) => CallError::Gone(at),
            CallError::Unavailable(at) => CallError::Unavailable(at),
            CallError::Codec(error, at) => CallError::Codec(error, at),
            CallError::CallingSelf(at) => CallError::CallingSelf(at),
            CallError::Unanswered(at) => CallError::Unanswered(at),
            CallError::Disconnected { executed, why, at } => CallError::Disconnected { executed, why, at },
            CallError::Unreachable(error, at) => CallError::Unreachable(error, at),
        })
    }

    /// Why the actor ended, if that is why there is no reply.
    pub fn exit_reason(&self) -> Option<&ExitReason> {
        match self {
            CallError::Died(reason, _) => Some(reason),
            CallError::Gone(at) => at.ended(),
            _ => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            CallError::App(error) => write!(f, "{error}"),
            CallError::Died(reason, at) => write!(f, "{at}: the actor died: {reason}"),
            CallError::Timeout(at) => write!(f, "{at}: no reply within the deadline"),
            CallError::Full(at) => write!(f, "{at}: the mailbox is full"),
            CallError::Stopped(at) => write!(f, "{at}: the actor was stopped first"),
            CallError::Gone(at) => gone(f, at),
            CallError::Unavailable(at) => unavailable(f, at),
            CallError::Codec(error, at) => write!(f, "{at}: {error}"),
            CallError::CallingSelf(at) => calling_self(f, at),
            CallError::Unanswered(at) => write!(f, "{at}: the actor dropped its reply"),
            CallError::Disconnected { executed: Executed::No, why, at } => {
                write!(f, "{at}: not sent, there is no link: {why}")
            }
            CallError::Disconnected { executed: Executed::Unknown, why, at } => {
                write!(f, "{at}: the link was lost before the reply came: {why}")
            }
            CallError::Unreachable(error, at) => write!(f, "{at}: {error}"),
        })
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for CallError<E> {}

fn calling_self(f: &mut Line<'_>, at: &At) -> fmt::Result {
    write!(f, "{at}: an actor cannot wait for itself")
}

fn unavailable(f: &mut Line<'_>, at: &At) -> fmt::Result {
    write!(f, "{at}: the actor is being restarted")
}

fn gone(f: &mut Line<'_>, at: &At) -> fmt::Result {
    write!(f, "{at}: the actor is gone")?;
    at.ended().map_or(Ok(()), |ended| write!(f, " ({ended})"))
}

/// Why a message could not be sent, or a process not be reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SendError {
    /// The mailbox is full (and stayed so until the deadline, where there is one).
    Full(At),
    /// The actor does not exist any more, and will not come back.
    Gone(At),
    /// It has no process at the moment; there will be one.
    Unavailable(At),
    /// An argument could not be encoded.
    Codec(String, At),
    /// An actor would wait for itself: for its own end (which it can request without waiting, by
    /// `terminate`), or for room in its own mailbox, which is full.
    CallingSelf(At),
    /// The operating system refused: no descriptors, no memory, no permission.
    Unreachable(String, At),
}

impl SendError {
    /// Where the message was going.
    pub fn at(&self) -> &At {
        match self {
            SendError::Full(at)
            | SendError::Gone(at)
            | SendError::Unavailable(at)
            | SendError::Codec(_, at)
            | SendError::CallingSelf(at)
            | SendError::Unreachable(_, at) => at,
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            SendError::Full(at) => write!(f, "{at}: the mailbox is full"),
            SendError::Gone(at) => gone(f, at),
            SendError::Unavailable(at) => unavailable(f, at),
            SendError::Codec(error, at) | SendError::Unreachable(error, at) => write!(f, "{at}: {error}"),
            SendError::CallingSelf(at) => calling_self(f, at),
        })
    }
}

impl std::error::Error for SendError {}

impl<E> From<SendError> for CallError<E> {
    fn from(error: SendError) -> CallError<E> {
        match error {
            SendError::Full(at) => CallError::Full(at),
            SendError::Gone(at) => CallError::Gone(at),
            SendError::Unavailable(at) => CallError::Unavailable(at),
            SendError::Codec(error, at) => CallError::Codec(error, at),
            SendError::CallingSelf(at) => CallError::CallingSelf(at),
            SendError::Unreachable(error, at) => CallError::Unreachable(error, at),
        }
    }
}

/// A send that did not wait and failed; it gives the arguments back.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TrySendError<A> {
    /// The arguments, as one tuple.
    pub args: A,
    /// Why.
    pub error: SendError,
}

impl<A> fmt::Debug for TrySendError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrySendError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<A> fmt::Display for TrySendError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<A> std::error::Error for TrySendError<A> {}
