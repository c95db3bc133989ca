//! Descriptors in messages: files, sockets, pipes and any other [`OwnedFd`].
//!
//! Where a field cannot be an [`Fd`], `#[serde(with = "phalanx::fd")]` makes an `OwnedFd` travel:
//!
//! ```
//! use phalanx::prelude::*;
//! use serde::{Deserialize, Serialize};
//! use std::io::{Read, Write};
//! use std::os::fd::OwnedFd;
//!
//! #[derive(Serialize, Deserialize)]
//! struct Job {
//!     greeting: String,
//!     #[serde(with = "phalanx::fd")]
//!     to: OwnedFd,
//! }
//!
//! #[task]
//! fn greet(job: Job) -> phalanx::Result<()> {
//!     Ok(std::fs::File::from(job.to).write_all(job.greeting.as_bytes())?)
//! }
//!
//! # #[phalanx::main]
//! # fn main() -> phalanx::Result<()> {
//! let (mut reader, writer) = std::io::pipe()?;
//! let task = greet::spawn(Job { greeting: "hello".into(), to: writer.into() })?;
//! let mut text = String::new();
//! reader.read_to_string(&mut text)?; // ends when the task has closed the other end
//! assert_eq!(text, "hello");
//! task.join()?
//! # ;
//! # Ok(())
//! # }
//! ```

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ipc::codec;

/// A descriptor that can be a field of a message, an argument or a reply: any file, socket or pipe,
/// [`From`] and into [`OwnedFd`].
///
/// The receiver gets a descriptor of its own for the same open file (`SCM_RIGHTS`, unix(7)): position and
/// flags such as `O_NONBLOCK` are shared, the number is another one, and it is close-on-exec. The sender's is
/// closed when the message has been sent, as the arguments of any call are dropped; to keep it, send a
/// [`try_clone`](Self::try_clone). What was not received, because the receiver died or the message was never
/// read, is closed by the kernel.
///
/// ```
/// use phalanx::prelude::*;
/// use phalanx::Fd;
/// use std::fs::File;
/// use std::io::Read;
///
/// #[actor]
/// struct Reader;
///
/// #[actor]
/// impl Reader {
///     fn first(&self, file: Fd, bytes: usize) -> phalanx::Result<Vec<u8>> {
///         let mut first = vec![0; bytes];
///         File::from(file.into_inner()).read_exact(&mut first)?;
///         Ok(first)
///     }
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let file = File::open("/proc/self/exe")?;
/// assert_eq!(Reader.spawn()?.first(Fd::new(file), 4).wait()?, b"\x7fELF");
/// # Ok(())
/// # }
/// ```
///
/// A message takes 62 descriptors (60 in the state of a new process; a ref counts for two). With more, the
/// call fails with [`CallError::Unreachable`](crate::CallError::Unreachable), which says so, and nothing is
/// sent. The result of a task cannot hold any: it outlives its process.
#[derive(Debug)]
pub struct Fd(OwnedFd);

impl Fd {
    /// Wraps anything that is a descriptor: a `File`, a `TcpStream`, an end of a pipe.
    pub fn new(thing: impl Into<OwnedFd>) -> Fd {
        Fd(thing.into())
    }

    /// The descriptor, for conversion into its own type: `File::from(fd.into_inner())`.
    pub fn into_inner(self) -> OwnedFd {
        self.0
    }

    /// Another descriptor for the same open file.
    ///
    /// # Errors
    /// `EMFILE` at the limit on descriptors.
    pub fn try_clone(&self) -> io::Result<Fd> {
        self.0.try_clone().map(Fd)
    }
}

impl From<OwnedFd> for Fd {
    fn from(fd: OwnedFd) -> Fd {
        Fd(fd)
    }
}

impl From<Fd> for OwnedFd {
    fn from(fd: Fd) -> OwnedFd {
        fd.0
    }
}

impl AsFd for Fd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Fd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Serialize for Fd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Fd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fd, D::Error> {
        self::deserialize(deserializer).map(Fd)
    }
}

/// Encodes a descriptor as a field with `#[serde(with = "phalanx::fd")]`.
///
/// # Errors
/// Outside of a message of phalanx, and at the limit on descriptors: the message holds one of its own until
/// it is sent.
pub fn serialize<S: Serializer>(fd: &OwnedFd, serializer: S) -> Result<S::Ok, S::Error> {
    // A copy: the value is only lent to us, and the message may have to wait for room.
    let copy = fd.try_clone().map_err(S::Error::custom)?;
    codec::put_fd(&Arc::new(copy))?;
    serializer.serialize_unit()
}

/// Decodes a descriptor as a field with `#[serde(with = "phalanx::fd")]`.
///
/// # Errors
/// Outside of a message of phalanx.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OwnedFd, D::Error> {
    <()>::deserialize(deserializer)?;
    codec::take_fd()
}
