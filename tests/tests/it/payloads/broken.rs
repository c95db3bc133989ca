//! Values that cannot be encoded or decoded, at each of the four points: they cost their own call only.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;

use phalanx::ExitReason;
use phalanx::prelude::*;
use phalanx_tests::alone;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a value breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Fault {
    None,
    Encode,
    Decode,
    PanicInEncode,
    PanicInDecode,
}

/// Breaks in the program, or in the actor, and is well in the other place: a value is encoded in one and
/// decoded in the other, and debug builds try to decode it where it was encoded, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fragile {
    fault: Fault,
    in_program: bool,
}

impl Fragile {
    const WELL: Fragile = Fragile { fault: Fault::None, in_program: true };

    fn here(self) -> Fault {
        let in_program = phalanx::current().parent().is_none();
        if in_program == self.in_program { self.fault } else { Fault::None }
    }
}

impl Serialize for Fragile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.here() {
            Fault::Encode => Err(S::Error::custom("I will not go")),
            Fault::PanicInEncode => panic!("I cannot go"),
            _ => (self.fault, self.in_program).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Fragile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (fault, in_program) = Deserialize::deserialize(deserializer)?;
        let fragile = Fragile { fault, in_program };
        match fragile.here() {
            Fault::Decode => Err(D::Error::custom("I will not come")),
            Fault::PanicInDecode => panic!("I cannot come"),
            _ => Ok(fragile),
        }
    }
}

/// Passes fragile things about, and refs in front of them.
#[actor]
struct Porter {
    told: u32,
}

#[actor]
impl Porter {
    fn carry(&self, fragile: Fragile) -> Fragile {
        fragile
    }

    fn fail(&self, fragile: Fragile) -> Result<(), Fragile> {
        Err(fragile)
    }

    #[tell]
    fn take(&mut self, _fragile: Fragile) {
        self.told += 1;
    }

    fn told(&self) -> u32 {
        self.told
    }

    /// The ref is encoded before the value that breaks.
    fn carry_both(&self, porter: ActorRef<Porter>, fragile: Fragile) -> (ActorRef<Porter>, Fragile) {
        (porter, fragile)
    }

    fn carry_ref(&self, porter: ActorRef<Porter>) -> ActorRef<Porter> {
        porter
    }

    fn open_files(&self) -> usize {
        open_files()
    }
}

fn porter() -> ActorRef<Porter> {
    Porter { told: 0 }.spawn().unwrap()
}

fn open_files() -> usize {
    fs::read_dir(format!("/proc/{}/fd", process::id())).unwrap().count()
}

/// The four points, and what is said of each.
const POINTS: [(Fragile, &str); 4] = [
    (Fragile { fault: Fault::Encode, in_program: true }, "cannot encode"),
    (Fragile { fault: Fault::Decode, in_program: false }, "cannot decode"),
    (Fragile { fault: Fault::Encode, in_program: false }, "cannot encode"),
    (Fragile { fault: Fault::Decode, in_program: true }, "cannot decode"),
];

