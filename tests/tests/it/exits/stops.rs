//! Graceful stops and forced ones.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{ExitReason, Restart, StoppedBy, Supervisor};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, RESTART_WINDOW, alone, eventually, processes};

use super::{Mortal, Note, busy};

/// Takes notes of its end.
#[actor]
struct Careful {
    stopped: Note,
    dropped: Note,
    /// Does not come to an end.
    hangs: bool,
}

#[actor]
impl Careful {
    fn wait_for(&self, note: Note) -> u32 {
        note.wait();
        42
    }

    fn answer(&self) -> u32 {
        42
    }

    fn end_yourself(&self, me: ActorRef<Careful>) -> bool {
        me.terminate().is_ok()
    }

    fn stop_yourself(&self, me: ActorRef<Careful>) -> Result<ExitReason, String> {
        me.stop(Duration::from_secs(2)).map_err(|error| error.to_string())
    }

    fn start_a_child(&self) -> u32 {
        // Its own process ends with the shell; what it started stays in the actor's group.
        let script = "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!";
        let output = Command::new("sh").args(["-c", script]).output().expect("there is a shell");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("a pid")
    }

    #[on_stop]
    fn take_note(&mut self) {
        self.stopped.write();
        if self.hangs {
            loop {
                thread::park();
            }
        }
    }
}

impl Drop for Careful {
    fn drop(&mut self) {
        // The value from which it was made is dropped in the program.
        if phalanx::current().parent().is_some() {
            self.dropped.write();
        }
    }
}

fn careful(hangs: bool) -> (ActorRef<Careful>, Note, Note) {
    let (stopped, dropped) = (Note::new("stopped"), Note::new("dropped"));
    let state = Careful { stopped: stopped.clone(), dropped: dropped.clone(), hangs };
    (state.spawn().unwrap(), stopped, dropped)
}

#[test]
fn on_stop_has_run_when_stop_returns() {
    alone(|| {
        let (careful, stopped, dropped) = careful(false);
        assert_eq!(careful.stop(EVENT_TIMEOUT).unwrap(), ExitReason::Stopped(StoppedBy::Ref));
        assert!(stopped.remove() && dropped.remove());
        assert_eq!((careful.exit_code(), careful.is_alive()), (Some(0), false));
    });
}

#[test]
fn a_sigterm_from_outside_is_a_graceful_stop() {
    alone(|| {
        let (careful, stopped, dropped) = careful(false);
        processes::signal("TERM", i64::from(careful.pid().unwrap()));
        assert_eq!(careful.join_timeout(EVENT_TIMEOUT), Some(ExitReason::Stopped(StoppedBy::Signal)));
        assert!(stopped.remove() && dropped.remove());
        assert_eq!(careful.exit_code(), Some(0));
    });
}

#[test]
fn many_sigterms_are_one_stop() {
    alone(|| {
        for _ in 0..5 {
            let (careful, stopped, dropped) = careful(false);
            let pid = careful.pid().unwrap();
            let script =
                format!("i=0; while [ $i -lt 200 ]; do kill -TERM {pid} || exit 0; i=$((i+1)); done");
            let mut shell =
                Command::new("sh").args(["-c", &script]).stderr(std::process::Stdio::null()).spawn().unwrap();
            assert_eq!(careful.join_timeout(EVENT_TIMEOUT), Some(ExitReason::Stopped(StoppedBy::Signal)));
            assert!(stopped.remove() && dropped.remove());
            shell.wait().unwrap();
        }
    });
}

#[test]
fn a_kill_runs_nothing() {
    alone(|| {
        let (careful, stopped, dropped) = careful(false);
        careful.kill().unwrap();
        assert_eq!(careful.join().signal(), Some(9));
        assert!(!stopped.remove() && !dropped.remove());
    });
}

