//! Refs in messages: what is known of an actor travels as bytes, its descriptors beside them.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ipc::codec::{self, Carried};
use crate::reactor::endpoint::{Card, Peer};
use crate::reactor::router::Router;
use crate::status::Ledger;

impl Carried for Peer {
    fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        Peer::descriptors(self)
    }
}

/// Serialises what is known of an actor, and puts its descriptors beside the message.
pub(crate) fn put_peer<S: Serializer>(peer: &Arc<Peer>, serializer: S) -> Result<S::Ok, S::Error> {
    codec::put_ref(Arc::clone(peer) as _)?;
    peer.card.serialize(serializer)
}

/// Deserialises a ref: one peer per actor and process.
pub(crate) fn take_peer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Peer>, D::Error> {
    let card = Card::deserialize(deserializer)?;
    let [mailbox, ledger] = codec::take_ref()?;
    let peer = Ledger::open(ledger).map(|ledger| Peer::new(card, mailbox, ledger));
    peer.and_then(|peer| Router::get()?.meet(peer)).map_err(D::Error::custom)
}
