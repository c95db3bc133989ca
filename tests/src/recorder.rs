//! An actor that several programs have, and what they have to agree on besides.

// Only tests are run against it.
#![allow(missing_docs)]

use phalanx::Secret;
use phalanx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::latch::Latch;

/// Remembers what has been done to it.
#[derive(Debug)]
#[actor]
pub struct Recorder {
    pub effects: Vec<u64>,
}

#[actor]
impl Recorder {
    pub fn note(&mut self, effect: u64) -> usize {
        self.effects.push(effect);
        self.effects.len()
    }

    /// Returns when the latch is open, and is seen to run before that.
    pub fn note_slowly(&mut self, effect: u64, latch: Latch) -> usize {
        self.effects.push(effect);
        latch.mark("begun");
        latch.pass();
        self.effects.len()
    }

    #[tell]
    pub fn note_quietly(&mut self, effect: u64) {
        self.effects.push(effect);
    }

    pub fn effects(&self) -> Vec<u64> {
        self.effects.clone()
    }

    pub fn fail(&self) -> Result<u64, String> {
        Err("as it should".to_owned())
    }

    pub fn die(&self) {
        std::process::abort()
    }

    pub fn echo(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    /// A ref in the arguments.
    pub fn meet(&self, other: ActorRef<Recorder>) -> u64 {
        other.incarnation()
    }

    /// A ref in the reply.
    pub fn find_you(&self) -> Option<ActorRef<Recorder>> {
        phalanx::myself::<Recorder>()
    }
}

/// What a queue may hold; one kind cannot be encoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    Text(String),
    None,
    Bool(bool),
    Float(f64),
    Bytes(Vec<u8>),
    #[serde(serialize_with = "refuse")]
    Refusing(u8),
}

fn refuse<S: serde::Serializer>(_: &u8, _: S) -> Result<S::Ok, S::Error> {
    Err(serde::ser::Error::custom("it does not want to"))
}

/// What the programs of a case share.
///
/// # Panics
/// Never: it is not empty.
pub fn secret() -> Secret {
    Secret::from_bytes("a secret of the tests").expect("not empty")
}
