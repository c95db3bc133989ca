//! A log that is full, large, broken or slow harms no process.

use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use phalanx::command::Command;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, alone, eventually};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::{all, hear, hear_of, listen, said, talker};

/// Writes to the log what does not belong there.
#[actor]
struct Vandal;

#[actor]
impl Vandal {
    /// Every kind of packet with rubbish in it.
    fn scribble(&self, rounds: u32) {
        let line = line();
        let (kinds, mut state) = ([b'e', b'l', b'm', b'x', 0], 7_u64);
        for round in 0..rounds {
            let mut packet = vec![kinds[round as usize % kinds.len()]];
            for _ in 0..round % 90 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                packet.push((state >> 56) as u8);
            }
            let _ = line.send(&packet);
            let _ = line.send(&[]);
        }
    }

    fn shut(&self) {
        line().shutdown(std::net::Shutdown::Both).unwrap();
    }

    /// The places in its code seem to have no end.
    fn pretend(&self, places: u32) {
        for _ in 0..places {
            tracing::info!("from here");
        }
    }
}

fn line() -> UnixDatagram {
    UnixDatagram::from(phalanx::__private::log_line().unwrap().try_clone_to_owned().unwrap())
}

#[test]
fn a_field_of_a_mebibyte_arrives_whole() {
    alone(|| {
        listen("info");
        let talker = talker();
        for bytes in [1 << 20, 32 * 1024, 33 * 1024, 100 * 1024] {
            talker.large(bytes).wait().unwrap();
            let has_size = |heard: &super::Heard| heard.text("text").len() == bytes;
            eventually("a large event", EVENT_TIMEOUT, || said("large").iter().any(has_size));
        }
    });
}

#[test]
fn a_field_that_is_larger_than_any_is_cut_and_marked() {
    alone(|| {
        listen("info");
        talker().large(17 << 20).wait().unwrap();
        let heard = hear("large");
        let text = heard.text("text");
        let kept = text.strip_suffix("... (cut)").unwrap();
        assert!(kept.len() >= (16 << 20) - 100 && kept.len() <= 16 << 20, "{}", kept.len());
        // Its sender can send more.
        talker().say("after it".into()).wait().unwrap();
        hear("after it");
    });
}

#[test]
fn rubbish_in_the_log_is_passed_over() {
    alone(|| {
        listen("info");
        let (vandal, talker) = (Vandal.spawn().unwrap(), talker());
        vandal.scribble(5000).wait().unwrap();
        talker.say("still heard".into()).wait().unwrap();
        hear("still heard");
        let told = hear("something in the log cannot be read");
        assert_eq!(told.target, "phalanx::logging");
        assert!(told.number("packets") > 0 && told.origin.is_none());
        assert!(vandal.is_alive() && talker.is_alive());
    });
}

#[test]
fn a_log_that_somebody_shuts_down_is_silent_and_nothing_else() {
    alone(|| {
        listen("info");
        let (vandal, talker) = (Vandal.spawn().unwrap(), talker());
        vandal.shut().wait().unwrap();
        talker.count(10_000).wait().unwrap();
        let silenced = "a process has shut the log of the tree down, and nothing more is heard of it";
        assert_eq!(hear(silenced).target, "phalanx::logging");
        let start = Instant::now();
        phalanx::shutdown();
        assert!(start.elapsed() < Duration::from_secs(5));
    });
}

/// Takes an event and does not come back until it may.
struct Blocked;

static MAY_GO_ON: AtomicBool = AtomicBool::new(false);

impl<S: Subscriber> Layer<S> for Blocked {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        eventually("it may go on", FOREVER, || MAY_GO_ON.load(Ordering::SeqCst));
    }
}

