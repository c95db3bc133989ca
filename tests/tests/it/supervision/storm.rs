//! Many callers, and deaths of all kinds in between: a crash costs one message, and no caller waits in vain.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, processes};

use super::support::stage::{Crash, Stage, settled, stop};

/// Writes down each message once it is handled.
#[actor]
struct Clerk {
    book: PathBuf,
}

#[actor]
impl Clerk {
    fn enter(&self, caller: u64, number: u64) -> u64 {
        self.write(&format!("{caller} {number}\n"));
        number
    }

    #[tell]
    fn note(&self, caller: u64, number: u64) {
        self.write(&format!("{caller} {number}\n"));
    }
}

impl Clerk {
    fn write(&self, line: &str) {
        let book = OpenOptions::new().create(true).append(true).open(&self.book);
        book.and_then(|mut book| book.write_all(line.as_bytes())).unwrap();
    }
}

/// How many calls a caller has on their way at once.
const AT_ONCE: usize = 10;

/// Calls until the latch is there; returns the calls that got a reply, and how many were lost.
fn call(clerk: &ActorRef<Clerk>, caller: u64, latch: &Path) -> (Vec<u64>, usize) {
    let (mut answered, mut lost, mut next) = (Vec::new(), 0, 1);
    let mut calls: VecDeque<(u64, Reply<u64>)> = VecDeque::new();
    loop {
        let ends = latch.exists();
        while !ends && calls.len() < AT_ONCE {
            // Each number is that of a call or of a tell.
            if next % 7 == 0 {
                clerk.note(caller, next).unwrap();
            } else {
                calls.push_back((next, clerk.within(EVENT_TIMEOUT).enter(caller, next)));
            }
            next += 1;
        }
        let Some((number, reply)) = calls.pop_front() else { return (answered, lost) };
        match reply.wait() {
            Ok(answer) if answer == number => answered.push(number),
            Err(CallError::Died(..) | CallError::Stopped(_)) => lost += 1,
            other => panic!("{caller} {number}: {other:?}"),
        }
    }
}

#[track_caller]
fn check(book: &str, calls: &[(u64, (Vec<u64>, usize))], deaths: usize) {
    let mut handled: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for line in book.lines() {
        let (caller, number) = line.split_once(' ').unwrap();
        handled.entry(caller.parse().unwrap()).or_default().push(number.parse().unwrap());
    }
    for (caller, (answered, _)) in calls {
        let handled = &handled[caller];
        // In order, and none twice.
        assert!(handled.is_sorted_by(|one, next| one < next), "{caller}: {handled:?}");
        assert!(answered.iter().all(|number| handled.binary_search(number).is_ok()));
        assert!(answered.len() > 20, "{caller}: {}", answered.len());
    }
    let lost: usize = calls.iter().map(|(_, (_, lost))| lost).sum();
    assert!(lost <= deaths, "{lost} calls were lost by {deaths} deaths");
}

