//! Actors that make themselves in their own process, and what can go wrong there.

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{self, Command};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use super::supervised;
use phalanx::ExitReason;
use phalanx::prelude::*;
use phalanx_tests::{alone, processes};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Much longer than anything here takes, and much shorter than the start limits.
const PROMPTLY: Duration = Duration::from_secs(8);

/// Holds what could never travel.
#[actor]
struct Journal {
    lines: Rc<RefCell<Vec<String>>>,
    opened: Instant,
    input: Option<fs::File>,
}

#[actor]
impl Journal {
    #[init]
    fn open(first: String, more: u32) -> Self {
        let lines = (0..more).map(|number| format!("line {number}"));
        let lines = std::iter::once(first).chain(lines).collect();
        let input = fs::File::open("/dev/null").ok();
        Journal { lines: Rc::new(RefCell::new(lines)), opened: Instant::now(), input }
    }

    fn add(&self, line: String) -> usize {
        self.lines.borrow_mut().push(line);
        self.lines.borrow().len()
    }

    fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    fn is_open(&self) -> bool {
        self.input.is_some() && self.opened.elapsed() < Duration::from_secs(60)
    }
}

/// What an init does.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Fate {
    Well,
    Refuse,
    Panic,
    Abort,
    Exit(i32),
    BeKilled,
    Overflow,
}

/// Goes deeper until the stack is used up.
#[allow(unconditional_recursion, reason = "that is what is tested")]
fn descend(depth: u64) -> u64 {
    std::hint::black_box(descend(std::hint::black_box(depth) + 1)) + 1
}

#[actor(start_timeout = "20s")]
struct Fated;

#[actor]
impl Fated {
    #[init]
    fn new(fate: Fate) -> Result<Self, String> {
        match fate {
            Fate::Well => {}
            Fate::Refuse => return Err("the database is not there".to_owned()),
            Fate::Panic => panic!("no {fate:?} please"),
            Fate::Abort => process::abort(),
            Fate::Exit(code) => process::exit(code),
            Fate::BeKilled => drop(Command::new("sh").args(["-c", "kill -KILL $PPID; sleep 60"]).status()),
            Fate::Overflow => drop(descend(0)),
        }
        Ok(Fated)
    }

    fn answer(&self) -> u32 {
        42
    }
}

