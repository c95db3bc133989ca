//! Memory that several processes share: plain data that is read-only, and atomics.
//!
//! A [`Shared`] is one piece of memory, wherever it is: a message carries a descriptor and not the data, and
//! every process that has received it sees these bytes. It has no name that must be unlinked: the kernel
//! frees the memory with its last holder, however that one ends. (Python's `multiprocessing.Value`, `Array`
//! and `shared_memory`, without their resource tracker.)
//!
//! The type decides what can be shared, so no promise is needed. Numbers, and arrays and slices of numbers,
//! are read-only for every process, their maker included, from the moment at which they are shared. Atomic
//! integers, and arrays and slices of them, can be changed by every process. Other types cannot be shared: a
//! `bool` or an enum that another process has overwritten may have become invalid, and a tuple has gaps that
//! may contain anything.

use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::{fmt, io};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ipc::codec;
use crate::sys::shared_memory::Region;

pub use crate::resources::blob::Blob;
pub(crate) use crate::resources::blob::SMALL;
#[doc(inline)]
pub use crate::sys::shared_memory::{Element, Plain, Shareable};

/// A value, or a slice of values, in memory that several processes see.
///
/// It dereferences to what it holds. Cloning it, and sending it in a message, shares the same memory. See the
/// [module](self) for what `T` may be.
///
/// ```
/// use phalanx::prelude::*;
/// use phalanx::Shared;
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// #[task]
/// fn add(numbers: Shared<[u32]>, sums: Shared<[AtomicU64]>, worker: usize) {
///     for &number in numbers.iter().skip(worker).step_by(sums.len()) {
///         sums[worker].fetch_add(number.into(), Relaxed); // the program can watch it grow
///     }
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let numbers: Vec<u32> = (1..=1000).collect();
/// let numbers = Shared::from_slice(&numbers)?; // copied once, for all workers
/// let sums = Shared::<[AtomicU64]>::zeroed(2)?;
/// let workers = [0, 1].map(|worker| add::spawn(numbers.clone(), sums.clone(), worker));
/// for worker in workers {
///     worker?.join()?;
/// }
/// assert_eq!(sums.iter().map(|sum| sum.load(Relaxed)).sum::<u64>(), 500_500);
/// # Ok(())
/// # }
/// ```
///
/// In each process that has received it, it takes one descriptor and one mapping (clones in that process take
/// none). A process that is killed while it writes leaves what it has written so far; each atomic operation
/// is done, or not.
pub struct Shared<T: Shareable + ?Sized>(pub(super) Arc<Region<T>>);

impl<T: Element> Shared<T> {
    /// Shares one value: a number or an array of numbers (read-only from now on), or an atomic or an array of
    /// them.
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// use phalanx::Shared;
    /// use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let count = Shared::new(AtomicU32::new(40))?;
    /// let count_up = |count: Shared<AtomicU32>| drop(count.fetch_add(2, SeqCst));
    /// Process::spawn(count_up, count.clone())?.join()?;
    /// assert_eq!(count.load(SeqCst), 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// At the limit on descriptors (`RLIMIT_NOFILE`), or without memory.
    pub fn new(value: T) -> io::Result<Shared<T>> {
        Region::of(&mut [value]).map(Shared::of_region)
    }
}

impl<T: Element> Shared<[T]> {
    /// Shares a copy of these numbers, read-only. Each byte is copied once, however many processes receive it
    /// later.
    ///
    /// # Errors
    /// At the limit on descriptors (`RLIMIT_NOFILE`), or without memory.
    pub fn from_slice(values: &[T]) -> io::Result<Shared<[T]>>
    where
        T: Plain,
    {
        Region::copy_of(values).map(Shared::of_region)
    }

    /// So many numbers, which `fill` writes in place (they are 0 before): like
    /// [`from_slice`](Self::from_slice), without the copy.
    ///
    /// ```
    /// use phalanx::Shared;
    ///
    /// let squares = Shared::<[u64]>::build(4, |numbers| {
    ///     for (place, number) in numbers.iter_mut().enumerate() {
    ///         *number = (place * place) as u64;
    ///     }
    /// });
    /// assert_eq!(squares.unwrap()[..], [0, 1, 4, 9]);
    /// ```
    ///
    /// # Errors
    /// At the limit on descriptors (`RLIMIT_NOFILE`), or without memory.
    pub fn build(len: usize, fill: impl FnOnce(&mut [T])) -> io::Result<Shared<[T]>>
    where
        T: Plain,
    {
        Region::built(len, fill).map(Shared::of_region)
    }

    /// So many elements, each of them 0. The memory is taken at once, so that no access can fail later.
    ///
    /// # Errors
    /// At the limit on descriptors (`RLIMIT_NOFILE`), or without memory.
    pub fn zeroed(len: usize) -> io::Result<Shared<[T]>> {
        Region::zeroed(len).map(Shared::of_region)
    }

    /// So many elements, each made from its place.
    ///
    /// ```
    /// use phalanx::Shared;
    /// use std::sync::atomic::AtomicI64;
    ///
    /// let stock = Shared::from_fn(3, |place| AtomicI64::new(100 + place as i64)).unwrap();
    /// assert_eq!(stock[2].load(std::sync::atomic::Ordering::Relaxed), 102);
    /// ```
    ///
    /// # Errors
    /// At the limit on descriptors (`RLIMIT_NOFILE`), or without memory.
    pub fn from_fn(len: usize, make: impl FnMut(usize) -> T) -> io::Result<Shared<[T]>> {
        let mut values: Vec<T> = (0..len).map(make).collect();
        Region::of(&mut values).map(Shared::of_region)
    }
}

impl<T: Shareable + ?Sized> Shared<T> {
    pub(super) fn of_region(region: Region<T>) -> Shared<T> {
        Shared(Arc::new(region))
    }
}

impl<T: Shareable + ?Sized> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A clone shares this memory; its contents are not copied.
impl<T: Shareable + ?Sized> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared(Arc::clone(&self.0))
    }
}

impl<T: Shareable + fmt::Debug + ?Sized> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&&**self).finish()
    }
}

/// The memory file.
impl<T: Shareable + ?Sized> AsFd for Shared<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// In messages of phalanx only: it is a descriptor, not bytes.
impl<T: Shareable + ?Sized> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        codec::put_fd(&self.0)?;
        (self.0.len() as u64).serialize(serializer)
    }
}

impl<'de, T: Shareable + ?Sized> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let len = usize::try_from(u64::deserialize(deserializer)?).map_err(D::Error::custom)?;
        Region::open(codec::take_fd()?, len).map(Shared::of_region).map_err(D::Error::custom)
    }
}
