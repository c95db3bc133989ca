//! A shared set.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::error::StoreError;
use super::object::{Object, handle};
use super::pages::{PAGE, Pages};
use super::server::Operation;
use crate::ipc::codec::Portable;
use crate::types::captureless::Captureless;

/// A set in a [`Store`](crate::Store), in the order of its items: Python's `Manager().set()`.
///
/// ```
/// use phalanx::Store;
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let seen = Store::start()?.set::<String>()?;
/// assert!(seen.insert("https://example.org".into())?);
/// assert!(!seen.insert("https://example.org".into())?); // of many processes, one is first
/// assert!(seen.contains("https://example.org")?);
/// # Ok(())
/// # }
/// ```
pub struct Set<T> {
    object: Object<BTreeSet<T>>,
}

handle!(Set<T> of BTreeSet<T>, where T: Portable + Ord + Clone);

impl<T: Portable + Ord + Clone> Set<T> {
    /// Puts an item in; returns whether it was not there before.
    ///
    /// # Errors
    /// See [`StoreError`]; so for all methods.
    pub fn insert(&self, item: T) -> Result<bool, StoreError> {
        self.object.call(Operation::Insert, |set, item: T| set.insert(item), item)
    }

    /// Puts all items in at once; returns how many of them were not there before.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn extend(&self, items: impl IntoIterator<Item = T>) -> Result<usize, StoreError> {
        let extend = |set: &mut BTreeSet<T>, items: Vec<T>| {
            let before = set.len();
            set.extend(items);
            set.len() - before
        };
        self.object.call(Operation::Extend, extend, items.into_iter().collect())
    }

    /// Takes an item out; returns whether it was there.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn remove<Q: ToOwned<Owned = T> + ?Sized>(&self, item: &Q) -> Result<bool, StoreError> {
        self.object.call(Operation::Remove, |set, item: T| set.remove(&item), item.to_owned())
    }

    /// Takes all these items out at once; returns how many of them were there.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let set = Store::start()?.set()?;
    /// assert_eq!(set.extend([1, 2, 3, 3])?, 3);
    /// assert_eq!(set.remove_many([3, 4])?, 1);
    /// assert_eq!((set.pop_first()?, set.pop_last()?, set.pop_last()?), (Some(1), Some(2), None));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn remove_many(&self, items: impl IntoIterator<Item = T>) -> Result<usize, StoreError> {
        let remove =
            |set: &mut BTreeSet<T>, items: Vec<T>| items.iter().filter(|item| set.remove(*item)).count();
        self.object.call(Operation::Remove, remove, items.into_iter().collect())
    }

    /// Whether this item is in it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn contains<Q: ToOwned<Owned = T> + ?Sized>(&self, item: &Q) -> Result<bool, StoreError> {
        self.object.call(Operation::Contains, |set, item: T| set.contains(&item), item.to_owned())
    }

    /// Takes the smallest item out.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn pop_first(&self) -> Result<Option<T>, StoreError> {
        self.object.call(Operation::Pop, |set, (): ()| set.pop_first(), ())
    }

    /// Takes the greatest item out.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn pop_last(&self) -> Result<Option<T>, StoreError> {
        self.object.call(Operation::Pop, |set, (): ()| set.pop_last(), ())
    }

    /// Takes all items out.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn clear(&self) -> Result<(), StoreError> {
        self.object.call(Operation::Clear, |set, (): ()| set.clear(), ())
    }

    /// How many items there are.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn len(&self) -> Result<usize, StoreError> {
        self.object.call(Operation::Len, |set, (): ()| set.len(), ())
    }

    /// Whether it has no items.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        self.len().map(|len| len == 0)
    }

    /// A copy of the whole set at one moment.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn snapshot(&self) -> Result<BTreeSet<T>, StoreError> {
        self.object.call(Operation::Snapshot, |set, (): ()| set.clone(), ())
    }

    /// All items in their order, in pages of `size` (at least 1), for sets that are too large for one
    /// message. Each page shows its own moment: an item that stays in the set comes exactly once, one that is
    /// put in or taken out meanwhile may come or not.
    pub fn pages(&self, size: usize) -> Pages<T>
    where
        T: Send,
    {
        let (set, size, mut last) = (self.object.clone(), size.max(1), None);
        Pages::new(move || {
            let page = |set: &mut BTreeSet<T>, (size, last): (usize, Option<T>)| -> Vec<T> {
                let from = last.map_or(Bound::Unbounded, Bound::Excluded);
                set.range((from, Bound::Unbounded)).take(size).cloned().collect()
            };
            let page: Vec<T> = set.call(Operation::Page, page, (size, last.clone()))?;
            last = page.last().cloned().or(last.take());
            Ok(page)
        })
    }

    /// All items one by one, in pages of 256; see [`pages`](Self::pages).
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let set = Store::start()?.set()?;
    /// set.extend((0..600).rev())?;
    /// let items: Result<Vec<i32>, _> = set.iter().collect();
    /// assert!(items?.into_iter().eq(0..600));
    /// # Ok(())
    /// # }
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = Result<T, StoreError>>
    where
        T: Send,
    {
        self.pages(PAGE).items()
    }

    /// Changes the set in one step by a function, or a closure that captures nothing, which runs in the
    /// store; returns the function's result. The function works on a copy of the set: if it panics, the set
    /// is as it was.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn update_all<F, A, R>(&self, change: F, args: A) -> Result<R, StoreError>
    where
        F: FnOnce(&mut BTreeSet<T>, A) -> R + Captureless,
        A: Portable,
        R: Portable,
    {
        const { F::CHECK };
        let update = move |set: &mut BTreeSet<T>, args: A| {
            let mut copy = set.clone();
            let answer = change(&mut copy, args);
            *set = copy;
            answer
        };
        self.object.call(Operation::UpdateAll, update, args)
    }

    /// Returns the result of a function on the whole set, in the store and without a copy.
    ///
    /// ```
    /// # use std::collections::BTreeSet;
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let set = Store::start()?.set()?;
    /// set.extend([1, 2, 3])?;
    /// let common: Vec<i32> = set.read_all(
    ///     |set, other: BTreeSet<i32>| set.intersection(&other).copied().collect(),
    ///     BTreeSet::from([2, 3, 4]),
    /// )?;
    /// assert_eq!(common, [2, 3]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn read_all<F, A, R>(&self, look: F, args: A) -> Result<R, StoreError>
    where
        F: FnOnce(&BTreeSet<T>, A) -> R + Captureless,
        A: Portable,
        R: Portable,
    {
        const { F::CHECK };
        self.object.call(Operation::ReadAll, move |set: &mut BTreeSet<T>, args: A| look(set, args), args)
    }
}
