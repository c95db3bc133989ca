//! Code of users that runs on the library's stack: wakers, hooks, subscribers.
//!
//! It may panic, and it may come back into the library. So it runs under no lock of ours, and a panic in it ends no more than itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls it; `None` if it panics, which is said in the log as a panic of `what`.
pub(crate) fn call<T>(what: &'static str, code: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // What was thrown may throw again when it is dropped.
            std::mem::forget(payload);
            let said =
                catch_unwind(|| tracing::error!(what, "code of the program has panicked, and was caught"));
            said.unwrap_or_else(std::mem::forget);
            None
        }
    }
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