#[test]
fn a_subscriber_that_blocks_costs_an_actor_a_hundred_milliseconds_once() {
    alone(|| {
        let subscriber = tracing_subscriber::registry().with(Blocked).with(super::Listener);
        tracing::subscriber::set_global_default(subscriber).unwrap();
        let talker = talker();
        let start = Instant::now();
        talker.count(30_000).wait().unwrap();
        // At 100 ms for each that does not fit it would be half an hour.
        assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
        MAY_GO_ON.store(true, Ordering::SeqCst);
        eventually("room", EVENT_TIMEOUT, || {
            !said("after it").is_empty() || {
                talker.say("after it".into()).wait().unwrap();
                false
            }
        });
        phalanx::shutdown();
        let counted = said("counted");
        assert!(counted.len() > 100 && counted.len() < 30_000, "{}", counted.len());
        // Those that came through are in order, and each that follows a gap says how large it is.
        let heard: Vec<_> = all().into_iter().filter(|heard| heard.target != "phalanx::supervisor").collect();
        let numbers: Vec<u64> =
            heard.iter().filter_map(|heard| heard.origin.as_ref()).map(|origin| origin.number).collect();
        assert!(numbers.is_sorted());
        let missing: u64 = numbers.windows(2).map(|pair| pair[1] - pair[0] - 1).sum();
        let dropped = |heard: &super::Heard| heard.fields.get("dropped").map(|_| heard.number("dropped"));
        assert_eq!(heard.iter().filter_map(dropped).sum::<u64>(), missing);
        assert!(missing > 0);
    });
}

#[test]
fn a_subscriber_that_blocks_holds_up_a_command_that_writes_and_not_its_stop() {
    alone(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Blocked)).unwrap();
        let command = Command::new("yes").spawn().unwrap();
        let pid = command.command_pid().unwrap();
        // It writes to a pipe that is full: what it has used of the processor stays the same for a while.
        let used = || std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
        eventually("a command that is held up", EVENT_TIMEOUT, || {
            let before = used();
            std::thread::sleep(Duration::from_millis(50));
            before == used()
        });
        command.stop(Duration::from_secs(3)).unwrap();
        let ended = command.join_timeout(EVENT_TIMEOUT).unwrap();
        assert!(matches!(ended, ExitReason::Stopped(_)), "{ended}");
        MAY_GO_ON.store(true, Ordering::SeqCst);
    });
}

#[test]
fn the_end_of_a_program_waits_a_second_for_a_subscriber_that_blocks() {
    alone(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Blocked)).unwrap();
        talker().say("nobody hears this".into()).wait().unwrap();
        let start = Instant::now();
        phalanx::shutdown();
        assert!(start.elapsed() >= Duration::from_secs(1) && start.elapsed() < Duration::from_secs(5));
        MAY_GO_ON.store(true, Ordering::SeqCst);
    });
}

/// The program's code, which has a bug.
struct Bug;

impl<S: Subscriber> Layer<S> for Bug {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        assert_ne!(event.metadata().target(), "nowhere", "on purpose");
    }
}

#[test]
fn a_subscriber_that_panics_loses_one_event() {
    alone(|| {
        let subscriber = tracing_subscriber::registry().with(Bug).with(super::Listener);
        tracing::subscriber::set_global_default(subscriber).unwrap();
        let talker = talker();
        talker.elsewhere().wait().unwrap();
        talker.say("after it".into()).wait().unwrap();
        hear("after it");
        assert_eq!((said("from elsewhere").len(), said("from nowhere").len()), (1, 0));
    });
}

#[test]
fn memory_does_not_grow_with_what_is_logged() {
    alone(|| {
        // Nothing is kept: the filter lets it in, and no layer takes it.
        tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
        let (talker, vandal) = (talker(), Vandal.spawn().unwrap());
        let flood = || {
            let replies = [talker.count(10_000), vandal.pretend(10_000), talker.large(1 << 20)];
            replies.into_iter().for_each(|reply| reply.wait().unwrap());
        };
        let memory = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        flood();
        let before = memory();
        (0..4).for_each(|_| flood());
        assert!(memory().saturating_sub(before) < 2000, "KiB before {before}, after {}", memory());
    });
}

#[test]
fn a_crash_is_reported_however_full_of_rubbish_the_log_was() {
    alone(|| {
        listen("info");
        let vandal = Vandal.builder().name("vandal").spawn().unwrap();
        vandal.scribble(20_000).wait().unwrap();
        phalanx_tests::processes::kill(vandal.pid().unwrap());
        hear_of("vandal", "crashed");
    });
}
