//! Actors that have no descriptor left for what comes with a message.

use std::fs::File;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{Limit, Restart};
use phalanx_tests::{EVENT_TIMEOUT, Program, alone, processes};

/// Opens as much as it may.
#[actor]
struct Hoarder {
    hoard: Vec<File>,
}

#[actor]
impl Hoarder {
    #[init]
    fn new() -> Self {
        Hoarder { hoard: Vec::new() }
    }

    fn fill(&mut self) -> usize {
        while let Ok(file) = File::open("/dev/null") {
            self.hoard.push(file);
        }
        self.hoard.len()
    }

    fn give_up(&mut self) {
        self.hoard.clear();
    }

    fn ping(&self) -> usize {
        self.hoard.len()
    }

    fn greet(&self, other: ActorRef<Hoarder>) -> String {
        other.name().to_owned()
    }

    #[tell]
    fn hear_of(&self, _other: ActorRef<Hoarder>) {}
}

/// A caller that the actor does not know yet: two calls, the second after the first has ended.
#[task]
fn call(hoarder: ActorRef<Hoarder>) -> [Result<usize, String>; 2] {
    [(); 2].map(|()| match hoarder.within(EVENT_TIMEOUT).ping().wait() {
        Ok(number) => Ok(number),
        Err(CallError::Unreachable(error, _)) => Err(error),
        Err(other) => panic!("{other:?}"),
    })
}

fn has_a_typed_error_at_once_for_each(hoarder: &ActorRef<Hoarder>) {
    let other = Hoarder::builder().name("other").spawn().unwrap();
    assert!(hoarder.fill().wait().unwrap() > 10);
    // A known caller has a reply, but for what would have to come with the message.
    for _ in 0..3 {
        assert!(hoarder.within(EVENT_TIMEOUT).ping().wait().is_ok());
        match hoarder.within(EVENT_TIMEOUT).greet(other.clone()).wait() {
            Err(CallError::Unreachable(error, _)) => assert!(error.contains("no descriptor"), "{error}"),
            other => panic!("{other:?}"),
        }
        hoarder.hear_of(other.clone()).unwrap();
    }
    // A new caller is told, too, as often as it asks.
    for _ in 0..3 {
        let said = call::spawn(hoarder.clone()).unwrap().join().unwrap();
        for answer in said {
            assert!(answer.as_ref().is_err_and(|error| error.contains("no descriptor")), "{answer:?}");
        }
    }
    hoarder.give_up().wait().unwrap();
    assert_eq!(call::spawn(hoarder.clone()).unwrap().join().unwrap(), [Ok(0), Ok(0)]);
    assert_eq!(hoarder.greet(other.clone()).wait().unwrap(), "other");
}

#[test]
fn an_actor_without_a_free_descriptor_says_so_at_once_to_callers_old_and_new() {
    alone(|| {
        let hoarder = Hoarder::builder().limit(Limit::OpenFiles, 64).spawn().unwrap();
        has_a_typed_error_at_once_for_each(&hoarder);
    });
}

#[test]
fn an_actor_that_may_open_nothing_any_more_serves_those_whom_it_knows() {
    alone(|| {
        // With a time at which it will be replaced, it waits for more than messages.
        let hoarder = Hoarder::builder().recycle_at_age(Duration::from_secs(3600)).spawn().unwrap();
        assert_eq!(hoarder.ping().wait(), Ok(0));
        processes::limit_descriptors(hoarder.pid().unwrap(), 0);
        for _ in 0..3 {
            assert_eq!(hoarder.within(EVENT_TIMEOUT).ping().wait(), Ok(0));
        }
        assert_eq!(hoarder.fill().wait(), Ok(0));
        hoarder.stop(EVENT_TIMEOUT).unwrap();
        assert_eq!(hoarder.incarnation(), 1);
    });
}

/// Here a message stays in the mailbox until it has been handled.
#[test]
fn an_actor_that_may_be_restarted_says_so_too() {
    alone(|| {
        let hoarder =
            Hoarder::builder().limit(Limit::OpenFiles, 64).restart(Restart::Permanent).spawn().unwrap();
        has_a_typed_error_at_once_for_each(&hoarder);
        assert_eq!(hoarder.incarnation(), 1);
    });
}

/// Not as root, which may have as many under way as it likes.
#[test]
fn an_answer_for_which_too_many_descriptors_are_under_way_is_said_and_its_caller_not_forgotten() {
    let script = r#"
        ulimit -n 64 || exit 9
        [ "$(id -u)" = 0 ] || exec "$0" descriptors-under-way
        exec setpriv --reuid 64999 --regid 64999 --clear-groups "$0" descriptors-under-way
    "#;
    let run = Program::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_scenario")]).start();
    let said = run.rest();
    let errors = run.rest_of_stderr();
    assert_eq!(run.finish(), 0, "{said:?} {errors:?}");
    let [refused, not_given, others @ ..] = &said[..] else { panic!("{said:?}") };
    assert_eq!(refused, "refused: true");
    assert!(not_given.starts_with("not given: the reply could not be sent"), "{said:?}");
    assert_eq!(others, ["ping: Ok(())", "given: true", "ping: Ok(())"]);
}
