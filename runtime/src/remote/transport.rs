//! What carries messages between two hosts, whatever it is.
//!
//! Everything above this file knows of connections that are authenticated, encrypted and ordered, and of nothing else. There is one wire so far,
//! [`tcp::Tcp`]; an engine that brings its own transport implements these five traits.

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

/// What both sides of a connection go by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) key: Key,
    /// How long a handshake may take in all.
    pub(crate) handshake: Duration,
    /// How large a message may be, in bytes.
    pub(crate) message: u32,
    /// After how long without a packet the other side counts as gone. It sends something at least every third of that.
    pub(crate) silence: Duration,
}

/// A way to other hosts.
pub(crate) trait Wire: Send + Sync + 'static {
    /// Listens at an address.
    fn listen(&self, address: &str) -> Result<Box<dyn Port>, RemoteError>;

    /// Connects, and goes through the handshake, within the deadline of the terms.
    fn connect(&self, address: &str, terms: &Terms) -> Result<Link, RemoteError>;
}

/// Where one listens.
pub(crate) trait Port: Send {
    fn address(&self) -> SocketAddr;

    /// Blocks until somebody connects.
    fn accept(&self) -> io::Result<Box<dyn Visitor>>;
}

/// Somebody who has connected and proved nothing yet.
pub(crate) trait Visitor: Send {
    fn who(&self) -> &str;

    /// What ends the visit from outside, in the middle of the handshake too.
    fn cut(&self) -> Arc<dyn Cut>;

    /// Says that there is no room, and sees to it that this is heard, within the deadline of the terms.
    fn turn_away(self: Box<Self>, terms: &Terms);

    /// Goes through the handshake, within the deadline of the terms. Nothing of what the visitor says until then is more than a few bytes
    /// of fixed size.
    fn admit(self: Box<Self>, terms: &Terms) -> Result<Link, RemoteError>;
}

/// A connection whose other end knows the secret.
pub(crate) struct Link {
    pub(crate) who: String,
    pub(crate) outward: Box<dyn Outward>,
    pub(crate) inward: Box<dyn Inward>,
    pub(crate) cut: Arc<dyn Cut>,
}

/// Its sending half.
pub(crate) trait Outward: Send {
    /// Sends one message. Blocks while the other side does not read, until it counts as gone. After an error the other side has not got the message,
    /// and gets nothing any more.
    fn send(&mut self, message: &[u8]) -> Result<(), RemoteError>;

    /// Whether the other side is known to have hung up. Does not block.
    fn is_cut(&self) -> bool;

    /// Nothing more will be sent; what has been is delivered.
    fn finish(&mut self);
}

/// Its receiving half.
pub(crate) trait Inward: Send {
    /// The next message. Blocks until the other side counts as gone; memory grows with what has arrived, and not with what has been announced.
    fn receive(&mut self) -> Result<Vec<u8>, RemoteError>;
}

/// Ends a connection at once, for both halves of it.
pub(crate) trait Cut: Send + Sync {
    fn cut(&self);
}
