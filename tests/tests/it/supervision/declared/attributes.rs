//! What `#[actor]` and `#[task]` say about starts, restarts and ends.

use std::fs;

use phalanx::StoppedBy;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, LATCH_TIMEOUT, alone, eventually, processes};

use super::db;

/// As OTP's `{continue, ..}`: its continuation runs before the first message, and no caller waits for it.
#[actor]
struct Eager {
    steps: Vec<String>,
    go: std::path::PathBuf,
}

#[actor]
impl Eager {
    #[on_start]
    fn warm_up(&mut self) {
        eventually("the word to go on", LATCH_TIMEOUT, || self.go.exists());
        self.steps.push("on_start".into());
    }

    fn step(&mut self, name: String) -> Vec<String> {
        self.steps.push(name);
        self.steps.clone()
    }

    fn abort(&self) {
        std::process::abort()
    }
}

#[supervisor]
struct Early {
    eager: Eager,
}

#[test]
fn on_start_runs_after_ready_and_before_the_first_message() {
    alone(|| {
        let go = std::env::temp_dir().join("go");
        let mut queued = None;
        let early = Early::start_with(|early| {
            queued = Some(early.eager.step("queued".into()));
            EarlyArgs { eager: Eager { steps: Vec::new(), go: go.clone() } }
        });
        // The start returns although the continuation waits for us.
        let early = early.unwrap();
        fs::write(&go, "").unwrap();
        assert_eq!(queued.unwrap().wait().unwrap(), ["on_start", "queued"]);
        let _ = early.eager.abort().wait();
        assert_eq!(early.eager.step("again".into()).wait().unwrap(), ["on_start", "again"]);
        fs::remove_file(go).unwrap();
    });
}

/// Imports rows, and writes down which.
#[actor(restart = permanent, mailbox = 200, intensity = "9 in 10s")]
struct Import {
    notes: std::path::PathBuf,
}

#[actor]
impl Import {
    #[idempotent]
    fn row(&mut self, number: u32) -> u32 {
        let mut earlier = fs::read_to_string(&self.notes).unwrap_or_default();
        earlier.push_str(&format!("{number} "));
        fs::write(&self.notes, &earlier).unwrap();
        // The first time that row 50 is begun, it stays there until it is killed.
        if number == 50 && earlier.split(' ').filter(|row| *row == "50").count() == 1 {
            std::thread::sleep(FOREVER);
        }
        number
    }

    #[idempotent(5)]
    fn fatal(&mut self) {
        let earlier = fs::read_to_string(&self.notes).unwrap_or_default();
        fs::write(&self.notes, format!("{earlier}x")).unwrap();
        std::process::abort()
    }

    fn once(&mut self) {
        self.fatal()
    }
}

#[test]
fn an_idempotent_message_is_handled_again_and_what_was_answered_is_not() {
    alone(|| {
        let notes = std::env::temp_dir().join("notes");
        let import = Import { notes: notes.clone() }.spawn().unwrap();
        let replies: Vec<_> = (1..=100).map(|number| import.row(number)).collect();
        let is_at_50 = || fs::read_to_string(&notes).is_ok_and(|text| text.ends_with(" 50 "));
        eventually("row 50", EVENT_TIMEOUT, is_at_50);
        processes::kill(import.pid().unwrap());
        for (number, reply) in (1..=100).zip(replies) {
            assert_eq!(reply.wait().unwrap(), number);
        }
        assert_eq!(import.incarnation(), 2);
        let begun: String = (1..=50).chain(50..=100).map(|number| format!("{number} ")).collect();
        assert_eq!(fs::read_to_string(&notes).unwrap(), begun);
        fs::remove_file(notes).unwrap();
    });
}

#[test]
fn an_idempotent_message_is_begun_as_often_as_its_attribute_says() {
    alone(|| {
        let notes = std::env::temp_dir().join("notes");
        let import = Import { notes: notes.clone() }.spawn().unwrap();
        let dies = |call: Reply<()>, times| {
            let error = call.wait().unwrap_err();
            assert_eq!(error.exit_reason().and_then(ExitReason::signal), Some(6), "{error}");
            assert_eq!(fs::read_to_string(&notes).unwrap(), "x".repeat(times));
        };
        dies(import.fatal(), 5);
        dies(import.once(), 6);
        fs::remove_file(notes).unwrap();
    });
}

