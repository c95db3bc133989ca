//! How tasks end: by themselves, by signals, by panics, by limits.

use std::process;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, Program, alone, eventually, processes};

use super::nap;

fn signal_of<T, E>(outcome: Result<T, CallError<E>>) -> Option<i32> {
    outcome.err().and_then(|error| error.exit_reason().and_then(ExitReason::signal))
}

/// What a signal does to a sleeping task, and what is said of it.
fn ends_by(send: impl Fn(&Process<()>) -> Result<(), SendError>, signal: i32) {
    let process = nap::spawn().unwrap();
    assert_eq!(process.join_timeout(Duration::ZERO), None);
    assert!(process.is_alive());

    send(&process).unwrap();
    assert_eq!(signal_of(process.join()), Some(signal));
    assert_eq!(process.exit_code(), Some(-signal));
    assert!(!process.is_alive() && !processes::exists(process.pid()));

    assert_eq!(signal_of(process.join()), Some(signal));
    assert_eq!(signal_of(process.join_timeout(Duration::ZERO).unwrap()), Some(signal));
    for gone in [process.terminate(), process.kill(), process.interrupt()] {
        assert!(matches!(gone, Err(SendError::Gone(_))), "{gone:?}");
    }
}

#[test]
fn a_terminated_task_has_code_minus_15() {
    alone(|| ends_by(Process::terminate, 15));
}

#[test]
fn a_killed_task_has_code_minus_9() {
    alone(|| ends_by(Process::kill, 9));
}

#[test]
fn an_interrupted_task_has_code_minus_2() {
    alone(|| ends_by(Process::interrupt, 2));
}

#[test]
fn a_signal_from_outside_is_reported_as_what_it_is() {
    let from_outside = |process: &Process<()>| {
        processes::signal("USR1", i64::from(process.pid()));
        Ok(())
    };
    alone(move || ends_by(from_outside, 10));
}

#[test]
fn a_join_with_a_limit_is_never_early() {
    alone(|| {
        let process = nap::spawn().unwrap();
        let (limit, start) = (Duration::from_millis(150), Instant::now());
        assert_eq!(process.join_timeout(limit), None);
        assert!(start.elapsed() >= limit);
        process.kill().unwrap();
    });
}

#[test]
fn an_exit_code_is_reported_as_the_system_has_it() {
    alone(|| {
        for (code, seen) in [(0, 0), (8, 8), (256 + 3, 3)] {
            let process = Process::spawn(|code: i32| -> () { process::exit(code) }, code).unwrap();
            let error = process.join().unwrap_err();
            assert_eq!(error.exit_reason(), Some(&ExitReason::Exited(seen)), "{error}");
            assert_eq!(process.exit_code(), Some(seen));
        }
    });
}

#[test]
fn a_panic_is_reported_with_message_and_place() {
    alone(|| {
        let process = Process::spawn(|number: u32| -> () { panic!("cannot work with {number}") }, 7).unwrap();
        let error = process.join().unwrap_err();
        let Some(ExitReason::Panicked { message, location, .. }) = error.exit_reason() else {
            panic!("{error}")
        };
        assert_eq!(message, "cannot work with 7");
        assert!(location.contains("ends.rs:"), "{location}");
        assert_eq!(process.exit_code(), Some(101));
        assert!(error.to_string().contains("cannot work with 7"), "{error}");
    });
}

#[test]
fn the_whole_text_of_a_panic_is_on_standard_error() {
    let run = Program::new(env!("CARGO_BIN_EXE_scenario")).args(["task-panics"]).start();
    let said = run.rest();
    assert!(said[0].starts_with("true ") && said[0].contains("tasks.rs:"), "{said:?}");
    assert_eq!(said[1], "its exit code is that of its build: true");
    let text = run.rest_of_stderr();
    assert!(text.contains(&"long ".repeat(2000)), "{text:?}");
    let last = text.iter().position(|line| line == "last line").unwrap();
    assert_eq!(text[last - 1], "first line");
    assert_eq!(run.finish(), 0);
}

#[test]
fn a_hundred_short_tasks_all_end_with_0() {
    alone(|| {
        let tasks: Vec<_> = (0..100).map(|n: u64| Process::spawn(|n: u64| n * n, n).unwrap()).collect();
        for (n, task) in (0..).zip(&tasks) {
            assert_eq!((task.join().unwrap(), task.exit_code()), (n * n, Some(0)));
        }
    });
}

#[test]
fn a_hundred_sleepers_terminated_right_after_their_spawn_all_end_by_it() {
    alone(|| {
        let naps: Vec<_> = (0..100)
            .map(|_| {
                let process = nap::spawn().unwrap();
                process.terminate().unwrap();
                process
            })
            .collect();
        for process in &naps {
            assert_eq!(signal_of(process.join()), Some(15));
            assert_eq!(process.exit_code(), Some(-15));
        }
    });
}

/// A process that is stopped takes no notice of SIGTERM until it is continued.
#[test]
fn a_task_that_is_stopped_by_a_signal_goes_on_to_end() {
    alone(|| {
        let process = nap::spawn().unwrap();
        processes::signal("STOP", i64::from(process.pid()));
        eventually("a stopped task", EVENT_TIMEOUT, || processes::stat(process.pid()).unwrap().state == 'T');
        assert_eq!(process.stop(EVENT_TIMEOUT).unwrap().signal(), Some(15));
        assert_eq!(process.exit_code(), Some(-15));
    });
}

#[test]
fn a_stop_is_by_sigterm_if_that_is_enough() {
    alone(|| {
        let process = nap::spawn().unwrap();
        assert_eq!(process.stop(EVENT_TIMEOUT).unwrap().signal(), Some(15));
        assert!(matches!(process.stop(EVENT_TIMEOUT), Err(SendError::Gone(_))));
    });
}

#[test]
fn a_task_over_its_deadline_is_killed() {
    alone(|| {
        let limit = Duration::from_millis(200);
        let process = nap::builder().deadline(limit).spawn().unwrap();
        let error = process.join().unwrap_err();
        match error.exit_reason() {
            Some(ExitReason::DeadlineExceeded { after, .. }) => assert!(*after >= limit),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_task_over_its_memory_limit_is_out_of_memory() {
    alone(|| {
        // The optimiser must not leave the memory out.
        let fill = |bytes: usize| std::hint::black_box(vec![1_u8; bytes]).len();
        let process = Process::builder(fill, 1 << 30).memory(64 << 20).spawn().unwrap();
        let error = process.join().unwrap_err();
        assert_eq!(error.exit_reason(), Some(&ExitReason::OutOfMemory));
    });
}

#[test]
fn a_task_whose_handle_is_dropped_runs_on() {
    alone(|| {
        let latch = super::Latch::closed("latch");
        let pid = super::report::spawn(latch.path()).unwrap().pid();
        assert!(processes::runs(pid));
        latch.open();
        eventually("its own end", EVENT_TIMEOUT, || !processes::exists(pid));
    });
}

#[test]
fn a_monitor_tells_the_end_once() {
    alone(|| {
        let process = nap::builder().name("napper").spawn().unwrap();
        let (mut monitor, mut late) = (process.monitor(), process.monitor());
        assert_eq!(monitor.try_recv(), None);
        process.kill().unwrap();
        let down = monitor.recv();
        assert_eq!((&*down.who.name, down.who.pid, down.incarnation), ("napper", process.pid(), 1));
        assert_eq!(down.reason.signal(), Some(9));
        assert_eq!(late.recv_timeout(EVENT_TIMEOUT), Some(down.clone()));
        // One that was made after the end.
        assert_eq!(process.monitor().recv(), down);
    });
}
