//! Memory files: the shared page of an actor, and large payloads.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::mapping::{Advice, Mapping};
use super::rlimit;

/// How long to retry sealing a file while the kernel is busy with it.
const BUSY: Duration = Duration::from_secs(5);

/// Payload files can neither shrink under a reader (SIGBUS) nor change while they are decoded.
const PAYLOAD_SEALS: libc::c_int = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

pub(crate) fn create(name: &CStr, flags: libc::c_uint) -> io::Result<File> {
    let flags = MFdFlags::from_bits_retain(flags) | MFdFlags::MFD_CLOEXEC;
    let made = memfd_create(name, flags).map_err(|error| super::named("memfd_create", error.into()))?;
    super::fd::raise(made).map(File::from)
}

/// Seals a file that no other process has yet.
pub(crate) fn seal(file: &File, seals: libc::c_int) -> io::Result<()> {
    let deadline = super::clock::after(BUSY);
    loop {
        match fcntl(file, FcntlArg::F_ADD_SEALS(SealFlag::from_bits_retain(seals))) {
            // The kernel itself holds a page of the file, to move it or to see how old it is, and takes that
            // for a writer. It has waited for 150 ms by then.
            Err(Errno::EBUSY) if super::clock::now() < deadline => {
                super::poll::pause(Duration::from_millis(1));
            }
            sealed => return Ok(sealed.map(drop)?),
        }
    }
}

/// The seals of a file.
///
/// # Errors
/// If it is not a memory file.
pub(crate) fn seals(file: BorrowedFd<'_>) -> io::Result<libc::c_int> {
    Ok(fcntl(file, FcntlArg::F_GET_SEALS)?)
}

/// The name of a supervisor's list of children in `/proc/PID/fd`.
pub const REGISTER: &str = "/memfd:phalanx-register";

/// An empty file for the list of a supervisor's children, named [`REGISTER`].
///
/// # Errors
/// `EMFILE`, `ENFILE` or `ENOMEM`; or the call is unknown to the kernel, or refused by a sandbox.
pub fn register() -> io::Result<File> {
    create(c"phalanx-register", 0)
}

/// A sealed memory file with these bytes.
///
/// # Errors
/// Those of [`register`] and of [`write_all`]; `EBUSY` if the kernel stays busy with the file.
pub fn payload(bytes: &[u8]) -> io::Result<OwnedFd> {
    let file = create(c"phalanx-payload", libc::MFD_ALLOW_SEALING)?;
    write_all(&file, bytes, 0)?;
    seal(&file, PAYLOAD_SEALS)?;
    Ok(file.into())
}

/// Writes bytes into a memory file at this offset; the file grows as far as needed.
///
/// # Errors
/// `FileTooLarge` above the limit on the size of files, which the text names; or what the write reports.
pub fn write_all(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    rlimit::grow_file(at.saturating_add(bytes.len() as u64), || file.write_all_at(bytes, at))
}

/// The size of a file, if there is memory for all that it claims to have.
///
/// # Errors
/// If it claims more than it has, or more than `limit`.
fn backed(file: BorrowedFd<'_>, limit: u64) -> io::Result<u64> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let facts = File::from(file.try_clone_to_owned()?).metadata()?;
    // Blocks are of 512 bytes, whatever the file is made of.
    let (claimed, real) = (facts.size(), facts.blocks().saturating_mul(512));
    if claimed > limit {
        return Err(invalid(format!("{claimed} bytes in one message, at most {limit} are read")));
    }
    if real < claimed {
        return Err(invalid(format!("a memory file that claims {claimed} bytes and has {real}")));
    }
    Ok(claimed)
}

/// Where a page lies.
enum Place {
    Mapped(Mapping),
    /// A page that could not be mapped: zeroes that no other process sees.
    StandIn(Box<[AtomicU64]>),
}

impl Place {
    fn stand_in() -> Place {
        Place::StandIn((0..PAGE / size_of::<AtomicU64>()).map(|_| AtomicU64::new(0)).collect())
    }

    fn start(&self) -> NonNull<libc::c_void> {
        match self {
            Place::Mapped(mapping) => mapping.start,
            Place::StandIn(page) => NonNull::from_ref(&**page).cast(),
        }
    }
}

/// A received payload, mapped read-only.
#[derive(Debug)]
pub struct Payload(Option<Mapping>);

