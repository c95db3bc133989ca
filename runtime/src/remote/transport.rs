//! The transport of messages between two hosts.
//!
//! Everything above this file works with connections that are authenticated, encrypted and ordered. The only
//! wire so far is [`tcp::Tcp`]; another engine implements these five traits.

pub(crate) mod framing;
mod handshake;
pub(super) mod tcp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::RemoteError;
use crate::remote::secret::Key;

/// The parameters of a connection, on either side.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) key: Key,
    /// How long a handshake may take in all.
    pub(crate) handshake: Duration,
    /// How large a message may be, in bytes.
    pub(crate) message: u32,
    /// After how long without a packet the other side counts as gone. Each side sends a packet at least every
    /// third of its own limit.
    pub(crate) silence: Duration,
}

/// A way to other hosts.
pub(crate) trait Wire: Send + Sync + 'static {
    /// Listens at an address.
    fn listen(&self, address: &str) -> Result<Box<dyn Port>, RemoteError>;

    /// Connects, and goes through the handshake, within the deadline of the terms.
    fn connect(&self, address: &str, terms: &Terms) -> Result<Link, RemoteError>;
}

/// A listening socket.
pub(crate) trait Port: Send {
    fn address(&self) -> SocketAddr;

    /// Blocks until a connection comes.
    fn accept(&self) -> io::Result<Box<dyn Visitor>>;
}

/// A connection that has proved nothing yet.
pub(crate) trait Visitor: Send {
    fn who(&self) -> &str;

    /// Ends the visit from outside, even during the handshake.
    fn cut(&self) -> Arc<dyn Cut>;

    /// Tells the visitor that the manager is full, and waits until it has read that, within the deadline of
    /// the terms.
    fn turn_away(self: Box<Self>, terms: &Terms);

    /// Goes through the handshake, within the deadline of the terms. Until it is done, every message of the
    /// visitor has a fixed size of a few bytes.
    fn admit(self: Box<Self>, terms: &Terms) -> Result<Link, RemoteError>;
}

/// A connection whose other end knows the secret.
pub(crate) struct Link {
    pub(crate) who: String,
    pub(crate) outward: Box<dyn Outward>,
    pub(crate) inward: Box<dyn Inward>,
    pub(crate) cut: Arc<dyn Cut>,
}

/// The sending half of a link.
pub(crate) trait Outward: Send {
    /// Sends one message. Blocks while the other side does not read, until it counts as gone. After an error
    /// the other side has not got the message, and gets no more messages.
    fn send(&mut self, message: &[u8]) -> Result<(), RemoteError>;

    /// Whether the other side is known to have hung up. Does not block.
    fn is_cut(&self) -> bool;

    /// Ends the sending; messages that were sent are still delivered.
    fn finish(&mut self);
}

/// The receiving half of a link.
pub(crate) trait Inward: Send {
    /// The next message. Blocks until the other side counts as gone. Memory grows with the bytes that have
    /// arrived, not with the announced size.
    fn receive(&mut self) -> Result<Vec<u8>, RemoteError>;
}

/// Ends a connection at once, for both halves of it.
pub(crate) trait Cut: Send + Sync {
    fn cut(&self);
}
