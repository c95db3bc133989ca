//! Answers that are sent after the handler has returned (OTP's `{noreply, State}` with `gen_server:reply/2`).
//!
//! The handler returns one half of a promise and keeps the other. When it has returned, the promise learns
//! whose call it was; from then on an answer goes straight into the caller's reply channel, from any thread.
//! Only an answer that finds no room there is left to the main thread, which keeps it like all others.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::actor::answer;
use crate::actor::server::Origin;
use crate::ipc::bounds;
use crate::ipc::codec::Portable;
use crate::ipc::envelope::Status;
use crate::reactor::own;
use crate::sys::per_process::Home;

/// What a handler returns if its answer comes later; see [`later`].
///
/// It must be the whole return type of a message. A fallible one is `Later<Result<T, E>>`, which its caller
/// gets as `T` or [`CallError::App`](crate::CallError::App).
#[must_use = "it is what the handler returns"]
pub struct Later<T> {
    promise: Option<Arc<Promise>>,
    kind: PhantomData<fn() -> T>,
}

/// The answer to a call whose handler has returned (OTP's `From`): sent once, from any thread of the actor's
/// process.
///
/// Dropping it without sending ends the caller's wait with
/// [`CallError::Unanswered`](crate::CallError::Unanswered). If it is dropped because the actor ends, the
/// caller is told of that end instead.
#[must_use = "dropping it tells the caller that no reply will come"]
pub struct Answer<T> {
    promise: Arc<Promise>,
    kind: PhantomData<fn(T)>,
}

/// Makes the two halves of an answer that is given later: the handler returns the one and keeps the other.
///
/// The call is no longer in progress when its handler has returned: the method's deadline no longer runs, and
/// the next message is handled. If the actor dies, the caller gets
/// [`CallError::Died`](crate::CallError::Died), even if the actor is restarted: its next process knows
/// nothing of the promises of the last one.
///
/// ```
/// use phalanx::prelude::*;
/// use phalanx::{Answer, Later};
///
/// /// A value that is set once, for any number of waiting callers.
/// #[actor]
/// struct Promise {
///     waiting: Vec<Answer<u64>>,
/// }
///
/// #[actor]
/// impl Promise {
///     #[init]
///     fn new() -> Self {
///         Promise { waiting: Vec::new() }
///     }
///
///     fn get(&mut self) -> Later<u64> {
///         let (later, answer) = phalanx::later();
///         self.waiting.push(answer);
///         later
///     }
///
///     fn put(&mut self, value: u64) {
///         for answer in self.waiting.drain(..) {
///             let _ = answer.send(value); // a caller that is gone does not get it
///         }
///     }
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let promise = Promise::spawn()?;
/// let (one, other) = (promise.get(), promise.get());
/// promise.put(42).wait()?;
/// assert_eq!((one.wait()?, other.wait()?), (42, 42));
/// # Ok(())
/// # }
/// ```
pub fn later<T>() -> (Later<T>, Answer<T>) {
    let promise = Arc::new(Promise { stage: Mutex::new(Stage::Handling(None)), home: Home::here() });
    let answer = Answer { promise: Arc::clone(&promise), kind: PhantomData };
    (Later { promise: Some(promise), kind: PhantomData }, answer)
}

/// What both halves share.
pub(crate) struct Promise {
    stage: Mutex<Stage>,
    /// The process that must answer; a copy of it must not.
    home: Home,
}

enum Stage {
    /// The handler has not returned. It may have answered.
    Handling(Option<answer::Answer>),
    /// A caller waits.
    Open(Origin),
    /// No caller waits, or none any more.
    Closed,
}

impl Promise {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called when the handler has returned, with whose call it was. Returns what must be sent at once.
    pub(crate) fn bind(&self, origin: impl FnOnce() -> Option<Origin>) -> Option<answer::Answer> {
        let mut stage = self.stage();
        match std::mem::replace(&mut *stage, Stage::Closed) {
            Stage::Handling(None) => {
                *stage = origin().map_or(Stage::Closed, Stage::Open);
                None
            }
            Stage::Handling(Some(answer)) => Some(answer),
            Stage::Open(_) | Stage::Closed => None,
        }
    }

    fn is_wanted(&self) -> bool {
        if !self.home.is_here() {
            return false;
        }
        match &*self.stage() {
            Stage::Handling(answer) => answer.is_none(),
            Stage::Open(origin) => origin.is_wanted(),
            Stage::Closed => false,
        }
    }

    /// Whether sending an answer would at least be tried.
    fn takes_an_answer(&self) -> bool {
        if !self.home.is_here() {
            return false;
        }
        match &*self.stage() {
            Stage::Handling(answer) => answer.is_none(),
            Stage::Open(origin) => !origin.is_late(),
            Stage::Closed => false,
        }
    }

    /// Returns whether a caller may get it.
    fn answer(&self, make: impl FnOnce() -> answer::Answer) -> bool {
        if !self.takes_an_answer() {
            return false;
        }
        // Not under the lock: encoding runs user code.
        let answer = make();
        let mut stage = self.stage();
        match std::mem::replace(&mut *stage, Stage::Closed) {
            Stage::Handling(None) => {
                *stage = Stage::Handling(Some(answer));
                true
            }
            Stage::Open(origin) => {
                drop(stage);
                origin.answer(answer)
            }
            // The other half was dropped meanwhile.
            _ => false,
        }
    }
}

impl<T> Later<T> {
    /// What a handler has returned.
    pub(crate) fn into_promise(mut self) -> Option<Arc<Promise>> {
        self.promise.take()
    }
}

impl<T> Drop for Later<T> {
    fn drop(&mut self) {
        // The handler did not return it: no caller will wait for the other half.
        if let Some(promise) = self.promise.take() {
            *promise.stage() = Stage::Closed;
        }
    }
}

impl<T: Portable> Answer<T> {
    /// Sends it. Does not block: if the caller does not read and its channel has no room, the answer is kept,
    /// 64 MiB at most for each caller, and sent when there is room.
    ///
    /// An answer that cannot be encoded reaches its caller as [`CallError::Codec`](crate::CallError::Codec),
    /// and counts as sent.
    ///
    /// # Errors
    /// The value, if no caller can get it any more: see [`is_wanted`](Self::is_wanted). Sent does not mean
    /// received: the caller may have stopped waiting just now, or die before it reads.
    pub fn send(self, value: T) -> Result<(), T> {
        let mut levels = 0;
        let make = || {
            let answer;
            (answer, levels) = answer::Answer::of_ref(Status::Value, &value);
            answer
        };
        if !self.promise.answer(make) {
            return Err(value);
        }
        bounds::drop_deep(value, levels);
        Ok(())
    }
}

#[cfg(feature = "remote")]
impl Answer<()> {
    /// Sends an answer that is already encoded, of any type.
    pub(crate) fn send_encoded(self, answer: answer::Answer) {
        self.promise.answer(|| answer);
    }
}

impl<T> Answer<T> {
    /// Whether a caller may still wait for it: false when the caller's deadline has passed, when its process
    /// is gone, or when the [`Later`] that belongs to it was dropped instead of returned. A living caller
    /// that has dropped its [`Reply`](crate::Reply) is not noticed. Does not block.
    pub fn is_wanted(&self) -> bool {
        self.promise.is_wanted()
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        // An actor that ends tells its callers by ending.
        if !own::is_stopping() {
            self.promise.answer(|| answer::Answer::empty(Status::Unanswered));
        }
    }
}

impl<T> fmt::Debug for Later<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Later")
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}
