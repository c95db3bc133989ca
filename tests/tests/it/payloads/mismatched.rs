//! What is read as another type than it was written as: an error, never rubbish and never a crash.

use phalanx::prelude::*;
use phalanx_tests::alone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Written as two numbers, read as one.
#[derive(Debug)]
struct Lopsided;

impl Serialize for Lopsided {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (1_u32, 2_u32).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Lopsided {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(|_| Lopsided)
    }
}

/// Attributes that need a format with field names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Skipping {
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<u8>,
    second: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Flat {
    number: u8,
    #[serde(flatten)]
    inner: Skipping,
}

/// Takes what does not fit.
#[actor]
struct Taker {
    taken: u32,
}

#[actor]
impl Taker {
    fn lopsided(&mut self, _value: Lopsided) -> u32 {
        self.taken += 1;
        self.taken
    }

    fn skipping(&mut self, value: Skipping) -> Skipping {
        self.taken += 1;
        value
    }

    fn untagged(&mut self, value: Untagged) -> Untagged {
        self.taken += 1;
        value
    }

    fn flat(&mut self, value: Flat) -> Flat {
        self.taken += 1;
        value
    }

    fn taken(&self) -> u32 {
        self.taken
    }
}

#[track_caller]
fn assert_codec<T: phalanx::Portable + std::fmt::Debug>(reply: Reply<T>) {
    let outcome = reply.wait();
    assert!(matches!(outcome, Err(CallError::Codec(..))), "{outcome:?}");
}

#[test]
fn attributes_that_do_not_survive_the_encoding_are_errors_of_their_call() {
    alone(|| {
        let taker = Taker { taken: 0 }.spawn().unwrap();
        let skipping = Skipping { first: None, second: 7 };
        assert_codec(taker.lopsided(Lopsided));
        assert_codec(taker.skipping(skipping.clone()));
        assert_codec(taker.untagged(Untagged::Number(1)));
        assert_codec(taker.untagged(Untagged::Text("one".into())));
        assert_codec(taker.flat(Flat { number: 1, inner: skipping }));
        assert_eq!(taker.taken().wait().unwrap(), 0);
        // Nothing is skipped here.
        let whole = Skipping { first: Some(1), second: 7 };
        assert_eq!(taker.skipping(whole.clone()).wait().unwrap(), whole);
    });
}

/// The actor that is there.
#[actor]
struct Real {
    calls: u32,
}

#[actor]
impl Real {
    fn first(&mut self, number: u64) -> u64 {
        self.calls += 1;
        number
    }

    fn second(&mut self) -> u32 {
        self.calls += 1;
        self.calls
    }
}

/// What a ref is taken to be a ref to.
#[actor]
struct Imagined;

#[actor]
impl Imagined {
    fn first(&self, texts: Vec<String>, number: f64) -> String {
        format!("{texts:?} {number}")
    }

    fn second(&self) -> String {
        String::new()
    }

    fn third(&self) -> u32 {
        3
    }
}

/// A ref that goes in as one type and comes out as another.
#[derive(Debug)]
enum Disguise {
    Real(ActorRef<Real>),
    Imagined(ActorRef<Imagined>),
}

impl Serialize for Disguise {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Disguise::Real(actor) => actor.serialize(serializer),
            Disguise::Imagined(actor) => actor.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Disguise {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ActorRef::deserialize(deserializer).map(Disguise::Imagined)
    }
}

#[actor]
struct Mirror;

#[actor]
impl Mirror {
    fn mirror(&self, disguise: Disguise) -> Disguise {
        disguise
    }
}

#[test]
fn calls_that_the_actor_does_not_understand_are_errors_and_it_lives_on() {
    alone(|| {
        let real = Real { calls: 0 }.spawn().unwrap();
        let mirror = Mirror.spawn().unwrap();
        let Disguise::Imagined(imagined) = mirror.mirror(Disguise::Real(real.clone())).wait().unwrap() else {
            panic!("it comes out as the other type")
        };
        assert_codec(imagined.first(vec!["a".into(), "b".into()], 0.5));
        assert_codec(imagined.third());
        // Understood, and the reply is a number, not a text.
        assert_codec(imagined.second());
        assert_eq!(real.second().wait().unwrap(), 2);
        assert_eq!(real.first(9).wait().unwrap(), 9);
        assert_eq!(real.incarnation(), 1);
    });
}
