//! A shared number.

use super::error::{StoreError, Swap};
use super::object::{Object, handle};
use super::server::Operation;

/// A number in a [`Store`](crate::Store), counted there; in Python this takes a `Value('q')` with its lock.
///
/// Each operation is one message to the store. To count at the speed of memory, use `Shared<AtomicU64>`.
///
/// ```
/// use phalanx::prelude::*;
/// use phalanx::{Store, store::Counter};
///
/// #[task]
/// fn hit(hits: Counter) {
///     for _ in 0..100 {
///         hits.add(1).expect("the store is there");
///     }
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let hits = Store::start()?.counter(0)?;
/// let (one, other) = (hit::spawn(hits.clone())?, hit::spawn(hits.clone())?);
/// (one.join()?, other.join()?);
/// assert_eq!(hits.get()?, 200);
/// # Ok(())
/// # }
/// ```
pub struct Counter {
    object: Object<i64>,
}

handle!(Counter<> of i64, where);

impl Counter {
    /// Adds `number`, which may be negative; returns the sum. It wraps at the ends of `i64`, as atomics do.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let tickets = Store::start()?.counter(100)?;
    /// assert_eq!(tickets.add(-1)?, 99); // no other process gets this number
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn add(&self, number: i64) -> Result<i64, StoreError> {
        let add = |count: &mut i64, number: i64| {
            *count = count.wrapping_add(number);
            *count
        };
        self.object.call(Operation::Add, add, number)
    }

    /// The number.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn get(&self) -> Result<i64, StoreError> {
        self.object.call(Operation::Get, |count, (): ()| *count, ())
    }

    /// Sets it; returns the old number.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn set(&self, number: i64) -> Result<i64, StoreError> {
        self.object.call(Operation::Set, std::mem::replace, number)
    }

    /// Sets it to `new` if it is `expected`.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # use phalanx::store::Swap;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let version = Store::start()?.counter(7)?;
    /// assert_eq!(version.compare_and_swap(6, 8)?, Swap::Found(7));
    /// assert!(version.compare_and_swap(7, 8)?.is_done());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn compare_and_swap(&self, expected: i64, new: i64) -> Result<Swap<i64>, StoreError> {
        let swap = |count: &mut i64, (expected, new): (i64, i64)| Swap::exchange(count, &expected, new);
        self.object.call(Operation::Swap, swap, (expected, new))
    }
}
