//! A shared list.

use std::ops::{Bound, RangeBounds};

use super::error::{StoreError, Swap};
use super::object::{Object, handle};
use super::pages::{PAGE, Pages};
use super::server::Operation;
use crate::ipc::codec::Portable;
use crate::types::captureless::Captureless;

/// A list in a [`Store`](crate::Store): Python's `Manager().list()`.
///
/// A list is only looked at; to pass work on, use a queue, which waits.
///
/// ```
/// use phalanx::Store;
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let lines = Store::start()?.list()?;
/// lines.push("to be".to_owned())?;
/// lines.push("not to be".to_owned())?;
/// lines.insert(1, "or".to_owned())?;
/// assert_eq!(lines.snapshot()?, ["to be", "or", "not to be"]);
/// assert_eq!(lines.get(3)?, None);
/// assert_eq!(lines.pop()?, Some("not to be".to_owned()));
/// # Ok(())
/// # }
/// ```
pub struct List<T> {
    object: Object<Vec<T>>,
}

handle!(List<T> of Vec<T>, where T: Portable + Clone);

impl<T: Portable + Clone> List<T> {
    /// A copy of the item at this index.
    ///
    /// # Errors
    /// See [`StoreError`]; so for all methods.
    pub fn get(&self, index: usize) -> Result<Option<T>, StoreError> {
        self.object.call(Operation::Get, |list, index: usize| list.get(index).cloned(), index)
    }