#[track_caller]
fn assert_codec<T: std::fmt::Debug, E: std::fmt::Debug>(
    result: Result<T, CallError<E>>,
    method: &str,
    words: &str,
) {
    match result {
        Err(CallError::Codec(error, at)) => {
            assert!(error.contains(words) && error.contains("Fragile"), "{error}");
            assert_eq!((at.actor(), at.method()), ("Porter", method));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_value_that_breaks_at_any_of_four_points_costs_its_own_call() {
    alone(|| {
        let porter = porter();
        let pid = porter.pid().unwrap();
        for (fragile, words) in POINTS {
            // In the middle of others, which go through.
            let before = porter.carry(Fragile::WELL);
            let broken = porter.carry(fragile);
            let broken_error = porter.fail(fragile);
            let after = porter.carry(Fragile::WELL);
            assert_codec(broken.wait(), "carry", words);
            assert_codec(broken_error.wait(), "fail", words);
            assert_eq!((before.wait(), after.wait()), (Ok(Fragile::WELL), Ok(Fragile::WELL)));
        }
        assert_eq!(porter.pid().unwrap(), pid);
        assert_eq!(porter.depth(), 0);
    });
}

#[test]
fn a_tell_that_cannot_be_encoded_is_an_error_and_one_that_cannot_be_decoded_is_not_run() {
    alone(|| {
        let porter = porter();
        let error = porter.take(POINTS[0].0).unwrap_err();
        assert!(
            matches!(&error, SendError::Codec(text, at) if at.method() == "take" && text.ends_with("I will not go"))
        );
        let error = porter.try_take(POINTS[0].0).unwrap_err();
        assert_eq!(error.args.0, POINTS[0].0);
        assert!(matches!(error.error, SendError::Codec(..)));
        let error = porter.try_carry(POINTS[0].0).unwrap_err();
        assert_eq!(error.args.0, POINTS[0].0);
        porter.take(POINTS[1].0).unwrap();
        porter.take(Fragile::WELL).unwrap();
        assert_eq!(porter.told().wait().unwrap(), 1);
    });
}

#[test]
fn a_ref_before_the_value_that_breaks_does_not_slip_into_the_next_message() {
    alone(|| {
        let (porter, first, second) = (porter(), porter(), porter());
        assert_eq!(porter.carry_ref(first.clone()).wait().unwrap(), first);
        let files = (open_files(), porter.open_files().wait().unwrap());
        for _ in 0..20 {
            for (fragile, words) in POINTS {
                assert_codec(porter.carry_both(first.clone(), fragile).wait(), "carry_both", words);
                assert_eq!(porter.carry_ref(second.clone()).wait().unwrap(), second);
                let (back, whole) = porter.carry_both(second.clone(), Fragile::WELL).wait().unwrap();
                assert_eq!((back, whole), (second.clone(), Fragile::WELL));
            }
        }
        assert_eq!((open_files(), porter.open_files().wait().unwrap()), files);
    });
}

#[test]
fn a_panic_while_arguments_are_encoded_is_the_callers_own() {
    alone(|| {
        let (porter, other) = (porter(), porter());
        let fragile = Fragile { fault: Fault::PanicInEncode, in_program: true };
        let files = open_files();
        let panic = catch_unwind(AssertUnwindSafe(|| porter.carry_both(other.clone(), fragile))).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"I cannot go"));
        // And nothing of it is left in the way of the next one.
        assert_eq!(porter.carry_ref(other.clone()).wait().unwrap(), other);
        assert_eq!((open_files(), porter.depth()), (files, 0));
    });
}

#[test]
fn a_panic_while_a_value_is_decoded_costs_its_own_call() {
    alone(|| {
        let porter = porter();
        for in_program in [true, false] {
            let fragile = Fragile { fault: Fault::PanicInDecode, in_program };
            assert_codec(porter.carry(fragile).wait(), "carry", "cannot decode");
            assert_eq!(porter.carry(Fragile::WELL).wait(), Ok(Fragile::WELL));
        }
    });
}

#[test]
fn a_panic_while_the_answer_is_encoded_is_a_panic_of_the_handler() {
    alone(|| {
        let porter = porter();
        let fragile = Fragile { fault: Fault::PanicInEncode, in_program: false };
        let error = porter.carry(fragile).wait().unwrap_err();
        match error.exit_reason() {
            Some(ExitReason::Panicked { message, location, method }) => {
                assert_eq!((message.as_str(), method.as_deref()), ("I cannot go", Some("carry")));
                assert!(location.contains("broken.rs:"), "{location}");
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn the_result_of_a_task_that_cannot_be_encoded_or_decoded_is_an_error_of_its_join() {
    alone(|| {
        let made = |fault: Fault| Fragile { fault, in_program: fault == Fault::Decode };
        for (fault, words) in [(Fault::Encode, "cannot encode"), (Fault::Decode, "cannot decode")] {
            let task = Process::spawn(made, fault).unwrap();
            let error = task.join().unwrap_err();
            assert!(matches!(&error, CallError::Codec(text, _) if text.contains(words)), "{error:?}");
            assert_eq!(task.exit_reason(), Some(ExitReason::Normal));
        }
    });
}
