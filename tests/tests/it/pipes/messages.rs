//! What goes through a pipe.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::time::Instant;

use phalanx::Fd;
use phalanx_tests::{EVENT_TIMEOUT, alone};
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Value {
    Nothing,
    Number(f64),
    Text(String),
    Map(BTreeMap<String, Option<Vec<u8>>>),
}

#[test]
fn values_of_all_shapes_come_back_as_they_were() {
    alone(|| {
        let mirror = |mut end: Pipe<Value>| {
            while let Ok(value) = end.recv() {
                end.send(&value).unwrap();
            }
        };
        let (mut ours, theirs) = phalanx::pipe::<Value, Value>().unwrap();
        let task = Process::spawn(mirror, theirs).unwrap();
        let map = BTreeMap::from([("key".to_owned(), Some(vec![0, 255])), (String::new(), None)]);
        for value in [
            Value::Nothing,
            Value::Number(-0.5),
            Value::Text("ünï".into()),
            Value::Text(String::new()),
            Value::Map(map),
        ] {
            ours.send(&value).unwrap();
            assert_eq!(ours.recv().unwrap(), value);
        }
        drop(ours);
        task.join().unwrap();
    });
}

#[test]
fn empty_small_and_16_mebibyte_messages_pass_and_the_close_is_told() {
    alone(|| {
        let (mut ours, theirs) = phalanx::pipe::<Blob, Blob>().unwrap();
        let echo = echo::spawn(theirs).unwrap();
        for len in [0, 1, 0, 4096, 40_000, 16 << 20, 0] {
            let message = Blob::build(len, |bytes| bytes.fill(len as u8 | 1)).unwrap();
            ours.send(&message).unwrap();
            assert!(ours.recv().unwrap() == message, "{len}");
        }
        drop(ours);
        assert_eq!(echo.join().unwrap(), 7);
    });
}

#[test]
fn messages_of_16_mebibyte_that_are_no_blobs_pass_before_anybody_receives() {
    alone(|| {
        let (mut one, mut other) = phalanx::pipe::<String, String>().unwrap();
        let text = "0123456789abcdef".repeat(1 << 20);
        for _ in 0..3 {
            one.send(&text).unwrap();
        }
        let read = |mut end: Pipe<String>| (0..3).map(|_| end.recv().unwrap()).collect::<String>().len();
        assert_eq!(Process::spawn(read, other).unwrap().join().unwrap(), 3 * text.len());
        (one, other) = phalanx::pipe().unwrap();
        drop(one);
        assert_eq!(other.recv(), Err(PipeError::Closed));
    });
}

#[test]
fn messages_stay_in_order_and_each_comes_once() {
    alone(|| {
        let (mut ours, theirs) = phalanx::pipe::<(), u32>().unwrap();
        let count = |mut end: Pipe<u32, ()>| (0..20_000).for_each(|number| end.send(&number).unwrap());
        let task = Process::spawn(count, theirs).unwrap();
        let mut received = Vec::new();
        while let Ok(number) = ours.recv() {
            received.push(number);
        }
        assert!(received.into_iter().eq(0..20_000));
        task.join().unwrap();
    });
}

#[test]
fn files_refs_and_pipes_go_through_pipes() {
    alone(|| {
        type Things = (Fd, Pipe<u8>);
        let (mut ours, theirs) = phalanx::pipe::<Things, ()>().unwrap();
        let use_them = |mut end: Pipe<(), Things>| {
            let (file, mut pipe) = end.recv().unwrap();
            let byte = pipe.recv().unwrap();
            File::from(file.into_inner()).write_all(&[byte, byte]).unwrap();
        };
        let task = Process::spawn(use_them, theirs).unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let (mut near, far) = phalanx::pipe().unwrap();
        ours.send(&(Fd::new(writer), far)).unwrap();
        near.send(&b'x').unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "xx");
        task.join().unwrap();
    });
}

