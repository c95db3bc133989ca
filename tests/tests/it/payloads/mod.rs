//! What travels, how large it may be, and what happens when it cannot.

mod bounds;
mod broken;
mod descriptors;
mod growth;
mod mismatched;
mod shapes;
mod sizes;

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that travel as bytes: a `Vec<u8>` travels number by number, which is slow at this size.
#[derive(Clone, PartialEq, Eq)]
struct Blob(Vec<u8>);

impl Blob {
    /// So many bytes, of which no two neighbouring pages are equal.
    fn of(len: usize) -> Blob {
        let chunk: Vec<u8> = (0..4099_u32).map(|index| (index * 31 % 251) as u8).collect();
        let mut bytes = chunk.repeat(len / chunk.len() + 1);
        bytes.truncate(len);
        Blob(bytes)
    }

    fn is_whole(&self) -> bool {
        *self == Blob::of(self.0.len())
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob of {} bytes", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}
