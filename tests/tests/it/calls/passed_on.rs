//! Errors of other actors, passed on by the one that called them.

use phalanx::pool::TaskError;
use phalanx::prelude::*;
use phalanx::{ExitReason, Pool};
use phalanx_tests::alone;

/// Asks others, and returns what came of it.
#[actor]
struct Between;

#[actor]
impl Between {
    fn call(&self, other: ActorRef<Other>, what: u32) -> Result<u32, CallError<String>> {
        other.answer(what).wait()
    }

    fn start(&self) -> Result<ActorRef<Other>, SpawnError> {
        Other::spawn(1)
    }

    fn run(&self, n: u64) -> Result<Vec<u64>, TaskError> {
        let pool = Pool::builder().workers(1).build().unwrap();
        pool.map(|n: u64| if n == 1 { std::process::abort() } else { n }, 0..n)
    }
}

#[actor]
struct Other;

#[actor]
impl Other {
    #[init]
    fn new(what: u32) -> Result<Other, String> {
        if what == 0 { Ok(Other) } else { Err("not today".to_owned()) }
    }

    fn answer(&self, what: u32) -> Result<u32, String> {
        match what {
            0 => std::process::exit(3),
            1 => Err("one".to_owned()),
            n => Ok(n),
        }
    }
}

#[test]
fn an_error_arrives_as_the_one_that_was_passed_on() {
    alone(|| {
        let (between, other) = (Between.spawn().unwrap(), Other::spawn(0).unwrap());
        let pid = other.pid().unwrap();
        assert_eq!(between.call(other.clone(), 2).wait(), Ok(2));
        let own = between.call(other.clone(), 1).wait();
        assert_eq!(own, Err(CallError::App(CallError::App("one".to_owned()))));
        let died = between.call(other.clone(), 0).wait().unwrap_err();
        let CallError::App(CallError::Died(ExitReason::Exited(3), at)) = &died else { panic!("{died}") };
        assert_eq!((at.actor(), at.method(), at.pid()), ("Other", "answer", Some(pid)));
        assert!(died.to_string().contains("the actor died: exited with code 3"), "{died}");
        let gone = between.call(other, 0).wait().unwrap_err();
        let CallError::App(CallError::Gone(at)) = &gone else { panic!("{gone}") };
        assert_eq!(at.ended(), Some(&ExitReason::Exited(3)));

        let refused = between.start().wait().unwrap_err();
        let CallError::App(SpawnError::InitFailed { actor, error }) = &refused else { panic!("{refused}") };
        assert_eq!((actor.as_str(), error.as_str()), ("Other", "not today"));

        assert_eq!(between.run(1).wait(), Ok(vec![0]));
        let lost = between.run(3).wait().unwrap_err();
        let CallError::App(TaskError::Died(reason, at)) = &lost else { panic!("{lost}") };
        assert_eq!((reason.signal(), at.item()), (Some(6), Some(1)));
    });
}
