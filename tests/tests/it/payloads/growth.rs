//! Neither memory nor descriptors grow with the number of messages.

use std::fs;
use std::process;

use phalanx::prelude::*;
use phalanx_tests::alone;

use super::Blob;

/// Takes everything, keeps nothing.
#[actor]
struct Sink;

#[actor]
impl Sink {
    #[tell]
    fn tell(&self, _text: String) {}

    fn ask(&self, text: String) -> String {
        text
    }

    fn blob(&self, blob: Blob) -> Blob {
        blob
    }

    fn sink(&self, sink: ActorRef<Sink>) -> ActorRef<Sink> {
        sink
    }

    fn fail(&self, text: String) -> Result<(), String> {
        Err(text)
    }
}

/// Resident memory that is its own, and not pages of its executable, in KiB.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn mappings(pid: u32) -> usize {
    fs::read_to_string(format!("/proc/{pid}/maps"))
        .unwrap()
        .lines()
        .filter(|line| line.contains("memfd:"))
        .count()
}

fn tell_many(sink: &ActorRef<Sink>, count: u32) {
    let text = "some text, not very long, in a message of its own".to_owned();
    for _ in 0..count {
        sink.tell(text.clone()).unwrap();
    }
    // The last one is handled when this call returns.
    sink.ask(text).wait().unwrap();
}

#[test]
fn memory_does_not_grow_with_a_hundred_thousand_messages() {
    alone(|| {
        let sink = Sink.spawn().unwrap();
        let pids = [process::id(), sink.pid().unwrap()];
        tell_many(&sink, 10_000);
        let before = pids.map(memory);
        tell_many(&sink, 100_000);
        let grown: Vec<u64> =
            pids.iter().zip(before).map(|(&pid, old)| memory(pid).saturating_sub(old)).collect();
        // Ten bytes per message kept would be a thousand.
        assert!(grown.iter().all(|&kib| kib < 900), "KiB grown, in program and actor: {grown:?}");
    });
}

#[test]
fn memory_does_not_grow_with_asks_answers_and_errors() {
    alone(|| {
        let sink = Sink.spawn().unwrap();
        let pids = [process::id(), sink.pid().unwrap()];
        let ask_many = |count: u32| {
            for number in 0..count {
                let text = "x".repeat(number as usize % 1000);
                let dropped = sink.ask(text.clone());
                assert_eq!(sink.ask(text.clone()).wait().unwrap(), text);
                drop(dropped);
                assert_eq!(sink.fail(text.clone()).wait(), Err(CallError::App(text)));
            }
        };
        ask_many(2000);
        let before = pids.map(memory);
        ask_many(15_000);
        let grown: Vec<u64> =
            pids.iter().zip(before).map(|(&pid, old)| memory(pid).saturating_sub(old)).collect();
        assert!(grown.iter().all(|&kib| kib < 900), "KiB grown, in program and actor: {grown:?}");
    });
}

/// What each of these processes has open, after some calls of each kind and after many more.
#[track_caller]
fn assert_constant(sink: &ActorRef<Sink>, many: u32, call: impl Fn(u32)) {
    let pids = [process::id(), sink.pid().unwrap()];
    let count = || {
        // The actor lets go of a message after its reply, and before it takes the next one.
        sink.ask("settle".into()).wait().unwrap();
        pids.map(|pid| (descriptors(pid), mappings(pid)))
    };
    (0..20).for_each(&call);
    let before = count();
    (0..many).for_each(&call);
    assert_eq!(count(), before, "descriptors and mappings, of program and actor");
}

#[test]
fn descriptors_do_not_grow_with_ten_thousand_calls() {
    alone(|| {
        let sink = Sink.spawn().unwrap();
        assert_constant(&sink, 10_000, |_| drop(sink.ask("hello".into()).wait().unwrap()));
    });
}

#[test]
fn descriptors_and_mappings_do_not_grow_with_large_payloads() {
    alone(|| {
        let sink = Sink.spawn().unwrap();
        assert_constant(&sink, 1000, |number| {
            let blob = Blob::of(40_000 + number as usize);
            assert!(sink.blob(blob.clone()).wait().unwrap() == blob);
        });
    });
}

#[test]
fn descriptors_and_mappings_do_not_grow_with_refs() {
    alone(|| {
        let (sink, other) = (Sink.spawn().unwrap(), Sink.spawn().unwrap());
        assert_constant(&sink, 2000, |_| assert_eq!(sink.sink(other.clone()).wait().unwrap(), other));
        // Refs that no other process holds, to actors that come and go.
        assert_constant(&sink, 100, |_| {
            let passing = Sink.spawn().unwrap();
            let back = sink.sink(passing.clone()).wait().unwrap();
            back.kill().unwrap();
            assert_eq!(passing.join().signal(), Some(9));
        });
    });
}

#[test]
fn descriptors_and_mappings_do_not_grow_with_calls_that_are_given_up() {
    alone(|| {
        let sink = Sink.spawn().unwrap();
        assert_constant(&sink, 500, |number| {
            drop(sink.blob(Blob::of(40_000)));
            drop(sink.sink(sink.clone()));
            // Every earlier reply has come, and was read, when this one has.
            let text = number.to_string();
            assert_eq!(sink.ask(text.clone()).wait().unwrap(), text);
        });
    });
}

#[test]
fn descriptors_of_the_supervisor_do_not_grow_with_actors_that_come_and_go() {
    alone(|| {
        let first = Sink.spawn().unwrap();
        let supervisor = phalanx_tests::processes::root_supervisor(process::id()).unwrap();
        let round = || {
            let sink = Sink.spawn().unwrap();
            assert_eq!(sink.ask("hello".into()).wait().unwrap(), "hello");
            sink.kill().unwrap();
            let _ = sink.join();
        };
        (0..20).for_each(|_| round());
        let count = || [process::id(), supervisor].map(|pid| descriptors(pid) + mappings(pid));
        let (before, size) = (count(), memory(supervisor));
        (0..300).for_each(|_| round());
        // The supervisor lets go of the last one some time after its end, so a few may be there.
        let grown: Vec<usize> =
            count().iter().zip(before).map(|(&now, old)| now.saturating_sub(old)).collect();
        assert!(grown.iter().all(|&files| files < 20), "grown, in program and supervisor: {grown:?}");
        assert!(memory(supervisor).saturating_sub(size) < 900);
        assert!(first.is_alive());
    });
}
