//! What a child writes on its page is no knowledge of its supervisor.

use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{ChildState, ExitReason, Restart};
use phalanx_tests::pages::{self, PAGE};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, processes};

use super::support::stage::{Stage, child, state, stop};

#[actor(timeout = "10s")]
struct Vandal;

#[actor]
impl Vandal {
    /// What its state is, by its page.
    fn claim(&self, state: u32) -> usize {
        pages::overwrite(std::process::id(), &state.to_ne_bytes(), 1)
    }

    fn fill(&self, byte: u8) -> usize {
        pages::overwrite(std::process::id(), &[byte], PAGE)
    }

    #[ask(deadline = "1s")]
    fn fill_and_hang(&self, byte: u8) {
        self.fill(byte);
        loop {
            thread::park();
        }
    }

    fn number(&self) -> u64 {
        phalanx::current().incarnation()
    }

    fn exit(&self, code: i32) {
        std::process::exit(code);
    }
}

/// All that the first word of a page can say, and one that it cannot.
const STATES: [u32; 7] = [0, 1, 2, 3, 4, 5, 77];

#[test]
fn a_child_that_was_up_is_restarted_whatever_its_page_says_when_it_is_killed() {
    alone(|| {
        let supervisor = Supervisor::one_for_one().intensity(1000, RESTART_WINDOW).start().unwrap();
        let vandal = supervisor.start_child("vandal", Vandal.builder()).unwrap();
        for (round, claim) in (1..).zip(STATES) {
            let pid = child(&supervisor, "vandal").pid.unwrap();
            assert!(vandal.claim(claim).wait().unwrap() > 0);
            processes::kill(pid);
            eventually("the next", EVENT_TIMEOUT, || {
                let now = child(&supervisor, "vandal");
                now.state == ChildState::Up && now.pid.is_some_and(|next| next != pid)
            });
            let now = child(&supervisor, "vandal");
            assert_eq!((now.incarnation, now.restarts), (round + 1, round as u32), "claimed {claim}");
            assert_eq!(vandal.number().wait(), Ok(round + 1), "claimed {claim}");
        }
        stop(&supervisor);
    });
}

#[test]
fn a_temporary_actor_that_denies_that_it_was_started_is_joined_all_the_same() {
    alone(|| {
        for claim in STATES {
            let vandal = Vandal.spawn().unwrap();
            let pid = vandal.pid().unwrap();
            assert!(vandal.claim(claim).wait().unwrap() > 0);
            processes::kill(pid);
            let ended = vandal.join_timeout(EVENT_TIMEOUT).unwrap();
            // A page that says that it has no process is believed by processes that ask before its supervisor
            // has written down more.
            if claim < 4 {
                assert_eq!(ended, ExitReason::Signaled { signal: 9, core_dumped: false }, "claimed {claim}");
            }
        }
    });
}

#[test]
fn a_page_full_of_anything_neither_ends_the_supervisor_nor_loses_the_child() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, witness) = stage.witnessed();
        let vandal = supervisor.start_child("vandal", Vandal.builder()).unwrap();
        let (its_pid, witness_pid) = (supervisor.pid().unwrap(), witness.pid().unwrap());
        for (round, byte) in (1..).zip([0, 0xff, 1, 0x7f, 0x80, 0xfe]) {
            let pid = child(&supervisor, "vandal").pid.unwrap();
            // The page says that there is no such call.
            drop(vandal.within(Duration::from_millis(100)).fill(byte).wait());
            pages::overwrite(pid, &[byte], PAGE);
            processes::kill(pid);
            eventually("the next", EVENT_TIMEOUT, || {
                let now = child(&supervisor, "vandal");
                // It may have said of itself that it must not come back.
                now.state == ChildState::Down
                    || now.state == ChildState::Up && now.pid.is_some_and(|next| next != pid)
            });
            if state(&supervisor, "vandal") == ChildState::Down {
                supervisor.restart_child("vandal").unwrap();
            }
            let now = child(&supervisor, "vandal");
            assert_eq!((now.incarnation, now.restarts), (round + 1, round as u32), "filled with {byte}");
        }
        assert_eq!((supervisor.pid().unwrap(), witness.pid().unwrap()), (its_pid, witness_pid));
        assert_eq!(witness.count().wait(), Ok(1));
        stop(&supervisor);
    });
}

#[test]
fn a_handler_that_wipes_its_page_has_its_deadline_all_the_same() {
    alone(|| {
        for byte in [0, 0xff] {
            let supervisor = Supervisor::one_for_one().intensity(1000, RESTART_WINDOW).start().unwrap();
            let vandal = supervisor.start_child("vandal", Vandal.builder()).unwrap();
            let pid = vandal.pid().unwrap();
            drop(vandal.fill_and_hang(byte));
            eventually("its end", EVENT_TIMEOUT, || !processes::exists(pid));
            eventually("the next", EVENT_TIMEOUT, || {
                vandal.within(Duration::from_secs(1)).number().wait().is_ok_and(|number| number > 1)
            });
            stop(&supervisor);
        }
    });
}

/// No caller waits for such an actor, so its supervisor looks at it later.
#[test]
fn an_actor_that_wipes_its_page_before_its_supervisor_has_looked_has_been_ready_all_the_same() {
    alone(|| {
        for _ in 0..10 {
            let vandal = Vandal.builder().restart(Restart::Permanent).spawn().unwrap();
            let pid = vandal.pid().unwrap();
            vandal.claim(0).wait().unwrap();
            processes::kill(pid);
            eventually("the next", EVENT_TIMEOUT, || {
                vandal.within(Duration::from_millis(500)).number().wait() == Ok(2)
            });
        }
    });
}

/// The supervisor has seen the message, and its limit, before the page is wiped from outside.
#[test]
fn a_message_that_has_been_seen_keeps_the_limit_of_its_caller_when_the_page_is_wiped() {
    alone(|| {
        let vandal = Sleeper.builder().restart(Restart::Permanent).spawn().unwrap();
        let pid = vandal.pid().unwrap();
        let held = vandal.kill_after(Duration::from_secs(1)).sleep();
        eventually("its beginning", EVENT_TIMEOUT, || vandal.depth() == 0);
        // What the supervisor has seen cannot be seen from outside.
        thread::sleep(Duration::from_millis(200));
        pages::overwrite(pid, &[0], PAGE);
        eventually("its end", EVENT_TIMEOUT, || !processes::exists(pid));
        drop(held);
    });
}

#[actor]
struct Sleeper;

#[actor]
impl Sleeper {
    fn sleep(&self) {
        loop {
            thread::park();
        }
    }
}

/// Else it would be started again for ever, at no cost.
#[test]
fn who_says_that_it_is_recycled_and_is_not_to_be_is_counted_as_crashed() {
    alone(|| {
        let supervisor = Supervisor::one_for_one().intensity(3, RESTART_WINDOW).start().unwrap();
        supervisor.start_child("liar", Liar::builder()).unwrap();
        let ended = supervisor.join_timeout(EVENT_TIMEOUT);
        assert_eq!(ended.unwrap(), ExitReason::IntensityReached);
    });
}

#[actor]
struct Liar;

#[actor]
impl Liar {
    #[init]
    fn new() -> Liar {
        // When it is up.
        thread::spawn(|| {
            thread::sleep(Duration::from_millis(50));
            pages::overwrite(std::process::id(), &6_u32.to_ne_bytes(), PAGE / 4);
            std::process::exit(0);
        });
        Liar
    }
}
