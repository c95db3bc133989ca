//! Bytes and descriptors between processes: the codec and its bounds, envelopes, channels, the capacity of a
//! mailbox, and the uplinks to the program. It must never import anything that knows actors, refs,
//! supervisors or routing.

pub(crate) mod bounded_deserializer;
pub(crate) mod bounded_serializer;
pub(crate) mod bounds;
pub(crate) mod capacity;
pub(crate) mod channel;
pub(crate) mod codec;
pub(crate) mod envelope;
pub(crate) mod explain;
pub(crate) mod raw_value;
pub(crate) mod uplink;
pub(crate) mod user_code;
