//! Every shape that serde knows goes there and back unchanged.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use phalanx::Portable;
use phalanx::prelude::*;
use phalanx_tests::alone;
use serde::{Deserialize, Serialize};

/// Keeps a value, and gives it back.
#[actor]
struct Mirror<T> {
    first: T,
}

#[actor]
impl<T: Clone> Mirror<T> {
    fn mirror(&mut self, value: T) -> T {
        self.first = value;
        self.first.clone()
    }

    fn first(&self) -> T {
        self.first.clone()
    }

    fn refuse(&self, value: T) -> Result<(), T> {
        Err(value)
    }
}

/// As state, argument, reply and error.
#[track_caller]
fn travels<T: Portable + PartialEq + Debug + Clone>(value: T) {
    let mirror = Mirror { first: value.clone() }.spawn().unwrap();
    assert_eq!(mirror.first().wait().unwrap(), value);
    assert_eq!(mirror.mirror(value.clone()).wait().unwrap(), value);
    assert_eq!(mirror.refuse(value.clone()).wait(), Err(CallError::App(value)));
    mirror.kill().unwrap();
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(f64),
    Tuple(i8, Option<Box<Shape>>),
    Struct { name: String, inside: Vec<Shape> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tree<T> {
    value: T,
    left: Option<Box<Tree<T>>>,
    right: Option<Box<Tree<T>>>,
}

#[test]
fn numbers_and_characters_travel() {
    alone(|| {
        travels((u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX, usize::MAX));
        travels((i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN, isize::MIN));
        travels((0_u128, -1_i128, 1_u64 << 63, NonZeroU32::MAX));
        travels((f32::MIN_POSITIVE, f64::MAX, f64::INFINITY, -0.0_f64));
        travels(['a', '\0', 'ß', '\u{10ffff}']);
        travels((true, false));
    });
}

#[test]
fn a_number_that_is_none_keeps_its_bits() {
    alone(|| {
        let odd = f64::from_bits(0x7ff8_0000_dead_beef);
        let mirror = Mirror { first: odd }.spawn().unwrap();
        assert_eq!(mirror.mirror(odd).wait().unwrap().to_bits(), odd.to_bits());
    });
}

#[test]
fn texts_and_paths_travel() {
    alone(|| {
        travels(String::new());
        travels("with a \0 and a \u{feff}, \n, 日本語".to_owned());
        travels((PathBuf::from("/tmp/a b"), PathBuf::new()));
        travels::<(Box<str>, Arc<str>, Rc<str>)>(("box".into(), "arc".into(), "rc".into()));
    });
}

#[test]
fn nothing_travels() {
    alone(|| {
        travels(());
        travels(Unit);
        travels((None::<u8>, Vec::<String>::new(), [0_u8; 0], BTreeMap::<u8, u8>::new()));
        travels(std::marker::PhantomData::<u8>);
    });
}

#[test]
fn enums_travel_with_every_kind_of_variant() {
    alone(|| {
        let inner = Shape::Struct { name: "in".into(), inside: vec![Shape::Unit, Shape::Newtype(0.5)] };
        let outer = Shape::Tuple(-1, Some(Box::new(inner.clone())));
        travels(vec![Shape::Unit, Shape::Newtype(1e300), Shape::Tuple(1, None), inner, outer]);
        travels::<Vec<Result<u8, String>>>(vec![Ok(1), Err("no".into())]);
        travels(vec![Some(Some(1)), Some(None), None]);
    });
}

#[test]
fn collections_travel() {
    alone(|| {
        let list: Vec<u32> = (0..1000).collect();
        travels(list.clone());
        travels((
            list.iter().copied().collect::<VecDeque<_>>(),
            list.iter().copied().collect::<BTreeSet<_>>(),
        ));
        travels(list.iter().map(|n| (*n, n.to_string())).collect::<HashMap<_, _>>());
        travels(list.iter().map(u32::to_string).collect::<HashSet<_>>());
        travels(BTreeMap::from([((1, 'a'), vec![BTreeMap::from([("k".to_owned(), 1_u128)])])]));
        travels([[1_u8, 2], [3, 4]]);
    });
}

#[test]
fn pointers_travel_as_what_they_point_to() {
    alone(|| {
        travels((Box::new(1_u8), Rc::new(2_u16), Arc::new(3_u32)));
        travels::<(Box<[u8]>, Rc<Vec<u8>>, Arc<[String]>)>((
            vec![1].into(),
            vec![2].into(),
            ["a".into()].into(),
        ));
        let cell = std::cell::RefCell::new(vec![1, 2]);
        travels((cell, std::cell::Cell::new(7)));
    });
}

#[test]
fn types_of_the_standard_library_travel() {
    alone(|| {
        travels((Duration::MAX, Duration::ZERO, Duration::from_nanos(1)));
        travels(SystemTime::now());
        travels::<(Range<u32>, std::num::Wrapping<u8>)>((1..5, std::num::Wrapping(250)));
        travels((IpAddr::V4(Ipv4Addr::LOCALHOST), "[::1]:80".parse::<SocketAddr>().unwrap()));
    });
}

#[test]
fn long_tuples_and_many_arguments_travel() {
    #[actor]
    struct Many;

    #[actor]
    impl Many {
        #[allow(
            clippy::too_many_arguments,
            clippy::many_single_char_names,
            reason = "that is what is tested"
        )]
        fn sum(
            &self,
            a: u8,
            b: u16,
            c: u32,
            d: u64,
            e: i8,
            f: i16,
            g: i32,
            h: i64,
            i: String,
        ) -> (u64, String) {
            let signed = i64::from(e) + i64::from(f) + i64::from(g) + h;
            (u64::from(a) + u64::from(b) + u64::from(c) + d + signed.unsigned_abs(), i)
        }
    }

    alone(|| {
        travels((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, "12".to_owned()));
        let many = Many.spawn().unwrap();
        let sum = many.sum(1, 2, 3, 4, 5, 6, 7, 8, "nine".into()).wait();
        assert_eq!(sum.unwrap(), (36, "nine".to_owned()));
    });
}

#[test]
fn deep_values_travel() {
    alone(|| {
        let mut tree = Tree { value: 0_u32, left: None, right: None };
        // 128 levels, with the actor or the arguments around it.
        for value in 1..127 {
            let old = Some(Box::new(tree));
            let leaf = Some(Box::new(Tree { value, left: None, right: None }));
            tree = if value % 2 == 0 {
                Tree { value, left: old, right: leaf }
            } else {
                Tree { value, left: leaf, right: old }
            };
        }
        travels(tree);
    });
}
