//! Values to bytes and back, with the refs and descriptors that travel in them.
//!
//! An `ActorRef` in a message is two descriptors beside it, and a file or shared memory is one. Their serde
//! implementations put them aside here, in a thread-local that is set up for exactly one encode or decode: a
//! failing one leaves nothing behind for the next.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::LocalKey;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ipc::bounded_deserializer::Reader;
use crate::ipc::bounded_serializer::{Output, Writer};
use crate::ipc::bounds::{self, Bounds, DEPTH, Excess};
use crate::ipc::{explain, user_code};
use crate::sys::stack;

pub(crate) use crate::ipc::raw_value::RawValue;

/// What can travel between processes: arguments, replies, errors, state.
///
/// Implemented for every type that is `Serialize + DeserializeOwned + 'static`:
/// `#[derive(Serialize, Deserialize)]` is all it takes. The encoding is postcard's, which is not
/// self-describing: the serde attributes `flatten`, `untagged` and `skip_serializing_if` do not survive it
/// (debug builds say so at the sender).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel between processes",
    label = "has to be serde's `Serialize` and `Deserialize`, and own its data",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; \
            a resource that cannot travel (a file, a thread, a connection) is made in the actor's process \
            by an `#[init]`"
)]
pub trait Portable: Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + 'static> Portable for T {}

/// The process that a ref in a message refers to.
pub(crate) trait Carried: Send + Sync {
    /// Its mailbox, and its status page.
    fn descriptors(&self) -> [BorrowedFd<'_>; 2];
}

/// What travels beside the bytes of a message.
#[derive(Clone)]
pub(crate) enum Aside {
    /// A ref: mailbox and status page.
    Ref(Arc<dyn Carried>),
    /// Memory, a file, a socket: kept open until the message is sent.
    Fd(Arc<dyn AsFd + Send + Sync>),
}

impl Aside {
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let (first, second) = match self {
            Aside::Ref(carried) => {
                let [mailbox, status_page] = carried.descriptors();
                (mailbox, Some(status_page))
            }
            Aside::Fd(fd) => (fd.as_fd(), None),
        };
        std::iter::once(first).chain(second)
    }

    pub(crate) fn is_ref(&self) -> bool {
        matches!(self, Aside::Ref(_))
    }
}

impl Encoded {
    /// Bytes alone.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Encoded {
        Encoded { bytes, ..Encoded::default() }
    }
}

/// Bytes, and what was in the value that is not bytes, in the order of its appearance.
#[derive(Clone, Default)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) aside: Vec<Aside>,
    /// How deep the value is.
    pub(crate) levels: u32,
}

thread_local! {
    static OUTGOING: Local<Vec<Aside>> = const { RefCell::new(ManuallyDrop::new(None)) };
    static INCOMING: Local<VecDeque<OwnedFd>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

/// A value that is not dropped with its thread, so that destructors of thread-locals and exit functions can
/// use it too. It is empty whenever no scope is open.
type Local<T> = RefCell<ManuallyDrop<Option<T>>>;

/// In a supervisor, for its children: first use in each child would cost each of them copies of pages.
pub(crate) fn prepare() {
    OUTGOING.with(|_| ());
    INCOMING.with(|_| ());
    stack::prepare();
}

fn swap<T>(key: &'static LocalKey<Local<T>>, value: Option<T>) -> Option<T> {
    key.with_borrow_mut(|kept| std::mem::replace(&mut **kept, value))
}

/// Puts a thread-local back as it was, whatever happens in between.
struct Scope<T: 'static>(&'static LocalKey<Local<T>>, Option<T>);

impl<T: 'static> Scope<T> {
    fn enter(key: &'static LocalKey<Local<T>>, value: T) -> Scope<T> {
        Scope(key, swap(key, Some(value)))
    }

    fn leave(self) -> T
    where
        T: Default,
    {
        swap(self.0, None).unwrap_or_default()
    }
}

impl<T: 'static> Drop for Scope<T> {
    fn drop(&mut self) {
        // Dropped here, not under the borrow: refs and descriptors may be in it.
        drop(swap(self.0, self.1.take()));
    }
}

