//! Memory that several processes have mapped: values that no process can change any more, and atomics that
//! each of them may change.
//!
//! This is safe to use, whatever the processes at the other end do. The length of the file is sealed, and all
//! of it is allocated, so no access can fail (SIGBUS). What is seen as plain data is sealed against writing
//! too, and a sealed file has no writer: the kernel refuses the seal while there is a writable mapping, and a
//! writable mapping once there is the seal. What is not sealed against writing is seen as atomics only. And
//! every type here is valid for every pattern of bits.

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::ptr::NonNull;
use std::sync::atomic;

use nix::fcntl::{FallocateFlags, fallocate};

use super::mapping::Mapping;
use super::memfd::{create, seal, seals, write_all};
use super::{retry, rlimit};

/// The length of the file cannot change.
const FIXED: libc::c_int = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;
/// Neither the length nor the contents of the file can change.
const FROZEN: libc::c_int = FIXED | libc::F_SEAL_WRITE;

mod sealed {
    pub trait Sealed {}
}

/// What shared memory can be made of: integers and floats, which are read-only once they are shared, atomic
/// integers, which are not, and arrays of either.
///
/// # Safety
/// No pointers, no padding, no destructor, valid for every pattern of bits, aligned to at most a page. With
/// `CHANGES`, every access through `&Self` is atomic; without, there is no interior mutability.
pub unsafe trait Element: sealed::Sealed + Sized + Send + Sync + 'static {
    /// Whether other processes may change it while it is shared.
    const CHANGES: bool;
}

/// An [`Element`] that is plain data, and so read-only once it is shared.
pub trait Plain: Element + Copy {}

macro_rules! elements {
    ($changes:literal: $($name:ty),* $(,)?) => { $(
        impl sealed::Sealed for $name {}
        // SAFETY: an integer or a float, and atomic if CHANGES.
        unsafe impl Element for $name {
            const CHANGES: bool = $changes;
        }
    )* };
}

macro_rules! plain {
    ($($name:ty),*) => {
        elements!(false: $($name),*);
        $(impl Plain for $name {})*
    };
}

plain!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64);
elements!(true: atomic::AtomicU8, atomic::AtomicU16, atomic::AtomicU32, atomic::AtomicU64, atomic::AtomicUsize);
elements!(true: atomic::AtomicI8, atomic::AtomicI16, atomic::AtomicI32, atomic::AtomicI64, atomic::AtomicIsize);

impl<T: Element, const N: usize> sealed::Sealed for [T; N] {}
// SAFETY: an array has no padding between its elements, and the rest is theirs.
unsafe impl<T: Element, const N: usize> Element for [T; N] {
    const CHANGES: bool = T::CHANGES;
}
impl<T: Plain, const N: usize> Plain for [T; N] {}

/// What a `phalanx::Shared` can be: one [`Element`], or a slice of them.
///
/// # Safety
/// `at` returns a pointer to exactly `len` elements at `start`.
pub unsafe trait Shareable: Send + Sync + 'static {
    #[doc(hidden)]
    type Element: Element;

    /// The number of elements, if that is fixed.
    #[doc(hidden)]
    const LEN: Option<usize>;

    #[doc(hidden)]
    fn at(start: NonNull<Self::Element>, len: usize) -> NonNull<Self>;
}

// SAFETY: one element, as `LEN` says, is what a pointer to it points to.
unsafe impl<T: Element> Shareable for T {
    type Element = T;
    const LEN: Option<usize> = Some(1);

    fn at(start: NonNull<T>, _: usize) -> NonNull<T> {
        start
    }
}

// SAFETY: a slice of that length.
unsafe impl<T: Element> Shareable for [T] {
    type Element = T;
    const LEN: Option<usize> = None;

    fn at(start: NonNull<T>, len: usize) -> NonNull<[T]> {
        NonNull::slice_from_raw_parts(start, len)
    }
}

/// Shared memory seen as a `T`; unmapped and closed on drop.
#[derive(Debug)]
pub struct Region<T: Shareable + ?Sized> {
    /// The elements; `None` if they take no memory.
    mapped: Option<Mapping>,
    len: usize,
    file: OwnedFd,
    kind: PhantomData<T>,
}