#[track_caller]
fn died(fate: Fate) -> ExitReason {
    let start = Instant::now();
    let error = Fated::spawn(fate).expect_err("it cannot start");
    assert!(start.elapsed() < PROMPTLY, "told after {:?}", start.elapsed());
    match error {
        SpawnError::Died { actor, reason } => {
            assert_eq!(actor, "Fated");
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_init_makes_what_cannot_travel() {
    alone(|| {
        let journal = Journal::spawn("first".into(), 2).unwrap();
        assert_eq!(journal.lines().wait().unwrap(), ["first", "line 0", "line 1"]);
        assert_eq!(journal.add("last".into()).wait().unwrap(), 4);
        assert!(journal.is_open().wait().unwrap());
    });
}

#[test]
fn an_init_that_answers_ok_is_an_actor() {
    alone(|| assert_eq!(Fated::spawn(Fate::Well).unwrap().answer().wait().unwrap(), 42));
}

#[test]
fn an_init_that_answers_err_is_a_typed_error_with_its_text() {
    alone(|| {
        let error = Fated::spawn(Fate::Refuse).unwrap_err();
        let expected =
            SpawnError::InitFailed { actor: "Fated".into(), error: "the database is not there".into() };
        assert_eq!(error, expected);
        assert_eq!(error.to_string(), "cannot start `Fated`: init failed: the database is not there");
    });
}

#[test]
fn an_init_that_panics_is_reported_with_message_and_location() {
    alone(|| match died(Fate::Panic) {
        ExitReason::Panicked { message, location, method } => {
            assert_eq!(message, "no Panic please");
            assert!(location.contains("init.rs:"), "{location}");
            assert_eq!(method, None);
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn an_init_that_aborts_is_told_at_once_and_not_at_the_start_limit() {
    alone(|| {
        let reason = died(Fate::Abort);
        assert_eq!(reason.signal(), Some(6), "{reason:?}");
    });
}

#[test]
fn an_init_that_overflows_its_stack_is_told_at_once() {
    alone(|| {
        let reason = died(Fate::Overflow);
        assert_eq!(reason.signal(), Some(11), "{reason:?}");
    });
}

#[test]
fn an_init_that_is_killed_is_told_at_once() {
    alone(|| assert_eq!(died(Fate::BeKilled).signal(), Some(9)));
}

#[test]
fn an_init_that_exits_is_reported_with_its_code() {
    alone(|| {
        for code in [0, 1, 7, 137] {
            assert_eq!(died(Fate::Exit(code)), ExitReason::Exited(code));
        }
    });
}

#[actor]
struct Hanging;

#[actor]
impl Hanging {
    #[init]
    fn new(note: PathBuf) -> Self {
        let mut file = fs::File::create(&note).expect("a file for the pid");
        write!(file, "{}", process::id()).expect("the pid fits");
        loop {
            thread::park();
        }
    }
}

#[test]
fn an_init_that_hangs_is_killed_and_reaped_at_the_start_limit() {
    alone(|| {
        let note = std::env::temp_dir().join("pid");
        // Long enough for the process to get as far as its init on a busy machine.
        let limit = Duration::from_millis(2500);
        let start = Instant::now();
        let error = Hanging::builder(note.clone()).start_timeout(limit).spawn().unwrap_err();
        let took = start.elapsed();
        let pid: u32 = fs::read_to_string(&note).unwrap().parse().unwrap();
        assert!(!processes::exists(pid), "{:?}", processes::stat(pid));
        assert_eq!(
            error,
            SpawnError::StartTimeout { actor: "Hanging".into(), after: limit, awaited: String::new() }
        );
        assert!(took >= limit && took < PROMPTLY, "after {took:?}");
        fs::remove_file(note).unwrap();
    });
}

#[test]
fn a_start_that_failed_can_be_tried_again_and_again() {
    alone(|| {
        for round in 0..25 {
            let error = Fated::builder(Fate::Refuse).name("again").spawn().unwrap_err();
            assert!(matches!(&error, SpawnError::InitFailed { actor, .. } if actor == "again"), "{error:?}");
            let _ = died(if round % 2 == 0 { Fate::Abort } else { Fate::Exit(1) });
        }
        assert_eq!(supervised(), []);
        assert_eq!(Fated::spawn(Fate::Well).unwrap().answer().wait().unwrap(), 42);
    });
}

/// Does not survive the journey: `encode` says at which end.
struct Fragile {
    encode: bool,
}

impl Serialize for Fragile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.encode {
            return Err(serde::ser::Error::custom("too fragile to travel"));
        }
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Fragile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer)?;
        if phalanx::current().parent().is_some() {
            return Err(serde::de::Error::custom("broken on arrival"));
        }
        Ok(Fragile { encode: false })
    }
}

#[actor]
struct Vase;

#[actor]
impl Vase {
    #[init]
    #[allow(clippy::needless_pass_by_value, reason = "arguments are owned")]
    fn new(fragile: Fragile) -> Self {
        assert!(!fragile.encode);
        Vase
    }
}

#[test]
fn arguments_that_cannot_be_encoded_or_decoded_are_a_typed_error() {
    alone(|| {
        for (encode, expected) in [(true, "cannot encode"), (false, "cannot decode")] {
            match Vase::spawn(Fragile { encode }).unwrap_err() {
                SpawnError::Codec { actor, error } => {
                    assert_eq!(actor, "Vase");
                    assert!(error.contains(expected), "{error}");
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(supervised(), []);
    });
}
