//! What belongs to one process, and not to the copies that a fork without exec makes of it.
//!
//! A copy has the memory of its original and one of its threads. So it must not use what the original's other
//! threads may have locked, what those threads serve, or what names the original to other processes. A value
//! in an [`Own`] is made anew in the copy.

use std::cell::Cell;

use once_cell::race::OnceBox;

use crate::copy;

/// The process in which something was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home(u64);

impl Home {
    /// This process.
    pub fn here() -> Home {
        Home(copy::generation())
    }

    /// Whether the calling process is this one, and no copy of it.
    pub fn is_here(self) -> bool {
        copy::generation() == self.0
    }
}

/// A value for each process. The original's value stays in the memory of its copies, which leave it alone.
pub struct Own<T>(OnceBox<Made<T>>);

impl<T: Default> Default for Own<T> {
    fn default() -> Self {
        Own::new()
    }
}

struct Made<T> {
    home: Home,
    value: T,
    /// The value of a copy.
    next: Own<T>,
}

impl<T: Default> Own<T> {
    /// No value yet: each process makes its own at the first use.
    pub const fn new() -> Own<T> {
        Own(OnceBox::new())
    }

    /// The value of this process. Never blocks.
    pub fn here(&self) -> &T {
        let home = Home::here();
        let mut place = self;
        loop {
            // Two threads may each make one at the same time; one of them is kept.
            let make = || Box::new(Made { home, value: T::default(), next: Own::new() });
            let made = place.0.get_or_init(make);
            if made.home == home {
                return &made.value;
            }
            place = &made.next;
        }
    }
}

thread_local! {
    static PLACE: Cell<u8> = const { Cell::new(0) };
}

/// A number that tells this thread from all other living ones. Also good in destructors of thread-locals and
/// in exit functions, where the thread has no handle any more.
pub fn thread() -> usize {
    PLACE.with(|place| std::ptr::from_ref(place).addr())
}

/// The error of a ref, a reply or a pool of the original that cannot go on in its copy.
pub const COPY: &str = "this process is a copy, made by fork, of the one that it belongs to";

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_process_has_one_value() {
        static COUNT: Own<AtomicU32> = Own::new();
        COUNT.here().fetch_add(1, Ordering::Relaxed);
        std::thread::spawn(|| COUNT.here().fetch_add(1, Ordering::Relaxed)).join().unwrap();
        assert_eq!(COUNT.here().load(Ordering::Relaxed), 2);
        assert!(Home::here().is_here());
    }
}