/// Encodes a value.
///
/// # Errors
/// What its `Serialize` said, or which of the [`bounds`] it exceeds.
pub(crate) fn encode<T: Portable>(value: &T) -> Result<Encoded, String> {
    encode_within(value, DEPTH).0
}

/// Encodes a value that is not needed any more, and may be so deep that it cannot be dropped on any stack.
///
/// # Errors
/// As [`encode`].
pub(crate) fn encode_away<T: Portable>(value: T, depth: u32) -> Result<Encoded, String> {
    let (encoded, levels) = encode_within(&value, depth);
    bounds::drop_deep(value, levels);
    encoded
}

/// Encodes a value of at most so many levels; returns how many it has, too.
pub(crate) fn encode_within<T: Portable>(value: &T, depth: u32) -> (Result<Encoded, String>, u32) {
    let scope = Scope::enter(&OUTGOING, Vec::new());
    let (bytes, levels) = to_bytes(value, depth);
    let aside = { scope }.leave();
    let encoded = bytes.and_then(|bytes| {
        if cfg!(debug_assertions) && aside.is_empty() && bytes.len() <= 64 * 1024 {
            check_round_trip::<T>(&bytes, depth)?;
        }
        Ok(Encoded { bytes, aside, levels })
    });
    (encoded, levels)
}

fn to_bytes<T: Portable>(value: &T, depth: u32) -> (Result<Vec<u8>, String>, u32) {
    let bounds = Bounds::new(depth, 0);
    let place = bounds.top();
    let written = place.go(|| {
        let mut serializer = postcard::Serializer { output: Output::new(&bounds) };
        value.serialize(Writer { inner: &mut serializer, place })?;
        Ok::<_, postcard::Error>(serializer.output.into_bytes())
    });
    let mut levels = bounds.deepest();
    let text = match (written, bounds.excess()) {
        (Some(Ok(bytes)), None) => return (Ok(bytes), levels),
        (_, Some(excess)) => {
            if excess == Excess::Depth {
                levels = explain::levels(value).unwrap_or(bounds::SOUNDED);
            }
            bounds.words(excess, Some(levels))
        }
        (Some(Err(error)), None) => explain::refusal(value).unwrap_or_else(|| error.to_string()),
        (None, None) => bounds.words(Excess::Stack, None),
    };
    (Err(format!("cannot encode {}: {text}", std::any::type_name::<T>())), levels)
}

/// Encodes a value that outlives this process, or leaves this machine, into bytes alone.
///
/// # Errors
/// What its `Serialize` said; refs and descriptors are refused.
#[cfg(feature = "remote")]
pub(crate) fn encode_plain<T: Portable>(value: &T) -> Result<Vec<u8>, String> {
    // This thread may be encoding a message already.
    let _scope = Scope(&OUTGOING, swap(&OUTGOING, None));
    to_bytes(value, DEPTH).0
}

/// Encodes a value that is not needed any more into bytes alone: see [`encode_away`].
///
/// # Errors
/// As [`encode_plain`].
pub(crate) fn encode_plain_away<T: Portable>(value: T, depth: u32) -> Result<Vec<u8>, String> {
    let _scope = Scope(&OUTGOING, swap(&OUTGOING, None));
    let (bytes, levels) = to_bytes(&value, depth);
    bounds::drop_deep(value, levels);
    bytes
}

/// Some serde attributes write what cannot be read back in a format without field names. The sender should
/// hear of it, not the receiver.
fn check_round_trip<T: Portable>(bytes: &[u8], depth: u32) -> Result<(), String> {
    let decoded = decode_within::<T>(bytes, Vec::new(), depth);
    decoded.map(|value| bounds::drop_deep(value, depth)).map_err(|error| {
        format!(
            "{error}, although it was encoded by the same type: \
             `flatten`, `untagged` and `skip_serializing_if` do not work here"
        )
    })
}

