//! Values to bytes and back, with the refs that travel in them.
//!
//! An `ActorRef` in a message is two descriptors beside it. Its serde implementation puts them aside here, in a
//! thread-local that is set up for exactly one encode or decode: a failing one leaves nothing behind for the next.

mod explain;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::mailbox::ledger::Ledger;
use crate::mailbox::peer::{Card, Peer};
use crate::mailbox::router::Router;

/// What can travel between processes: arguments, answers, errors, state.
///
/// Implemented for every type that is `Serialize + DeserializeOwned + 'static`; nothing to do but
/// `#[derive(Serialize, Deserialize)]`. The encoding is postcard's, which is not self-describing: the serde attributes
/// `flatten`, `untagged` and `skip_serializing_if` do not survive it (debug builds say so at the sender).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel between processes",
    label = "has to be serde's `Serialize` and `Deserialize`, and own its data",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; a resource that cannot travel (a file, a thread, a connection) is made in the actor's process by an `#[init]`"
)]
pub trait Portable: Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + 'static> Portable for T {}

/// Bytes, and the refs that were in the value, in the order of their appearance.
#[derive(Default)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) refs: Vec<Arc<Peer>>,
}

thread_local! {
    static OUTGOING: RefCell<Option<Vec<Arc<Peer>>>> = const { RefCell::new(None) };
    static INCOMING: RefCell<Option<VecDeque<OwnedFd>>> = const { RefCell::new(None) };
}

/// Puts a thread-local back as it was, whatever happens in between.
struct Scope<T: 'static>(&'static std::thread::LocalKey<RefCell<Option<T>>>, Option<T>);

impl<T: 'static> Scope<T> {
    fn enter(key: &'static std::thread::LocalKey<RefCell<Option<T>>>, value: T) -> Scope<T> {
        Scope(key, key.replace(Some(value)))
    }

    fn leave(self) -> T
    where
        T: Default,
    {
        self.0.take().unwrap_or_default()
    }
}

impl<T: 'static> Drop for Scope<T> {
    fn drop(&mut self) {
        self.0.set(self.1.take());
    }
}

/// Encodes a value.
///
/// # Errors
/// What its `Serialize` said.
pub(crate) fn encode<T: Portable>(value: &T) -> Result<Encoded, String> {
    let scope = Scope::enter(&OUTGOING, Vec::new());
    let bytes = postcard::to_stdvec(value).map_err(|error| {
        let text = explain::refusal(value).unwrap_or_else(|| error.to_string());
        format!("cannot encode {}: {text}", std::any::type_name::<T>())
    })?;
    let refs = { scope }.leave();
    if cfg!(debug_assertions) && refs.is_empty() && bytes.len() <= 64 * 1024 {
        check_round_trip::<T>(&bytes)?;
    }
    Ok(Encoded { bytes, refs })
}

/// Some serde attributes write what cannot be read back in a format without field names; better here than over there.
fn check_round_trip<T: Portable>(bytes: &[u8]) -> Result<(), String> {
    decode::<T>(bytes, Vec::new()).map(drop).map_err(|error| {
        format!("{error}, although it was encoded by the same type: `flatten`, `untagged` and `skip_serializing_if` do not work here")
    })
}

/// Decodes a value; `fds` are those of the refs in it.
///
/// # Errors
/// If the bytes are not exactly one `T`, or its `Deserialize` fails or panics.
pub(crate) fn decode<T: Portable>(bytes: &[u8], fds: Vec<OwnedFd>) -> Result<T, String> {
    let _scope = Scope::enter(&INCOMING, fds.into());
    let name = std::any::type_name::<T>();
    match catch_unwind(AssertUnwindSafe(|| postcard::take_from_bytes::<T>(bytes))) {
        Ok(Ok((value, []))) => Ok(value),
        Ok(Ok((_, rest))) => Err(format!("cannot decode {name}: {} bytes too many", rest.len())),
        Ok(Err(error)) => Err(format!("cannot decode {name}: {error}")),
        Err(_) => Err(format!("cannot decode {name}: its Deserialize panicked")),
    }
}

/// Notes that the value being encoded holds a ref. Answers `false` if no message is being encoded.
pub(crate) fn put_ref(peer: &Arc<Peer>) -> bool {
    OUTGOING.with_borrow_mut(|outgoing| outgoing.as_mut().map(|refs| refs.push(Arc::clone(peer))).is_some())
}

/// The next ref's two descriptors: mailbox and ledger.
pub(crate) fn take_ref() -> Option<(OwnedFd, OwnedFd)> {
    INCOMING.with_borrow_mut(|incoming| {
        let fds = incoming.as_mut()?;
        Some((fds.pop_front()?, fds.pop_front()?))
    })
}

/// Serialises what is known of an actor, and puts its descriptors beside the message.
pub(crate) fn put_peer<S: Serializer>(peer: &Arc<Peer>, serializer: S) -> Result<S::Ok, S::Error> {
    if !put_ref(peer) {
        return Err(S::Error::custom(
            "a ref travels in phalanx messages only: it is two descriptors, not bytes",
        ));
    }
    peer.card.serialize(serializer)
}

/// The other direction: one peer per actor and process.
pub(crate) fn take_peer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Peer>, D::Error> {
    let card = Card::deserialize(deserializer)?;
    let (mailbox, ledger) = take_ref().ok_or_else(|| D::Error::custom("a ref without its descriptors"))?;
    let peer = Ledger::open(ledger).map(|ledger| Peer::new(card, mailbox, ledger));
    peer.and_then(|peer| Router::get()?.meet(peer)).map_err(D::Error::custom)
}
