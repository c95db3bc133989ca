//! What a stream returns for each item.

use crate::types::sealed::Sealed;

/// Makes what a stream returns from the result `R` of an item of type `A`. Its three implementations are all
/// that there are.
pub trait View<A, R>: Sealed {
    /// What the stream returns.
    type Item;

    /// `input` takes back the clone of the item, if clones are kept.
    #[doc(hidden)]
    fn of(index: usize, input: impl FnOnce() -> Option<A>, result: R) -> Option<Self::Item>;
}

/// A stream of results.
#[derive(Debug)]
pub enum Results {}

/// A stream of results as they are ready, each with the index of its item: see
/// [`Stream::unordered`](super::Stream::unordered).
#[derive(Debug)]
pub enum Indexed {}

/// A stream of results, each with its item: see [`Stream::with_inputs`](super::Stream::with_inputs).
#[derive(Debug)]
pub enum WithInputs {}

impl Sealed for Results {}
impl Sealed for Indexed {}
impl Sealed for WithInputs {}

impl<A, R> View<A, R> for Results {
    type Item = R;

    fn of(_: usize, _: impl FnOnce() -> Option<A>, result: R) -> Option<R> {
        Some(result)
    }
}

impl<A, R> View<A, R> for Indexed {
    type Item = (usize, R);

    fn of(index: usize, _: impl FnOnce() -> Option<A>, result: R) -> Option<(usize, R)> {
        Some((index, result))
    }
}

impl<A, R> View<A, R> for WithInputs {
    type Item = (A, R);

    fn of(_: usize, input: impl FnOnce() -> Option<A>, result: R) -> Option<(A, R)> {
        input().map(|input| (input, result))
    }
}
