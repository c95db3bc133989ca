//! A stream whose results come as they are ready.

use std::fmt;
use std::iter::FusedIterator;

use super::{Stream, WithInputs};
use crate::ipc::codec::Portable;
use crate::pool::error::TaskError;

/// Results in the order in which they are ready, each with the number of its item, counted from 0. Made by
/// [`Stream::unordered`].
///
/// ```
/// use phalanx::Pool;
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let pool = Pool::builder().workers(2).build()?;
/// let words = ["to", "be", "or", "not"].map(str::to_owned);
/// let mut lengths = [0; 4];
/// for (index, length) in pool.stream(|word: String| word.len(), words).unordered() {
///     lengths[index] = length?;
/// }
/// assert_eq!(lengths, [2, 2, 2, 3]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream is lazy: nothing is done until its results are taken"]
pub struct Unordered<I: Iterator, T, E>(Stream<I, T, E>);

impl<A, I, T, E> Unordered<I, T, E>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
{
    pub(super) fn of(mut stream: Stream<I, T, E>) -> Self {
        stream.ordered = false;
        Unordered(stream)
    }

    /// Results in the order of the input, without numbers; see [`Stream::ordered`].
    pub fn ordered(self) -> Stream<I, T, E> {
        self.0.ordered()
    }

    /// Each result with its item instead of its number; see [`Stream::with_inputs`].
    pub fn with_inputs(self) -> WithInputs<I, T, E>
    where
        A: Clone,
    {
        WithInputs::of(self.0)
    }

    /// How many items may have been pulled whose results have not been taken; see [`Stream::buffer`].
    pub fn buffer(self, items: usize) -> Self {
        Unordered(self.0.buffer(items))
    }

    /// How many items are given to a worker at a time; see [`Stream::chunk`].
    pub fn chunk(self, items: usize) -> Self {
        Unordered(self.0.chunk(items))
    }
}

impl<A, I, T, E> Iterator for Unordered<I, T, E>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
{
    type Item = (usize, Result<T, TaskError<E>>);

    /// Blocks as that of [`Stream`] does.
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_numbered().map(|(number, result)| (number as usize, result))
    }
}

impl<A, I, T, E> FusedIterator for Unordered<I, T, E>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
{
}

impl<I: Iterator, T, E> fmt::Debug for Unordered<I, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unordered").field(&self.0).finish()
    }
}
