//! A stream that returns each item with its result.

use std::fmt;
use std::iter::FusedIterator;

use super::Stream;
use crate::ipc::codec::Portable;
use crate::pool::error::TaskError;

/// Results with the items that they are of. Made by [`Stream::with_inputs`], or by that of
/// [`Unordered`](super::Unordered); the order is that of the stream that it was made from.
///
/// ```
/// use phalanx::Pool;
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let pool = Pool::builder().workers(2).build()?;
/// let halve = |n: u64| { assert_eq!(n % 2, 0, "odd"); n / 2 };
/// let mut odd = Vec::new();
/// for (n, half) in pool.stream(halve, 1..=4).with_inputs() {
///     if half.is_err() {
///         odd.push(n);
///     }
/// }
/// assert_eq!(odd, [1, 3]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream is lazy: nothing is done until its results are taken"]
pub struct WithInputs<I: Iterator, T, E>(Stream<I, T, E>);

impl<A, I, T, E> WithInputs<I, T, E>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
{
    pub(super) fn of(mut stream: Stream<I, T, E>) -> Self
    where
        A: Clone,
    {
        stream.kept.clone = Some(A::clone);
        WithInputs(stream)
    }

    /// Results in the order of the input; see [`Stream::ordered`].
    pub fn ordered(self) -> Self {
        WithInputs(self.0.ordered())
    }

    /// Results in the order in which they are ready; see [`Stream::unordered`].
    pub fn unordered(mut self) -> Self {
        self.0.ordered = false;
        self
    }

    /// How many items may have been pulled whose results have not been taken; see [`Stream::buffer`].
    pub fn buffer(self, items: usize) -> Self {
        WithInputs(self.0.buffer(items))
    }

    /// How many items are given to a worker at a time; see [`Stream::chunk`].
    pub fn chunk(self, items: usize) -> Self {
        WithInputs(self.0.chunk(items))
    }
}

impl<A, I, T, E> Iterator for WithInputs<I, T, E>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
{
    type Item = (A, Result<T, TaskError<E>>);

    /// Blocks as that of [`Stream`] does.
    fn next(&mut self) -> Option<Self::Item> {
        let (number, result) = self.0.next_numbered()?;
        self.0.kept.items.remove(&number).map(|item| (item, result))
    }
}

impl<A, I, T, E> FusedIterator for WithInputs<I, T, E>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
{
}

impl<I: Iterator, T, E> fmt::Debug for WithInputs<I, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WithInputs").field(&self.0).finish()
    }
}
