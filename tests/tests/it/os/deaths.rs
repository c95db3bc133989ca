//! Deaths and hangs of single actors, as their callers see them.

use std::fs;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, alone, eventually, processes};

#[actor]
struct Subject;

#[actor]
impl Subject {
    fn sleep(&self) {
        thread::sleep(FOREVER);
    }

    #[tell]
    fn hang(&self) {
        thread::sleep(FOREVER);
    }

    fn exit(&self, code: i32) {
        std::process::exit(code)
    }

    fn length(&self, bytes: String) -> usize {
        bytes.len()
    }

    /// Has itself stopped, as a debugger or a full terminal does it.
    fn freeze(&self) {
        processes::signal("STOP", i64::from(std::process::id()));
        thread::sleep(FOREVER);
    }

    /// Keeps the addresses of others open.
    fn know(&mut self, others: Vec<ActorRef<Subject>>) -> usize {
        let count = others.len();
        std::mem::forget(others);
        count
    }
}

#[test]
fn the_death_of_an_actor_is_told_although_others_hold_its_mailbox() {
    alone(|| {
        let [victim, one, two] = [(); 3].map(|()| Subject.spawn().unwrap());
        for other in [&one, &two] {
            assert_eq!(other.know(vec![victim.clone()]).wait().unwrap(), 1);
        }
        let (in_progress, queued) = (victim.sleep(), victim.sleep());
        let mut monitor = victim.monitor();
        eventually("the message in progress", EVENT_TIMEOUT, || victim.depth() == 1);
        victim.kill().unwrap();
        for error in [in_progress.wait().unwrap_err(), queued.wait().unwrap_err()] {
            assert_eq!(error.exit_reason().and_then(ExitReason::signal), Some(9), "{error}");
        }
        let down = monitor.recv_timeout(EVENT_TIMEOUT).unwrap();
        assert_eq!(down.in_progress.unwrap().method, "sleep");
        assert_eq!(one.length("abc".into()).wait().unwrap(), 3);
    });
}

#[test]
fn a_handler_over_its_deadline_is_killed_even_if_its_process_is_stopped() {
    alone(|| {
        let limit = Duration::from_millis(500);
        let actor = Subject.builder().deadline(limit).spawn().unwrap();
        let start = Instant::now();
        let error = actor.freeze().wait().unwrap_err();
        assert!(start.elapsed() >= limit);
        match error.exit_reason() {
            Some(ExitReason::DeadlineExceeded { method, after }) => {
                assert_eq!(method, "freeze");
                assert!(*after >= limit);
            }
            other => panic!("{other:?}"),
        }
        assert!(!actor.is_alive());
    });
}

#[test]
fn an_actor_outlives_the_thread_that_has_spawned_it() {
    alone(|| {
        // The root supervisor is started by that thread, too.
        let actor = thread::spawn(|| Subject.spawn().unwrap()).join().unwrap();
        let pid = actor.pid().unwrap();
        assert_eq!(actor.join_timeout(Duration::from_secs(1)), None);
        assert_eq!(actor.length("abc".into()).wait().unwrap(), 3);
        assert_eq!(actor.pid().unwrap(), pid);
    });
}

#[test]
fn an_exit_with_137_is_not_a_sigkill() {
    alone(|| {
        let [exits, killed] = [(); 2].map(|()| Subject.spawn().unwrap());
        let error = exits.exit(137).wait().unwrap_err();
        assert!(matches!(&error, CallError::Died(ExitReason::Exited(137), _)), "{error}");
        assert_eq!(exits.exit_code(), Some(137));

        let reply = killed.sleep();
        processes::kill(killed.pid().unwrap());
        let error = reply.wait().unwrap_err();
        let by_9 = ExitReason::Signaled { signal: 9, core_dumped: false };
        assert!(matches!(&error, CallError::Died(reason, _) if *reason == by_9), "{error}");
        assert_eq!((killed.exit_code(), killed.join()), (Some(-9), by_9));
    });
}

#[test]
fn a_full_mailbox_of_a_hung_actor_is_an_error_at_once_or_when_the_time_is_up() {
    alone(|| {
        let actor = Subject.builder().mailbox(4).spawn().unwrap();
        actor.hang().unwrap();
        eventually("the message in progress", EVENT_TIMEOUT, || actor.depth() == 0);
        for _ in 0..4 {
            actor.hang().unwrap();
        }
        assert_eq!((actor.depth(), actor.capacity()), (4, 4));

        let refused = actor.try_length("back to me".into()).unwrap_err();
        assert!(matches!(refused.error, SendError::Full(_)), "{}", refused.error);
        assert_eq!(refused.args, ("back to me".to_owned(),));

        let limit = Duration::from_millis(200);
        let start = Instant::now();
        let error = actor.within(limit).length("abc".into()).wait().unwrap_err();
        assert!(start.elapsed() >= limit);
        assert!(matches!(error, CallError::Full(_) | CallError::Timeout(_)), "{error}");
        let start = Instant::now();
        let error = actor.within(limit).hang().unwrap_err();
        assert!(start.elapsed() >= limit);
        assert!(matches!(error, SendError::Full(_)), "{error}");
        assert_eq!(actor.depth(), 4);
        actor.kill().unwrap();
    });
}

