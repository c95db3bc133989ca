//! Many calls under way at once: no reply is lost to a caller that reads as fast as it gets to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{Answer, Later};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, Latch, alone, eventually, processes};

use super::go_on;

#[actor]
struct Echo {
    owed: Vec<Answer<u64>>,
}

#[actor]
impl Echo {
    #[init]
    fn new() -> Self {
        Echo { owed: Vec::new() }
    }

    fn echo(&self, number: u64) -> u64 {
        number
    }

    fn hold(&self, latch: Latch) {
        latch.pass();
    }

    /// Replies when it is told to.
    fn owe(&mut self) -> Later<u64> {
        let (later, answer) = phalanx::later();
        self.owed.push(answer);
        later
    }

    #[tell]
    fn pay(&mut self, most: usize) {
        for answer in self.owed.drain(..).take(most) {
            let _ = answer.send(1);
        }
    }

    fn owed(&self) -> usize {
        self.owed.len()
    }
}

/// More threads that want to run than there are cores, so that no reader runs at once.
fn busily(work: impl FnOnce()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        work();
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn two_thousand_tasks_of_an_executor_have_their_answers_on_a_busy_machine() {
    alone(|| {
        let echo = Echo::builder().mailbox(4096).spawn().unwrap();
        busily(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
            let failed = runtime.block_on(async {
                let tasks: Vec<_> = (0..2000)
                    .map(|number| {
                        let echo = echo.clone();
                        tokio::spawn(async move { echo.echo(number).await })
                    })
                    .collect();
                let mut failed = Vec::new();
                for (number, task) in (0..).zip(tasks) {
                    match task.await.unwrap() {
                        Ok(same) if same == number => {}
                        other => failed.push(other),
                    }
                }
                failed
            });
            assert!(failed.is_empty(), "{} failed, such as {:?}", failed.len(), failed.first());
        });
    });
}

/// The bound: as many as an actor keeps for a caller that does not get to read.
#[test]
fn calls_beyond_what_may_be_under_way_are_full_and_others_wait_for_room() {
    const MOST: usize = 16 * 1024;
    alone(|| {
        let echo = Echo::builder().mailbox(4096).spawn().unwrap();
        let mut owed: Vec<_> = (0..MOST).map(|_| echo.within(FOREVER).owe()).collect();
        match echo.try_owe() {
            Err(TrySendError { error: SendError::Full(_), .. }) => {}
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("more than {MOST} are under way"),
        }
        let limit = Duration::from_millis(200);
        assert!(matches!(echo.within(limit).owed().wait(), Err(CallError::Full(_))));
        // A tell is no call.
        echo.pay(MOST).unwrap();
        // A caller that waits for room gets it, and every caller has a reply.
        assert_eq!(echo.owed().wait().unwrap(), 0);
        assert!(owed.drain(..).all(|reply| reply.wait() == Ok(1)));
        assert_eq!(echo.echo(7).wait().unwrap(), 7);
    });
}

/// Calls whose `Reply` is dropped are under way until their replies have come.
#[test]
fn calls_whose_replies_are_dropped_give_their_places_back() {
    alone(|| {
        let echo = Echo::spawn().unwrap();
        for number in 0..20_000 {
            drop(echo.echo(number));
        }
        assert_eq!(echo.echo(7).wait().unwrap(), 7);
        // Calls without a reply, when their deadlines have passed.
        for _ in 0..17_000 {
            drop(echo.within(Duration::from_millis(100)).owe());
        }
        assert_eq!(echo.echo(8).wait().unwrap(), 8);
    });
}

/// Asks, and falls asleep before it reads; returns how many replies it has when it is woken.
#[task]
fn ask_and_sleep(echo: ActorRef<Echo>, calls: u64) -> u64 {
    let replies: Vec<_> = (0..calls).map(|number| echo.within(FOREVER).echo(number)).collect();
    let stopped = std::process::Command::new("sh").args(["-c", "kill -STOP $PPID"]).status();
    assert!(stopped.is_ok_and(|status| status.success()));
    (0..).zip(replies).filter_map(|(number, reply)| reply.wait().ok().filter(|same| *same == number)).count()
        as u64
}

#[test]
fn four_thousand_answers_wait_for_a_caller_that_sleeps() {
    const CALLS: u64 = 4000;
    alone(|| {
        let echo = Echo::builder().mailbox(4096).spawn().unwrap();
        // Busy, until all of them are in its mailbox.
        let latch = Latch::new("latch");
        let held = echo.hold(latch.clone());
        let caller = ask_and_sleep::spawn(echo.clone(), CALLS).unwrap();
        let asleep = || processes::stat(caller.pid()).is_some_and(|stat| stat.state == 'T');
        eventually("the caller to fall asleep", EVENT_TIMEOUT, asleep);
        eventually("all calls to be queued", EVENT_TIMEOUT, || echo.depth() as u64 == CALLS);
        latch.open();
        held.wait().unwrap();
        eventually("all calls to be handled", EVENT_TIMEOUT, || echo.handled() == CALLS + 1);
        go_on(caller.pid());
        assert_eq!(caller.join_timeout(EVENT_TIMEOUT).expect("it ends").unwrap(), CALLS);
        latch.remove();
    });
}