#[test]
fn a_stop_that_hangs_is_killed_when_the_grace_is_over_and_not_before() {
    alone(|| {
        for grace in [Duration::ZERO, Duration::from_millis(1500)] {
            let (careful, stopped, dropped) = careful(true);
            let start = Instant::now();
            let reason = careful.stop(grace).unwrap();
            assert!(start.elapsed() >= grace && start.elapsed() < EVENT_TIMEOUT);
            assert_eq!(reason.signal(), Some(9), "{reason:?}");
            assert!(stopped.remove() || grace.is_zero());
            assert!(!dropped.remove());
        }
    });
}

#[test]
fn a_stop_finishes_the_message_in_progress_and_not_those_behind_it() {
    alone(|| {
        let (careful, stopped, dropped) = careful(false);
        let latch = Note::new("latch");
        let in_progress = careful.wait_for(latch.clone());
        busy(&careful, 0);
        let queued: Vec<_> = (0..5).map(|_| careful.answer()).collect();
        careful.terminate().unwrap();
        // Not before the message is finished.
        assert_eq!(careful.join_timeout(Duration::from_millis(100)), None);
        assert!(!stopped.is_there());
        latch.write();
        assert_eq!(in_progress.wait().unwrap(), 42);
        for reply in queued {
            let error = reply.wait().unwrap_err();
            assert!(matches!(&error, CallError::Stopped(at) if at.method() == "answer"), "{error:?}");
        }
        assert_eq!(careful.join(), ExitReason::Stopped(StoppedBy::Ref));
        assert!(stopped.remove() && dropped.remove() && latch.remove());
    });
}

#[test]
fn terminate_returns_at_once_and_the_actor_is_alive_until_it_is_reaped() {
    alone(|| {
        let (careful, stopped, dropped) = careful(false);
        let (pid, latch) = (careful.pid().unwrap(), Note::new("latch"));
        let in_progress = careful.wait_for(latch.clone());
        busy(&careful, 0);
        for _ in 0..3 {
            careful.terminate().unwrap();
            assert!(careful.is_alive() && processes::runs(pid));
            assert_eq!((careful.exit_code(), careful.exit_reason()), (None, None));
        }
        latch.write();
        assert_eq!(in_progress.wait().unwrap(), 42);
        assert!(careful.join().is_orderly());
        assert!(!careful.is_alive() && !processes::exists(pid));
        assert!(stopped.remove() && dropped.remove() && latch.remove());
    });
}

#[test]
fn an_actor_may_end_itself_and_its_caller_is_answered() {
    alone(|| {
        let (careful, stopped, dropped) = careful(false);
        assert!(careful.end_yourself(careful.clone()).wait().unwrap());
        assert_eq!(careful.join_timeout(EVENT_TIMEOUT), Some(ExitReason::Stopped(StoppedBy::Ref)));
        assert!(stopped.remove() && dropped.remove());
    });
}

#[test]
fn an_actor_that_waits_for_its_own_stop_is_told_that_it_cannot() {
    alone(|| {
        let (careful, ..) = careful(false);
        let error = careful.stop_yourself(careful.clone()).wait().unwrap_err();
        let CallError::App(text) = &error else { panic!("{error:?}") };
        assert!(text.contains("`stop` of actor `Careful`"), "{text}");
        assert_eq!(careful.answer().wait().unwrap(), 42);
        careful.kill().unwrap();
    });
}

#[test]
fn the_dead_cannot_be_stopped_killed_or_terminated() {
    alone(|| {
        let (careful, ..) = careful(false);
        careful.kill().unwrap();
        let _ = careful.join();
        let gone = |error: SendError, what: &str| {
            let SendError::Gone(at) = &error else { panic!("{error:?}") };
            assert_eq!((at.actor(), at.method()), ("Careful", what));
            assert_eq!(at.ended().and_then(ExitReason::signal), Some(9));
        };
        gone(careful.kill().unwrap_err(), "kill");
        gone(careful.terminate().unwrap_err(), "terminate");
        assert!(matches!(careful.stop(EVENT_TIMEOUT), Err(SendError::Gone(_))));
    });
}

