//! The options of a manager or a connection, and their defaults.

use std::fmt;
use std::time::Duration;

use super::error::RemoteError;
use super::manager::Manager;
use super::node::Node;
use super::transport::Terms;
use crate::remote::secret::Secret;

/// Limits and times of one side of a connection; then [`serve`](Self::serve) or [`connect`](Self::connect).
///
/// The two sides need not agree, except for [`silence`](Self::silence): the side with the shorter limit must
/// still hear the other's beats.
///
/// ```
/// use phalanx::Secret;
/// use phalanx::remote::Options;
/// use std::time::Duration;
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let secret = Secret::from_bytes("a long random text")?;
/// let options = Options::default().clients(4).handshake(Duration::from_secs(2));
/// let manager = options.serve("127.0.0.1:0", &secret)?;
/// assert_ne!(manager.addr().port(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until `serve` or `connect`"]
pub struct Options {
    pub(super) handshake: Duration,
    pub(super) silence: Duration,
    pub(super) message: u32,
    pub(super) clients: usize,
    pub(super) strangers: usize,
    pub(super) in_flight: usize,
    pub(super) backoff: (Duration, Duration),
    pub(super) depth: Option<u32>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            handshake: Duration::from_secs(5),
            silence: Duration::from_secs(15),
            message: 64 * 1024 * 1024,
            clients: 256,
            strangers: 64,
            in_flight: 1024,
            backoff: (Duration::from_millis(50), Duration::from_secs(5)),
            depth: None,
        }
    }
}

impl Options {
    /// How long a handshake may take in all, however slow the other side is. Default: 5 s.
    pub fn handshake(mut self, limit: Duration) -> Options {
        self.handshake = limit.max(Duration::from_millis(1));
        self
    }

    /// After how long without a sign of life the other side counts as gone, and how long it may take to read
    /// a packet. Each side sends a beat every third of its own limit. Default: 15 s.
    ///
    /// It matters when a host or a network goes away without a word. A process that dies is noticed at once.
    pub fn silence(mut self, limit: Duration) -> Options {
        self.silence = limit.max(Duration::from_millis(3));
        self
    }

    /// The largest message, in bytes, that is sent or accepted: arguments or result, and a few bytes more. A
    /// message announced as larger is refused before memory is allocated for it. Default: 64 MiB.
    pub fn message(mut self, bytes: u32) -> Options {
        self.message = bytes;
        self
    }

    /// For a manager: how many connections it keeps; each ref to an actor and each handle of a queue is one.
    /// Further ones are refused ([`RemoteError::Busy`]). Default: 256.
    pub fn clients(mut self, connections: usize) -> Options {
        self.clients = connections;
        self
    }

    /// For a manager: how many connections may be in their handshake at a time. One more cuts off the oldest
    /// of them, so that clients with the secret get through among strangers. Default: 64.
    pub fn strangers(mut self, connections: usize) -> Options {
        self.strangers = connections.max(1);
        self
    }

    /// For a manager: how many calls of one connection may wait for their replies. Further ones fail with
    /// [`CallError::Full`](crate::CallError::Full). Default: 1,024.
    pub fn in_flight(mut self, calls: usize) -> Options {
        self.in_flight = calls.max(1);
        self
    }

    /// For a client: the delay after the first failed attempt to connect again, and its limit; the delay
    /// doubles with each attempt. Default: 50 ms, 5 s.
    pub fn backoff(mut self, min: Duration, max: Duration) -> Options {
        self.backoff = (min.max(Duration::from_millis(1)), max.max(min));
        self
    }

    /// For a client: how deep arguments, results and items of queues may be, as
    /// [`depth`](crate::ActorBuilder::depth) counts. The builder of the actor or queue must allow it too.
    /// Default: the depth of the actor's type, or 128; at most 100,000.
    pub fn depth(mut self, levels: u32) -> Options {
        self.depth = Some(levels);
        self
    }

    /// Serves at an address; see [`Node::serve`].
    ///
    /// # Errors
    /// See [`Node::serve`].
    pub fn serve(&self, address: impl fmt::Display, secret: &Secret) -> Result<Manager, RemoteError> {
        Manager::start(address.to_string(), secret, self)
    }

    /// Connects to a manager; see [`Node::connect`].
    ///
    /// # Errors
    /// See [`Node::connect`].
    pub fn connect(&self, address: impl fmt::Display, secret: &Secret) -> Result<Node, RemoteError> {
        Node::reach(address.to_string(), secret, self)
    }

    pub(super) fn terms(&self, secret: &Secret) -> Terms {
        Terms { key: secret.key(), handshake: self.handshake, message: self.message, silence: self.silence }
    }
}