#[test]
fn a_sender_of_64_mib_is_told_when_the_actor_dies_in_the_middle() {
    alone(|| {
        let text = "x".repeat(64 << 20);
        for millis in [0, 5, 10, 20, 40, 80] {
            let actor = Subject.builder().mailbox(1).spawn().unwrap();
            actor.hang().unwrap();
            let outcome = thread::scope(|scope| {
                let sending = scope.spawn(|| actor.length(text.clone()).wait());
                // Before, during and after the encoding; the mailbox is not read.
                thread::sleep(Duration::from_millis(millis));
                actor.kill().unwrap();
                sending.join().unwrap()
            });
            let error = outcome.unwrap_err();
            assert!(matches!(error, CallError::Died(..) | CallError::Gone(_)), "{error}");
            assert_eq!(error.exit_reason().and_then(ExitReason::signal), Some(9), "{error}");
        }
        assert_eq!(Subject.spawn().unwrap().length(text).wait().unwrap(), 64 << 20);
    });
}

#[test]
fn a_sender_that_waits_for_room_is_told_when_the_actor_dies() {
    alone(|| {
        let actor = Subject.builder().mailbox(1).spawn().unwrap();
        actor.hang().unwrap();
        eventually("the message in progress", EVENT_TIMEOUT, || actor.depth() == 0);
        actor.hang().unwrap();
        let start = Instant::now();
        let error = thread::scope(|scope| {
            let (number, of_sender) = mpsc::channel();
            let actor = &actor;
            let sending = scope.spawn(move || {
                number.send(processes::this_thread()).unwrap();
                actor.length("x".repeat(1 << 20)).wait()
            });
            processes::until_blocked(of_sender.recv().unwrap());
            actor.kill().unwrap();
            sending.join().unwrap().unwrap_err()
        });
        assert!(start.elapsed() < EVENT_TIMEOUT);
        assert!(matches!(error, CallError::Died(..) | CallError::Gone(_)), "{error}");
        assert_eq!(error.exit_reason().and_then(ExitReason::signal), Some(9), "{error}");
    });
}

#[actor]
struct Stillborn;

#[actor]
impl Stillborn {
    #[init]
    fn new() -> Stillborn {
        std::process::abort()
    }
}

#[test]
fn an_abort_before_readiness_is_an_error_of_the_spawn_and_no_wait() {
    alone(|| {
        // The limit of the case is shorter than that of the start.
        let spawned = Stillborn::builder().start_timeout(FOREVER).spawn();
        match spawned {
            Err(SpawnError::Died { reason, .. }) => assert_eq!(reason.signal(), Some(6)),
            other => panic!("{other:?}"),
        }
    });
}

/// A process of our own that got this pid; `None` if the system gave another one.
fn foreign(pid: u32) -> Option<Child> {
    fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).ok()?;
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    if child.id() == pid {
        return Some(child);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

#[test]
fn an_old_handle_never_signals_the_process_that_got_its_pid() {
    alone(|| {
        let actor = Subject.spawn().unwrap();
        let task = Process::spawn(|()| thread::sleep(FOREVER), ()).unwrap();
        let pids = [actor.pid().unwrap(), task.pid()];
        actor.kill().unwrap();
        task.kill().unwrap();
        actor.join();
        task.join().unwrap_err();

        for pid in pids {
            // Another process may take the pid first, a few times.
            let Some(mut other) = (0..50).find_map(|_| foreign(pid)) else {
                eprintln!("skipped: a process with a certain pid cannot be made here");
                return;
            };
            let answers = [actor.kill(), actor.terminate(), task.kill(), task.terminate(), task.interrupt()];
            let stopped = [actor.stop(EVENT_TIMEOUT).map(drop), task.stop(EVENT_TIMEOUT).map(drop)];
            for answer in answers.into_iter().chain(stopped) {
                assert!(matches!(answer, Err(SendError::Gone(_))), "{answer:?}");
            }
            assert!(!actor.is_alive() && !task.is_alive());
            // A signal would have ended it before this one does.
            assert!(other.try_wait().unwrap().is_none());
            processes::signal("USR1", i64::from(pid));
            let status = other.wait().unwrap();
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(10));
        }
    });
}