/// It is no ordered end: one that may be restarted is.
#[test]
fn an_interrupt_ends_an_actor_by_sigint() {
    alone(|| {
        let mortal = Mortal.spawn().unwrap();
        mortal.interrupt().unwrap();
        assert_eq!(mortal.join().signal(), Some(2));
        assert!(matches!(mortal.interrupt(), Err(SendError::Gone(_))));
        let builder = Mortal.builder().restart(phalanx::Restart::Transient);
        let lasting = builder.spawn().unwrap();
        lasting.interrupt().unwrap();
        eventually("the next process", EVENT_TIMEOUT, || lasting.incarnation() == 2 && lasting.is_alive());
        lasting.stop(EVENT_TIMEOUT).unwrap();
    });
}

#[test]
fn several_may_stop_an_actor_at_once() {
    alone(|| {
        let (careful, stopped, dropped) = careful(false);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| careful.stop(EVENT_TIMEOUT))).collect();
            for thread in threads {
                // A caller that comes too late is told that it is gone.
                let outcome = thread.join().unwrap();
                let expected = Ok(ExitReason::Stopped(StoppedBy::Ref));
                assert!(outcome == expected || matches!(outcome, Err(SendError::Gone(_))), "{outcome:?}");
            }
        });
        assert!(stopped.remove() && dropped.remove());
    });
}

#[test]
fn what_an_actor_started_by_itself_ends_with_it_however_it_ends() {
    type End = fn(&ActorRef<Careful>);
    let ends: [End; 3] = [
        |careful| drop(careful.stop(EVENT_TIMEOUT).unwrap()),
        |careful| careful.kill().unwrap(),
        |careful| processes::signal("SEGV", i64::from(careful.pid().unwrap())),
    ];
    alone(move || {
        for end in ends {
            let (careful, stopped, dropped) = careful(false);
            let child = careful.start_a_child().wait().unwrap();
            assert!(processes::runs(child));
            end(&careful);
            let _ = careful.join();
            eventually("the end of the child", EVENT_TIMEOUT, || !processes::exists(child));
            let _ = (stopped.remove(), dropped.remove());
        }
    });
}

#[test]
fn actors_stop_by_the_end_of_the_program_with_their_hook() {
    alone(|| {
        let (careful, stopped, dropped) = careful(false);
        assert_eq!(careful.answer().wait().unwrap(), 42);
        phalanx::shutdown();
        assert_eq!(careful.exit_reason(), Some(ExitReason::Stopped(StoppedBy::Program)));
        assert!(stopped.remove() && dropped.remove());
    });
}

/// A process that SIGSTOP has stopped: until it is continued, it heeds no signal but SIGKILL.
fn suspended(pid: u32) -> u32 {
    processes::signal("STOP", i64::from(pid));
    eventually("it is stopped", EVENT_TIMEOUT, || processes::stat(pid).is_some_and(|stat| stat.state == 'T'));
    pid
}

#[test]
fn an_actor_that_is_stopped_by_a_signal_goes_on_to_end_in_order() {
    alone(|| {
        let (careful, stopped, dropped) = careful(false);
        suspended(careful.pid().unwrap());
        assert_eq!(careful.stop(EVENT_TIMEOUT).unwrap(), ExitReason::Stopped(StoppedBy::Ref));
        assert!(stopped.remove() && dropped.remove());
        let mortal = Mortal.spawn().unwrap();
        suspended(mortal.pid().unwrap());
        mortal.interrupt().unwrap();
        assert_eq!(mortal.join_timeout(EVENT_TIMEOUT).and_then(|reason| reason.signal()), Some(2));
    });
}