/// Decodes a value; `fds` are those of the refs and descriptors in it.
///
/// # Errors
/// If the bytes are not exactly one `T`, exceed the [`bounds`], or its `Deserialize` fails or panics.
pub(crate) fn decode<T: Portable>(bytes: &[u8], fds: Vec<OwnedFd>) -> Result<T, String> {
    decode_within(bytes, fds, DEPTH)
}

/// Decodes a value of at most so many levels.
///
/// # Errors
/// As [`decode`].
pub(crate) fn decode_within<T: Portable>(bytes: &[u8], fds: Vec<OwnedFd>, depth: u32) -> Result<T, String> {
    let _scope = Scope::enter(&INCOMING, fds.into());
    let bounds = Bounds::new(depth, bytes.len() as u64);
    let place = bounds.top();
    let read = || {
        let mut deserializer = postcard::Deserializer::from_bytes(bytes);
        let value = T::deserialize(Reader { inner: &mut deserializer, place })?;
        let rest = deserializer.finalize()?.len();
        if rest == 0 {
            return Ok(Ok(value));
        }
        bounds::drop_deep(value, depth);
        Ok::<_, postcard::Error>(Err(rest))
    };
    let read = user_code::caught(|| place.go(read));
    let text = match (read, bounds.excess()) {
        (Ok(Some(Ok(Ok(value)))), None) => return Ok(value),
        (Err(_), _) => "its Deserialize panicked".to_owned(),
        (_, Some(excess)) => bounds.words(excess, None),
        (Ok(Some(Ok(Err(rest)))), None) => format!("{rest} bytes too many"),
        (Ok(Some(Err(error))), None) => error.to_string(),
        (Ok(_), None) => bounds.words(Excess::Stack, None),
    };
    Err(format!("cannot decode {}: {text}", std::any::type_name::<T>()))
}

/// Puts something beside the message that is being encoded. Returns `false` if none is.
fn put(aside: Aside) -> bool {
    OUTGOING.with_borrow_mut(|outgoing| outgoing.as_mut().map(|all| all.push(aside)).is_some())
}

/// The next descriptor that came beside the message being decoded.
fn take() -> Option<OwnedFd> {
    INCOMING.with_borrow_mut(|incoming| incoming.as_mut()?.pop_front())
}

/// Whether descriptors can travel beside what is being serialised.
pub(crate) fn takes_descriptors() -> bool {
    OUTGOING.with_borrow(|outgoing| outgoing.is_some())
}

/// The error for refs and descriptors where they cannot travel.
const NOT_BYTES: &str = "refs and descriptors travel in messages of phalanx and in the state of new \
    processes only: they are not bytes, and so cannot be in a task's result, which outlives it";

/// Puts the descriptors of a ref beside the message that is being serialised.
pub(crate) fn put_ref<E: serde::ser::Error>(carried: Arc<dyn Carried>) -> Result<(), E> {
    if put(Aside::Ref(carried)) { Ok(()) } else { Err(E::custom(NOT_BYTES)) }
}

/// The descriptors of the next ref in the message being decoded.
pub(crate) fn take_ref<E: serde::de::Error>() -> Result<[OwnedFd; 2], E> {
    match (take(), take()) {
        (Some(mailbox), Some(status_page)) => Ok([mailbox, status_page]),
        _ => Err(E::custom("a ref without its descriptors")),
    }
}

/// Puts a descriptor beside the message that is being serialised. The other end takes it in the same order.
pub(crate) fn put_fd<E: serde::ser::Error>(fd: &Arc<impl AsFd + Send + Sync + 'static>) -> Result<(), E> {
    if put(Aside::Fd(Arc::clone(fd) as _)) { Ok(()) } else { Err(E::custom(NOT_BYTES)) }
}

/// Puts beside the message what was beside a value that was encoded before, and is now a part of it.
pub(crate) fn put_aside<E: serde::ser::Error>(aside: &Aside) -> Result<(), E> {
    if put(aside.clone()) { Ok(()) } else { Err(E::custom(NOT_BYTES)) }
}

