//! How much of a message an item takes, and how many fit into one.

use crate::ipc::codec;
use crate::resources::shared::{Blob, SMALL};

/// How many descriptors are in one message at most; a few more fit, which are for other uses.
pub(super) const MOST_DESCRIPTORS: usize = 48;
/// How many bytes of small items are in one message at most (a single item may have any size).
pub(super) const MOST_BYTES: usize = 256 * 1024;
/// How many items are in one message at most.
pub(super) const MOST_ITEMS: usize = 1024;

/// An encoded item. It is encoded once, where it is put, and decoded once, where it is taken. A large one is
/// a memory file all the way: only its descriptor is passed on, and clones share the bytes.
pub(super) type RawValue = codec::RawValue<Blob>;

impl RawValue {
    /// Whether its bytes are in a file, in messages and after their arrival.
    pub(super) fn is_file(&self) -> bool {
        self.bytes.len() > SMALL
    }

    /// Copies its bytes out of their file, which costs memory instead of a descriptor.
    pub(super) fn into_memory(self) -> RawValue {
        let bytes = self.bytes.to_vec().into();
        self.with_bytes(bytes)
    }

    /// The room that it takes in a message.
    fn size(&self) -> Size {
        let file = usize::from(self.is_file());
        Size { descriptors: file + self.beside(), bytes: if file == 1 { 0 } else { self.bytes.len() } }
    }
}

/// Room in a message.
struct Size {
    descriptors: usize,
    bytes: usize,
}

/// The room left in a message.
pub(super) struct Room {
    items: usize,
    left: Size,
}

impl Room {
    /// The room of a message with at most this many items.
    pub(super) fn for_items(items: usize) -> Room {
        Room { items: items.min(MOST_ITEMS), left: Size { descriptors: MOST_DESCRIPTORS, bytes: MOST_BYTES } }
    }

    /// Takes the room for a raw value; returns `false` if it does not fit. The first one always fits.
    pub(super) fn take(&mut self, raw_value: &RawValue, is_first: bool) -> bool {
        let size = raw_value.size();
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
