//! What goes into a task, and what comes out.

use std::collections::BTreeMap;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Circle { radius: f64 },
    Polygon(Vec<(i32, i32)>),
    Nothing,
}

#[task]
fn mirror(
    shapes: Vec<Shape>,
    names: BTreeMap<String, Option<u8>>,
) -> (Vec<Shape>, BTreeMap<String, Option<u8>>) {
    (shapes, names)
}

#[test]
fn arguments_and_results_are_whatever_serde_can_carry() {
    alone(|| {
        let shapes = vec![
            Shape::Circle { radius: -0.5 },
            Shape::Polygon(vec![(1, -1), (i32::MIN, 0)]),
            Shape::Nothing,
        ];
        let names = BTreeMap::from([("ünï".to_owned(), Some(7)), (String::new(), None)]);
        let process = mirror::spawn(shapes.clone(), names.clone()).unwrap();
        assert_eq!(process.join().unwrap(), (shapes, names));
    });
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Refusal {
    Zero,
    TooLarge { limit: u64 },
}

#[task]
fn halve(number: u64) -> Result<u64, Refusal> {
    match number {
        0 => Err(Refusal::Zero),
        101.. => Err(Refusal::TooLarge { limit: 100 }),
        _ => Ok(number / 2),
    }
}

#[test]
fn an_error_of_the_function_arrives_as_it_is_and_is_no_crash() {
    alone(|| {
        assert_eq!(halve::spawn(42).unwrap().join(), Ok(21));
        for (number, refusal) in [(0, Refusal::Zero), (200, Refusal::TooLarge { limit: 100 })] {
            let process = halve::spawn(number).unwrap();
            assert_eq!(process.join(), Err(CallError::App(refusal)));
            assert_eq!((process.exit_code(), process.exit_reason()), (Some(0), Some(ExitReason::Normal)));
        }
    });
}

#[task]
fn parse(text: String) -> phalanx::Result<u16> {
    Ok(text.parse()?)
}

#[test]
fn the_question_mark_works_in_a_task() {
    alone(|| {
        assert_eq!(parse::spawn("80".into()).unwrap().join().unwrap(), 80);
        let error = parse::spawn("eighty".into()).unwrap().join().unwrap_err();
        assert_eq!(error.to_string(), "invalid digit found in string");
    });
}

#[test]
fn a_result_can_be_read_as_often_as_one_likes_from_any_thread() {
    alone(|| {
        // Many times: the thread that hears of the end first has to tell all others, whatever they are doing
        // at that moment.
        for _ in 0..20 {
            let process = halve::spawn(10).unwrap();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| assert_eq!(process.join(), Ok(5)));
                }
            });
            assert_eq!(process.join(), Ok(5));
            assert_eq!(process.join_timeout(EVENT_TIMEOUT), Some(Ok(5)));
        }
    });
}

#[test]
fn functions_and_closures_run_without_an_attribute() {
    alone(|| {
        fn triple(number: u32) -> u32 {
            number * 3
        }
        assert_eq!(Process::spawn(triple, 14).unwrap().join().unwrap(), 42);
        assert_eq!(Process::spawn(|number: u32| number + 1, 41).unwrap().join().unwrap(), 42);
        let named = Process::builder(|(): ()| phalanx::current().name().to_owned(), ()).name("closure");
        assert_eq!(named.spawn().unwrap().join().unwrap(), "closure");
        // Two closures of one function are two tasks.
        let (one, two) = (Process::spawn(|n: u32| n, 1).unwrap(), Process::spawn(|n: u32| n * 2, 1).unwrap());
        assert_eq!((one.join().unwrap(), two.join().unwrap()), (1, 2));
    });
}

#[test]
fn generic_functions_run_with_the_types_they_were_spawned_with() {
    alone(|| {
        fn largest<T: Ord>(mut values: Vec<T>) -> Option<T> {
            values.sort();
            values.pop()
        }
        assert_eq!(Process::spawn(largest::<u8>, vec![3, 9, 4]).unwrap().join().unwrap(), Some(9));
        let words = vec!["pear".to_owned(), "apple".to_owned()];
        assert_eq!(Process::spawn(largest::<String>, words).unwrap().join().unwrap(), Some("pear".into()));
        assert_eq!(Process::spawn(largest::<u8>, vec![]).unwrap().join().unwrap(), None);
    });
}

#[test]
fn arguments_and_results_of_64_mib_arrive_whole() {
    alone(|| {
        let text = "0123456789abcdef".repeat(4 << 20);
        let process = Process::spawn(|text: String| text + "!", text.clone()).unwrap();
        let answer = process.join().unwrap();
        assert!(answer.len() == text.len() + 1 && answer.starts_with(&text) && answer.ends_with('!'));
    });
}

/// Cannot be encoded, or cannot be decoded.
#[derive(Debug)]
struct Stubborn {
    encodes: bool,
}

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.encodes {
            serializer.serialize_u8(1)
        } else {
            Err(serde::ser::Error::custom("does not want to be encoded"))
        }
    }
}

impl<'de> Deserialize<'de> for Stubborn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Stubborn, D::Error> {
        u8::deserialize(deserializer)?;
        Err(serde::de::Error::custom("does not want to be decoded"))
    }
}

/// An error that postcard has no words of the sender for says at least what failed.
#[test]
fn a_result_that_cannot_travel_is_an_error_of_the_join() {
    alone(|| {
        for encodes in [false, true] {
            let process = Process::spawn(|encodes: bool| Stubborn { encodes }, encodes).unwrap();
            let error = process.join().unwrap_err();
            assert!(matches!(&error, CallError::Codec(text, _) if !text.is_empty()), "{error}");
            assert_eq!(process.exit_code(), Some(0));
        }
    });
}

#[test]
fn an_argument_that_cannot_travel_is_an_error_of_the_spawn() {
    alone(|| {
        for encodes in [false, true] {
            let spawned = Process::spawn(|_: Stubborn| (), Stubborn { encodes });
            assert!(matches!(spawned, Err(SpawnError::Codec { .. })), "{spawned:?}");
        }
        assert_eq!(phalanx::children(), []);
    });
}

#[actor]
struct Echo;

#[actor]
impl Echo {
    fn echo(&self, text: String) -> String {
        text
    }
}

#[test]
fn a_task_can_be_given_refs_but_cannot_leave_one_behind() {
    alone(|| {
        let echo = Echo.spawn().unwrap();
        let asking = |echo: ActorRef<Echo>| -> phalanx::Result<String> { Ok(echo.echo("hi".into()).wait()?) };
        let process = Process::spawn(asking, echo.clone()).unwrap();
        assert_eq!(process.join().unwrap().unwrap(), "hi");

        let kept = Process::spawn(|echo: ActorRef<Echo>| echo, echo).unwrap().join().unwrap_err();
        assert!(matches!(&kept, CallError::Codec(text, _) if text.contains("refs")), "{kept}");
    });
}
