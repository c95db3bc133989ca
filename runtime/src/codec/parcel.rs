//! An encoded value on its way through others, who do not decode it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::{Error as _, SerializeStruct};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Aside, Encoded, Portable, decode, put, take};

/// Bytes of a value, and what belongs beside them. It travels in messages like any other value, as often as one likes.
pub(crate) struct Parcel {
    pub(crate) bytes: Vec<u8>,
    aside: Vec<Aside>,
}

/// More than fit beside one message.
const MOST: u32 = 64;

impl Parcel {
    /// # Errors
    /// What the value's `Serialize` said.
    pub(crate) fn pack<T: Portable>(value: &T) -> Result<Parcel, String> {
        super::encode(value).map(Parcel::from)
    }

    /// Bytes alone.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Parcel {
        Parcel { bytes, aside: Vec::new() }
    }

    /// Whether something belongs beside the bytes.
    pub(crate) fn has_aside(&self) -> bool {
        !self.aside.is_empty()
    }

    /// The same contents once more, for another message.
    pub(crate) fn again(&self) -> Parcel {
        let aside = self.aside.iter().map(Aside::share).collect();
        Parcel { bytes: self.bytes.clone(), aside }
    }

    /// The descriptors beside the bytes, as [`decode`] takes them.
    ///
    /// # Errors
    /// At a limit on descriptors.
    pub(crate) fn descriptors(&self) -> Result<Vec<OwnedFd>, String> {
        let all = self.aside.iter().flat_map(Aside::descriptors);
        all.map(|fd| fd.try_clone_to_owned().map_err(|error| error.to_string())).collect()
    }

    /// # Errors
    /// If it is not exactly one `T`.
    pub(crate) fn open<T: Portable>(&self) -> Result<T, String> {
        decode(&self.bytes, self.descriptors()?)
    }
}

impl From<Encoded> for Parcel {
    fn from(encoded: Encoded) -> Parcel {
        Parcel { bytes: encoded.bytes, aside: encoded.aside }
    }
}

impl Serialize for Parcel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = self.aside.iter().flat_map(Aside::descriptors).count() as u32;
        if !self.aside.iter().map(Aside::share).all(put) {
            return Err(S::Error::custom("descriptors travel in phalanx messages only: they are not bytes"));
        }
        let mut fields = serializer.serialize_struct("Parcel", 2)?;
        fields.serialize_field("count", &count)?;
        fields.serialize_field("bytes", serde_bytes::Bytes::new(&self.bytes))?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Parcel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Parcel, D::Error> {
        let (count, bytes) = <(u32, serde_bytes::ByteBuf)>::deserialize(deserializer)?;
        let missing = || D::Error::custom("without its descriptors");
        if count > MOST {
            return Err(missing());
        }
        let fds: Option<Vec<OwnedFd>> = (0..count).map(|_| take()).collect();
        let share = |fd: OwnedFd| Aside::Fd(Arc::new(fd) as Arc<dyn AsFd + Send + Sync>);
        let aside = fds.ok_or_else(missing)?.into_iter().map(share).collect();
        Ok(Parcel { bytes: bytes.into_vec(), aside })
    }
}
