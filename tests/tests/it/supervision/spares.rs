//! An actor that has crashed has its next process waiting, for a while: what that may change, and what it
//! must not.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{ActorBuilder, Restart};
use phalanx_tests::processes::{self, Stat};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, until};

#[actor]
struct Frail {
    served: u64,
}

#[actor]
impl Frail {
    fn next(&mut self) -> u64 {
        self.served += 1;
        self.served
    }

    fn abort(&self) {
        std::process::abort()
    }
}

fn frail(restart: Restart) -> ActorRef<Frail> {
    builder(restart).spawn().unwrap()
}

fn builder(restart: Restart) -> ActorBuilder<Frail> {
    Frail { served: 0 }.builder().name("frail").restart(restart).intensity(1000, Duration::from_secs(1))
}

fn supervisor() -> u32 {
    processes::root_supervisor(std::process::id()).unwrap()
}

fn spares() -> Vec<Stat> {
    processes::children(supervisor()).into_iter().filter(|child| child.name == "phx-spare: frai").collect()
}

fn crash(frail: &ActorRef<Frail>) {
    frail.abort().wait().unwrap_err();
    assert_eq!(frail.next().wait().unwrap(), 1);
}

/// Its pid.
fn spare() -> u32 {
    let mut found = None;
    eventually("a spare", EVENT_TIMEOUT, || {
        found = spares().first().map(|spare| spare.pid);
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn nobody_has_one_before_its_first_crash() {
    alone(|| {
        let frail = frail(Restart::Permanent);
        frail.next().wait().unwrap();
        assert!(spares().is_empty());
        assert_eq!(processes::children(supervisor()).len(), 1, "the actor");
    });
}

#[test]
fn after_a_crash_the_next_process_is_there_already_and_is_nobody_until_then() {
    alone(|| {
        let frail = frail(Restart::Permanent);
        crash(&frail);
        let waiting = spare();
        let tree = phalanx::tree().unwrap().to_string();
        assert!(!tree.contains(&waiting.to_string()), "{tree}");
        assert_eq!(frail.incarnation(), 2);
        crash(&frail);
        // If it took longer than the spare is kept, another one has come in its place.
        let (now, slow) = (frail.pid().unwrap(), !processes::exists(waiting));
        assert!(now == waiting || slow, "{now} is not {waiting}");
        assert_eq!(frail.incarnation(), 3);
        assert_eq!(processes::stat(now).unwrap().name, "frail");
    });
}

#[test]
fn it_goes_when_there_is_no_crash_for_a_while() {
    alone(|| {
        let frail = frail(Restart::Permanent);
        crash(&frail);
        spare();
        eventually("that the spare is gone", EVENT_TIMEOUT, || spares().is_empty());
        assert_eq!((frail.incarnation(), frail.next().wait().unwrap()), (2, 2));
        crash(&frail);
    });
}

#[test]
fn its_death_is_no_death_of_the_actor() {
    alone(|| {
        let frail = frail(Restart::Permanent);
        crash(&frail);
        let mut monitor = frail.monitor();
        let waiting = spare();
        processes::kill(waiting);
        eventually("that the spare is gone", EVENT_TIMEOUT, || !processes::exists(waiting));
        assert_eq!(frail.next().wait().unwrap(), 2);
        assert_eq!((frail.incarnation(), monitor.try_recv()), (2, None));
        crash(&frail);
        assert_eq!(frail.incarnation(), 3);
    });
}

#[test]
fn one_that_is_killed_and_let_in_at_the_same_moment_is_replaced() {
    alone(|| {
        let frail = frail(Restart::Permanent);
        for _ in 0..20 {
            crash(&frail);
            let (actor, waiting) = (frail.pid().unwrap(), spare());
            processes::kill_together(&[actor, waiting]);
            assert!((1..=2).contains(&until_answered(&frail)));
        }
    });
}

/// As by `pkill -f`, or when memory is short. One restart is all that this actor is allowed.
#[test]
fn one_that_is_killed_with_its_actor_counts_as_no_second_crash() {
    alone(|| {
        for _ in 0..20 {
            let builder = builder(Restart::Permanent).intensity(1, RESTART_WINDOW);
            let frail = builder.spare(true).spawn().unwrap();
            let (actor, waiting) = (frail.pid().unwrap(), spare());
            // The spare first: once it is let in, it is the actor, and its death is a second crash.
            processes::kill_together(&[waiting, actor]);
            assert_eq!((until_answered(&frail), frail.incarnation()), (1, 2));
            assert_ne!(frail.pid().unwrap(), waiting);
            frail.stop(EVENT_TIMEOUT).unwrap();
            eventually("that its spare is gone", EVENT_TIMEOUT, || spares().is_empty());
        }
    });
}

fn until_answered(frail: &ActorRef<Frail>) -> u64 {
    until("an answer", EVENT_TIMEOUT, || frail.next().wait().ok())
}

#[test]
fn it_goes_with_an_actor_that_is_stopped() {
    alone(|| {
        let frail = frail(Restart::Permanent);
        crash(&frail);
        let waiting = spare();
        frail.stop(EVENT_TIMEOUT).unwrap();
        eventually("that the spare is gone", EVENT_TIMEOUT, || !processes::exists(waiting));
    });
}

#[test]
fn it_goes_with_its_supervisor_and_with_the_program() {
    alone(|| {
        let frail = frail(Restart::Permanent);
        crash(&frail);
        let waiting = spare();
        processes::kill(supervisor());
        eventually("that the spare is gone", EVENT_TIMEOUT, || !processes::exists(waiting));
        let again = self::frail(Restart::Permanent);
        crash(&again);
        spare();
        phalanx::shutdown();
        assert!(processes::descendants(std::process::id()).is_empty());
    });
}

#[test]
fn a_temporary_actor_has_none_and_nobody_has_more_than_one() {
    alone(|| {
        let frail = frail(Restart::Transient);
        for _ in 0..10 {
            crash(&frail);
            assert!(spares().len() <= 2, "one, and one that has been let in just now: {:?}", spares());
        }
        // The last one may be on its way still; an actor that is gone has none any more.
        frail.stop(EVENT_TIMEOUT).unwrap();
        eventually("that the last spare is gone", EVENT_TIMEOUT, || spares().is_empty());
        let short = self::frail(Restart::Temporary);
        short.abort().wait().unwrap_err();
        assert!(spares().is_empty());
    });
}

#[test]
fn who_asks_for_one_has_it_before_the_first_crash_and_always() {
    alone(|| {
        let frail = builder(Restart::Permanent).spare(true).spawn().unwrap();
        for life in 1..=5 {
            assert_eq!(frail.incarnation(), life);
            let waiting = spare();
            frail.abort().wait().unwrap_err();
            assert_eq!((frail.next().wait().unwrap(), frail.pid().unwrap()), (1, waiting));
        }
    });
}

#[test]
fn one_that_was_asked_for_is_kept_for_longer_than_others_and_replaced_when_it_is_killed() {
    alone(|| {
        let frail = builder(Restart::Transient).spare(true).spawn().unwrap();
        let first = spare();
        processes::kill(first);
        let mut second = None;
        eventually("another one", EVENT_TIMEOUT, || {
            second = spares().iter().map(|spare| spare.pid).find(|&pid| pid != first);
            second.is_some()
        });
        assert_eq!((frail.incarnation(), frail.next().wait().unwrap()), (1, 1));
        // A spare that is not used comes, and goes when its time is over. This one has been there for longer
        // then.
        let other = self::builder(Restart::Permanent).name("other").spawn().unwrap();
        crash(&other);
        let others = || processes::children(supervisor()).iter().any(|child| child.name == "phx-spare: othe");
        eventually("a spare of the other", EVENT_TIMEOUT, others);
        eventually("that it is gone", EVENT_TIMEOUT, || !others());
        assert_eq!(spares().first().map(|spare| spare.pid), second);
    });
}

#[test]
fn one_that_was_asked_for_is_the_next_process_of_who_is_recycled_and_goes_with_who_is_terminated() {
    alone(|| {
        let child = builder(Restart::Permanent).spare(true).recycle_after(2).reserve().unwrap();
        let frail = child.actor_ref();
        let supervisor = Supervisor::one_for_one().child("frail", child).start().unwrap();
        let spares = || {
            let all = processes::descendants(std::process::id()).into_iter();
            all.filter(|child| child.name == "phx-spare: frai").map(|child| child.pid).collect::<Vec<_>>()
        };
        for round in 1..=5 {
            eventually("one spare", EVENT_TIMEOUT, || spares().len() == 1);
            let waiting = spares()[0];
            assert_eq!((frail.next().wait().unwrap(), frail.next().wait().unwrap()), (1, 2));
            eventually("the next process", EVENT_TIMEOUT, || frail.incarnation() == round + 1);
            eventually("its pid", EVENT_TIMEOUT, || frail.pid().is_ok_and(|pid| pid == waiting));
        }
        supervisor.terminate_child("frail").unwrap();
        eventually("that the spare is gone", EVENT_TIMEOUT, || spares().is_empty());
        supervisor.restart_child("frail").unwrap();
        eventually("that there is one again", EVENT_TIMEOUT, || spares().len() == 1);
        supervisor.stop(EVENT_TIMEOUT).unwrap();
    });
}

#[test]
fn who_is_not_restarted_gets_none_even_if_it_asks() {
    alone(|| {
        let refused = builder(Restart::Temporary).spare(true).spawn();
        assert!(matches!(refused, Err(SpawnError::Option { .. })), "{refused:?}");
        // Temporary, as nothing else is said.
        let frail = Frail { served: 0 }.builder().spare(true).spawn().unwrap();
        assert_eq!(frail.next().wait().unwrap(), 1);
        assert_eq!(processes::children(supervisor()).len(), 1, "the actor");
    });
}