    /// The items of a range at one moment; a range may reach beyond the end.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let list = Store::start()?.list()?;
    /// list.extend('a'..='f')?;
    /// assert_eq!(list.slice(1..3)?, ['b', 'c']);
    /// assert_eq!(list.slice(4..)?, ['e', 'f']);
    /// assert_eq!(list.slice(9..)?, []);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Result<Vec<T>, StoreError> {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => usize::MAX,
        };
        self.object.call(Operation::Get, |list, range: (usize, usize)| part(list, range), (start, end))
    }

    /// Replaces the item at this index; returns the old one. Without such an index it does nothing and
    /// returns `None`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn set(&self, index: usize, item: T) -> Result<Option<T>, StoreError> {
        let set = |list: &mut Vec<T>, (index, item): (usize, T)| {
            list.get_mut(index).map(|place| std::mem::replace(place, item))
        };
        self.object.call(Operation::Set, set, (index, item))
    }

    /// Puts an item at the end; returns how many there are now.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn push(&self, item: T) -> Result<usize, StoreError> {
        let push = |list: &mut Vec<T>, item: T| {
            list.push(item);
            list.len()
        };
        self.object.call(Operation::Insert, push, item)
    }

    /// Puts all items at the end at once; returns how many there are now.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn extend(&self, items: impl IntoIterator<Item = T>) -> Result<usize, StoreError> {
        let extend = |list: &mut Vec<T>, items: Vec<T>| {
            list.extend(items);
            list.len()
        };
        self.object.call(Operation::Extend, extend, items.into_iter().collect())
    }

    /// Puts an item before that at this index; an index behind the end is the end, as in Python.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn insert(&self, index: usize, item: T) -> Result<(), StoreError> {
        let insert = |list: &mut Vec<T>, (index, item): (usize, T)| list.insert(index.min(list.len()), item);
        self.object.call(Operation::Insert, insert, (index, item))
    }

    /// Takes the item at this index out, if it exists; those behind it move up.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn remove(&self, index: usize) -> Result<Option<T>, StoreError> {
        let remove = |list: &mut Vec<T>, index: usize| (index < list.len()).then(|| list.remove(index));
        self.object.call(Operation::Remove, remove, index)
    }

    /// Takes the first item out that equals this one; returns whether there was one (Python's `remove`).
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let list = Store::start()?.list()?;
    /// list.extend([1, 2, 1])?;
    /// assert!(list.remove_item(1)?);
    /// assert_eq!((list.snapshot()?, list.position(1)?, list.count(3)?), (vec![2, 1], Some(1), 0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn remove_item(&self, item: T) -> Result<bool, StoreError>
    where
        T: PartialEq,
    {
        let remove = |list: &mut Vec<T>, item: T| {
            let found = list.iter().position(|other| *other == item);
            found.map(|index| list.remove(index)).is_some()
        };
        self.object.call(Operation::Remove, remove, item)
    }

    /// Takes the last item out.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn pop(&self) -> Result<Option<T>, StoreError> {
        self.object.call(Operation::Pop, |list, (): ()| list.pop(), ())
    }

    /// Takes the first item out; the others move up.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn pop_first(&self) -> Result<Option<T>, StoreError> {
        self.object.call(Operation::Pop, |list, (): ()| (!list.is_empty()).then(|| list.remove(0)), ())
    }

    /// Takes all items out.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn clear(&self) -> Result<(), StoreError> {
        self.object.call(Operation::Clear, |list, (): ()| list.clear(), ())
    }

    /// Keeps the first `len` items only.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn truncate(&self, len: usize) -> Result<(), StoreError> {
        self.object.call(Operation::Clear, |list, len: usize| list.truncate(len), len)
    }

    /// How many items there are.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn len(&self) -> Result<usize, StoreError> {
        self.object.call(Operation::Len, |list, (): ()| list.len(), ())
    }

    /// Whether it has no items.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        self.len().map(|len| len == 0)
    }

    /// Whether this item is in it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn contains(&self, item: T) -> Result<bool, StoreError>
    where
        T: PartialEq,
    {
        self.object.call(Operation::Contains, |list, item: T| list.contains(&item), item)
    }

    /// The index of the first item that equals this one (Python's `index`).
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn position(&self, item: T) -> Result<Option<usize>, StoreError>
    where
        T: PartialEq,
    {
        self.object.call(
            Operation::Contains,
            |list, item: T| list.iter().position(|other| *other == item),
            item,
        )
    }

    /// How many items equal this one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn count(&self, item: T) -> Result<usize, StoreError>
    where
        T: PartialEq,
    {
        self.object.call(
            Operation::Contains,
            |list, item: T| list.iter().filter(|other| **other == item).count(),
            item,
        )
    }

    /// Sorts it; equal items keep their order.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let list = Store::start()?.list()?;
    /// list.extend([2, 3, 1])?;
    /// list.sort()?;
    /// list.reverse()?;
    /// assert_eq!(list.snapshot()?, [3, 2, 1]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn sort(&self) -> Result<(), StoreError>
    where
        T: Ord,
    {
        self.object.call(Operation::Arrange, |list, (): ()| list.sort(), ())
    }

    /// Reverses it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn reverse(&self) -> Result<(), StoreError> {
        self.object.call(Operation::Arrange, |list, (): ()| list.reverse(), ())
    }

    /// A copy of the whole list at one moment.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn snapshot(&self) -> Result<Vec<T>, StoreError> {
        self.object.call(Operation::Snapshot, |list, (): ()| list.clone(), ())
    }

    /// All items in pages of `size` (at least 1), for lists that are too large for one message. Each page
    /// shows its own moment, by index: if items are put in or taken out meanwhile, some may come twice or not
    /// at all.
    pub fn pages(&self, size: usize) -> Pages<T>
    where
        T: Send,
    {
        let (list, size, mut start) = (self.object.clone(), size.max(1), 0usize);
        Pages::new(move || {
            let page = list.call(
                Operation::Page,
                |list, range: (usize, usize)| part(list, range),
                (start, start.saturating_add(size)),
            )?;
            start += page.len();
            Ok(page)
        })
    }

    /// All items one by one, in pages of 256; see [`pages`](Self::pages).
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let list = Store::start()?.list()?;
    /// list.extend(0..1000u64)?;
    /// let mut sum = 0;
    /// for number in list.iter() {
    ///     sum += number?;
    /// }
    /// assert_eq!(sum, 499_500);
    /// # Ok(())
    /// # }
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = Result<T, StoreError>>
    where
        T: Send,
    {
        self.pages(PAGE).items()
    }

    /// Changes the item at this index by a function, or a closure that captures nothing, which runs in the
    /// store; returns the function's result, or `None` if the index does not exist. No other operation comes
    /// in between. The function works on a copy of that item: if it panics, the item is as it was.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let scores = Store::start()?.list()?;
    /// scores.extend([10, 20])?;
    /// assert_eq!(scores.update(1, |score, by| { *score += by; *score }, 5)?, Some(25));
    /// assert_eq!(scores.update(2, |score, by| *score += by, 5)?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn update<F, A, R>(&self, index: usize, change: F, args: A) -> Result<Option<R>, StoreError>
    where
        F: FnOnce(&mut T, A) -> R + Captureless,
        A: Portable,
        R: Portable,
    {
        const { F::CHECK };
        let update = move |list: &mut Vec<T>, (index, args): (usize, A)| {
            let place = list.get_mut(index)?;
            let mut copy = place.clone();
            let answer = change(&mut copy, args);
            *place = copy;
            Some(answer)
        };
        self.object.call(Operation::Update, update, (index, args))
    }

    /// Puts `new` at this index if the item there equals `expected`; [`Swap::Found`] with `None` if the index
    /// does not exist.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn compare_and_swap(&self, index: usize, expected: T, new: T) -> Result<Swap<Option<T>>, StoreError>
    where
        T: PartialEq,
    {
        let swap = |list: &mut Vec<T>, (index, expected, new): (usize, T, T)| match list.get_mut(index) {
            None => Swap::Found(None),
            Some(place) => match Swap::exchange(place, &expected, new) {
                Swap::Done => Swap::Done,
                Swap::Found(found) => Swap::Found(Some(found)),
            },
        };
        self.object.call(Operation::Swap, swap, (index, expected, new))
    }

    /// Returns the result of a function on an item, so that the whole item need not travel; `None` if the
    /// index does not exist.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn read<F, A, R>(&self, index: usize, look: F, args: A) -> Result<Option<R>, StoreError>
    where
        F: FnOnce(&T, A) -> R + Captureless,
        A: Portable,
        R: Portable,
    {
        const { F::CHECK };
        let read =
            move |list: &mut Vec<T>, (index, args): (usize, A)| list.get(index).map(|item| look(item, args));
        self.object.call(Operation::Read, read, (index, args))
    }

    /// Changes several items in one step: a function on the whole list. It works on a copy of the whole list,
    /// which is slow for a large one; if it panics, the list is as it was.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let list = Store::start()?.list()?;
    /// list.extend(1..=10)?;
    /// list.update_all(|list, n| list.retain(|item| item % n == 0), 3)?;
    /// assert_eq!(list.read_all(|list, ()| list.iter().sum::<i32>(), ())?, 18);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn update_all<F, A, R>(&self, change: F, args: A) -> Result<R, StoreError>
    where
        F: FnOnce(&mut Vec<T>, A) -> R + Captureless,
        A: Portable,
        R: Portable,
    {
        const { F::CHECK };
        let update = move |list: &mut Vec<T>, args: A| {
            let mut copy = list.clone();
            let answer = change(&mut copy, args);
            *list = copy;
            answer
        };
        self.object.call(Operation::UpdateAll, update, args)
    }

    /// Returns the result of a function on the whole list, in the store and without a copy.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn read_all<F, A, R>(&self, look: F, args: A) -> Result<R, StoreError>
    where
        F: FnOnce(&[T], A) -> R + Captureless,
        A: Portable,
        R: Portable,
    {
        const { F::CHECK };
        self.object.call(Operation::ReadAll, move |list: &mut Vec<T>, args: A| look(list, args), args)
    }
}

/// Copies the items from `start` to before `end`, as far as they exist.
fn part<T: Clone>(list: &[T], (start, end): (usize, usize)) -> Vec<T> {
    let end = end.min(list.len());
    list.get(start.min(end)..end).unwrap_or_default().to_vec()
}
