//! Processes that start processes; the root supervisor and its death.

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, Program, alone, eventually, processes};

use super::nap;

#[task]
fn sum_of_squares(numbers: Vec<u64>) -> phalanx::Result<u64> {
    let tasks = numbers.into_iter().map(|n| Process::spawn(|n: u64| n * n, n));
    let tasks = tasks.collect::<Result<Vec<_>, _>>()?;
    let mut sum = 0;
    for task in tasks {
        sum += task.join()?;
    }
    Ok(sum)
}

#[test]
fn a_task_can_start_tasks_and_wait_for_them() {
    alone(|| assert_eq!(sum_of_squares::spawn((1..=5).collect()).unwrap().join().unwrap(), 55));
}

#[actor]
struct Upper {
    last: String,
}

#[actor]
impl Upper {
    fn upper(&mut self, text: String) -> String {
        self.last = text.to_uppercase();
        self.last.clone()
    }

    fn sleep(&self) {
        std::thread::sleep(FOREVER);
    }

    /// Starts a task; returns its pid, and whether it is a daemon.
    fn hire(&self, daemon: bool) -> phalanx::Result<(u32, bool)> {
        let process = nap::builder().daemon(daemon).spawn()?;
        Ok((process.pid(), process.daemon()))
    }
}

fn upper() -> ActorRef<Upper> {
    Upper { last: String::new() }.spawn().unwrap()
}

#[task]
fn through_an_actor(text: String) -> phalanx::Result<(String, Option<u32>)> {
    let actor = Upper { last: String::new() }.spawn()?;
    Ok((actor.upper(text).wait()?, phalanx::current().parent()))
}

#[test]
fn a_task_can_start_an_actor_which_ends_with_it() {
    alone(|| {
        let process = through_an_actor::spawn("deep".into()).unwrap();
        assert_eq!(process.join().unwrap(), ("DEEP".into(), Some(std::process::id())));
    });
}

#[task]
fn leave_a_task_running(latch: String) -> u32 {
    super::report::spawn(latch).unwrap().pid()
}

#[test]
fn a_task_that_returns_waits_for_what_it_has_started() {
    alone(|| {
        let latch = super::Latch::closed("latch");
        let process = leave_a_task_running::spawn(latch.path()).unwrap();
        assert_eq!(process.join_timeout(std::time::Duration::from_millis(200)), None);
        latch.open();
        assert!(!processes::exists(process.join().unwrap()));
    });
}

#[test]
fn what_a_daemon_starts_is_a_daemon_or_not_and_ends_with_it() {
    alone(|| {
        let daemon = Upper { last: String::new() }.builder().daemon(true).spawn().unwrap();
        let hired = [false, true].map(|flag| daemon.hire(flag).wait().unwrap());
        assert_eq!(hired.map(|(_, flag)| flag), [false, true]);
        assert!(hired.iter().all(|&(pid, _)| processes::runs(pid)));
        daemon.terminate().unwrap();
        assert!(daemon.join().is_orderly());
        eventually("their end", EVENT_TIMEOUT, || !hired.iter().any(|&(pid, _)| processes::exists(pid)));
    });
}

#[test]
fn an_actor_answers_until_it_is_stopped() {
    alone(|| {
        let actor = upper();
        assert_eq!(actor.upper("hello".into()).wait().unwrap(), "HELLO");
        assert_eq!(actor.upper("world".into()).wait().unwrap(), "WORLD");
        let reason = actor.stop(EVENT_TIMEOUT).unwrap();
        assert!(matches!(reason, ExitReason::Stopped(phalanx::StoppedBy::Ref)), "{reason}");
    });
}

#[test]
fn the_death_of_the_root_supervisor_is_told_to_all_and_the_next_spawn_starts_a_new_tree() {
    alone(|| {
        let actors = [upper(), upper()];
        let task = nap::spawn().unwrap();
        let pids = [actors[0].pid().unwrap(), actors[1].pid().unwrap(), task.pid()];
        let replies = actors.each_ref().map(|actor| actor.sleep());
        let queued = actors.each_ref().map(|actor| actor.upper("never".into()));

        let root = processes::root_supervisor(std::process::id()).unwrap();
        processes::kill(root);
        for error in replies.map(|reply| reply.wait().unwrap_err()) {
            assert!(matches!(&error, CallError::Died(ExitReason::SupervisorDied, _)), "{error}");
        }
        for error in queued.map(|reply| reply.wait().unwrap_err()) {
            assert!(matches!(&error, CallError::Died(ExitReason::SupervisorDied, _)), "{error}");
        }
        let error = task.join().unwrap_err();
        assert_eq!(error.exit_reason(), Some(&ExitReason::SupervisorDied));
        eventually("the end of the tree", EVENT_TIMEOUT, || !pids.iter().any(|&pid| processes::runs(pid)));
        for actor in &actors {
            assert!(!actor.is_alive());
            assert!(matches!(actor.upper("gone".into()).wait(), Err(CallError::Gone(_))));
        }

        assert_eq!(upper().upper("again".into()).wait().unwrap(), "AGAIN");
        eventually("one root supervisor, another one", EVENT_TIMEOUT, || {
            let now = processes::root_supervisor(std::process::id());
            now.is_some_and(|now| now != root)
        });
    });
}

/// A start that ran `main` again would start processes without end.
#[test]
fn main_runs_once_however_many_processes_it_starts() {
    let run = Program::new(env!("CARGO_BIN_EXE_scenario")).args(["counts-runs"]).start();
    assert_eq!(run.rest(), ["main runs", "one answers", "two answers", "three answers", "1"]);
    assert_eq!(run.finish(), 0);
}