impl<T: Shareable + ?Sized> Region<T> {
    /// New memory that begins with these values; no other process has it.
    ///
    /// # Errors
    /// `InvalidData` if a `T` does not have that many elements; `FileTooLarge` above the limit on the size of
    /// files; `EMFILE`, `ENFILE`, `ENOMEM` or `ENOSPC`.
    pub fn of(values: &mut [T::Element]) -> io::Result<Region<T>> {
        // SAFETY: the values are borrowed exclusively, so not even atomics change; an element has no padding;
        // and the bytes are as many as the values take.
        let bytes =
            unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val::<[_]>(values)) };
        Region::open(filled::<T::Element>(bytes)?, values.len())
    }

    /// New memory that begins with a copy of these values, plain data.
    ///
    /// # Errors
    /// Those of [`Region::of`].
    pub fn copy_of(values: &[T::Element]) -> io::Result<Region<T>>
    where
        T::Element: Plain,
    {
        // SAFETY: plain data does not change behind a reference, and has no padding; the bytes are as many as
        // the values take.
        let bytes =
            unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val::<[_]>(values)) };
        Region::open(filled::<T::Element>(bytes)?, values.len())
    }

    /// New memory of `len` elements, which `fill` writes in place.
    ///
    /// # Errors
    /// Those of [`Region::of`]; `InvalidInput` if so many elements have no room in the address space.
    pub fn built(len: usize, fill: impl FnOnce(&mut [T::Element])) -> io::Result<Region<T>>
    where
        T::Element: Plain,
    {
        let size = bytes::<T::Element>(len)?;
        let file = create(c"phalanx-shared", libc::MFD_ALLOW_SEALING)?;
        allocate(&file, size)?;
        let mapped = map_all(file.as_fd(), size, true)?;
        let start = start_of(mapped.as_ref());
        // SAFETY: exactly these elements are mapped (or there are none), all of them zero, at the beginning
        // of a page, until after `fill`. The file is new and nothing else knows its number, so nothing else
        // refers to them.
        fill(unsafe { NonNull::slice_from_raw_parts(start, len).as_mut() });
        // The kernel does not seal a file against writing while it has a writable mapping.
        drop(mapped);
        seal(&file, FROZEN)?;
        Region::open(file.into(), len)
    }

    /// New memory of `len` elements, all of their bytes zero.
    ///
    /// # Errors
    /// Those of [`Region::built`].
    pub fn zeroed(len: usize) -> io::Result<Region<T>> {
        let file = create(c"phalanx-shared", libc::MFD_ALLOW_SEALING)?;
        allocate(&file, bytes::<T::Element>(len)?)?;
        seal(&file, seals_of::<T::Element>())?;
        Region::open(file.into(), len)
    }

    /// Maps received memory.
    ///
    /// # Errors
    /// If it is not a memory file for exactly `len` elements, allocated and sealed as they require.
    pub fn open(file: OwnedFd, len: usize) -> io::Result<Region<T>> {
        let size = bytes::<T::Element>(len)?;
        let wanted = seals_of::<T::Element>();
        if T::LEN.is_some_and(|fixed| fixed != len) || seals(file.as_fd())? & wanted != wanted {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not shared memory of this kind"));
        }
        let mapped = map_all(file.as_fd(), size, T::Element::CHANGES)?;
        Ok(Region { mapped, len, file, kind: PhantomData })
    }

    /// The number of elements.
    #[allow(clippy::len_without_is_empty, reason = "a slice of the elements has it")]
    pub fn len(&self) -> usize {
        self.len
    }
}

impl<T: Shareable + ?Sized> Deref for Region<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let start = T::at(start_of(self.mapped.as_ref()), self.len);
        // SAFETY: `open` has mapped exactly these elements (or there are none, or they have no size), at the
        // beginning of a page; they stay mapped as long as `self` lives, every pattern of bits is valid, and
        // what is not atomic cannot change: see the head of the file.
        unsafe { start.as_ref() }
    }
}

impl<T: Shareable + ?Sized> AsFd for Region<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Where the first element lies; dangling if there is nothing.
fn start_of<E>(mapped: Option<&Mapping>) -> NonNull<E> {
    mapped.map_or(NonNull::dangling(), |mapped| mapped.start.cast())
}

fn seals_of<T: Element>() -> libc::c_int {
    if T::CHANGES { FIXED } else { FROZEN }
}

/// The size of `len` elements, in bytes.
fn bytes<T>(len: usize) -> io::Result<usize> {
    let size = len.checked_mul(size_of::<T>()).filter(|&size| isize::try_from(size).is_ok());
    size.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "more than there are addresses"))
}

/// A file of these bytes, sealed as memory of such elements must be.
fn filled<T: Element>(bytes: &[u8]) -> io::Result<OwnedFd> {
    let file = create(c"phalanx-shared", libc::MFD_ALLOW_SEALING)?;
    // Writing allocates every page of it.
    write_all(&file, bytes, 0)?;
    seal(&file, seals_of::<T>())?;
    Ok(file.into())
}

