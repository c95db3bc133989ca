//! Bytes that no process can change, received without a copy.

use std::hash::{Hash, Hasher};
use std::ops::{Bound, Deref, RangeBounds};
use std::sync::Arc;
use std::{fmt, io};

use once_cell::sync::OnceCell;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes};

use crate::ipc::codec;
use crate::resources::shared::Shared;
use crate::sys::shared_memory::Region;

/// Up to so many bytes travel in the message: a descriptor and a mapping cost more than a copy.
pub(crate) const SMALL: usize = 8 * 1024;

/// Bytes that cannot be changed, for large arguments and replies: in messages they are received without a
/// copy.
///
/// A `Vec<u8>` in a message is encoded, sent and decoded, with a copy at each step. A `Blob` of more than 8
/// KiB travels as one descriptor of a sealed memory file, which every receiver maps and reads in place;
/// however many receivers there are, the bytes are in memory once. Smaller ones travel in the message. It
/// dereferences to `[u8]`; clones and [`slice`](Self::slice)s share the bytes.
///
/// ```
/// use phalanx::prelude::*;
/// use phalanx::Blob;
///
/// #[task]
/// fn count(text: Blob, byte: u8) -> usize {
///     text.iter().filter(|&&other| other == byte).count()
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let text = Blob::from("mississippi".repeat(100_000).into_bytes());
/// let (s, p) = (count::spawn(text.clone(), b's')?, count::spawn(text, b'p')?);
/// assert_eq!((s.join()?, p.join()?), (400_000, 200_000));
/// # Ok(())
/// # }
/// ```
///
/// The bytes cannot vanish under a reader: a receiver checks that the file is sealed against writing,
/// shrinking and growing before it maps it. So reading cannot fail (no SIGBUS), and a slice of it is as good
/// as any slice.
///
/// Outside of messages (in a task's result, in a file written with serde) it is plain bytes.
#[derive(Clone)]
pub struct Blob {
    memory: Memory,
    start: usize,
    len: usize,
}

#[derive(Clone)]
enum Memory {
    Own(Arc<Own>),
    Sealed(Shared<[u8]>),
}

/// Made in this process, and copied into a file when it is first sent.
struct Own {
    bytes: Vec<u8>,
    sealed: OnceCell<Shared<[u8]>>,
}

/// Its form in a message.
#[derive(Serialize, Deserialize)]
enum Wire<B> {
    Inline(B),
    /// A memory file of `size` bytes comes beside it; this part of the file is the blob.
    File {
        size: u64,
        start: u64,
        len: u64,
    },
}

impl Blob {
    /// So many bytes, which `fill` writes in place (they are 0 before). This very memory is sent, where
    /// `Blob::from(vec)` copies it once, when it is first sent.
    ///
    /// ```
    /// use phalanx::Blob;
    /// use std::io::Read;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let mut file = std::fs::File::open("/proc/self/exe")?;
    /// let mut read = Ok(());
    /// let head = Blob::build(100_000, |bytes| read = file.read_exact(bytes))?;
    /// read?;
    /// assert_eq!(&head[1..4], b"ELF");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// At the limit on descriptors (`RLIMIT_NOFILE`), or without memory.
    pub fn build(len: usize, fill: impl FnOnce(&mut [u8])) -> io::Result<Blob> {
        Shared::build(len, fill).map(|shared| Blob { memory: Memory::Sealed(shared), start: 0, len })
    }

    /// A part of it, without a copy. Sent alone, it still is a part of the whole file, unless it is small.
    ///
    /// # Panics
    /// If the range is not inside.
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Blob {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last + 1,
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.len,
        };
        assert!(start <= end && end <= self.len, "{start}..{end} is not inside of {} bytes", self.len);
        Blob { memory: self.memory.clone(), start: self.start + start, len: end - start }
    }

    /// The memory file that it travels as, made if there is none yet.
    fn sealed(&self) -> io::Result<&Shared<[u8]>> {
        match &self.memory {
            Memory::Own(own) => own.sealed.get_or_try_init(|| Shared::from_slice(&own.bytes)),
            Memory::Sealed(shared) => Ok(shared),
        }
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let all: &[u8] = match &self.memory {
            Memory::Own(own) => &own.bytes,
            Memory::Sealed(shared) => shared,
        };
        &all[self.start..self.start + self.len]
    }
}

/// Without a copy, until it is sent.
impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Blob {
        let len = bytes.len();
        Blob { memory: Memory::Own(Arc::new(Own { bytes, sealed: OnceCell::new() })), start: 0, len }
    }
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Blob {
        bytes.to_vec().into()
    }
}

impl From<String> for Blob {
    fn from(text: String) -> Blob {
        text.into_bytes().into()
    }
}

impl Default for Blob {
    fn default() -> Blob {
        Vec::new().into()
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Blob) -> bool {
        **self == **other
    }
}

impl Eq for Blob {}

impl PartialEq<[u8]> for Blob {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl Hash for Blob {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// Its size, not its bytes.
impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.len)
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.len <= SMALL || !codec::takes_descriptors() {
            return Wire::Inline(Bytes::new(self)).serialize(serializer);
        }
        let file = self.sealed().map_err(S::Error::custom)?;
        codec::put_fd(&file.0)?;
        let (size, start, len) = (file.len() as u64, self.start as u64, self.len as u64);
        Wire::<&Bytes>::File { size, start, len }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
        let (size, start, len) = match Wire::<ByteBuf>::deserialize(deserializer)? {
            Wire::Inline(bytes) => return Ok(bytes.into_vec().into()),
            Wire::File { size, start, len } => (size as usize, start as usize, len as usize),
        };
        if start.checked_add(len).is_none_or(|end| end > size) {
            return Err(D::Error::custom("a part that is not inside of its blob"));
        }
        let shared = Region::open(codec::take_fd()?, size).map(Shared::of_region);
        let memory = Memory::Sealed(shared.map_err(D::Error::custom)?);
        Ok(Blob { memory, start, len })
    }
}
