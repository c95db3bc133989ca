//! Copies of the program and of actors: forks without exec.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use phalanx::pool::TaskError;
use phalanx::prelude::*;
use phalanx::sync::Lock;
use phalanx::{ExitReason, Pool, Queue};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, alone, eventually, forks, processes};

use crate::scenario::{self, output};

#[actor]
struct Echo;

#[actor]
impl Echo {
    fn echo(&self, number: u64) -> u64 {
        number
    }

    fn sleep(&self) {
        std::thread::sleep(FOREVER);
    }

    /// Comes back in two processes; the original returns the copy's pid.
    fn fork(&self) -> u32 {
        forks::twice().unwrap_or_default()
    }

    /// Panics in the copy; the original returns how that has ended.
    fn fork_and_panic(&self) -> i32 {
        match forks::twice() {
            Some(copy) => forks::wait(copy),
            None => panic!("in the copy"),
        }
    }

    /// What a copy of an actor can do, and what not.
    fn try_in_copy(&self, other: ActorRef<Echo>) {
        forks::in_copy(|| {
            assert_eq!(other.echo(8).wait().unwrap(), 8);
            let refused = Echo.spawn().unwrap_err().to_string();
            assert!(refused.contains("a copy, made by fork"), "{refused}");
            assert!(phalanx::myself::<Echo>().is_none());
            assert!(phalanx::current().any().is_err());
            phalanx::shutdown();
        });
    }

    fn who(&self) -> u32 {
        std::process::id()
    }

    /// Ends the copy in an orderly way, as the original could.
    fn fork_and_exit(&self) -> i32 {
        match forks::twice() {
            Some(copy) => forks::wait(copy),
            None => phalanx::exit_actor(),
        }
    }
}

#[task]
fn fork_and_return() -> u32 {
    forks::twice().map_or(0, |copy| {
        forks::wait(copy);
        std::process::id()
    })
}

#[test]
fn a_copy_of_the_program_and_the_original_get_their_own_answers() {
    alone(|| {
        let echo = Echo.spawn().unwrap();
        assert_eq!(echo.echo(1).wait().unwrap(), 1);
        let ask = |from: u64| {
            for number in from..from + 2000 {
                assert_eq!(echo.echo(number).wait_timeout(EVENT_TIMEOUT).unwrap(), number);
            }
        };
        let copy = forks::copy(|| ask(1_000_000));
        ask(2_000_000);
        assert_eq!(forks::wait(copy), 0);
    });
}

