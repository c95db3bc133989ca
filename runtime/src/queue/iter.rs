//! Iterators that take items out until the queue is closed and empty.

use std::iter::FusedIterator;

use super::Queue;
use super::error::GetError;
use super::lease::Lease;
use crate::ipc::codec::Portable;

macro_rules! iterators {
    ($($(#[$doc:meta])* $name:ident $item:ty = $method:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "an iterator takes nothing out by itself"]
        pub struct $name<'a, T> {
            queue: &'a Queue<T>,
            has_ended: bool,
        }

        impl<'a, T> $name<'a, T> {
            pub(super) fn new(queue: &'a Queue<T>) -> $name<'a, T> {
                $name { queue, has_ended: false }
            }
        }

        impl<T: Portable> Iterator for $name<'_, T> {
            type Item = Result<$item, GetError>;

            fn next(&mut self) -> Option<Self::Item> {
                if self.has_ended {
                    return None;
                }
                let next = self.queue.$method();
                self.has_ended = matches!(next, Err(GetError::Closed | GetError::Failed(_)));
                Some(next).filter(|next| !matches!(next, Err(GetError::Closed)))
            }
        }

        impl<T: Portable> FusedIterator for $name<'_, T> {}
    )* };
}

iterators! {
    /// The items of a queue; see [`Queue::iter`].
    Items T = get;
    /// The items of a queue, on lease; see [`Queue::leases`].
    Leases Lease<T> = lease;
}

impl<'a, T: Portable> IntoIterator for &'a Queue<T> {
    type Item = Result<T, GetError>;
    type IntoIter = Items<'a, T>;

    fn into_iter(self) -> Items<'a, T> {
        self.iter()
    }
}
