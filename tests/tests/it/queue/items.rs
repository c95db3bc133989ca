//! What can lie in a queue: everything that can travel, of any size; and what cannot.

use std::collections::HashMap;
use std::io::{Read, Write};

use phalanx::prelude::*;
use phalanx::{AnyRef, Blob, Fd, GetError, PutError, Queue, QueueError, TryPutError};
use phalanx_tests::{EVENT_TIMEOUT, alone};
use serde::{Deserialize, Serialize};

use super::numbers;

/// Cannot be encoded if it is 13.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unlucky(#[serde(serialize_with = "refuse")] u64);

fn refuse<S: serde::Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    if *value == 13 { Err(serde::ser::Error::custom("unlucky")) } else { serializer.serialize_u64(*value) }
}

/// Cannot be decoded again, outside of the process that made it.
#[derive(Debug, Serialize)]
struct Homely {
    home: u32,
}

impl<'de> Deserialize<'de> for Homely {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Homely, D::Error> {
        let home = u32::deserialize(deserializer)?;
        if home == std::process::id() {
            Ok(Homely { home })
        } else {
            Err(serde::de::Error::custom("not at home"))
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Job {
    name: String,
    words: HashMap<String, Vec<u32>>,
    at: Option<(f64, char)>,
}

#[actor]
struct Adder {
    total: u64,
}

#[actor]
impl Adder {
    fn add(&mut self, number: u64) -> u64 {
        self.total += number;
        self.total
    }
}

/// Everything that is more than bytes.
#[derive(Serialize, Deserialize)]
struct Bundle {
    adder: ActorRef<Adder>,
    who: AnyRef,
    file: Fd,
    back: Queue<u64>,
    bytes: Blob,
}

#[task]
fn unpack(bundles: Queue<Bundle>) -> u64 {
    let Bundle { adder, who, file, back, bytes } = bundles.get().unwrap();
    std::fs::File::from(file.into_inner()).write_all(b"unpacked").unwrap();
    back.put(u64::from(who.pid())).unwrap();
    adder.add(bytes.len() as u64).wait().unwrap()
}

/// Python notices it in the feeder thread, after the put.
#[test]
fn an_item_that_cannot_be_encoded_fails_at_its_put_and_uses_no_place() {
    alone(|| {
        let queue = Queue::bounded(1).unwrap();
        let PutError::Codec(item, error) = queue.put(Unlucky(13)).unwrap_err() else { panic!() };
        assert_eq!(item, Unlucky(13));
        assert!(error.contains("unlucky"), "{error}");
        assert!(matches!(queue.try_put(Unlucky(13)), Err(TryPutError::Codec(Unlucky(13), _))));
        assert_eq!(queue.len().unwrap(), 0);
        queue.try_put(Unlucky(1)).unwrap();
        assert_eq!(queue.get().unwrap(), Unlucky(1));
        assert!(queue.is_empty().unwrap());

        let queue = Queue::bounded(10).unwrap();
        let error = queue.put_all([1, 2, 13, 4].map(Unlucky)).unwrap_err();
        assert_eq!((error.stored, error.rest), (2, vec![Unlucky(13), Unlucky(4)]));
        assert!(matches!(error.error, PutError::Codec((), _)));
        assert_eq!(queue.get_up_to(10).unwrap(), [Unlucky(1), Unlucky(2)]);
    });
}

#[test]
fn an_item_that_cannot_be_decoded_is_an_error_at_who_takes_it_and_the_next_one_is_good() {
    alone(|| {
        let queue = Queue::bounded(10).unwrap();
        for _ in 0..3 {
            queue.put(Homely { home: std::process::id() }).unwrap();
        }
        let errors = Process::spawn(
            |queue: Queue<Homely>| {
                let got = queue.get().unwrap_err();
                let leased = queue.lease().unwrap_err();
                assert!(matches!(got, GetError::Codec(_)) && matches!(leased, GetError::Codec(_)));
            },
            queue.clone(),
        );
        errors.unwrap().join().unwrap();
        // Those two are gone.
        assert_eq!(queue.get().unwrap().home, std::process::id());
        assert!(queue.join_timeout(EVENT_TIMEOUT).unwrap() && queue.is_empty().unwrap());
    });
}

#[test]
fn items_of_all_kinds_and_sizes_come_out_as_they_went_in() {
    alone(|| {
        let jobs = Queue::bounded(4).unwrap();
        let words = HashMap::from([("a".to_owned(), vec![1, 2]), (String::new(), Vec::new())]);
        let job = Job { name: "first".to_owned(), words, at: Some((0.5, 'ß')) };
        jobs.put(job.clone()).unwrap();
        assert_eq!(jobs.get().unwrap(), job);

        let bytes = Queue::bounded(20).unwrap();
        let sizes = [0, 1, 8 << 10, (8 << 10) + 1, 32 << 10, (32 << 10) + 1, 1 << 20, 16 << 20];
        for size in sizes {
            bytes.put("x".repeat(size)).unwrap();
        }
        for size in sizes {
            assert!(bytes.get().unwrap() == "x".repeat(size));
        }
    });
}

#[test]
fn refs_files_queues_and_blobs_travel_in_items() {
    alone(|| {
        let (adder, back) = (Adder { total: 5 }.spawn().unwrap(), numbers(2));
        let (mut reader, writer) = std::io::pipe().unwrap();
        let bundles = Queue::bounded(2).unwrap();
        let bundle = Bundle {
            adder: adder.clone(),
            who: phalanx::current().any().unwrap(),
            file: Fd::new(writer),
            back: back.clone(),
            bytes: vec![1; 100_000].into(),
        };
        bundles.put(bundle).unwrap();
        assert_eq!(unpack::spawn(bundles.clone()).unwrap().join().unwrap(), 100_005);
        assert_eq!(back.get().unwrap(), u64::from(std::process::id()));
        let mut said = String::new();
        // To its end: the queue has closed its copy.
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "unpacked");
        assert_eq!(adder.add(0).wait().unwrap(), 100_005);
    });
}

#[test]
fn a_blob_is_in_memory_once_however_often_it_is_put_and_taken() {
    alone(|| {
        let queue = Queue::bounded(100).unwrap();
        let blob = Blob::build(32 << 20, |bytes| bytes.fill(3)).unwrap();
        for _ in 0..50 {
            queue.put(blob.clone()).unwrap();
        }
        let pid = queue.process().pid();
        let tree = phalanx::tree().unwrap();
        let node = tree.walk().find(|node| node.pid == Some(pid)).unwrap();
        assert!(node.rss < 32 << 20, "{} bytes", node.rss);
        for _ in 0..50 {
            assert!(queue.get().unwrap() == blob);
        }
    });
}

#[test]
fn more_large_items_than_there_are_descriptors_lie_in_memory() {
    alone(|| {
        let queue = Queue::unbounded().unwrap();
        let limit = std::fs::read_to_string("/proc/self/limits").unwrap();
        let limit = limit.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap().to_owned();
        let limit: usize = limit.split_whitespace().next().unwrap().parse().unwrap();
        let count = (limit + 100).min(3000) as u32;
        for number in 0..count {
            queue.put((number, "x".repeat(9000))).unwrap();
        }
        assert_eq!(queue.len().unwrap(), count as usize);
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", queue.process().pid())).unwrap().count();
        assert!(descriptors < limit, "{descriptors} of {limit}");
        for number in 0..count {
            assert_eq!(queue.get().unwrap(), (number, "x".repeat(9000)));
        }
    });
}

#[test]
fn items_with_too_many_descriptors_are_refused_and_given_back() {
    alone(|| {
        let adder = Adder { total: 0 }.spawn().unwrap();
        let queue = Queue::unbounded().unwrap();
        // More than go into one message.
        let error = queue.put(vec![adder.clone(); 100]).unwrap_err();
        let PutError::Failed(item, QueueError::Unreachable(why)) = error else { panic!() };
        assert!(item.len() == 100 && why.contains("refs"), "{why}");
        let mut stored = 0;
        let error = loop {
            match queue.put(vec![adder.clone(); 20]) {
                Ok(()) => stored += 1,
                Err(error) => break error,
            }
            if stored > 2000 {
                // The limit on descriptors is high here.
                return;
            }
        };
        assert!(
            matches!(&error, PutError::Failed(item, QueueError::Descriptors) if item.len() == 20),
            "{error}"
        );
        // Taking some makes room again.
        assert_eq!(queue.get().unwrap()[0], adder);
        queue.put(vec![adder; 20]).unwrap();
        assert_eq!(queue.len().unwrap(), stored);
    });
}

#[test]
fn a_batch_of_large_items_travels_in_several_messages() {
    alone(|| {
        let queue = Queue::bounded(300).unwrap();
        queue.put_all((0..300_u32).map(|number| number.to_string().repeat(5_000))).unwrap();
        let mut got = Vec::new();
        while got.len() < 300 {
            got.extend(queue.get_up_to(300).unwrap());
        }
        assert!(got.iter().enumerate().all(|(at, item)| *item == at.to_string().repeat(5_000)));
    });
}
