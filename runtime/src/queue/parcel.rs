//! An item on its way: bytes, and the descriptors of what is not bytes in it.
//!
//! It is encoded once, where it is put, and decoded once, where it is taken. What is large is a memory file from the first hand to the last: in between
//! only its descriptor is passed on.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

use crate::codec::{self, Aside, Encoded, Portable};
use crate::shared::{Blob, SMALL};

/// How many descriptors are in one message at most; a few more fit, which are for others.
pub(super) const MOST_DESCRIPTORS: usize = 48;
/// How many bytes of small items are in one message at most (but for one item, which is of any size).
pub(super) const MOST_BYTES: usize = 256 * 1024;
/// How many items are in one message at most.
pub(super) const MOST_ITEMS: usize = 1024;

/// An encoded item. Clones share the bytes.
#[derive(Clone)]
pub(super) struct Parcel {
    bytes: Blob,
    aside: Vec<Aside>,
}

impl Parcel {
    /// # Errors
    /// What the item's `Serialize` said.
    pub(super) fn of<T: Portable>(item: &T) -> Result<Parcel, String> {
        let Encoded { bytes, aside } = codec::encode(item)?;
        Ok(Parcel { bytes: bytes.into(), aside })
    }

    /// # Errors
    /// If it is not a `T`, or there is no descriptor left for what is in it.
    pub(super) fn open<T: Portable>(self) -> Result<T, String> {
        let fds = self.aside.iter().flat_map(Aside::descriptors).map(|fd| fd.try_clone_to_owned());
        let fds = fds.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        codec::decode(&self.bytes, fds)
    }

    /// Whether its bytes are a file, in messages and where they have arrived.
    pub(super) fn is_file(&self) -> bool {
        self.bytes.len() > SMALL
    }

    /// How many descriptors there are beside its bytes.
    pub(super) fn beside(&self) -> usize {
        self.aside.iter().flat_map(Aside::descriptors).count()
    }

    /// Copies its bytes out of their file, which costs memory instead of a descriptor.
    pub(super) fn into_memory(self) -> Parcel {
        Parcel { bytes: self.bytes.to_vec().into(), ..self }
    }

    /// What it takes of a message.
    fn size(&self) -> Size {
        let file = usize::from(self.is_file());
        Size { descriptors: file + self.beside(), bytes: if file == 1 { 0 } else { self.bytes.len() } }
    }
}

/// What is taken of a message.
struct Size {
    descriptors: usize,
    bytes: usize,
}

/// How much room there is left in a message.
pub(super) struct Room {
    items: usize,
    left: Size,
}

impl Room {
    /// In a message of up to so many items.
    pub(super) fn for_items(items: usize) -> Room {
        Room { items: items.min(MOST_ITEMS), left: Size { descriptors: MOST_DESCRIPTORS, bytes: MOST_BYTES } }
    }

    /// Takes the room for a parcel; answers `false` if there is none. The first one always fits.
    pub(super) fn take(&mut self, parcel: &Parcel, is_first: bool) -> bool {
        let size = parcel.size();
        let fits = size.descriptors <= self.left.descriptors && size.bytes <= self.left.bytes;
        if self.items == 0 || !(fits || is_first) {
            return false;
        }
        self.items -= 1;
        self.left.descriptors = self.left.descriptors.saturating_sub(size.descriptors);
        self.left.bytes = self.left.bytes.saturating_sub(size.bytes);
        true
    }
}

impl Serialize for Parcel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Message { bytes: &self.bytes, aside: Descriptors(&self.aside) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Parcel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Parcel, D::Error> {
        let Message { bytes, aside: Arrived(aside) } = Message::<Blob, Arrived>::deserialize(deserializer)?;
        Ok(Parcel { bytes, aside })
    }
}

#[derive(Serialize, Deserialize)]
struct Message<B, D> {
    bytes: B,
    aside: D,
}

struct Descriptors<'a>(&'a [Aside]);

impl Serialize for Descriptors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = self.0.iter().flat_map(Aside::descriptors).count();
        self.0.iter().try_for_each(codec::put_aside)?;
        (count as u32).serialize(serializer)
    }
}

struct Arrived(Vec<Aside>);

impl<'de> Deserialize<'de> for Arrived {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Arrived, D::Error> {
        let count = u32::deserialize(deserializer)?;
        let taken = (0..count).map(|_| Ok(Aside::Fd(Arc::new(codec::take_fd::<D::Error>()?))));
        taken.collect::<Result<_, D::Error>>().map(Arrived).map_err(D::Error::custom)
    }
}
