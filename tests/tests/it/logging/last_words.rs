//! What is said right before the end is heard.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::alone;

use super::{Talker, hear, hear_of, listen, said, talker};

/// Ends a fresh actor by a call; its last words come before the news of its end.
#[track_caller]
fn ends_after<T: phalanx::Portable + std::fmt::Debug>(
    message: &str,
    reason: &str,
    call: impl FnOnce(&ActorRef<Talker>) -> Reply<T>,
) {
    listen("info");
    let talker = talker();
    let pid = u64::from(talker.pid().unwrap());
    call(&talker).wait().unwrap_err();
    assert_eq!(hear(message).number("pid"), pid);
    let crash = hear_of("talker", "crashed");
    assert_eq!((crash.number("pid"), crash.number("incarnation")), (pid, 1));
    assert!(crash.text("reason").contains(reason), "{crash:?}");
    phalanx::shutdown();
    let messages: Vec<String> = super::all().iter().map(|heard| heard.message().to_owned()).collect();
    assert_eq!(messages, [message, "crashed"], "each once, and in this order");
}

#[test]
fn what_is_said_before_an_abort_arrives() {
    alone(|| ends_after("before the abort", "SIGABRT", |talker| talker.abort()));
}

#[test]
fn what_is_said_before_a_segmentation_fault_arrives() {
    alone(|| ends_after("before the overflow", "SIGSEGV", |talker| talker.overflow()));
}

#[test]
fn what_is_said_before_a_panic_arrives_and_the_panic_is_said_once() {
    alone(|| ends_after("before the panic", "no such luck (in `panic`)", |talker| talker.panic()));
}

#[test]
fn what_is_said_before_a_kill_arrives() {
    alone(|| ends_after("before the kill", "SIGKILL", |talker| talker.kill_itself()));
}

/// Says something as the last thing that it does.
#[actor]
struct Leaver;

#[actor]
impl Leaver {
    #[on_stop]
    fn stop(&mut self) {
        std::thread::sleep(Duration::from_millis(1));
        tracing::info!("goodbye");
    }
}

#[test]
fn everything_is_delivered_when_a_shutdown_returns() {
    alone(|| {
        listen("info");
        let leavers: Vec<_> = (0..10).map(|_| Leaver.spawn().unwrap()).collect();
        phalanx::shutdown();
        assert_eq!(said("goodbye").len(), 10);
        drop(leavers);
    });
}
