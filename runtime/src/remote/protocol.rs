//! The messages between a client and a manager.
//!
//! A connection is for one name. The client sends the name and the shape that it expects; if the manager
//! agrees, calls go one way, replies the other, and beats both ways.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::error::RemoteError;
use crate::actor::forwarded::Outcome;
use crate::actor::traits::Actor;
use crate::ipc::codec::Portable;
use crate::queue::remote;
use crate::types::method::Method;

/// Longer names are not served.
pub(super) const LONGEST_NAME: usize = 255;

/// The client's first message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Asks whether the client is admitted, and for nothing else.
    Probe,
    /// Asks for the service of this name, which must have this shape.
    Bind(String, Shape),
}

/// The manager's reply to the first message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Response {
    Welcome(Welcome),
    Refused(RemoteError),
}

/// Facts about the service of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Welcome {
    /// The number that each of the client's methods has in the manager's actor.
    pub(super) methods: Vec<u32>,
    /// For a queue: its capacity in items.
    pub(super) capacity: Option<u64>,
}

/// The shape of a service, as far as the two sides must agree on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    /// The type, without the paths of its modules: they differ between programs that share a source file.
    pub(super) type_name: String,
    pub(super) methods: Vec<Signature>,
}

/// A method, as written in the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Signature {
    pub(super) name: String,
    /// `(text: String) -> u64`
    pub(super) types: String,
}

/// A message from the client, after the first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Outgoing<P = ByteBuf> {
    Call {
        /// The number of the call; `None` for a tell.
        answer_to: Option<u64>,
        /// In the manager's numbers.
        method: u32,
        /// How long the caller waits for the reply.
        within: Option<Duration>,
        /// The limit on the handler, as in the envelope of the call.
        limit: u64,
        args: P,
    },
    /// To a queue: a process of the client's host, with this number, will hold leases.
    Introduce(u64),
    /// The process with this number has ended.
    Ended(u64),
    Beat,
}

/// A message from the manager, after the first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Incoming {
    Answer(u64, Outcome),
    Beat,
}

impl Shape {
    pub(super) fn of<A: Actor>() -> Shape {
        Shape::with(without_paths(std::any::type_name::<A>()), A::METHODS)
    }

    /// The shape of a queue of such items.
    pub(super) fn of_queue<T: Portable>() -> Shape {
        Shape::with(format!("Queue<{}>", without_paths(std::any::type_name::<T>())), remote::METHODS)
    }

    fn with(type_name: String, methods: &[Method]) -> Shape {
        let signature =
            |method: &Method| Signature { name: method.name.to_owned(), types: method.signature.to_owned() };
        Shape { type_name, methods: methods.iter().map(signature).collect() }
    }

    /// The numbers of the client's methods in this shape, which is served as `name`. It may have more
    /// methods.
    pub(super) fn find(&self, name: &str, client: &Shape) -> Result<Vec<u32>, RemoteError> {
        if self.type_name != client.type_name {
            return Err(RemoteError::OtherType {
                name: name.to_owned(),
                expected: client.type_name.clone(),
                found: self.type_name.clone(),
            });
        }
        client.methods.iter().map(|wanted| self.find_method(name, wanted)).collect()
    }

    fn find_method(&self, name: &str, wanted: &Signature) -> Result<u32, RemoteError> {
        let at = self.methods.iter().position(|method| method.name == wanted.name);
        match at.map(|at| (at, &self.methods[at])) {
            Some((at, method)) if method == wanted => Ok(at as u32),
            other => Err(RemoteError::OtherVersion {
                name: name.to_owned(),
                expected: wanted.in_words(),
                found: other.map(|(_, method)| method.in_words()),
            }),
        }
    }
}

impl Signature {
    fn in_words(&self) -> String {
        format!("{}{}", self.name, self.types)
    }
}

/// `Cache<String>` of `shop::store::Cache<alloc::string::String>`.
fn without_paths(type_name: &str) -> String {
    let mut short = String::new();
    let mut segment = String::new();
    for character in type_name.chars() {
        match character {
            ':' => segment.clear(),
            character if character.is_alphanumeric() || character == '_' => segment.push(character),
            other => {
                short.push_str(&std::mem::take(&mut segment));
                short.push(other);
            }
        }
    }
    short + &segment
}

pub(super) fn encode(message: &impl Serialize) -> Vec<u8> {
    // Only types of this module, and none of them can fail to encode; no side accepts an empty message.
    postcard::to_stdvec(message).unwrap_or_default()
}

/// # Errors
/// [`RemoteError::Garbage`], if it is not exactly one message.
pub(super) fn decode<T: DeserializeOwned>(who: &str, bytes: &[u8]) -> Result<T, RemoteError> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        _ => Err(RemoteError::Garbage { peer: who.to_owned(), error: "malformed message".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(type_name: &str, methods: &[(&str, &str)]) -> Shape {
        let signature = |&(name, types): &(&str, &str)| Signature { name: name.into(), types: types.into() };
        Shape { type_name: type_name.into(), methods: methods.iter().map(signature).collect() }
    }

    #[test]
    fn types_are_the_same_whichever_module_they_are_in() {
        assert_eq!(without_paths("shop::store::Cache<alloc::string::String>"), "Cache<String>");
        assert_eq!(
            without_paths("a::Pair<(b::One, [u8; 4]), &'static str>"),
            "Pair<(One, [u8; 4]), &'static str>"
        );
        assert_eq!(without_paths("Db"), "Db");
    }

    #[test]
    fn methods_are_found_by_name_wherever_they_are() {
        let served = shape("Db", &[("get", "(u64) -> u64"), ("new", "()"), ("put", "(u64)")]);
        let client = shape("Db", &[("put", "(u64)"), ("get", "(u64) -> u64")]);
        assert_eq!(served.find("db", &client), Ok(vec![2, 0]));
    }

    #[test]
    fn another_type_and_another_version_are_told_apart() {
        let served = shape("Db", &[("get", "(u64) -> u64")]);
        let other = served.find("db", &shape("Cache", &[])).unwrap_err();
        assert_eq!(other.to_string(), "`db` is a Db, not a Cache");
        let other = served.find("db", &shape("Db", &[("get", "(u32) -> u64")])).unwrap_err();
        let text = "`db` is of another version: it has `get(u64) -> u64`, not `get(u32) -> u64`";
        assert_eq!(other.to_string(), text);
        let other = served.find("db", &shape("Db", &[("put", "(u64)")])).unwrap_err();
        assert_eq!(other.to_string(), "`db` is of another version: it has no `put(u64)`");
    }

    #[test]
    fn rubbish_is_no_message() {
        for rubbish in [&b""[..], &[0xff; 64], &[4], &[1], &[0, 0]] {
            assert!(decode::<Outgoing>("somebody", rubbish).is_err(), "{rubbish:?}");
        }
    }
}
