//! A shared map.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::error::{StoreError, Swap};
use super::object::{Object, handle};
use super::pages::{PAGE, Pages};
use super::server::Operation;
use crate::ipc::codec::Portable;
use crate::types::captureless::Captureless;

/// A map in a [`Store`](crate::Store), in the order of its keys: Python's `Manager().dict()`.
///
/// Keys to look for are borrowed, in any form that can be turned into a key: `map.get("alice")` with keys of
/// type `String`, `map.get(&7)` with numbers.
///
/// ```
/// use phalanx::Store;
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let ages = Store::start()?.map::<String, u32>()?;
/// assert_eq!(ages.insert("alice".into(), 41)?, None);
/// assert_eq!(ages.update("alice", |age, by| { *age += by; *age }, 1)?, Some(42));
/// assert_eq!(ages.get("bob")?, None);
/// assert_eq!(ages.remove("alice")?, Some(42));
/// # Ok(())
/// # }
/// ```
pub struct Map<K, V> {
    object: Object<BTreeMap<K, V>>,
}

handle!(Map<K, V> of BTreeMap<K, V>, where K: Portable + Ord + Clone, V: Portable + Clone);

impl<K: Portable + Ord + Clone, V: Portable + Clone> Map<K, V> {
    /// A copy of the value of this key.
    ///
    /// # Errors
    /// See [`StoreError`]; so for all methods.
    pub fn get<Q: ToOwned<Owned = K> + ?Sized>(&self, key: &Q) -> Result<Option<V>, StoreError> {
        self.object.call(Operation::Get, |map, key: K| map.get(&key).cloned(), key.to_owned())
    }

