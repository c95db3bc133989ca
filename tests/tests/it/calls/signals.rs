//! Signals that arrive while a caller waits: no error, no loss, no early timeout.

use std::process::{self, Child, Command};
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx_tests::{alone, processes};

use super::log;

/// A shell that sends the signals, round and round, until it is dropped or done.
struct Shower(Child);

impl Shower {
    /// `pauses` of the targets are stopped and continued each time.
    fn over(targets: &[u32], times: u32, pauses: &[u32]) -> Shower {
        let list = |pids: &[u32]| pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let (targets, pauses) = (list(targets), list(pauses));
        let pause = if pauses.is_empty() {
            String::new()
        } else {
            format!("kill -STOP {pauses}; kill -CONT {pauses};")
        };
        let script = format!(
            "i=0; while [ $i -lt {times} ]; do \
             kill -URG {targets}; kill -WINCH {targets}; kill -CHLD {targets}; kill -CONT {targets}; {pause} \
             i=$((i+1)); done 2>/dev/null"
        );
        Shower(Command::new("sh").args(["-c", &script]).spawn().unwrap())
    }

    fn is_over(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Shower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until the shower is over, a hundred times at least.
fn ask_through(shower: &mut Shower, log: &ActorRef<super::Log>) {
    let mut number = 0;
    while number < 100 || !shower.is_over() {
        assert_eq!(log.ask(0, number).wait().unwrap(), (0, number));
        log.tell(0, number + 1).unwrap();
        number += 2;
    }
    let entries = log.entries().wait().unwrap();
    assert!(entries.into_iter().map(|(_, number)| number).eq(0..number));
}

#[test]
fn a_thousand_signals_disturb_neither_caller_nor_actor_nor_supervisor() {
    alone(|| {
        let log = log();
        let supervisor = processes::root_supervisor(process::id()).unwrap();
        let targets = [process::id(), log.pid().unwrap(), supervisor];
        ask_through(&mut Shower::over(&targets, 1000, &[]), &log);
    });
}

#[test]
fn stopping_and_continuing_either_side_loses_nothing() {
    alone(|| {
        let log = log();
        let targets = [process::id(), log.pid().unwrap()];
        // The supervisor, too: its one wait is interrupted each time.
        let supervisor = processes::root_supervisor(process::id()).unwrap();
        let pauses = [log.pid().unwrap(), supervisor];
        ask_through(&mut Shower::over(&targets, 400, &pauses), &log);
    });
}

#[test]
fn a_caller_that_is_stopped_and_continued_waits_on_and_never_less_than_it_should() {
    alone(|| {
        let log = log();
        let mut shower = Shower::over(&[process::id()], 300, &[process::id()]);
        let mut rounds = 0;
        while rounds < 3 || !shower.is_over() {
            assert_eq!(log.half(2 * rounds).wait(), Ok(rounds));
            wait_in_two_parts(&log);
            rounds += 1;
        }
    });
}

fn wait_in_two_parts(log: &ActorRef<super::Log>) {
    let limit = Duration::from_millis(20);
    let start = Instant::now();
    let mut reply = log.sleep(3 * limit);
    match reply.wait_timeout(limit) {
        // The stop has lasted longer than both.
        Ok(_) => {}
        Err(CallError::Timeout(_)) => {
            assert!(start.elapsed() >= limit, "after {:?}", start.elapsed());
            assert_eq!(reply.wait().unwrap(), 3 * limit);
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn signals_during_a_long_ask_do_not_end_it() {
    alone(|| {
        let log = log();
        let targets = [process::id(), log.pid().unwrap()];
        let shower = Shower::over(&targets, 5000, &[]);
        let time = Duration::from_millis(500);
        let start = Instant::now();
        assert_eq!(log.sleep(time).wait().unwrap(), time);
        assert!(start.elapsed() >= time);
        assert_eq!(log.join_timeout(Duration::from_millis(100)), None);
        drop(shower);
    });
}

#[test]
fn signals_during_a_start_and_a_join_do_not_disturb_them() {
    alone(|| {
        let supervisor = {
            let _first = log();
            processes::root_supervisor(process::id()).unwrap()
        };
        let mut shower = Shower::over(&[process::id(), supervisor], 1000, &[supervisor]);
        let mut rounds = 0;
        while rounds < 10 || !shower.is_over() {
            let log = log();
            assert_eq!(log.ask(0, 0).wait().unwrap(), (0, 0));
            log.kill().unwrap();
            assert_eq!(log.join().signal(), Some(9));
            rounds += 1;
        }
    });
}

#[test]
fn a_large_message_goes_through_a_shower_of_signals() {
    alone(|| {
        let mirror = Mirror.spawn().unwrap();
        let targets = [process::id(), mirror.pid().unwrap()];
        let mut shower = Shower::over(&targets, 600, &[mirror.pid().unwrap()]);
        let text = "0123456789abcdef".repeat(1 << 20);
        let mut rounds = 0;
        while rounds < 3 || !shower.is_over() {
            assert!(mirror.mirror(text.clone()).wait().unwrap() == text);
            rounds += 1;
        }
    });
}

#[actor]
struct Mirror;

#[actor]
impl Mirror {
    fn mirror(&self, text: String) -> String {
        text
    }
}