impl Payload {
    /// Maps a received memory file of at most `limit` bytes.
    ///
    /// # Errors
    /// If it is not a sealed memory file, too large, or has holes: then the sender is not of this library.
    pub fn open(fd: BorrowedFd<'_>, limit: u64) -> io::Result<Payload> {
        if seals(fd)? & PAYLOAD_SEALS != PAYLOAD_SEALS {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a sealed payload"));
        }
        let len = backed(fd, limit)?;
        if len == 0 {
            return Ok(Payload(None));
        }
        Mapping::of(fd, len as usize, libc::PROT_READ).map(|mapped| Payload(Some(mapped)))
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |mapped| {
            // SAFETY: `len` bytes are mapped readable, and the seals, checked in `open`, keep them in place
            // and unchanged.
            unsafe { std::slice::from_raw_parts(mapped.start.as_ptr().cast::<u8>(), mapped.len) }
        })
    }
}

/// The size of the shared page of an actor.
pub const PAGE: usize = 8192;

/// Words of memory that this process shares with the processes that it forks, and with no others.
#[derive(Debug)]
pub struct Words(Mapping);

impl Words {
    /// Maps `count` words of zeroes, for the life of this process.
    ///
    /// # Errors
    /// `ENOMEM` if there is no room to map them.
    pub fn shared(count: usize) -> io::Result<&'static Words> {
        let mapping = Mapping::anonymous(count * size_of::<AtomicU64>(), true)?;
        Ok(Box::leak(Box::new(Words(mapping))))
    }

    /// Keeps the words out of the processes that this one forks from now on.
    pub fn keep_from_children(&self) {
        self.0.advise(Advice::KeepFromChildren);
    }
}

impl Deref for Words {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: `len` bytes are mapped, aligned to a page, until `self` is dropped; every bit pattern is a
        // valid atomic.
        unsafe {
            std::slice::from_raw_parts(self.0.start.as_ptr().cast(), self.0.len / size_of::<AtomicU64>())
        }
    }
}

/// A type that may lie in memory which other processes write to.
///
/// # Safety
/// Only atomics and arrays of atomics, `repr(C)`, valid for every bit pattern, at most [`PAGE`] bytes.
pub unsafe trait Shared {}

macro_rules! shared {
    ($($name:ty),*) => { $(
        // SAFETY: an atomic integer.
        unsafe impl Shared for $name {}
    )* };
}
shared!(std::sync::atomic::AtomicU8, std::sync::atomic::AtomicU32, std::sync::atomic::AtomicI32, AtomicU64);

// SAFETY: an array of shared things has no padding and no invalid pattern either.
unsafe impl<T: Shared, const N: usize> Shared for [T; N] {}

