//! What can be an actor: generic types, types in modules and in function bodies, odd names.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone};

#[actor]
struct Cache<K, V>
where
    K: Ord + Clone,
{
    entries: BTreeMap<K, V>,
}

#[actor]
impl<K: Ord + Clone, V: Clone + Debug> Cache<K, V> {
    fn put(&mut self, key: K, value: V) -> Option<V> {
        self.entries.insert(key, value)
    }

    fn get(&self, key: K) -> Option<V> {
        self.entries.get(&key).cloned()
    }

    fn shown(&self) -> String {
        format!("{:?}", self.entries.values().collect::<Vec<_>>())
    }
}

#[test]
fn a_generic_actor_runs_the_code_of_its_own_type_arguments() {
    alone(|| {
        let ages = Cache::<String, u32> { entries: BTreeMap::new() }.spawn().unwrap();
        let names = Cache::<u64, Vec<String>> { entries: BTreeMap::new() }.spawn().unwrap();
        assert_eq!(ages.put("ann".into(), 30).wait().unwrap(), None);
        assert_eq!(ages.put("ann".into(), 31).wait().unwrap(), Some(30));
        assert_eq!(names.put(7, vec!["bob".into()]).wait().unwrap(), None);
        assert_eq!(ages.get("ann".into()).wait().unwrap(), Some(31));
        assert_eq!(names.get(7).wait().unwrap(), Some(vec!["bob".to_owned()]));
        assert_eq!(ages.shown().wait().unwrap(), "[31]");
        assert_eq!(names.shown().wait().unwrap(), "[[\"bob\"]]");
        assert_eq!((ages.name(), names.name()), ("Cache", "Cache"));
    });
}

#[actor]
struct Ring<const N: usize> {
    next: usize,
}

#[actor]
impl<const N: usize> Ring<N> {
    fn step(&mut self) -> usize {
        self.next = (self.next + 1) % N;
        self.next
    }
}

#[test]
fn a_const_generic_actor_knows_its_constant() {
    alone(|| {
        let (two, three) = (Ring::<2> { next: 0 }.spawn().unwrap(), Ring::<3> { next: 0 }.spawn().unwrap());
        let steps = |reply: [Reply<usize>; 3]| reply.map(|reply| reply.wait().unwrap());
        assert_eq!(steps([two.step(), two.step(), two.step()]), [1, 0, 1]);
        assert_eq!(steps([three.step(), three.step(), three.step()]), [1, 2, 0]);
    });
}

trait Unit {
    const SIGN: &'static str;
}

/// A type that only marks: there are no values of it, and nothing of it travels.
enum Metre {}

impl Unit for Metre {
    const SIGN: &'static str = "m";
}

#[actor]
struct Gauge<U> {
    readings: Vec<u64>,
    unit: PhantomData<U>,
}

#[actor]
impl<U: Unit> Gauge<U> {
    #[init]
    fn new(first: u64) -> Self {
        Gauge { readings: vec![first], unit: PhantomData }
    }

    #[tell]
    fn read(&mut self, reading: u64) {
        self.readings.push(reading);
    }

    fn shown(&self) -> Vec<String> {
        self.readings.iter().map(|reading| format!("{reading} {}", U::SIGN)).collect()
    }
}

#[test]
fn a_type_parameter_that_only_marks_what_an_init_makes_does_not_travel() {
    alone(|| {
        let gauge = Gauge::<Metre>::spawn(3).unwrap();
        gauge.read(5).unwrap();
        assert_eq!(gauge.shown().wait().unwrap(), ["3 m", "5 m"]);
    });
}

mod deep {
    pub(super) mod deeper {
        use phalanx::prelude::*;

        #[actor]
        pub(in super::super) struct Hidden(pub(in super::super) u32);

        #[actor]
        impl Hidden {
            pub(in super::super) fn value(&self) -> u32 {
                self.0
            }
        }
    }
}

#[test]
fn an_actor_in_a_submodule_starts_from_outside() {
    alone(|| assert_eq!(deep::deeper::Hidden(5).spawn().unwrap().value().wait().unwrap(), 5));
}

#[actor]
struct Dog;

#[actor]
impl Dog {
    fn speak(&self) -> String {
        "woof".to_owned()
    }
}

#[actor]
struct Cat {
    mood: u8,
}

#[actor]
impl Cat {
    fn speak(&self) -> String {
        format!("meow {}", self.mood)
    }
}

#[test]
fn two_actors_of_one_module_may_have_methods_of_the_same_name() {
    alone(|| {
        let (dog, cat) = (Dog.spawn().unwrap(), Cat { mood: 3 }.spawn().unwrap());
        assert_eq!(dog.speak().wait().unwrap(), "woof");
        assert_eq!(cat.speak().wait().unwrap(), "meow 3");
    });
}

#[actor]
struct Odd {
    r#type: String,
}

#[actor]
impl Odd {
    #[cfg(target_os = "none")]
    fn absent(&self) -> NoSuchType {
        NoSuchType
    }

    fn r#type(&self) -> String {
        self.r#type.clone()
    }

    #[cfg(target_os = "linux")]
    fn present(&self, r#mut: u32) -> u32 {
        r#mut + 1
    }

    #[tell]
    fn r#loop(&mut self, mut times: u32) {
        while times > 0 {
            self.r#type.push('!');
            times -= 1;
        }
    }

    /// Not a message: called on the value, not on a ref.
    #[local]
    fn exclaim(&mut self) {
        self.r#type.push('?');
    }
}

#[test]
fn raw_names_and_conditional_methods_are_messages_like_others() {
    alone(|| {
        let mut odd = Odd { r#type: "odd".into() };
        odd.exclaim();
        let odd = odd.spawn().unwrap();
        odd.r#loop(2).unwrap();
        odd.try_loop(1).unwrap();
        assert_eq!(odd.r#type().wait().unwrap(), "odd?!!!");
        assert_eq!(odd.present(1).wait().unwrap(), 2);
        assert_eq!(odd.try_present(2).unwrap().wait().unwrap(), 3);
    });
}

#[test]
fn an_actor_may_be_defined_inside_a_function() {
    #[actor]
    struct Inner {
        value: i64,
    }

    #[actor]
    impl Inner {
        fn twice(&self) -> i64 {
            2 * self.value
        }
    }

    alone(|| {
        let inner = Inner { value: -4 }.spawn().unwrap();
        assert_eq!(inner.twice().wait().unwrap(), -8);
        assert_eq!(inner.name(), "Inner");
    });
}

#[actor]
struct Silent;

#[actor]
impl Silent {}

#[test]
fn an_actor_without_messages_lives_and_stops() {
    alone(|| {
        let silent = Silent.spawn().unwrap();
        assert!(silent.is_alive());
        let reason = silent.stop(EVENT_TIMEOUT).unwrap();
        assert!(reason.is_orderly(), "{reason:?}");
    });
}

#[test]
fn closures_and_functions_run_as_tasks() {
    fn twice(number: u64) -> u64 {
        2 * number
    }
    alone(|| {
        let (closure, function) = (Process::spawn(|n: u64| n + 1, 41), Process::spawn(twice, 4));
        assert_eq!(closure.unwrap().join().unwrap(), 42);
        assert_eq!(function.unwrap().join().unwrap(), 8);
        let pair =
            Process::spawn(|(left, right): (String, char)| format!("{left}{right}"), ("a".into(), 'b'));
        assert_eq!(pair.unwrap().join().unwrap(), "ab");
    });
}