#[test]
fn the_end_of_the_program_continues_what_is_stopped_by_a_signal() {
    alone(|| {
        let (careful, stopped, dropped) = careful(false);
        let latch = Note::new("latch");
        let task = Process::spawn(|latch: Note| latch.wait(), latch.clone()).unwrap();
        suspended(careful.pid().unwrap());
        suspended(task.pid());
        latch.write();
        // Well within the grace of the actor, and of what is joined, which has none.
        phalanx::shutdown();
        assert_eq!(careful.exit_reason(), Some(ExitReason::Stopped(StoppedBy::Program)));
        assert_eq!(task.join(), Ok(()));
        assert!(stopped.remove() && dropped.remove() && latch.remove());
    });
}

#[task]
fn forever() {
    thread::sleep(FOREVER);
}

/// Kills its process; when this returns it waits for its restart.
fn crash(pid: Result<u32, SendError>, has_process: impl Fn() -> bool) {
    processes::kill(pid.unwrap());
    eventually("its death is known", EVENT_TIMEOUT, || !has_process());
}

#[test]
fn whoever_waits_for_a_restart_is_not_restarted_once_it_is_told_to_end() {
    type End = fn(&ActorRef<Mortal>);
    let ends: [End; 3] = [
        |mortal| mortal.terminate().unwrap(),
        |mortal| mortal.kill().unwrap(),
        |mortal| assert_eq!(mortal.stop(EVENT_TIMEOUT), Ok(ExitReason::Stopped(StoppedBy::Ref))),
    ];
    alone(move || {
        for end in ends {
            let builder = Mortal.builder().restart(Restart::Permanent).backoff(FOREVER, FOREVER);
            let mortal = builder.spawn().unwrap();
            crash(mortal.pid(), || mortal.is_alive());
            assert!(matches!(mortal.interrupt(), Err(SendError::Unavailable(_))));
            let queued = mortal.answer();
            end(&mortal);
            assert_eq!(mortal.join_timeout(EVENT_TIMEOUT), Some(ExitReason::Stopped(StoppedBy::Ref)));
            assert!(queued.wait().is_err());
            assert!(matches!(mortal.kill(), Err(SendError::Gone(_))));
        }
        let task = forever::builder().restart(Restart::Permanent).backoff(FOREVER, FOREVER).spawn().unwrap();
        crash(Ok(task.pid()), || task.is_alive());
        task.terminate().unwrap();
        eventually("the end of the task", EVENT_TIMEOUT, || task.exit_reason().is_some());
        assert_eq!(task.exit_reason(), Some(ExitReason::Stopped(StoppedBy::Ref)));
    });
}

#[test]
fn a_child_whose_restart_was_called_off_stays_down_until_somebody_asks_for_it() {
    alone(|| {
        let child = Mortal.builder().backoff(FOREVER, FOREVER).reserve().unwrap();
        let mortal = child.actor_ref();
        let supervisor = Supervisor::one_for_one().intensity(100, RESTART_WINDOW).child("mortal", child);
        let supervisor = supervisor.start().unwrap();
        crash(mortal.pid(), || mortal.is_alive());
        assert_eq!(mortal.stop(EVENT_TIMEOUT), Ok(ExitReason::Stopped(StoppedBy::Ref)));
        assert!(!mortal.is_alive());
        for incarnation in 2..5 {
            supervisor.restart_child("mortal").unwrap();
            assert_eq!((mortal.answer().wait(), mortal.incarnation()), (Ok(42), incarnation));
            crash(mortal.pid(), || mortal.is_alive());
            supervisor.terminate_child("mortal").unwrap();
            assert_eq!(mortal.join(), ExitReason::Stopped(StoppedBy::Supervisor));
        }
        supervisor.stop(EVENT_TIMEOUT).unwrap();
    });
}