#[test]
fn a_crash_costs_one_message_whoever_dies_and_nobody_waits_in_vain() {
    alone(|| {
        let stage = Stage::new();
        let (book, latch) = (stage.latch("book").path(), stage.latch("end"));
        // It is replaced now and then, which costs nothing.
        let clerk = Clerk { book: book.clone() }.builder().recycle_after(100).reserve().unwrap();
        let clerk_ref = clerk.actor_ref();
        let middle =
            Supervisor::one_for_all().name("middle").intensity(1000, RESTART_WINDOW).child("clerk", clerk);
        let (middle, [sibling]) = stage.cast(middle, ["sibling"]);
        let middle = middle.reserve().unwrap();
        let middle_ref = middle.actor_ref();
        let top =
            Supervisor::one_for_one().name("top").intensity(1000, RESTART_WINDOW).child("middle", middle);
        let top = top.start().unwrap();

        let others: Vec<_> = (1..=2)
            .map(|caller| {
                let task =
                    |(clerk, caller, latch): (ActorRef<Clerk>, u64, PathBuf)| call(&clerk, caller, &latch);
                (caller, Process::spawn(task, (clerk_ref.clone(), caller, latch.path())).unwrap())
            })
            .collect();
        let (deaths, own) = thread::scope(|scope| {
            let own: Vec<_> = (11..=12)
                .map(|caller| {
                    let (clerk, latch) = (clerk_ref.clone(), latch.path());
                    (caller, scope.spawn(move || call(&clerk, caller, &latch)))
                })
                .collect();
            let mut deaths = 0;
            for round in 0..45 {
                thread::sleep(Duration::from_millis(20 + 7 * (round % 5)));
                match round % 3 {
                    0 | 1 => {
                        let pid = if round % 3 == 0 { clerk_ref.pid() } else { middle_ref.pid() };
                        let Ok(pid) = pid else { continue };
                        processes::kill(pid);
                        deaths += 1;
                        // Once it is reaped, what the refs say is of the next one.
                        eventually("its end", EVENT_TIMEOUT, || !processes::exists(pid));
                    }
                    // The clerk is stopped for its sake, and loses nothing.
                    _ => {
                        eventually("the sibling", EVENT_TIMEOUT, || sibling.if_up().count().wait().is_ok());
                        Crash::Sigkill.hit(&sibling);
                    }
                }
                eventually("the clerk", EVENT_TIMEOUT, || clerk_ref.is_alive() && middle_ref.is_alive());
            }
            latch.open();
            (
                deaths,
                own.into_iter()
                    .map(|(caller, calling)| (caller, calling.join().unwrap()))
                    .collect::<Vec<_>>(),
            )
        });
        let others = others.into_iter().map(|(caller, calling)| (caller, calling.join().unwrap()));
        let calls: Vec<_> = others.chain(own).collect();
        eventually("the tells", EVENT_TIMEOUT, || clerk_ref.depth() == 0);
        settled(&top, 1);
        settled(&middle_ref, 2);
        assert_eq!(clerk_ref.enter(0, 0).wait(), Ok(0));
        check(&fs::read_to_string(book).unwrap(), &calls, deaths);
        stop(&top);
    });
}

/// Terminated and restarted without a break, under the hands of its callers.
#[test]
fn a_call_that_was_stopped_before_its_turn_was_not_run_and_one_that_was_answered_was() {
    alone(|| {
        let stage = Stage::new();
        let (book, latch) = (stage.latch("book").path(), stage.latch("end"));
        let clerk = Clerk { book: book.clone() }.builder().reserve().unwrap();
        let clerk_ref = clerk.actor_ref();
        let supervisor = Supervisor::one_for_one().child("clerk", clerk).start().unwrap();
        let calls: Vec<_> = thread::scope(|scope| {
            let calling: Vec<_> = (1..=3)
                .map(|caller| {
                    let (clerk, latch) = (&clerk_ref, latch.path());
                    let calls = move || {
                        let outcomes = (1..)
                            .take_while(|_| !latch.exists())
                            .map(|number| (number, clerk.within(EVENT_TIMEOUT).enter(caller, number).wait()));
                        outcomes.collect::<Vec<_>>()
                    };
                    (caller, scope.spawn(calls))
                })
                .collect();
            for _ in 0..150 {
                supervisor.terminate_child("clerk").unwrap();
                supervisor.restart_child("clerk").unwrap();
                thread::sleep(Duration::from_millis(2));
            }
            latch.open();
            calling.into_iter().map(|(caller, calling)| (caller, calling.join().unwrap())).collect()
        });
        let book = fs::read_to_string(book).unwrap();
        let handled: BTreeSet<(u64, u64)> = book
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(caller, number)| (caller.parse().unwrap(), number.parse().unwrap()))
            .collect();
        assert_eq!(handled.len(), book.lines().count(), "none twice");
        let mut answered = 0;
        for (caller, outcomes) in calls {
            for (number, outcome) in outcomes {
                let was_run = handled.contains(&(caller, number));
                match outcome {
                    Ok(answer) => assert!(answer == number && was_run),
                    Err(error @ (CallError::Gone(_) | CallError::Stopped(_))) => {
                        assert!(!was_run, "{caller} {number} was run: {error}");
                    }
                    Err(other) => panic!("{caller} {number}, was run: {was_run}: {other}"),
                }
                answered += usize::from(was_run);
            }
        }
        assert!(answered > 100, "{answered}");
        stop(&supervisor);
    });
}
