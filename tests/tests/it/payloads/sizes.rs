//! Payloads of all sizes, both ways; and death in the middle of a large one.

use std::thread;
use std::time::{Duration, Instant};

use phalanx::ExitReason;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone};

use super::Blob;

const KIB: usize = 1024;
const LARGE: usize = 64 * KIB * KIB;

/// Looks at every byte.
#[actor]
struct Inspector {
    held: Blob,
}

#[actor]
impl Inspector {
    fn mirror(&self, blob: Blob) -> Result<Blob, usize> {
        if blob.is_whole() { Ok(blob) } else { Err(blob.0.len()) }
    }

    fn refuse(&self, len: usize) -> Result<(), Blob> {
        Err(Blob::of(len))
    }

    #[tell]
    fn hold(&mut self, blob: Blob) {
        self.held = blob;
    }

    fn held(&self) -> (usize, bool) {
        (self.held.0.len(), self.held.is_whole())
    }
}

fn inspector() -> ActorRef<Inspector> {
    Inspector { held: Blob::of(0) }.spawn().unwrap()
}

/// Around every bound that there is on the way, the overhead of a header included.
fn sizes() -> impl Iterator<Item = usize> {
    let around = |size: usize| (size - 20)..(size + 20);
    let marks = [0, 1, 2, 127, 128, 129, 200 * KIB, KIB * KIB, KIB * KIB + 1];
    marks.into_iter().chain(around(32 * KIB)).chain(around(60 * KIB)).chain(around(64 * KIB))
}

#[test]
fn payloads_around_every_bound_arrive_whole_both_ways() {
    alone(|| {
        let inspector = inspector();
        for size in sizes() {
            let blob = Blob::of(size);
            assert!(inspector.mirror(blob.clone()).wait() == Ok(blob.clone()), "{size}");
            assert!(inspector.refuse(size).wait() == Err(CallError::App(blob.clone())), "{size}");
            inspector.hold(blob).unwrap();
            assert_eq!(inspector.held().wait().unwrap(), (size, true));
        }
    });
}

#[test]
fn state_of_every_size_arrives_whole() {
    alone(|| {
        for size in [0, 32 * KIB - 1, 32 * KIB, 32 * KIB + 1, 200 * KIB, LARGE] {
            let inspector = Inspector { held: Blob::of(size) }.spawn().unwrap();
            assert_eq!(inspector.held().wait().unwrap(), (size, true));
            inspector.kill().unwrap();
        }
    });
}

#[test]
fn sixty_four_mebibytes_go_there_and_back() {
    alone(|| {
        let inspector = inspector();
        let blob = Blob::of(LARGE);
        for _ in 0..2 {
            assert!(inspector.mirror(blob.clone()).wait() == Ok(blob.clone()));
        }
        inspector.hold(blob).unwrap();
        assert_eq!(inspector.held().wait().unwrap(), (LARGE, true));
    });
}

#[test]
fn several_callers_send_sixty_four_mebibytes_at_once() {
    alone(|| {
        let inspector = inspector();
        thread::scope(|scope| {
            for caller in 0..3 {
                let inspector = &inspector;
                scope.spawn(move || {
                    let blob = Blob::of(LARGE - caller);
                    assert!(inspector.mirror(blob.clone()).wait() == Ok(blob), "{caller}");
                });
            }
            // Small ones go between them.
            for size in 0..50 {
                assert_eq!(inspector.mirror(Blob::of(size)).wait(), Ok(Blob::of(size)));
            }
        });
    });
}

#[test]
fn large_texts_and_vectors_arrive_whole() {
    #[actor]
    struct Twice;

    #[actor]
    impl Twice {
        fn twice(&self, text: String, numbers: Vec<u64>) -> (String, Vec<u64>) {
            (text.repeat(2), [numbers.as_slice(), &numbers].concat())
        }
    }

    alone(|| {
        let (text, numbers) = ("ß".repeat(300_000), (0..100_000).map(|n| n << 40).collect::<Vec<u64>>());
        let (texts, both) = Twice.spawn().unwrap().twice(text.clone(), numbers.clone()).wait().unwrap();
        assert!(texts == text.repeat(2));
        assert!(both == [numbers.as_slice(), &numbers].concat());
    });
}

/// Kills the actor so many milliseconds after the first of a row of large messages has been sent; every
/// caller must hear of it.
fn kill_after(delay: Duration) {
    let (inspector, blob) = (inspector(), Blob::of(LARGE));
    let sender = inspector.clone();
    let sending = thread::spawn(move || {
        loop {
            match sender.mirror(blob.clone()).wait() {
                Ok(back) => assert!(back == blob),
                Err(error) => return (error, Instant::now()),
            }
        }
    });
    assert_eq!(inspector.join_timeout(delay), None);
    inspector.kill().unwrap();
    let killed = Instant::now();
    let (error, told) = sending.join().unwrap();
    // What was being encoded is encoded first.
    assert!(told.saturating_duration_since(killed) < EVENT_TIMEOUT);
    assert!(matches!(error, CallError::Died(..) | CallError::Gone(_)), "{error:?}");
    assert_eq!(error.exit_reason().and_then(ExitReason::signal), Some(9));
}

#[test]
fn an_actor_killed_in_the_middle_of_a_large_message_is_reported_and_leaves_nothing() {
    alone(|| {
        for millis in [0, 1, 5, 10, 20, 35, 50, 75, 100, 140, 190, 250] {
            kill_after(Duration::from_millis(millis));
        }
    });
}

/// Sends large messages for ever.
#[task]
fn flood(inspector: ActorRef<Inspector>) {
    let blob = Blob::of(LARGE / 4);
    loop {
        inspector.hold(blob.clone()).expect("the inspector is there");
    }
}

#[test]
fn a_sender_killed_in_the_middle_of_a_large_message_disturbs_nobody() {
    alone(|| {
        let inspector = inspector();
        for millis in [0, 3, 10, 20, 40, 60, 90, 120] {
            let sender = flood::spawn(inspector.clone()).unwrap();
            assert_eq!(inspector.join_timeout(Duration::from_millis(millis)), None);
            sender.kill().unwrap();
            assert!(sender.join().is_err());
            let (size, whole) = inspector.held().wait().unwrap();
            assert!(whole && (size == 0 || size == LARGE / 4), "{size} {whole}");
        }
    });
}
