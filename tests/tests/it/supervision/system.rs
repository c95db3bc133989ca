//! The operating system's side of restarts: copied descriptors, interrupted messages, processes left behind.

use std::thread;
use std::time::{Duration, Instant};

use phalanx::Restart;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, RESTART_WINDOW, alone, eventually, processes};

use super::support::grabber;
use super::support::stage::{CRASHES, Stage, Worker, settled, stop, within};

/// The copies hold everything that the actor had, the mailbox too, and read nothing.
#[test]
fn a_restarted_actor_serves_its_queue_alone_although_copies_hold_its_mailbox() {
    alone(|| {
        let stage = Stage::new();
        let worker = stage.worker("a").mailbox(500).reserve().unwrap();
        let its_ref = worker.actor_ref();
        let supervisor = Supervisor::one_for_one().child("a", worker).start().unwrap();
        let copies: Vec<_> = (0..3)
            .map(|_| Process::spawn(|_: ActorRef<Worker>| thread::sleep(FOREVER), its_ref.clone()))
            .collect();
        let Some(grabber) = grabber::hold_descriptors_of(its_ref.pid().unwrap()) else {
            eprintln!("skipped: a process cannot get at the descriptors of another one here");
            return;
        };
        let held = its_ref.hang();
        eventually("the call", EVENT_TIMEOUT, || its_ref.depth() == 0);
        let queued: Vec<_> = (0..200).map(|number| its_ref.number(number)).collect();
        let start = Instant::now();
        processes::kill(its_ref.pid().unwrap());
        held.wait().unwrap_err();
        within(start, Duration::from_millis(100));
        for (number, call) in (0..200).zip(queued) {
            assert_eq!(call.wait().unwrap(), (number, number + 1, 2));
        }
        drop(grabber);
        for copy in copies {
            copy.unwrap().kill().unwrap();
        }
        stop(&supervisor);
    });
}

#[test]
fn a_large_message_that_the_death_interrupts_does_not_spoil_the_next() {
    alone(|| {
        let text = "x".repeat(64 << 20);
        for millis in [0, 10, 30, 60] {
            let stage = Stage::new();
            let (supervisor, [a]) = stage.cast(Supervisor::one_for_one(), ["a"]);
            let supervisor = supervisor.start().unwrap();
            let asleep = a.hang();
            eventually("the call", EVENT_TIMEOUT, || a.depth() == 0);
            let sent = thread::scope(|scope| {
                let sending = scope.spawn(|| a.length(text.clone()).wait());
                thread::sleep(Duration::from_millis(millis));
                processes::kill(a.pid().unwrap());
                sending.join().unwrap()
            });
            asleep.wait().unwrap_err();
            // It was in no process' hands: the next one serves it.
            assert_eq!(sent.unwrap(), 64 << 20);
            assert_eq!(a.length(text.clone()).wait().unwrap(), 64 << 20);
            assert_eq!(a.incarnation(), 2);
            stop(&supervisor);
        }
    });
}

/// Waits until a look finds nothing. That must be within a second where the machine has time for the
/// processes that are to die.
#[track_caller]
fn within_a_second(look: impl FnMut() -> Vec<processes::Stat>) {
    let start = Instant::now();
    processes::until_none(EVENT_TIMEOUT, look);
    within(start, Duration::from_secs(1));
}

#[test]
fn what_a_child_has_left_behind_ends_with_its_process() {
    alone(|| {
        for crash in CRASHES {
            let stage = Stage::new();
            let (supervisor, [a]) =
                stage.cast(Supervisor::one_for_one().intensity(10, RESTART_WINDOW), ["a"]);
            let supervisor = supervisor.start().unwrap();
            for incarnation in 2..5 {
                let strays = [(); 3].map(|()| a.leave_a_stray().wait().unwrap());
                assert!(strays.iter().all(|&stray| processes::runs(stray)));
                crash.hit(&a);
                eventually("the next", EVENT_TIMEOUT, || a.incarnation() == incarnation);
                within_a_second(|| strays.iter().filter_map(|&stray| processes::stat(stray)).collect());
                settled(&supervisor, 1);
            }
            let stray = a.leave_a_stray().wait().unwrap();
            processes::kill(processes::root_supervisor(std::process::id()).unwrap());
            supervisor.join();
            // Whether it is reaped then is for the first process of the machine to say.
            within_a_second(|| {
                processes::stat(stray).filter(|stray| stray.state != 'Z').into_iter().collect()
            });
            phalanx::shutdown();
        }
    });
}

/// Also those of the actors below a supervisor that is killed.
#[test]
fn what_children_have_left_behind_ends_with_their_supervisor() {
    alone(|| {
        let stage = Stage::new();
        let supervisor = Supervisor::one_for_one().restart(Restart::Permanent).intensity(5, RESTART_WINDOW);
        let (supervisor, [a, b]) = stage.cast(supervisor, ["a", "b"]);
        let supervisor = supervisor.start().unwrap();
        let strays = [&a, &b].map(|worker| worker.leave_a_stray().wait().unwrap());
        let before = [a.pid().unwrap(), b.pid().unwrap()];
        processes::kill(supervisor.pid().unwrap());
        eventually("the next", EVENT_TIMEOUT, || supervisor.incarnation() == 2 && supervisor.is_alive());
        assert_eq!((a.count().wait(), b.count().wait()), (Ok(1), Ok(1)));
        let left = || strays.iter().chain(&before).filter_map(|&pid| processes::stat(pid)).collect();
        within_a_second(left);
        // None of them has met its predecessor.
        assert_eq!(stage.said(), "+a +b +a +b");
        stop(&supervisor);
    });
}