#[test]
fn the_same_while_other_threads_of_the_original_ask() {
    alone(|| {
        let echo = Echo.spawn().unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let (echo, over) = (&echo, &over);
                scope.spawn(move || {
                    for number in thread << 32.. {
                        assert_eq!(echo.echo(number).wait().unwrap(), number);
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                });
            }
            // Whatever they have locked at that moment.
            for _ in 0..50 {
                forks::in_copy(|| assert_eq!(echo.echo(7).wait_timeout(EVENT_TIMEOUT).unwrap(), 7));
            }
            over.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn what_a_copy_drops_is_still_the_originals() {
    alone(|| {
        let echo = Echo.spawn().unwrap();
        let lock = Lock::new(0_u64).unwrap();
        let jobs = Queue::bounded(4).unwrap();
        jobs.put(1_u8).unwrap();
        // Of these, the original has one each, and so has the copy.
        let mut reply = Some(echo.echo(5));
        let mut guard = Some(lock.lock().unwrap());
        let mut lease = Some(jobs.lease().unwrap());
        let mut echo = Some(echo);
        forks::in_copy(|| {
            let error = reply.take().unwrap().wait().unwrap_err();
            assert!(
                matches!(&error, CallError::Unreachable(why, _) if why.contains("made by fork")),
                "{error}"
            );
            drop((guard.take(), lease.take()));
            assert!(jobs.try_get().is_err());
            assert!(lock.try_lock().is_err());
            drop(echo.take());
        });
        let echo = echo.unwrap();
        assert_eq!(reply.unwrap().wait().unwrap(), 5);
        echo.kill().unwrap();
        // The copy has not stopped the original's watch on it.
        assert!(echo.join_timeout(EVENT_TIMEOUT).is_some());
    });
}

#[test]
fn a_death_is_heard_of_in_copies_too() {
    alone(|| {
        let echo = Echo.spawn().unwrap();
        let mut monitor = echo.monitor();
        let asleep = echo.sleep();
        let copy = forks::copy(|| {
            assert!(matches!(monitor.recv_timeout(EVENT_TIMEOUT).unwrap().reason, ExitReason::Killed { .. }));
            assert!(echo.join_timeout(EVENT_TIMEOUT).is_some());
            assert!(matches!(echo.echo(1).wait(), Err(CallError::Gone(_))));
        });
        echo.kill().unwrap();
        assert!(matches!(asleep.wait(), Err(CallError::Died(..))));
        assert_eq!(forks::wait(copy), 0);
    });
}

#[test]
fn a_copy_of_the_program_starts_a_tree_of_its_own() {
    alone(|| {
        let echo = Echo.builder().registered("echo").spawn().unwrap();
        forks::in_copy(|| {
            assert!(phalanx::children().is_empty());
            let own = Echo.builder().registered("echo").spawn().unwrap();
            assert_eq!(own.echo(1).wait().unwrap(), 1);
            assert_ne!(own.id(), echo.id());
            phalanx::shutdown();
            assert!(!own.is_alive());
        });
        assert_eq!(echo.echo(2).wait().unwrap(), 2);
    });
}

#[test]
fn a_copy_of_an_actor_does_not_serve_its_mailbox() {
    alone(|| {
        let echo = Echo.spawn().unwrap();
        let own = echo.pid().unwrap();
        let copy = echo.fork().wait().unwrap();
        assert!((0..200).all(|_| echo.who().wait().unwrap() == own));
        assert_ne!(copy, 0);
        eventually("the copy's end", EVENT_TIMEOUT, || !processes::runs(copy));
        assert_eq!(echo.handled(), 201);
    });
}

#[test]
fn what_happens_in_a_copy_of_an_actor_is_not_said_of_the_original() {
    alone(|| {
        let echo = Echo.spawn().unwrap();
        assert_eq!(echo.fork_and_panic().wait().unwrap(), 70);
        assert_eq!(echo.fork_and_exit().wait().unwrap(), 0);
        assert_eq!(echo.echo(3).wait().unwrap(), 3);
        echo.kill().unwrap();
        assert!(matches!(echo.join(), ExitReason::Killed { .. }), "{:?}", echo.exit_reason());
    });
}

#[test]
fn a_copy_of_an_actor_may_ask_others_and_starts_nothing() {
    alone(|| {
        let (echo, other) = (Echo.spawn().unwrap(), Echo.spawn().unwrap());
        echo.try_in_copy(other.clone()).wait().unwrap();
        assert_eq!((echo.echo(1).wait().unwrap(), other.echo(2).wait().unwrap()), (1, 2));
    });
}

#[test]
fn a_task_that_comes_back_twice_has_one_result() {
    alone(|| {
        let task = fork_and_return::spawn().unwrap();
        let pid = task.pid();
        assert_eq!(task.join().unwrap(), pid);
    });
}

#[test]
fn a_copy_that_returns_from_main_leaves_the_originals_actors_alone() {
    assert_eq!(
        output("forks"),
        ["the copy returns", "the copy has ended with 0", "the actor is there", "actor stopped"]
    );
}

#[test]
fn a_program_that_has_gone_into_the_background_starts_anew_and_ends_in_order() {
    let run = scenario::start("forks-in-background");
    assert_eq!(run.rest(), ["before", "gone", "after", "main ends", "after stopped"]);
    assert_eq!(run.rest_of_stderr(), [""; 0]);
    assert_eq!(run.finish(), 0);
}

#[test]
fn a_handler_that_comes_back_twice_says_so_and_one_of_them_goes_on() {
    let run = scenario::start("forks-in-handler");
    assert_eq!(run.rest(), ["the original has answered: true; others: 0"]);
    let said = run.rest_of_stderr();
    assert!(said.len() == 1 && said[0].contains("is a copy of `forker`, made by fork"), "{said:?}");
    assert_eq!(run.finish(), 0);
}

#[test]
fn a_signal_to_a_copy_is_none_to_the_original() {
    assert_eq!(
        output("forks-signalled"),
        ["the copy has ended with -15", "the actor is there", "actor stopped"]
    );
}

#[test]
fn a_ref_is_good_in_exit_functions_and_in_destructors_of_thread_locals() {
    let told =
        ["asked on a thread", "asked by a thread-local", "answered", "asked in an exit function", "answered"];
    assert_eq!(output("asks-at-exit"), told);
}

fn fork_and_square(n: u64) -> u64 {
    if let Some(copy) = forks::twice() {
        forks::wait(copy);
    }
    n * n
}

#[test]
fn a_pool_is_closed_in_a_copy_and_its_tasks_are_the_originals() {
    alone(|| {
        let pool = Pool::builder().workers(1).build().unwrap();
        assert_eq!(pool.run(|n: u64| n + 1, 1).unwrap(), 2);
        let mut slow = Some(pool.submit(
            |n: u64| {
                std::thread::sleep(Duration::from_millis(200));
                n
            },
            7,
        ));
        let mut pool = Some(pool);
        forks::in_copy(|| {
            assert!(matches!(slow.take().unwrap().wait(), Err(TaskError::Unreachable(..))));
            let pool = pool.take().unwrap();
            assert!(matches!(pool.run(|n: u64| n, 1), Err(TaskError::Unreachable(..))));
            assert!(pool.map(|n: u64| n, 0..3).is_err());
        });
        assert_eq!(slow.unwrap().wait().unwrap(), 7);
        assert_eq!(pool.unwrap().run(fork_and_square, 3).unwrap(), 9);
    });
}
