//! An encoded value that passes through processes without being decoded.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;

use super::codec::{Aside, Encoded, Portable, decode_within, encode_away, encode_within, put_aside, take_fd};

/// The bytes of a value, and what belongs beside them. It travels in messages like any other value, any
/// number of times.
///
/// The bytes lie in each message or, as a [`Blob`](crate::Blob), in one memory file from the first process to
/// the last.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct RawValue<B = ByteBuf> {
    pub(crate) bytes: B,
    aside: Beside,
}

impl RawValue {
    /// Bytes alone.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> RawValue {
        RawValue { bytes: ByteBuf::from(bytes), aside: Beside(Vec::new()) }
    }
}

impl<B: From<Vec<u8>> + AsRef<[u8]>> RawValue<B> {
    /// Packs a value of at most `depth` levels; returns how many it has, too. The error is what its
    /// `Serialize` said.
    pub(crate) fn pack<T: Portable>(value: &T, depth: u32) -> (Result<RawValue<B>, String>, u32) {
        let (encoded, levels) = encode_within(value, depth);
        (encoded.map(RawValue::from), levels)
    }

    /// Packs a value that is not needed any more: see [`encode_away`].
    ///
    /// # Errors
    /// What the value's `Serialize` said.
    pub(crate) fn pack_away<T: Portable>(value: T, depth: u32) -> Result<RawValue<B>, String> {
        encode_away(value, depth).map(RawValue::from)
    }

    /// This value, with its bytes lying elsewhere.
    pub(crate) fn with_bytes(self, bytes: B) -> RawValue<B> {
        RawValue { bytes, ..self }
    }

    /// Whether something belongs beside the bytes.
    pub(crate) fn has_aside(&self) -> bool {
        !self.aside.0.is_empty()
    }

    /// How many descriptors there are beside the bytes.
    pub(crate) fn beside(&self) -> usize {
        self.aside.count()
    }

    /// The descriptors beside the bytes, as [`decode`] takes them.
    ///
    /// # Errors
    /// At a limit on descriptors.
    pub(crate) fn descriptors(&self) -> Result<Vec<OwnedFd>, String> {
        let all = self.aside.0.iter().flat_map(Aside::descriptors);
        all.map(|fd| fd.try_clone_to_owned().map_err(|error| error.to_string())).collect()
    }

    /// Decodes the value.
    ///
    /// # Errors
    /// If it is not exactly one `T` of at most `depth` levels, or at a limit on descriptors.
    pub(crate) fn open<T: Portable>(&self, depth: u32) -> Result<T, String> {
        decode_within(self.bytes.as_ref(), self.descriptors()?, depth)
    }
}

impl<B: From<Vec<u8>>> From<Encoded> for RawValue<B> {
    fn from(encoded: Encoded) -> RawValue<B> {
        RawValue { bytes: encoded.bytes.into(), aside: Beside(encoded.aside) }
    }
}

/// What belongs beside the bytes; in the message, how many descriptors that is.
#[derive(Clone)]
struct Beside(Vec<Aside>);

impl Beside {
    fn count(&self) -> usize {
        self.0.iter().flat_map(Aside::descriptors).count()
    }
}

impl Serialize for Beside {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.iter().try_for_each(put_aside)?;
        (self.count() as u32).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Beside {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Beside, D::Error> {
        let count = u32::deserialize(deserializer)?;
        let taken = (0..count).map(|_| Ok(Aside::Fd(Arc::new(take_fd::<D::Error>()?))));
        taken.collect::<Result<_, D::Error>>().map(Beside)
    }
}