/// Gives a file this size, and memory for all of it: a page without memory would be a SIGBUS later.
fn allocate(file: &File, size: usize) -> io::Result<()> {
    if size == 0 {
        return Ok(());
    }
    let allocate = || Ok(fallocate(file, FallocateFlags::empty(), 0, size as libc::off_t)?);
    rlimit::grow_file(size as u64, || retry(allocate))
}

/// Maps a file from end to end, if it has exactly this size, and memory for all of it.
fn map_all(file: BorrowedFd<'_>, size: usize, writable: bool) -> io::Result<Option<Mapping>> {
    let facts = File::from(file.try_clone_to_owned()?).metadata()?;
    // Blocks are of 512 bytes, whatever the file is made of.
    if facts.size() != size as u64 || facts.blocks().saturating_mul(512) < size as u64 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "shared memory of another size"));
    }
    if size == 0 {
        return Ok(None);
    }
    let protection = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
    Mapping::of(file, size, protection).map(Some)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn file(len: u64, seals: libc::c_int) -> OwnedFd {
        let file = create(c"phalanx-test", libc::MFD_ALLOW_SEALING).unwrap();
        allocate(&file, len as usize).unwrap();
        seal(&file, seals).unwrap();
        file.into()
    }

    #[test]
    fn what_is_not_sealed_as_it_has_to_be_is_not_mapped() {
        for seals in [0, libc::F_SEAL_SHRINK, libc::F_SEAL_GROW, libc::F_SEAL_WRITE] {
            assert!(Region::<[u64]>::open(file(64, seals), 8).is_err());
            assert!(Region::<[AtomicU64]>::open(file(64, seals), 8).is_err());
        }
        assert!(Region::<[u64]>::open(file(64, FIXED), 8).is_err());
        Region::<[u64]>::open(file(64, FROZEN), 8).unwrap();
        Region::<[AtomicU64]>::open(file(64, FIXED), 8).unwrap();
        // It cannot be written to.
        assert!(Region::<[AtomicU64]>::open(file(64, FROZEN), 8).is_err());
    }

    #[test]
    fn what_has_another_size_or_is_no_memory_is_not_mapped() {
        for len in [0, 7, 9, usize::MAX, usize::MAX / 8, isize::MAX as usize / 8] {
            assert!(Region::<[u64]>::open(file(64, FROZEN), len).is_err(), "{len}");
        }
        assert!(Region::<u64>::open(file(64, FROZEN), 8).is_err());
        assert!(Region::<[u64; 8]>::open(file(64, FROZEN), 1).is_ok());
        assert!(Region::<[u8]>::open(File::open("/proc/self/exe").unwrap().into(), 8).is_err());
        assert!(Region::<[u8]>::open(File::open("/dev/null").unwrap().into(), 0).is_err());
    }

    #[test]
    fn a_file_with_holes_is_not_mapped() {
        let holes = create(c"phalanx-test", libc::MFD_ALLOW_SEALING).unwrap();
        holes.set_len(1 << 20).unwrap();
        seal(&holes, FROZEN).unwrap();
        assert!(Region::<[u8]>::open(holes.into(), 1 << 20).is_err());
    }

    #[test]
    fn plain_data_has_no_writer_left() {
        let region = Region::<[u64]>::copy_of(&[1, 2, 3]).unwrap();
        let file = File::from(region.as_fd().try_clone_to_owned().unwrap());
        assert!(file.write_at(&[9], 0).is_err());
        assert!(file.set_len(0).is_err() && file.set_len(1 << 20).is_err());
        assert!(Mapping::of(file.as_fd(), 24, libc::PROT_READ | libc::PROT_WRITE).is_err());
        assert_eq!(region[..], [1, 2, 3]);
    }

    #[test]
    fn two_mappings_are_one_memory() {
        let one = Region::<[AtomicU64]>::of(&mut [1, 2].map(AtomicU64::new)).unwrap();
        let other = Region::<[AtomicU64]>::open(one.as_fd().try_clone_to_owned().unwrap(), 2).unwrap();
        other[1].fetch_add(40, Ordering::SeqCst);
        assert_eq!(one[1].load(Ordering::SeqCst), 42);
    }

    #[test]
    fn nothing_is_memory_too() {
        assert!(Region::<[u64]>::copy_of(&[]).unwrap().is_empty());
        assert!(Region::<[AtomicU64]>::zeroed(0).unwrap().is_empty());
        assert_eq!(Region::<[[u8; 0]]>::zeroed(7).unwrap().len(), 7);
    }
}
