//! A shared value.

use super::error::{StoreError, Swap};
use super::object::{Object, handle};
use super::server::Operation;
use crate::ipc::codec::Portable;
use crate::types::captureless::Captureless;

/// A value in a [`Store`](crate::Store): Python's `Manager().Value`, and `Namespace` with a struct in it.
///
/// ```
/// use phalanx::Store;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Progress {
///     done: u32,
///     of: u32,
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let progress = Store::start()?.cell(Progress { done: 0, of: 10 })?;
/// let done = progress.update(
///     |progress, more| {
///         progress.done = (progress.done + more).min(progress.of);
///         progress.done
///     },
///     3,
/// )?;
/// assert_eq!(done, 3);
/// assert_eq!(progress.read(|progress, ()| progress.of - progress.done, ())?, 7);
/// # Ok(())
/// # }
/// ```
pub struct Cell<T> {
    object: Object<T>,
}

handle!(Cell<T> of T, where T: Portable + Clone);

impl<T: Portable + Clone> Cell<T> {
    /// A copy of the value.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn get(&self) -> Result<T, StoreError> {
        self.object.call(Operation::Get, |value, (): ()| value.clone(), ())
    }

    /// Puts a value in; returns the one that it replaces.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let day = Store::start()?.cell("Monday".to_owned())?;
    /// assert_eq!(day.set("Tuesday".to_owned())?, "Monday");
    /// assert_eq!(day.get()?, "Tuesday");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn set(&self, value: T) -> Result<T, StoreError> {
        self.object.call(Operation::Set, std::mem::replace, value)
    }

    /// Puts `new` in if the value equals `expected`.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # use phalanx::store::Swap;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let leader = Store::start()?.cell(None)?;
    /// assert_eq!(leader.compare_and_swap(None, Some(1))?, Swap::Done);
    /// assert_eq!(leader.compare_and_swap(None, Some(2))?, Swap::Found(Some(1)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn compare_and_swap(&self, expected: T, new: T) -> Result<Swap<T>, StoreError>
    where
        T: PartialEq,
    {
        let swap = |value: &mut T, (expected, new): (T, T)| Swap::exchange(value, &expected, new);
        self.object.call(Operation::Swap, swap, (expected, new))
    }

    /// Changes the value by a function, or a closure that captures nothing, which runs in the store; returns
    /// the function's result. No other operation comes in between. The function works on a copy: if it
    /// panics, the value is as it was.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn update<F, A, R>(&self, change: F, args: A) -> Result<R, StoreError>
    where
        F: FnOnce(&mut T, A) -> R + Captureless,
        A: Portable,
        R: Portable,
    {
        const { F::CHECK };
        let update = move |value: &mut T, args: A| {
            let mut copy = value.clone();
            let answer = change(&mut copy, args);
            *value = copy;
            answer
        };
        self.object.call(Operation::Update, update, args)
    }

    /// Returns the result of a function on the value, so that the whole value need not travel.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn read<F, A, R>(&self, look: F, args: A) -> Result<R, StoreError>
    where
        F: FnOnce(&T, A) -> R + Captureless,
        A: Portable,
        R: Portable,
    {
        const { F::CHECK };
        self.object.call(Operation::Read, move |value: &mut T, args: A| look(value, args), args)
    }
}
