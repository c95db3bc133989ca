//! Options: of the attribute, of the builder, and wrong ones.

use std::process;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{Restart, Shutdown};
use phalanx_tests::{alone, processes};

use super::Echo;

#[actor(
    name = "from-attribute",
    mailbox = 7,
    daemon,
    timeout = "300ms",
    shutdown = "1s",
    start_timeout = "9s"
)]
struct Configured;

#[actor]
impl Configured {
    fn sleep(&self, time: Duration) -> bool {
        std::thread::sleep(time);
        phalanx::current().daemon()
    }

    fn own_name(&self) -> String {
        phalanx::current().name().to_owned()
    }
}

#[test]
fn options_of_the_attribute_count() {
    alone(|| {
        let actor = Configured.spawn().unwrap();
        assert_eq!((actor.name(), actor.capacity(), actor.daemon()), ("from-attribute", 7, true));
        assert_eq!(actor.own_name().wait().unwrap(), "from-attribute");
        let start = Instant::now();
        let error = actor.sleep(Duration::from_secs(20)).wait().unwrap_err();
        assert!(matches!(error, CallError::Timeout(_)), "{error:?}");
        assert!(start.elapsed() >= Duration::from_millis(300));
    });
}

#[test]
fn options_of_the_builder_override_those_of_the_attribute() {
    alone(|| {
        let builder = Configured.builder().name("from-builder").mailbox(9).daemon(false);
        let actor = builder.timeout(Duration::from_secs(20)).spawn().unwrap();
        assert_eq!((actor.name(), actor.capacity(), actor.daemon()), ("from-builder", 9, false));
        assert_eq!(actor.own_name().wait().unwrap(), "from-builder");
        // Longer than the attribute's timeout.
        assert!(!actor.sleep(Duration::from_millis(500)).wait().unwrap());
    });
}

#[test]
fn defaults_are_those_of_the_documents() {
    alone(|| {
        let echo = Echo.spawn().unwrap();
        assert_eq!((echo.name(), echo.capacity(), echo.daemon()), ("Echo", 256, false));
        assert_eq!((echo.depth(), echo.handled(), echo.incarnation()), (0, 0, 1));
    });
}

#[track_caller]
fn assert_refused(word: &str, started: Result<ActorRef<Echo>, SpawnError>) {
    match started.expect_err("the option should be refused") {
        SpawnError::Option { error, .. } => assert!(error.contains(word), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn impossible_options_are_refused_and_start_nothing() {
    alone(|| {
        assert_refused("mailbox", Echo.builder().mailbox(0).spawn());
        assert_refused("mailbox", Echo.builder().mailbox(65_536).spawn());
        assert_refused("deadline", Echo.builder().deadline(Duration::ZERO).spawn());
        assert_refused("start_timeout", Echo.builder().start_timeout(Duration::ZERO).spawn());
        assert_refused("timeout", Echo.builder().timeout(Duration::ZERO).spawn());
        assert_refused("name", Echo.builder().name("").spawn());
        assert_refused("name", Echo.builder().name("x".repeat(256)).spawn());
        for control in ["a\0b", "a\nb", "a\u{1b}[2Jb", "a\u{9b}b"] {
            assert_refused("name", Echo.builder().name(control).spawn());
        }
        assert_refused("shutdown", Echo.builder().shutdown(Duration::ZERO).spawn());
        assert_refused("shutdown", Echo.builder().shutdown(Shutdown::Timeout(Duration::ZERO)).spawn());
        assert_refused("memory", Echo.builder().memory(0).spawn());
        assert_refused("nice", Echo.builder().nice(20).spawn());
        assert_refused("recycle_after", Echo.builder().recycle_after(0).spawn());
        assert_refused("recycle_above", Echo.builder().recycle_above(0).spawn());
        assert_refused("recycle_at_age", Echo.builder().recycle_at_age(Duration::ZERO).spawn());
        assert_refused("recycle_jitter", Echo.builder().recycle_after(1).recycle_jitter(101).spawn());
        assert_refused("spare", Echo.builder().spare(true).restart(Restart::Temporary).spawn());
        assert_eq!(processes::root_supervisor(process::id()), None);
    });
}

#[test]
fn the_largest_and_the_smallest_options_work() {
    alone(|| {
        let (large, small) = (Echo.builder().mailbox(65_535), Echo.builder().mailbox(1));
        let name = "n".repeat(255);
        let large = large.name(name.clone()).timeout(Duration::MAX).deadline(Duration::MAX);
        let large = large.start_timeout(Duration::MAX).shutdown(Duration::MAX).spawn().unwrap();
        let small = small.name("s").spawn().unwrap();
        assert_eq!((large.name(), large.capacity()), (name.as_str(), 65_535));
        assert_eq!((small.name(), small.capacity()), ("s", 1));
        for echo in [large, small] {
            assert_eq!(echo.echo("hello".into()).wait().unwrap(), "hello");
        }
    });
}

#[test]
fn an_impossible_option_of_a_task_is_refused_too() {
    alone(|| {
        let error = Process::builder(|()| (), ()).name("").spawn().unwrap_err();
        assert!(matches!(&error, SpawnError::Option { error, .. } if error.contains("name")), "{error:?}");
    });
}
