//! In which order children start and stop.

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, processes};

use super::support::stage::{CRASHES, Stage, processes_of, reserved, settled, stop, stopped_by_supervisor};

/// As OTP's `order_of_children`. The ids are not in alphabetical order.
#[test]
fn children_start_in_order_and_stop_in_reverse() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let supervisor = Supervisor::rest_for_one().name("ordered");
            let (supervisor, children) = stage.cast(supervisor, ["e", "b", "d", "a", "c"]);
            let supervisor = supervisor.start().unwrap();
            stage.says("+e +b +d +a +c");
            let before = processes_of(&children);

            crash.hit(&children[2]);
            settled(&supervisor, 5);
            stage.says("-c -a +d +a +c");
            let after = processes_of(&children);
            assert_eq!(before[..2], after[..2], "{crash:?}");
            for (before, after) in before[2..].iter().zip(&after[2..]) {
                assert_eq!(after.0, before.0 + 1);
                assert!(after.1 != before.1 && !processes::exists(before.1));
            }

            stop(&supervisor);
            stage.says("-c -a -d -b -e");
            for child in &children {
                assert_eq!(child.join(), stopped_by_supervisor());
                assert!(!child.is_alive());
            }
        }
    });
}

#[test]
fn a_child_starts_when_the_one_before_it_is_ready() {
    alone(|| {
        let stage = Stage::new();
        let (first, its_ref) = stage.reserve("first");
        let second = Late::builder(its_ref.clone());
        let supervisor =
            Supervisor::one_for_one().child("first", first).child("second", second).start().unwrap();
        // The init of the second has asked the first.
        assert_eq!(its_ref.count().wait().unwrap(), 2);
        stop(&supervisor);
    });
}

/// Asks another actor before it is ready.
#[actor]
struct Late;

#[actor]
impl Late {
    #[init]
    fn new(first: ActorRef<super::support::stage::Worker>) -> Result<Late, String> {
        match first.if_up().count().wait() {
            Ok(1) => Ok(Late),
            other => Err(format!("{other:?}")),
        }
    }
}

#[test]
fn refs_can_be_given_to_siblings_before_anybody_runs_in_cycles_too() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let crasher = stage.reserve("crasher");
            let [one, two, three] = ["one", "two", "three"]
                .map(|name| Neighbour { next: None }.builder().name(name).reserve().unwrap());
            let refs = [&one, &two, &three].map(|neighbour| neighbour.actor_ref());
            let knowing = |next: &ActorRef<Neighbour>| Neighbour { next: Some(next.clone()) }.builder();
            let (one, two, three) =
                (one.with(knowing(&refs[1])), two.with(knowing(&refs[2])), three.with(knowing(&refs[0])));
            // Sent before there is a process; served after the start.
            let early = refs[0].pass_on(2);
            let supervisor = Supervisor::one_for_all()
                .child("one", one)
                .child("two", two)
                .child("three", three)
                .child("crasher", crasher.0)
                .start()
                .unwrap();
            assert_eq!(early.wait().unwrap(), ["one", "two", "three"]);
            assert_eq!(refs[1].pass_on(1).wait().unwrap(), ["two", "three"]);

            // The refs in their states are as good in the next processes.
            crash.hit(&crasher.1);
            settled(&supervisor, 4);
            assert_eq!(refs[2].pass_on(2).wait().unwrap(), ["three", "one", "two"]);
            assert_eq!(refs[2].name(), "three");
            assert_eq!(refs.map(|neighbour| neighbour.incarnation()), [2, 2, 2]);
            stop(&supervisor);
        }
    });
}

/// Knows one other.
#[actor]
struct Neighbour {
    next: Option<ActorRef<Neighbour>>,
}

#[actor]
impl Neighbour {
    /// Its name, and those of so many more.
    fn pass_on(&self, more: u32) -> Result<Vec<String>, String> {
        let mut names = vec![phalanx::current().name().to_owned()];
        if more > 0 {
            let next = self.next.as_ref().ok_or("nobody is next")?;
            names.extend(next.pass_on(more - 1).wait().map_err(|error| error.to_string())?);
        }
        Ok(names)
    }
}

#[test]
fn what_is_sent_before_the_start_is_served_after_it_in_order() {
    alone(|| {
        let stage = Stage::new();
        let (worker, its_ref) = reserved(stage.worker("a").mailbox(1000));
        assert!(!its_ref.is_alive());
        assert!(matches!(its_ref.pid(), Err(SendError::Unavailable(_))));
        assert!(matches!(its_ref.if_up().count().wait(), Err(CallError::Unavailable(_))));
        let calls: Vec<_> = (0..500).map(|number| its_ref.number(number)).collect();
        its_ref.note("after".into()).unwrap();
        let supervisor = Supervisor::one_for_one().child("a", worker).start().unwrap();
        for (number, call) in (0..500).zip(calls) {
            assert_eq!(call.wait().unwrap(), (number, number + 1, 1));
        }
        stage.says("+a after");
        stop(&supervisor);
    });
}

#[test]
fn a_reserved_worker_that_nobody_starts_is_gone() {
    alone(|| {
        let stage = Stage::new();
        let (worker, its_ref) = stage.reserve("a");
        let call = its_ref.count();
        drop(worker);
        let error = call.wait().unwrap_err();
        assert!(
            matches!(error, CallError::Died(ExitReason::SupervisorDied, _) | CallError::Gone(_)),
            "{error}"
        );
        assert!(matches!(its_ref.count().wait(), Err(CallError::Gone(_))));
        assert!(its_ref.join_timeout(EVENT_TIMEOUT).is_some());
    });
}