#[test]
fn a_receive_with_a_limit_is_never_early_and_takes_what_is_there() {
    alone(|| {
        let (mut one, mut other) = phalanx::pipe::<u32, u32>().unwrap();
        assert_eq!(one.try_recv(), Ok(None));
        let (start, limit) = (Instant::now(), Duration::from_millis(30));
        assert_eq!(one.recv_timeout(limit), Ok(None));
        assert!(start.elapsed() >= limit);
        other.send(&7).unwrap();
        other.send(&8).unwrap();
        assert_eq!((one.try_recv(), one.recv_timeout(limit)), (Ok(Some(7)), Ok(Some(8))));
        drop(other);
        assert_eq!(one.try_recv(), Err(PipeError::Closed));
        assert_eq!(one.recv_timeout(EVENT_TIMEOUT), Err(PipeError::Closed));
    });
}

#[test]
fn a_full_line_holds_the_sender_back_and_loses_nothing() {
    alone(|| {
        let (mut one, mut other) = phalanx::pipe::<u32, u32>().unwrap();
        let (start, limit) = (Instant::now(), Duration::from_millis(30));
        let mut sent = 0;
        while one.send_timeout(&sent, limit).unwrap() {
            sent += 1;
        }
        assert!(sent > 100 && start.elapsed() >= limit);
        let drain = move |end: &mut Pipe<u32>, upto: u32| {
            (0..upto).for_each(|number| assert_eq!(end.recv(), Ok(number)));
        };
        std::thread::scope(|scope| {
            // This one waits until there is room.
            scope.spawn(|| (sent..2 * sent).for_each(|number| one.send(&number).unwrap()));
            drain(&mut other, 2 * sent);
        });
        assert_eq!(other.try_recv(), Ok(None));
    });
}

/// Cannot be encoded, or cannot be decoded.
#[derive(Debug, PartialEq)]
struct Stubborn(u8);

impl Serialize for Stubborn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            1 => Err(serde::ser::Error::custom("does not want to be encoded")),
            byte => serializer.serialize_u8(byte),
        }
    }
}

impl<'de> Deserialize<'de> for Stubborn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Stubborn, D::Error> {
        match u8::deserialize(deserializer)? {
            // Debug builds try at the sender whether what was encoded can be read.
            2 if std::thread::current().name() == Some("reader") => {
                Err(serde::de::Error::custom("does not want to be decoded"))
            }
            byte => Ok(Stubborn(byte)),
        }
    }
}

#[test]
fn a_message_that_cannot_travel_fails_alone() {
    alone(|| {
        let (mut one, mut other) = phalanx::pipe::<Stubborn, Stubborn>().unwrap();
        let error = one.send(&Stubborn(1)).unwrap_err();
        assert!(matches!(&error, PipeError::Codec(text) if text.contains("does not want")), "{error}");
        one.send(&Stubborn(2)).unwrap();
        one.send(&Stubborn(3)).unwrap();
        let reader = std::thread::Builder::new().name("reader".into());
        let read = reader.spawn(move || (other.recv(), other.recv())).unwrap().join().unwrap();
        assert!(matches!(read.0, Err(PipeError::Codec(_))), "{read:?}");
        assert_eq!(read.1, Ok(Stubborn(3)));
    });
}

#[test]
fn too_many_descriptors_are_an_error_and_nothing_is_sent() {
    alone(|| {
        let (mut one, mut other) = phalanx::pipe::<Vec<Fd>, Vec<Fd>>().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let copies = |count: usize| (0..count).map(|_| Fd::new(writer.try_clone().unwrap())).collect();
        let error = one.send(&copies(64)).unwrap_err();
        assert!(matches!(&error, PipeError::Io(text) if text.contains("in one message")), "{error}");
        assert!(other.try_recv().unwrap().is_none());
        one.send(&copies(63)).unwrap();
        assert_eq!(other.recv().unwrap().len(), 63);
        drop(writer);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    });
}
