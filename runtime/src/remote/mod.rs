//! Actors and queues of other hosts, over TCP, for hosts that trust each other and share a secret.
//!
//! Imports no service but `queue`, and never `spawn`, `supervisor` or `child`.
//!
//! A [`Manager`] serves actors and queues under names; a [`Node`] asks a manager for them and gets an
//! [`ActorRef`](crate::ActorRef) or a queue, as at home. Calls have one more error: the link between two
//! hosts can be lost, and then a call does not know whether it was executed
//! ([`CallError::Disconnected`](crate::CallError::Disconnected)).
//!
//! Both sides prove to each other that they know the [`Secret`], without sending it. Their messages are
//! encrypted and cannot be changed on the way. On either side a process of its own reads the bytes of
//! strangers. `docs/remote.md` has the threat model, all options, and the comparison with Python's remote
//! managers, whose place this takes.
//!
//! ```
//! use phalanx::prelude::*;
//! use phalanx::{Secret, remote};
//!
//! #[actor]
//! struct Counter {
//!     count: u64,
//! }
//!
//! #[actor]
//! impl Counter {
//!     fn add(&mut self, n: u64) -> u64 {
//!         self.count += n;
//!         self.count
//!     }
//! }
//!
//! # #[phalanx::main]
//! # fn main() -> phalanx::Result<()> {
//! let secret = Secret::from_bytes("a long random text")?; // rather from a file: Secret::from_file
//! let manager = remote::serve("127.0.0.1:0", &secret)?;
//! manager.actor("counter", &Counter { count: 0 }.spawn()?)?;
//!
//! // On another host, with the manager's address and the same secret:
//! let counter = remote::connect(manager.addr(), &secret)?.actor::<Counter>("counter")?;
//! assert_eq!(counter.add(2).wait()?, 2);
//!
//! let stranger = Secret::from_bytes("something else")?;
//! let refused = remote::connect(manager.addr(), &stranger);
//! assert!(matches!(refused, Err(remote::RemoteError::WrongSecret { .. })));
//! # Ok(())
//! # }
//! ```

mod error;
pub(crate) mod listener;
mod manager;
mod node;
mod options;
pub(crate) mod protocol;
mod proxy;
mod registry;
#[cfg(feature = "remote")]
pub(crate) mod secret;
pub(crate) mod transport;

use std::fmt;

pub use error::RemoteError;
pub use manager::Manager;
pub use node::Node;
pub use options::Options;

use crate::remote::secret::Secret;

/// Serves actors and queues to other hosts: [`Node::serve`] by another name.
///
/// # Errors
/// See [`Node::serve`].
pub fn serve(address: impl fmt::Display, secret: &Secret) -> Result<Manager, RemoteError> {
    Node::serve(address, secret)
}

/// Connects to a manager: [`Node::connect`] by another name.
///
/// # Errors
/// See [`Node::connect`].
pub fn connect(address: impl fmt::Display, secret: &Secret) -> Result<Node, RemoteError> {
    Node::connect(address, secret)
}
