//! Waiting for several things at a time.

use std::io::Write;
use std::os::fd::AsFd;
use std::process::Command;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{Pipe, wait_all, wait_any};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, alone, eventually};

const SHORT: Duration = Duration::from_millis(30);

#[task]
fn nap() {
    std::thread::sleep(FOREVER);
}

/// Ends when the other end does.
#[task]
fn wait_for(mut latch: Pipe<()>) {
    let _ = latch.recv();
}

#[actor]
struct Idler;

#[actor]
impl Idler {
    fn who(&self) -> u32 {
        std::process::id()
    }
}

#[test]
fn the_ready_ones_are_told_whatever_they_are() {
    alone(|| {
        let (mut ours, theirs) = phalanx::pipe::<u8, u8>().unwrap();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let (task, idler) = (nap::spawn().unwrap(), Idler.spawn().unwrap());
        let things: [&dyn AsFd; 4] = [&theirs, &reader, &task, &idler];
        assert_eq!(wait_any(&things, Some(SHORT)).unwrap(), [0; 0]);

        writer.write_all(b"x").unwrap();
        assert_eq!(wait_any(&things, None).unwrap(), [1]);
        ours.send(&1).unwrap();
        assert_eq!(wait_any(&things, None).unwrap(), [0, 1]);
        assert_eq!(wait_all(&things, Some(SHORT)).unwrap(), [0, 1]);
        task.kill().unwrap();
        idler.kill().unwrap();
        assert_eq!(wait_all(&things, Some(EVENT_TIMEOUT)).unwrap(), [0, 1, 2, 3]);
        // The deaths are known, not only near.
        assert!(task.join_timeout(Duration::ZERO).is_some() && !idler.is_alive());
        assert_eq!(wait_all(&things, None).unwrap(), [0, 1, 2, 3]);
    });
}

#[test]
fn an_empty_set_waits_the_time_out() {
    alone(|| {
        for wait in [wait_any::<Pipe<u8>>, wait_all::<Pipe<u8>>] {
            let start = Instant::now();
            assert_eq!(wait(&[], Some(SHORT)).unwrap(), [0; 0]);
            assert!(start.elapsed() >= SHORT);
            assert_eq!(wait(&[], None).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
        }
    });
}

#[test]
fn processes_are_told_as_they_end_and_wait_all_waits_for_the_last() {
    alone(|| {
        let (latches, processes): (Vec<_>, Vec<_>) = (0..5)
            .map(|_| {
                let (ours, theirs) = phalanx::pipe::<(), ()>().unwrap();
                (ours, wait_for::spawn(theirs).unwrap())
            })
            .unzip();
        assert_eq!(wait_any(&processes, Some(SHORT)).unwrap(), [0; 0]);
        let mut latches: Vec<_> = latches.into_iter().map(Some).collect();
        latches[3] = None;
        assert_eq!(wait_any(&processes, Some(EVENT_TIMEOUT)).unwrap(), [3]);
        assert_eq!(wait_all(&processes, Some(SHORT)).unwrap(), [3]);
        latches.clear();
        assert_eq!(wait_all(&processes, Some(EVENT_TIMEOUT)).unwrap(), [0, 1, 2, 3, 4]);
        processes.iter().for_each(|process| process.join().unwrap());
    });
}

#[test]
fn a_handle_can_be_read_once_its_death_is_known_and_not_before() {
    alone(|| {
        for round in 0..30 {
            let process = nap::spawn().unwrap();
            if round % 2 == 0 {
                // Asked for as soon as it lives, or only when it is dead.
                assert_eq!(wait_any(&[&process], Some(Duration::from_millis(1))).unwrap(), [0; 0]);
            }
            process.kill().unwrap();
            assert_eq!(wait_any(&[&process], Some(EVENT_TIMEOUT)).unwrap(), [0]);
            assert_eq!((process.exit_code(), process.is_alive()), (Some(-9), false));
        }
    });
}

#[test]
fn a_restart_is_not_the_end() {
    alone(|| {
        let idler = Idler.builder().restart(phalanx::Restart::Permanent).spawn().unwrap();
        let first = idler.who().wait().unwrap();
        assert_eq!(wait_any(&[&idler], Some(Duration::ZERO)).unwrap(), [0; 0]);
        assert!(Command::new("kill").args(["-9", &first.to_string()]).status().unwrap().success());
        eventually("the next process", EVENT_TIMEOUT, || idler.who().wait().unwrap() != first);
        let told = wait_any(&[&idler], Some(SHORT)).unwrap();
        assert!(idler.exit_reason().is_none(), "{told:?}");
        assert_eq!(wait_any(&[&idler], Some(SHORT)).unwrap(), [0; 0]);
        idler.stop(EVENT_TIMEOUT).unwrap();
        assert_eq!(wait_any(&[&idler], None).unwrap(), [0]);
    });
}

#[test]
fn a_supervisor_can_be_waited_for_like_others() {
    alone(|| {
        let supervisor = Supervisor::one_for_one().child("idler", Idler.builder()).start().unwrap();
        let start = Instant::now();
        let sentinel = [supervisor.sentinel().unwrap()];
        assert!(start.elapsed() < Duration::from_secs(1));
        assert_eq!(wait_any(&sentinel, Some(SHORT)).unwrap(), [0; 0]);
        supervisor.kill().unwrap();
        assert_eq!(wait_any(&sentinel, Some(EVENT_TIMEOUT)).unwrap(), [0]);
        assert!(supervisor.exit_reason().is_some());
    });
}

/// Each of the threads that ask used to take the news of the start away from the others, and to take it for
/// the end.
#[test]
fn nobody_is_told_of_an_end_that_is_none_however_many_ask_at_once() {
    alone(|| {
        for _ in 0..100 {
            let process = nap::spawn().unwrap();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| assert_eq!(wait_any(&[&process], Some(Duration::ZERO)).unwrap(), [0; 0]));
                }
            });
            process.kill().unwrap();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| assert_eq!(wait_all(&[&process], Some(EVENT_TIMEOUT)).unwrap(), [0]));
                }
            });
            assert!(process.exit_reason().is_some());
        }
    });
}

#[test]
fn a_child_that_was_ended_and_started_again_is_told_as_it_is() {
    alone(|| {
        let supervisor = Supervisor::one_for_one().start().unwrap();
        let idler = supervisor.start_child("idler", Idler.builder()).unwrap();
        // Polled from outside: no thread of this process is in a call of the library.
        let sentinel = idler.sentinel().unwrap().try_clone_to_owned().unwrap();
        let ended = |limit| wait_any(&[&sentinel], Some(limit)).unwrap() == [0];
        for _ in 0..3 {
            assert!(!ended(SHORT));
            supervisor.terminate_child("idler").unwrap();
            assert!(ended(EVENT_TIMEOUT) && idler.exit_reason().is_some());
            supervisor.restart_child("idler").unwrap();
            idler.who().wait().unwrap();
            eventually("its being alive again", EVENT_TIMEOUT, || !ended(Duration::ZERO));
        }
        supervisor.kill().unwrap();
        assert!(ended(EVENT_TIMEOUT));
    });
}
