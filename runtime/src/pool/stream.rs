//! Many items, one function: a lazy iterator of results. [`pump`] does the work.

mod collect;
mod pump;
mod view;

use std::fmt;
use std::future::poll_fn;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use self::pump::Pump;
use super::dispatcher::Dispatcher;
use super::error::TaskError;
use crate::control::function::Function;
use crate::ipc::codec::Portable;

pub(crate) use pump::NOT_HERE;
pub use view::{Indexed, Results, View, WithInputs};

/// Results of one function for the items of an iterator; itself a lazy iterator. Made by
/// [`Pool::stream`](crate::Pool::stream).
///
/// The input is pulled as results are taken: at most [`buffer`](Self::buffer) items have been pulled whose
/// results have not been taken. So an infinite input takes constant memory. An item whose worker dies is an
/// `Err` in its place, and the others go on. If the input panics, the results of earlier items come first,
/// and then the panic goes on here. Dropping the stream drops the items that no worker has begun.
///
/// It returns results in the order of the input. With [`unordered`](Self::unordered) it returns them as they
/// are ready, each with its index; with [`with_inputs`](Self::with_inputs), each with its item.
///
/// ```
/// use phalanx::Pool;
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let pool = Pool::builder().workers(2).build()?;
/// let squares = pool.stream(|n: u64| n * n, 1..).ordered(); // no end
/// let small: Result<Vec<u64>, _> = squares.take(5).collect();
/// assert_eq!(small?, [1, 4, 9, 16, 25]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream is lazy: nothing is done until its results are taken"]
pub struct Stream<I: Iterator, T, E, V = Results> {
    pump: Pump<I, T, E>,
    view: PhantomData<fn() -> V>,
}

impl<A, I, T, E> Stream<I, T, E>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
{
    pub(crate) fn new(dispatcher: &Arc<Dispatcher>, function: Function, input: I) -> Stream<I, T, E> {
        Stream { pump: Pump::new(dispatcher, function, input), view: PhantomData }
    }

    /// Results in the order in which they are ready, each with the index of its item, counted from 0.
    /// (Python's `imap_unordered`.)
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
    pub fn unordered(self) -> Stream<I, T, E, Indexed> {
        self.set_ordered(false)
    }
}

impl<A, I, T, E> Stream<I, T, E, WithInputs>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
{
    /// Results in the order in which they are ready, each with its item.
    pub fn unordered(self) -> Stream<I, T, E, WithInputs> {
        self.set_ordered(false)
    }
}

impl<I: Iterator, T, E> Stream<I, T, E, Indexed> {
    /// Results in the order of the input, without their indices.
    pub fn ordered(self) -> Stream<I, T, E> {
        self.set_ordered(true)
    }
}

/// The views that do not change with the order.
macro_rules! ordered {
    ($($view:ty),*) => {
        $(
            impl<I: Iterator, T, E> Stream<I, T, E, $view> {
                /// Results in the order of the input. That is the default. (Python's `imap`.)
                pub fn ordered(self) -> Self {
                    self.set_ordered(true)
                }
            }
        )*
    };
}

ordered!(Results, WithInputs);

impl<I: Iterator, T, E, V> Stream<I, T, E, V> {
    fn set_ordered<W>(mut self, ordered: bool) -> Stream<I, T, E, W> {
        self.pump.ordered = ordered;
        Stream { pump: self.pump, view: PhantomData }
    }

    /// Each result with the item that it is of, as a clone that stays here: for a result that must be put
    /// down beside its input, or an item that is to be tried again.
    ///
    /// ```
    /// use phalanx::Pool;
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let pool = Pool::builder().workers(2).build()?;
    /// let halve = |n: u64| { assert_eq!(n % 2, 0, "odd"); n / 2 };
    /// let results = pool.stream(halve, 1..=4).with_inputs();
    /// let odd: Vec<u64> = results.filter(|(_, half)| half.is_err()).map(|(n, _)| n).collect();
    /// assert_eq!(odd, [1, 3]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_inputs(mut self) -> Stream<I, T, E, WithInputs>
    where
        I::Item: Clone,
    {
        self.pump.keep_inputs();
        Stream { pump: self.pump, view: PhantomData }
    }

    /// How many items may have been pulled whose results have not been taken; at least 1. Their arguments
    /// take 16 MiB at most, whatever this says, unless a single one is larger. Default: 256.
    pub fn buffer(mut self, items: usize) -> Self {
        self.pump.buffer = items.max(1);
        self
    }

    /// Gives this many items at a time to a worker, in one piece (4096 at most). An item whose worker dies
    /// costs only itself, whatever its chunk. 0 is refused: the only result is [`TaskError::Refused`].
    /// Default: as many as take about half a millisecond, measured while the stream runs, and one if tasks
    /// take longer.
    ///
    /// The buffer is at least one chunk for each worker, and one more.
    pub fn chunk(mut self, items: usize) -> Self {
        self.pump.chunk = Some(items);
        self
    }
}

impl<A, I, T, E, V> Iterator for Stream<I, T, E, V>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
    V: View<A, Result<T, TaskError<E>>>,
{
    type Item = V::Item;

    /// Blocks until a result is ready, or the input has ended and all results have been taken. Until then the
    /// input is pulled as far as the buffer has room: an input that waits for a result to be taken needs a
    /// buffer of 1.
    fn next(&mut self) -> Option<V::Item> {
        let (number, result) = self.pump.next_numbered()?;
        V::of(number as usize, || self.pump.take_input(number), result)
    }
}

impl<A, I, T, E, V> Stream<I, T, E, V>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
    V: View<A, Result<T, TaskError<E>>>,
{
    /// The next result, as `next` of the iterator, as a future: it blocks no thread, and works under any
    /// executor. The input is pulled by the thread that polls. Dropping the future loses no result.
    ///
    /// ```
    /// use phalanx::Pool;
    ///
    /// #[phalanx::main]
    /// #[tokio::main(flavor = "current_thread")]
    /// async fn main() -> phalanx::Result<()> {
    ///     let pool = Pool::builder().workers(2).build_async().await?;
    ///     let mut squares = pool.stream(|n: u64| n * n, 1..=3);
    ///     let mut sum = 0;
    ///     while let Some(square) = squares.next_async().await {
    ///         sum += square?;
    ///     }
    ///     assert_eq!(sum, 14);
    ///     Ok(())
    /// }
    /// ```
    pub fn next_async(&mut self) -> impl Future<Output = Option<V::Item>> {
        poll_fn(move |context| self.poll_next(context))
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<V::Item>> {
        self.pump.poll_numbered(context).map(|next| {
            let (number, result) = next?;
            V::of(number as usize, || self.pump.take_input(number), result)
        })
    }
}

impl<A, I, T, E, V> FusedIterator for Stream<I, T, E, V>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
    V: View<A, Result<T, TaskError<E>>>,
{
}

impl<I: Iterator, T, E, V> fmt::Debug for Stream<I, T, E, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({:?})", self.pump)
    }
}