/// Takes the next descriptor that came beside the message being decoded.
pub(crate) fn take_fd<E: serde::de::Error>() -> Result<OwnedFd, E> {
    take().ok_or_else(|| E::custom("without its descriptor"))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Nest(Option<Box<Nest>>);

    /// Without end, and without a byte.
    #[derive(Debug, Serialize, Deserialize)]
    struct Abyss(Box<Abyss>);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Tree {
        Leaf,
        One(Box<Tree>),
        Two(Box<Tree>, Box<Tree>),
        Named { inner: Vec<Tree>, by_name: BTreeMap<String, Tree> },
    }

    fn error<T: Portable>(bytes: &[u8]) -> String {
        match decode::<T>(bytes, Vec::new()) {
            Ok(_) => panic!("it was decoded"),
            Err(error) => error,
        }
    }

    #[test]
    fn bytes_that_stand_for_what_is_too_deep_are_refused() {
        let ones = vec![1; 1 << 20];
        assert!(error::<Nest>(&ones).contains("more than 128 levels deep"));
        assert!(error::<Tree>(&ones).contains("more than 128 levels deep"));
        assert!(error::<Tree>(&[2; 10_000]).contains("more than 128 levels deep"));
        assert!(error::<Tree>(&[3; 10_000]).contains("more than 128 levels deep"));
        assert!(error::<Abyss>(&[]).contains("more than 128 levels deep"));
    }

    #[test]
    fn bytes_that_stand_for_what_has_no_end_are_refused() {
        let many = postcard::to_stdvec(&(1_u64 << 40)).unwrap();
        for said in [error::<Vec<()>>(&many), error::<Vec<[(); 3]>>(&many), error::<HashMap<(), ()>>(&many)] {
            assert!(said.contains("more than 1048576 items that have no bytes"), "{said}");
        }
        let all = postcard::to_stdvec(&u64::MAX).unwrap();
        for said in [error::<Vec<u8>>(&all), error::<String>(&all), error::<Vec<String>>(&all)] {
            assert!(said.starts_with("cannot decode"), "{said}");
        }
    }

    #[test]
    fn every_level_counts_alike_on_both_sides() {
        let mut tree = Tree::Leaf;
        for level in 2..=DEPTH {
            tree = match level % 3 {
                0 => Tree::One(Box::new(tree)),
                1 => Tree::Two(Box::new(Tree::Leaf), Box::new(tree)),
                _ => Tree::Two(Box::new(tree), Box::new(Tree::Leaf)),
            };
        }
        let encoded = encode(&tree).unwrap();
        assert_eq!(encoded.levels, DEPTH);
        assert_eq!(encoded.bytes, postcard::to_stdvec(&tree).unwrap());
        assert_eq!(decode::<Tree>(&encoded.bytes, Vec::new()).unwrap(), tree);
        let deeper = Tree::One(Box::new(tree));
        let said = encode(&deeper).err().unwrap();
        assert!(said.contains("129 levels deep, and may be 128"), "{said}");
        assert!(error::<Tree>(&postcard::to_stdvec(&deeper).unwrap()).contains("more than 128 levels"));
        assert_eq!(encode_within(&deeper, 129).0.unwrap().levels, 129);
    }

    #[test]
    fn what_is_written_is_what_postcard_writes() {
        let by_name =
            BTreeMap::from([("a".to_owned(), Tree::Leaf), ("b".to_owned(), Tree::One(Box::new(Tree::Leaf)))]);
        let value = (
            Tree::Named { inner: vec![Tree::Leaf, Tree::Leaf], by_name },
            (true, 'c', -7_i8, 300_u16, -1_i128, 2.5_f32, f64::MAX),
            (Some(()), None::<u8>, Nest(Some(Box::new(Nest(None))))),
            ("text".to_owned(), serde_bytes::ByteBuf::from(vec![0, 1, 255]), [1_u64; 5]),
        );
        let encoded = encode(&value).unwrap().bytes;
        assert_eq!(encoded, postcard::to_stdvec(&value).unwrap());
        assert_eq!(encode(&decode_as(&value, &encoded)).unwrap().bytes, encoded);
    }

    fn decode_as<T: Portable>(_: &T, bytes: &[u8]) -> T {
        decode(bytes, Vec::new()).unwrap()
    }
}
