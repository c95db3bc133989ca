//! Values to bytes and back, with the refs and descriptors that travel in them.
//!
//! An `ActorRef` in a message is two descriptors beside it, and a file or shared memory is one. Their serde implementations put them
//! aside here, in a thread-local that is set up for exactly one encode or decode: a failing one leaves nothing behind for the next.

mod explain;
mod parcel;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::mailbox::ledger::Ledger;
use crate::mailbox::peer::{Card, Peer};
use crate::mailbox::router::Router;

pub(crate) use parcel::Parcel;

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

/// What travels beside the bytes of a message.
#[derive(Clone)]
pub(crate) enum Aside {
    /// A ref: mailbox and ledger.
    Peer(Arc<Peer>),
    /// Memory, a file, a socket: kept open until the message is sent.
    Fd(Arc<dyn AsFd + Send + Sync>),
}

impl Aside {
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let (first, second) = match self {
            Aside::Peer(peer) => {
                let [mailbox, ledger] = peer.descriptors();
                (mailbox, Some(ledger))
            }
            Aside::Fd(fd) => (fd.as_fd(), None),
        };
        std::iter::once(first).chain(second)
    }

    pub(crate) fn is_ref(&self) -> bool {
        matches!(self, Aside::Peer(_))
    }
}

/// Bytes, and what was in the value that is not bytes, in the order of its appearance.
#[derive(Default)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) aside: Vec<Aside>,
}

thread_local! {
    static OUTGOING: RefCell<Option<Vec<Aside>>> = const { RefCell::new(None) };
    static INCOMING: RefCell<Option<VecDeque<OwnedFd>>> = const { RefCell::new(None) };
}

/// In a supervisor, for its children: what a thread does before it uses these for the first time costs each of them copies of pages.
pub(crate) fn prepare() {
    OUTGOING.with(|_| ());
    INCOMING.with(|_| ());
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
    let aside = { scope }.leave();
    if cfg!(debug_assertions) && aside.is_empty() && bytes.len() <= 64 * 1024 {
        check_round_trip::<T>(&bytes)?;
    }
    Ok(Encoded { bytes, aside })
}

/// Encodes a value that outlives this process, or leaves this machine: into bytes alone.
///
/// # Errors
/// What its `Serialize` said; refs and descriptors are refused.
pub(crate) fn encode_plain<T: Portable>(value: &T) -> Result<Vec<u8>, String> {
    // A message may be on its way to be encoded on this thread.
    let _scope = Scope(&OUTGOING, OUTGOING.take());
    let text = |error: postcard::Error| explain::refusal(value).unwrap_or_else(|| error.to_string());
    postcard::to_stdvec(value)
        .map_err(|error| format!("cannot encode {}: {}", std::any::type_name::<T>(), text(error)))
}

/// Some serde attributes write what cannot be read back in a format without field names; better here than over there.
fn check_round_trip<T: Portable>(bytes: &[u8]) -> Result<(), String> {
    decode::<T>(bytes, Vec::new()).map(drop).map_err(|error| {
        format!("{error}, although it was encoded by the same type: `flatten`, `untagged` and `skip_serializing_if` do not work here")
    })
}

/// Decodes a value; `fds` are those of the refs and descriptors in it.
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

/// Puts something beside the message that is being encoded. Answers `false` if none is.
fn put(aside: Aside) -> bool {
    OUTGOING.with_borrow_mut(|outgoing| outgoing.as_mut().map(|all| all.push(aside)).is_some())
}

/// The next descriptor that came beside the message being decoded.
fn take() -> Option<OwnedFd> {
    INCOMING.with_borrow_mut(|incoming| incoming.as_mut()?.pop_front())
}

/// Whether descriptors can travel beside what is being serialised.
pub(crate) fn takes_descriptors() -> bool {
    OUTGOING.with_borrow(Option::is_some)
}

/// What is said where they cannot.
const NOT_BYTES: &str = "refs and descriptors travel in messages of phalanx and in the state of new processes only: they are not bytes, and so cannot be in a task's result, which outlives it";

/// Serialises what is known of an actor, and puts its descriptors beside the message.
pub(crate) fn put_peer<S: Serializer>(peer: &Arc<Peer>, serializer: S) -> Result<S::Ok, S::Error> {
    if !put(Aside::Peer(Arc::clone(peer))) {
        return Err(S::Error::custom(NOT_BYTES));
    }
    peer.card.serialize(serializer)
}

/// The other direction: one peer per actor and process.
pub(crate) fn take_peer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Peer>, D::Error> {
    let card = Card::deserialize(deserializer)?;
    let (Some(mailbox), Some(ledger)) = (take(), take()) else {
        return Err(D::Error::custom("a ref without its descriptors"));
    };
    let peer = Ledger::open(ledger).map(|ledger| Peer::new(card, mailbox, ledger));
    peer.and_then(|peer| Router::get()?.meet(peer)).map_err(D::Error::custom)
}

/// Puts a descriptor beside the message that is being serialised. The other end takes it in the same order.
pub(crate) fn put_fd<E: serde::ser::Error>(fd: &Arc<impl AsFd + Send + Sync + 'static>) -> Result<(), E> {
    if put(Aside::Fd(Arc::clone(fd) as _)) { Ok(()) } else { Err(E::custom(NOT_BYTES)) }
}

/// The same for what was put beside a value that was encoded before, and is now a part of the message.
fn put_aside<E: serde::ser::Error>(aside: &Aside) -> Result<(), E> {
    if put(aside.clone()) { Ok(()) } else { Err(E::custom(NOT_BYTES)) }
}

/// The other direction.
pub(crate) fn take_fd<E: serde::de::Error>() -> Result<OwnedFd, E> {
    take().ok_or_else(|| E::custom("without its descriptor"))
}