/// At whatever moment of a restart: before the death is known, while it is, while the next process starts,
/// and after that.
#[test]
fn a_stop_at_any_moment_of_a_restart_is_the_end() {
    alone(|| {
        for round in 0..60 {
            let builder = Mortal.builder().restart(Restart::Permanent).intensity(1000, RESTART_WINDOW);
            let mortal = builder.spawn().unwrap();
            processes::kill_together(&[mortal.pid().unwrap()]);
            thread::sleep(Duration::from_micros(50 * round));
            mortal.terminate().unwrap();
            let reason = mortal.join_timeout(EVENT_TIMEOUT);
            assert!(reason.is_some(), "round {round}: {}", mortal.incarnation());
        }
    });
}

#[test]
fn a_stop_ends_no_process_that_was_brought_back_in_the_meantime() {
    alone(|| {
        let child = Mortal.builder().reserve().unwrap();
        let mortal = child.actor_ref();
        let supervisor = Supervisor::one_for_one().child("mortal", child).start().unwrap();
        let grace = Duration::from_millis(700);
        for round in 1..10 {
            thread::scope(|scope| {
                let stopping = scope.spawn(|| mortal.stop(grace));
                eventually("it is back", EVENT_TIMEOUT, || supervisor.restart_child("mortal").is_ok());
                assert_eq!(stopping.join().unwrap(), Ok(ExitReason::Stopped(StoppedBy::Ref)));
            });
            assert_eq!((mortal.answer().wait(), mortal.incarnation()), (Ok(42), round + 1));
        }
        // Longer than the grace of the last stop: nothing is killed when it is over.
        thread::sleep(grace + Duration::from_millis(100));
        assert_eq!(mortal.incarnation(), 10);
        supervisor.stop(EVENT_TIMEOUT).unwrap();
    });
}

#[test]
fn a_kill_a_grace_that_ran_out_and_a_sigkill_from_elsewhere_are_told_apart() {
    alone(|| {
        let (killed, ..) = careful(false);
        killed.kill().unwrap();
        let by_ref = ExitReason::Killed { by: StoppedBy::Ref, after: None };
        assert_eq!((killed.join(), by_ref.to_string()), (by_ref, "killed by a holder of its ref".to_owned()));
        assert_eq!(killed.exit_code(), Some(-9));

        let (late, stopped, _) = careful(true);
        let grace = Duration::from_millis(300);
        let reason = late.stop(grace).unwrap();
        assert_eq!(reason, ExitReason::Killed { by: StoppedBy::Ref, after: Some(grace) });
        assert_eq!(reason.to_string(), "did not stop within 300 ms");
        assert!(stopped.remove());

        let (other, ..) = careful(false);
        processes::kill(other.pid().unwrap());
        assert_eq!(other.join(), ExitReason::Signaled { signal: 9, core_dumped: false });

        let (at_end, stopped) = (Note::new("stopped"), Note::new("dropped"));
        let state = Careful { stopped: at_end.clone(), dropped: stopped.clone(), hangs: true };
        let at_the_end = state.builder().shutdown(grace).spawn().unwrap();
        phalanx::shutdown();
        let expected = ExitReason::Killed { by: StoppedBy::Program, after: Some(grace) };
        assert_eq!(at_the_end.exit_reason(), Some(expected));
        assert!(at_end.remove());
    });
}

#[test]
fn an_actor_that_is_not_restarted_any_more_says_so_and_how_it_ended_last() {
    alone(|| {
        let builder = Mortal.builder().restart(Restart::Permanent).intensity(1, FOREVER);
        let mortal = builder.spawn().unwrap();
        processes::kill(mortal.pid().unwrap());
        eventually("the next process", EVENT_TIMEOUT, || mortal.incarnation() == 2 && mortal.is_alive());
        let mut down = mortal.monitor();
        processes::kill(mortal.pid().unwrap());
        let last = ExitReason::Signaled { signal: 9, core_dumped: false };
        assert_eq!(mortal.join(), ExitReason::GaveUp { last: Box::new(last.clone()) });
        assert_eq!(down.recv().reason, last);
    });
}
