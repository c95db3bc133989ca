//! How messages get from process to process, and how much may be under way.
//!
//! The transport: [`channel`] makes ipc-channel pairs, [`envelope`] says what lies in their packets and moves them. Around it:
//! [`ledger`] the facts, [`capacity`] the bound, [`peer`] an actor as its callers see it, [`router`] the one place of
//! a process where answers and deaths arrive, by its [`reception`].

pub(crate) mod capacity;
pub(crate) mod channel;
pub(crate) mod envelope;
pub(crate) mod ledger;
pub(crate) mod peer;
pub(crate) mod reception;
pub(crate) mod router;
pub(crate) mod slot;