/// Declares a `repr(C)` structure of atomics that can be shared between processes.
#[doc(hidden)]
#[macro_export]
macro_rules! __shared_struct {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        #[repr(C)]
        $vis struct $name { $($(#[$field_meta])* pub(super) $field: $ty,)* }

        impl $name {
            /// The compiler checks that each field is `Shared`, and that all of them fit on a page.
            const CHECKED: () = {
                const fn shared<T: $crate::memfd::Shared>() {}
                $(shared::<$ty>();)*
                assert!(std::mem::size_of::<$name>() <= $crate::memfd::PAGE);
            };
        }

        $crate::memfd::shared_impl!($name);
    };
}

/// The `impl` of [`shared_struct`], here because it is unsafe.
#[doc(hidden)]
#[macro_export]
macro_rules! __shared_impl {
    ($name:ident) => {
        const _: () = $name::CHECKED;
        // SAFETY: `CHECKED` looks at each field and at the size; the macro adds repr(C).
        #[allow(unsafe_code, reason = "written by a macro of phalanx-os, argued there")]
        unsafe impl $crate::memfd::Shared for $name {}
    };
}

/// Declares an enum whose variants are numbers in shared memory.
///
/// Any process that maps the memory can write any number there: `from_word` returns `None` for an unknown one,
/// and each caller decides what that stands for.
#[doc(hidden)]
#[macro_export]
macro_rules! __word_enum {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)* }
    ) => {
        $(#[$meta])*
        $vis enum $name { $($(#[$variant_meta])* $variant = $word,)* }

        impl $name {
            pub(crate) const fn to_word(self) -> u32 {
                self as u32
            }

            pub(crate) const fn from_word(word: u32) -> Option<$name> {
                match word {
                    $($word => Some($name::$variant),)*
                    _ => None,
                }
            }
        }
    };
}
pub use __shared_impl as shared_impl;
pub use __shared_struct as shared_struct;
pub use __word_enum as word_enum;

/// Whether this process keeps the pages that it maps out of its forks, as a supervisor does.
static KEEPS: AtomicBool = AtomicBool::new(false);

/// From now on this process keeps the pages that it maps out of its forks (or, in a child, no longer does).
pub fn keep_pages_from_children(keep: bool) {
    KEEPS.store(keep, Ordering::Relaxed);
}

/// A page that several processes have mapped, seen as a `T`. This process maps it at the first access.
pub struct Page<T: Shared> {
    place: OnceLock<Place>,
    file: OwnedFd,
    kind: PhantomData<T>,
}

impl<T: Shared> Page<T> {
    /// A new page of zeroes that cannot shrink; `growable` leaves room for bytes behind it.
    ///
    /// # Errors
    /// Those of [`register`]; `FileTooLarge` above the limit on the size of files; `EBUSY` if the kernel
    /// stays busy with the file.
    pub fn create(growable: bool) -> io::Result<Page<T>> {
        let file = create(c"phalanx-status-page", libc::MFD_ALLOW_SEALING)?;
        rlimit::grow_file(PAGE as u64, || file.set_len(PAGE as u64))?;
        let grow = if growable { 0 } else { libc::F_SEAL_GROW };
        seal(&file, libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL | grow)?;
        Page::open(file.into())
    }

    /// Maps a received page.
    ///
    /// # Errors
    /// If the file is not a memory file of that size which cannot shrink, or there is no room to map it.
    pub fn open(file: OwnedFd) -> io::Result<Page<T>> {
        let page = Page::<T>::accept(file)?;
        let place = OnceLock::from(Place::Mapped(page.map()?));
        Ok(Page { place, ..page })
    }

    /// Takes a received page, and does not map it before the first access.
    ///
    /// # Errors
    /// If the file is not a memory file of that size which cannot shrink.
    pub fn accept(file: OwnedFd) -> io::Result<Page<T>> {
        let seals = seals(file.as_fd())?;
        let file = File::from(super::fd::raise(file)?);
        let len = file.metadata()?.size();
        if seals & libc::F_SEAL_SHRINK == 0 || len < PAGE as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a status page"));
        }
        Ok(Page { place: OnceLock::new(), file: OwnedFd::from(file), kind: PhantomData })
    }

    fn map(&self) -> io::Result<Mapping> {
        let mapping = Mapping::of(self.file.as_fd(), PAGE, libc::PROT_READ | libc::PROT_WRITE)?;
        if KEEPS.load(Ordering::Relaxed) {
            mapping.advise(Advice::KeepFromChildren);
        }
        Ok(mapping)
    }

    /// If there is no room for the mapping (`vm.max_map_count`, memory), a page of zeroes stands in, and no
    /// other process sees what is written there.
    fn place(&self) -> &Place {
        self.place.get_or_init(|| self.map().map_or_else(|_| Place::stand_in(), Place::Mapped))
    }

    /// Maps the page, and makes its memory present, before it is needed.
    pub fn prefault(&self) {
        if let Place::Mapped(mapping) = self.place() {
            mapping.advise(Advice::Populate);
        }
    }

    /// Unmaps the page until its next access: each mapping makes `fork` slower.
    pub fn unmap(&mut self) {
        self.place.take();
    }

    /// Forgets the mapping, in a child: a mapping that a supervisor has kept to itself does not exist there.
    pub fn reset_after_fork(&mut self) {
        std::mem::forget(self.place.take());
    }

    /// The memory file.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The memory file, for a caller that moves it to another number.
    pub fn file_mut(&mut self) -> &mut OwnedFd {
        &mut self.file
    }

    /// Reads the first word of a page that is not mapped. `None` if it is mapped, or cannot be read.
    pub fn first_word(&self) -> Option<u32> {
        if self.place.get().is_some() {
            return None;
        }
        let mut word = [0; 4];
        let read = rustix::io::pread(&self.file, &mut word, 0);
        (read == Ok(4)).then(|| u32::from_ne_bytes(word))
    }

    /// Writes bytes behind the page, in one piece.
    ///
    /// # Errors
    /// Those of [`write_all`]; `EMFILE` if no descriptor is free.
    pub fn append(&self, bytes: &[u8]) -> io::Result<()> {
        write_all(&File::from(self.file.try_clone()?), bytes, PAGE as u64)
    }

    /// Reads `len` bytes from behind the page.
    ///
    /// # Errors
    /// `InvalidData` if `len` is above `limit` or fewer bytes are there; `OutOfMemory`; `EMFILE`; or what the
    /// read reports.
    pub fn appended(&self, len: u64, limit: u64) -> io::Result<Vec<u8>> {
        let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
        if len > limit {
            return Err(invalid(format!("a result that claims {len} bytes, at most {limit} are read")));
        }
        let file = File::from(self.file.try_clone()?);
        let facts = file.metadata()?;
        // The page itself is not written through the file, and its memory may not be there yet.
        let real = facts.size().saturating_sub(PAGE as u64).min(facts.blocks().saturating_mul(512));
        if real < len {
            return Err(invalid(format!("a result that claims {len} bytes, and {real} are there")));
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len as usize).map_err(|_| io::ErrorKind::OutOfMemory)?;
        bytes.resize(len as usize, 0);
        file.read_exact_at(&mut bytes, PAGE as u64)?;
        Ok(bytes)
    }
}

impl<T: Shared> Deref for Page<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let start = self.place().start();
        // SAFETY: a whole page is mapped until `rest`, which takes `&mut self`, and cannot shrink (checked in
        // `accept`), or a stand-in of that size lives as long; `T` fits on it, and consists of atomics, none
        // of which is larger, or aligned to more, than those of the stand-in; and by `Shared` every bit
        // pattern that other processes may write is a valid `T`.
        unsafe { start.cast::<T>().as_ref() }
    }
}

