//! Refs in messages: what is known of an actor travels as bytes, its descriptors beside them.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ipc::codec::{self, Carried};
use crate::reactor::driver::Reactor;
use crate::reactor::endpoint::{Card, Endpoint};
use crate::status::StatusPage;

impl Carried for Endpoint {
    fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        Endpoint::descriptors(self)
    }
}

/// Serialises what is known of an actor, and puts its descriptors beside the message.
pub(crate) fn put_endpoint<S: Serializer>(
    endpoint: &Arc<Endpoint>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    codec::put_ref(Arc::clone(endpoint) as _)?;
    endpoint.card.serialize(serializer)
}

/// Deserialises a ref: one endpoint per actor and process.
pub(crate) fn take_endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Endpoint>, D::Error> {
    let card = Card::deserialize(deserializer)?;
    let [mailbox, status_page] = codec::take_ref()?;
    let endpoint = StatusPage::open(status_page).map(|status_page| Endpoint::new(card, mailbox, status_page));
    endpoint.and_then(|endpoint| Reactor::get()?.intern(endpoint)).map_err(D::Error::custom)
}