/// Counts in this process.
#[actor(recycle_after = 10, recycle_jitter = 0, mailbox = 200)]
struct Counter {
    count: u32,
}

#[actor]
impl Counter {
    fn next(&mut self) -> u32 {
        self.count += 1;
        self.count
    }
}

#[supervisor]
struct Counters {
    ten: Counter,
    #[child(recycle_after = 5)]
    five: Counter,
    #[child(recycle_at_age = "20ms", recycle_after = 1000)]
    aged: Counter,
}

#[test]
fn actors_are_recycled_as_their_attributes_say() {
    alone(|| {
        let alone = Counter { count: 0 }.spawn().unwrap();
        let counter = || Counter { count: 0 };
        let all = Counters::start(CountersArgs { ten: counter(), five: counter(), aged: counter() }).unwrap();
        for (counter, after) in [(&alone, 10), (&all.ten, 10), (&all.five, 5)] {
            let replies: Vec<_> = (0..52).map(|_| counter.next()).collect();
            for (number, reply) in (0..).zip(replies) {
                assert_eq!(reply.wait().unwrap(), number % after + 1);
            }
            assert_eq!(counter.incarnation(), u64::from(51 / after + 1));
        }
        eventually("a fresh one", EVENT_TIMEOUT, || {
            all.aged.next().wait().unwrap();
            all.aged.incarnation() > 2
        });
    });
}

/// Hears of the ends of others.
#[actor(drain = always)]
struct Heir {
    heard: Vec<String>,
    notes: std::path::PathBuf,
}

#[actor]
impl Heir {
    #[on_exit]
    fn inherit(&mut self, down: phalanx::Down) {
        self.heard.push(down.reason.to_string());
    }

    fn heard(&self) -> Vec<String> {
        self.heard.clone()
    }

    fn wait_for(&self, path: std::path::PathBuf) {
        eventually("the file", LATCH_TIMEOUT, || path.exists());
    }

    #[tell]
    fn note(&self) {
        fs::write(&self.notes, "noted").unwrap();
    }
}

#[test]
fn an_actor_with_an_on_exit_hook_hears_of_the_end_of_those_it_is_linked_to() {
    alone(|| {
        let heir = Heir { heard: Vec::new(), notes: "unused".into() }.spawn().unwrap();
        let db = db().spawn().unwrap();
        phalanx::link(&heir, &db).unwrap();
        assert_eq!(db.len().wait().unwrap(), 0);
        assert!(heir.heard().wait().unwrap().is_empty());
        processes::kill(db.pid().unwrap());
        eventually("the news", EVENT_TIMEOUT, || !heir.heard().wait().unwrap().is_empty());
        assert_eq!(heir.heard().wait().unwrap(), [db.join().to_string()]);
        assert!(heir.is_alive());
    });
}

#[test]
fn what_is_queued_is_drained_as_the_attribute_says() {
    alone(|| {
        let place = std::env::temp_dir();
        let (go, notes) = (place.join("go"), place.join("notes"));
        let heir = Heir { heard: Vec::new(), notes: notes.clone() }.spawn().unwrap();
        let waiting = heir.wait_for(go.clone());
        eventually("the wait has begun", EVENT_TIMEOUT, || heir.depth() == 0);
        heir.note().unwrap();
        heir.terminate().unwrap();
        fs::write(&go, "").unwrap();
        waiting.wait().unwrap();
        assert_eq!(heir.join(), ExitReason::Stopped(StoppedBy::Ref));
        assert_eq!(fs::read_to_string(&notes).unwrap(), "noted");
        for file in [go, notes] {
            fs::remove_file(file).unwrap();
        }
    });
}

#[task(restart = transient, intensity = "2 in 10s")]
fn persistent(tries: std::path::PathBuf) -> usize {
    let earlier = fs::read_to_string(&tries).unwrap_or_default();
    fs::write(&tries, format!("{earlier}x")).unwrap();
    if earlier.len() < 2 { std::process::abort() } else { earlier.len() }
}

#[test]
fn a_task_is_restarted_as_its_attribute_says() {
    alone(|| {
        let tries = std::env::temp_dir().join("tries");
        let task = persistent::spawn(tries.clone()).unwrap();
        assert_eq!(task.join().unwrap(), 2);
        fs::remove_file(tries).unwrap();
    });
}