impl<T: Shared> std::fmt::Debug for Page<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Page({})", self.file.as_raw_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    word_enum! {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Answer { No = 3, Yes = 7, }
    }

    #[test]
    fn a_number_that_is_no_variant_is_read_as_none() {
        let read: Vec<_> = (0..10).filter_map(Answer::from_word).collect();
        assert_eq!(read, [Answer::No, Answer::Yes]);
        assert_eq!((Answer::No.to_word(), Answer::Yes.to_word()), (3, 7));
        assert_eq!(Answer::from_word(u32::MAX), None);
    }

    #[test]
    fn what_a_file_claims_and_does_not_have_is_not_mapped() {
        let holes = create(c"phalanx-test", libc::MFD_ALLOW_SEALING).unwrap();
        holes.set_len(1 << 30).unwrap();
        holes.write_all_at(b"a few", 0).unwrap();
        seal(&holes, PAYLOAD_SEALS).unwrap();
        let error = Payload::open(holes.as_fd(), 1 << 30).unwrap_err().to_string();
        assert!(error.contains("claims 1073741824 bytes and has 4096"), "{error}");
        let error = Payload::open(holes.as_fd(), 1 << 20).unwrap_err().to_string();
        assert!(error.contains("at most 1048576"), "{error}");
        assert_eq!(*Payload::open(payload(&[7; 10_000]).unwrap().as_fd(), 10_000).unwrap(), [7; 10_000]);
    }

    #[test]
    fn what_is_claimed_behind_a_page_and_is_not_there_is_not_read() {
        let page = Page::<AtomicU64>::create(true).unwrap();
        page.append(b"result").unwrap();
        assert_eq!(page.appended(6, 100).unwrap(), b"result");
        assert!(page.appended(7, 100).is_err());
        File::from(page.file().try_clone_to_owned().unwrap()).set_len(1 << 41).unwrap();
        for claimed in [1 << 20, 1 << 30, 1 << 40, u64::MAX - 1, u64::MAX] {
            let error = page.appended(claimed, u64::MAX).unwrap_err().to_string();
            assert!(error.contains(&format!("claims {claimed} bytes")), "{error}");
        }
        assert!(page.appended(101, 100).unwrap_err().to_string().contains("at most 100"));
    }

    #[test]
    fn a_file_that_is_busy_is_sealed_when_it_is_not_any_more() {
        let file = create(c"phalanx-test", libc::MFD_ALLOW_SEALING).unwrap();
        file.set_len(4096).unwrap();
        let writable = Mapping::of(file.as_fd(), 4096, libc::PROT_READ | libc::PROT_WRITE).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                seal(&file, PAYLOAD_SEALS).unwrap();
                done.store(true, Ordering::SeqCst);
            });
            crate::poll::pause(Duration::from_millis(20));
            assert!(!done.load(Ordering::SeqCst));
            drop(writable);
        });
        assert_eq!(seals(file.as_fd()).unwrap() & PAYLOAD_SEALS, PAYLOAD_SEALS);
    }
}
