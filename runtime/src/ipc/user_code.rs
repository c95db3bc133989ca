//! Code of users that runs on the library's stack: wakers, hooks, subscribers.
//!
//! It may panic, and it may call back into the library. So it must not run under a lock of ours, and a panic
//! in it ends no more than itself.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What a panic has thrown. It may panic again when it is dropped, where no code expects that, so it is never
/// dropped.
pub(crate) struct Thrown(ManuallyDrop<Box<dyn Any + Send>>);

impl Thrown {
    /// Also for what a thread has thrown that was joined.
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Thrown {
        Thrown(ManuallyDrop::new(payload))
    }

    /// Throws it again.
    pub(crate) fn again(self) -> ! {
        resume_unwind(ManuallyDrop::into_inner(self.0))
    }
}

impl Deref for Thrown {
    type Target = dyn Any + Send;

    fn deref(&self) -> &Self::Target {
        &**self.0
    }
}

/// Calls `code`. The one place where a panic is caught.
///
/// # Errors
/// What it has thrown.
pub(crate) fn caught<T>(code: impl FnOnce() -> T) -> Result<T, Thrown> {
    catch_unwind(AssertUnwindSafe(code)).map_err(Thrown::new)
}

/// Calls a function of the program with its argument, and ends the backtrace of a panic in it there: what
/// called it is the library's. The function itself, not a closure around it, which would be a frame too.
pub(crate) fn framed<A, T>(function: impl FnOnce(A) -> T, argument: A) -> T {
    __rust_begin_short_backtrace(function, argument)
}

/// A short backtrace ends at a function of this name.
#[inline(never)]
fn __rust_begin_short_backtrace<A, T>(function: impl FnOnce(A) -> T, argument: A) -> T {
    let done = function(argument);
    // A call in the last place could leave no frame.
    std::hint::black_box(());
    done
}

/// Calls `code`; `None` if it panics, which is logged as a panic of `what`.
pub(crate) fn call<T>(what: &'static str, code: impl FnOnce() -> T) -> Option<T> {
    let called = caught(code).ok();
    if called.is_none() {
        let _ = caught(|| tracing::error!(what, "code of the program has panicked, and was caught"));
    }
    called
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Grenade;

    impl Drop for Grenade {
        #[allow(clippy::panic, reason = "that is what it is for")]
        fn drop(&mut self) {
            panic!("thrown twice, on purpose");
        }
    }

    #[test]
    fn what_is_thrown_goes_no_further_and_is_not_dropped() {
        assert_eq!(call("a test", || 1), Some(1));
        assert_eq!(call("a test", || -> u8 { std::panic::panic_any(Grenade) }), None);
    }
}