    /// The values of several keys at one moment, in the order of the keys.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let map = Store::start()?.map()?;
    /// map.extend([(1, 'a'), (2, 'b')])?;
    /// assert_eq!(map.get_many([2, 3, 1])?, [Some('b'), None, Some('a')]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn get_many(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<Option<V>>, StoreError> {
        let get = |map: &mut BTreeMap<K, V>, keys: Vec<K>| -> Vec<Option<V>> {
            keys.iter().map(|key| map.get(key).cloned()).collect()
        };
        self.object.call(Operation::Get, get, keys.into_iter().collect())
    }

    /// Whether the map has this key.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn contains_key<Q: ToOwned<Owned = K> + ?Sized>(&self, key: &Q) -> Result<bool, StoreError> {
        self.object.call(Operation::Contains, |map, key: K| map.contains_key(&key), key.to_owned())
    }

    /// Puts a value under a key; returns the one that it replaces.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn insert(&self, key: K, value: V) -> Result<Option<V>, StoreError> {
        self.object.call(Operation::Insert, |map, (key, value): (K, V)| map.insert(key, value), (key, value))
    }

    /// The value of this key; inserts `value` first if the key had none (Python's `setdefault`).
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let owners = Store::start()?.map::<String, u32>()?;
    /// assert_eq!(owners.get_or_insert("printer".into(), 7)?, 7);
    /// assert_eq!(owners.get_or_insert("printer".into(), 8)?, 7); // of many, exactly one is first
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn get_or_insert(&self, key: K, value: V) -> Result<V, StoreError> {
        let get = |map: &mut BTreeMap<K, V>, (key, value): (K, V)| map.entry(key).or_insert(value).clone();
        self.object.call(Operation::Insert, get, (key, value))
    }

    /// Puts in all pairs at once: others see all or none of them (Python's `update`).
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn extend(&self, pairs: impl IntoIterator<Item = (K, V)>) -> Result<(), StoreError> {
        self.object.call(
            Operation::Extend,
            |map, pairs: Vec<(K, V)>| map.extend(pairs),
            pairs.into_iter().collect(),
        )
    }

    /// Takes a key out; returns its value.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn remove<Q: ToOwned<Owned = K> + ?Sized>(&self, key: &Q) -> Result<Option<V>, StoreError> {
        self.object.call(Operation::Remove, |map, key: K| map.remove(&key), key.to_owned())
    }

    /// Takes the pair with the smallest key out.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let due = Store::start()?.map()?;
    /// due.extend([(20, 'b'), (10, 'a')])?;
    /// assert_eq!((due.pop_first()?, due.pop_last()?), (Some((10, 'a')), Some((20, 'b'))));
    /// assert_eq!(due.pop_last()?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn pop_first(&self) -> Result<Option<(K, V)>, StoreError> {
        self.object.call(Operation::Pop, |map, (): ()| map.pop_first(), ())
    }

    /// Takes the pair with the greatest key out. (Python's `popitem` takes the one that was put in last.)
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn pop_last(&self) -> Result<Option<(K, V)>, StoreError> {
        self.object.call(Operation::Pop, |map, (): ()| map.pop_last(), ())
    }

    /// Takes all pairs out.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn clear(&self) -> Result<(), StoreError> {
        self.object.call(Operation::Clear, |map, (): ()| map.clear(), ())
    }

    /// How many pairs there are.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn len(&self) -> Result<usize, StoreError> {
        self.object.call(Operation::Len, |map, (): ()| map.len(), ())
    }

    /// Whether it has no pairs.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        self.len().map(|len| len == 0)
    }

    /// The keys at one moment, in their order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn keys(&self) -> Result<Vec<K>, StoreError> {
        self.object.call(Operation::Snapshot, |map, (): ()| map.keys().cloned().collect(), ())
    }

    /// The values at one moment, in the order of their keys.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn values(&self) -> Result<Vec<V>, StoreError> {
        self.object.call(Operation::Snapshot, |map, (): ()| map.values().cloned().collect(), ())
    }

    /// A copy of the whole map at one moment.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn snapshot(&self) -> Result<BTreeMap<K, V>, StoreError> {
        self.object.call(Operation::Snapshot, |map, (): ()| map.clone(), ())
    }

    /// All pairs in the order of the keys, in pages of `size` (at least 1), for maps that are too large for
    /// one message. Each page shows its own moment: a key that stays in the map comes exactly once, one that
    /// is put in or taken out meanwhile may come or not.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let squares = Store::start()?.map()?;
    /// squares.extend((0..250u32).map(|n| (n, n * n)))?;
    /// let sizes = squares.pages(100).map(|page| page.map(|page| page.len()));
    /// let sizes: Result<Vec<usize>, _> = sizes.collect();
    /// assert_eq!(sizes?, [100, 100, 50]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pages(&self, size: usize) -> Pages<(K, V)>
    where
        K: Send,
        V: Send,
    {
        let (map, size, mut last) = (self.object.clone(), size.max(1), None);
        Pages::new(move || {
            let page = |map: &mut BTreeMap<K, V>, (size, last): (usize, Option<K>)| -> Vec<(K, V)> {
                let from = last.map_or(Bound::Unbounded, Bound::Excluded);
                map.range((from, Bound::Unbounded))
                    .take(size)
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect()
            };
            let page: Vec<(K, V)> = map.call(Operation::Page, page, (size, last.clone()))?;
            last = page.last().map(|(key, _)| key.clone()).or(last.take());
            Ok(page)
        })
    }

    /// All pairs one by one, in pages of 256; see [`pages`](Self::pages).
    pub fn iter(&self) -> impl Iterator<Item = Result<(K, V), StoreError>>
    where
        K: Send,
        V: Send,
    {
        self.pages(PAGE).items()
    }

    /// Changes the value of a key by a function, or a closure that captures nothing, which runs in the store;
    /// returns the function's result, or `None` if the key does not exist. No other operation comes in
    /// between. The function works on a copy of that value: if it panics, the value is as it was.
    ///
    /// ```
    /// # use phalanx::{Store, StoreError};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// fn withdraw(balance: &mut u64, amount: u64) -> bool {
    ///     let enough = *balance >= amount;
    ///     *balance -= if enough { amount } else { 0 };
    ///     enough
    /// }
    ///
    /// let accounts = Store::start()?.map::<String, u64>()?;
    /// accounts.insert("alice".into(), 100)?;
    /// assert_eq!(accounts.update("alice", withdraw, 70)?, Some(true));
    /// assert_eq!(accounts.update("alice", withdraw, 70)?, Some(false));
    /// assert_eq!(accounts.update("bob", withdraw, 70)?, None);
    ///
    /// let failed = accounts.update("alice", |balance, ()| { *balance = 0; assert!(false, "no") }, ());
    /// assert_eq!(failed, Err(StoreError::Panicked { message: "no".into() }));
    /// assert_eq!(accounts.get("alice")?, Some(30));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn update<Q, F, A, R>(&self, key: &Q, change: F, args: A) -> Result<Option<R>, StoreError>
    where
        Q: ToOwned<Owned = K> + ?Sized,
        F: FnOnce(&mut V, A) -> R + Captureless,
        A: Portable,
        R: Portable,
    {
        const { F::CHECK };
        let update = move |map: &mut BTreeMap<K, V>, (key, args): (K, A)| {
            let place = map.get_mut(&key)?;
            let mut copy = place.clone();
            let answer = change(&mut copy, args);
            *place = copy;
            Some(answer)
        };
        self.object.call(Operation::Update, update, (key.to_owned(), args))
    }

    /// As [`update`](Self::update), with `initial` for a key without a value.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let words = Store::start()?.map::<String, Vec<u32>>()?;
    /// words.update_or("be", Vec::new(), |lines, line| lines.push(line), 1)?;
    /// words.update_or("be", Vec::new(), |lines, line| lines.push(line), 7)?;
    /// assert_eq!(words.get("be")?, Some(vec![1, 7]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn update_or<Q, F, A, R>(&self, key: &Q, initial: V, change: F, args: A) -> Result<R, StoreError>
    where
        Q: ToOwned<Owned = K> + ?Sized,
        F: FnOnce(&mut V, A) -> R + Captureless,
        A: Portable,
        R: Portable,
    {
        const { F::CHECK };
        let update = move |map: &mut BTreeMap<K, V>, (key, initial, args): (K, V, A)| {
            let mut copy = map.get(&key).cloned().unwrap_or(initial);
            let answer = change(&mut copy, args);
            map.insert(key, copy);
            answer
        };
        self.object.call(Operation::Update, update, (key.to_owned(), initial, args))
    }

    /// The general form of [`update`](Self::update): the function sees whether the key has a value, and
    /// leaves one or none.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let stock = Store::start()?.map::<String, u32>()?;
    /// stock.insert("apples".into(), 1)?;
    /// // Takes one; an item with none left is not listed.
    /// let take = |count: &mut Option<u32>, ()| {
    ///     let had = count.take();
    ///     *count = had.map(|had| had - 1).filter(|&left| left > 0);
    ///     had.is_some()
    /// };
    /// assert_eq!((stock.alter("apples", take, ())?, stock.alter("apples", take, ())?), (true, false));
    /// assert!(stock.is_empty()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn alter<Q, F, A, R>(&self, key: &Q, change: F, args: A) -> Result<R, StoreError>
    where
        Q: ToOwned<Owned = K> + ?Sized,
        F: FnOnce(&mut Option<V>, A) -> R + Captureless,
        A: Portable,
        R: Portable,
    {
        const { F::CHECK };
        let alter = move |map: &mut BTreeMap<K, V>, (key, args): (K, A)| {
            let mut copy = map.get(&key).cloned();
            let answer = change(&mut copy, args);
            put(map, key, copy);
            answer
        };
        self.object.call(Operation::Update, alter, (key.to_owned(), args))
    }

    /// Puts `new` under the key if its value is `expected` now; `None` stands for no value.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # use phalanx::store::Swap;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let jobs = Store::start()?.map::<u32, String>()?;
    /// assert!(jobs.compare_and_swap(&1, None, Some("mine".into()))?.is_done());
    /// assert_eq!(jobs.compare_and_swap(&1, None, Some("yours".into()))?, Swap::Found(Some("mine".into())));
    /// assert!(jobs.compare_and_swap(&1, Some("mine".into()), None)?.is_done());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn compare_and_swap<Q: ToOwned<Owned = K> + ?Sized>(
        &self,
        key: &Q,
        expected: Option<V>,
        new: Option<V>,
    ) -> Result<Swap<Option<V>>, StoreError>
    where
        V: PartialEq,
    {
        let swap = |map: &mut BTreeMap<K, V>, (key, expected, new): (K, Option<V>, Option<V>)| {
            let found = map.get(&key);
            if found != expected.as_ref() {
                return Swap::Found(found.cloned());
            }
            put(map, key, new);
            Swap::Done
        };
        self.object.call(Operation::Swap, swap, (key.to_owned(), expected, new))
    }

    /// Returns the result of a function on a value, so that the whole value need not travel; `None` if the
    /// key does not exist.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let books = Store::start()?.map::<String, Vec<String>>()?;
    /// books.insert("Hamlet".into(), vec!["Who's there?".into(), "Nay, answer me.".into()])?;
    /// let first = books.read("Hamlet", |lines, n| lines.get(n).cloned(), 0usize)?;
    /// assert_eq!(first, Some(Some("Who's there?".into())));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn read<Q, F, A, R>(&self, key: &Q, look: F, args: A) -> Result<Option<R>, StoreError>
    where
        Q: ToOwned<Owned = K> + ?Sized,
        F: FnOnce(&V, A) -> R + Captureless,
        A: Portable,
        R: Portable,
    {
        const { F::CHECK };
        let read =
            move |map: &mut BTreeMap<K, V>, (key, args): (K, A)| map.get(&key).map(|value| look(value, args));
        self.object.call(Operation::Read, read, (key.to_owned(), args))
    }

    /// Changes several keys in one step: a function on the whole map. It works on a copy of the whole map,
    /// which is slow for a large one; if it panics, the map is as it was.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let accounts = Store::start()?.map()?;
    /// accounts.extend([('a', 10), ('b', 0)])?;
    /// accounts.update_all(
    ///     |all, (from, to, amount)| {
    ///         *all.get_mut(&from).expect("an account") -= amount;
    ///         *all.get_mut(&to).expect("an account") += amount;
    ///     },
    ///     ('a', 'b', 4),
    /// )?;
    /// assert_eq!(accounts.values()?, [6, 4]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn update_all<F, A, R>(&self, change: F, args: A) -> Result<R, StoreError>
    where
        F: FnOnce(&mut BTreeMap<K, V>, A) -> R + Captureless,
        A: Portable,
        R: Portable,
    {
        const { F::CHECK };
        let update = move |map: &mut BTreeMap<K, V>, args: A| {
            let mut copy = map.clone();
            let answer = change(&mut copy, args);
            *map = copy;
            answer
        };
        self.object.call(Operation::UpdateAll, update, args)
    }

    /// Returns the result of a function on the whole map, in the store and without a copy.
    ///
    /// ```
    /// # use phalanx::Store;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let map = Store::start()?.map()?;
    /// map.extend((1..=100u64).map(|n| (n, n)))?;
    /// assert_eq!(map.read_all(|map, above| map.range(above..).map(|(_, n)| n).sum::<u64>(), 99)?, 199);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn read_all<F, A, R>(&self, look: F, args: A) -> Result<R, StoreError>
    where
        F: FnOnce(&BTreeMap<K, V>, A) -> R + Captureless,
        A: Portable,
        R: Portable,
    {
        const { F::CHECK };
        self.object.call(Operation::ReadAll, move |map: &mut BTreeMap<K, V>, args: A| look(map, args), args)
    }
}

/// Leaves this value under the key, or none.
fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}
