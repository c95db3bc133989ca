//! Links that are lost: which side is told what, and that they come back.

use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::remote::{Options, RemoteError};
use phalanx::{Executed, remote};
use phalanx_tests::recorder::{Recorder, secret};
use phalanx_tests::{Latch, Program, alone, eventually, processes};

use super::cutter::Cutter;
use super::{AT_ONCE, LINK_TIMEOUT, listener_process, quick, recorder, serve};

fn is_disconnected<T: std::fmt::Debug>(outcome: &Result<T, CallError>, expected: Executed) -> bool {
    matches!(outcome, Err(CallError::Disconnected { executed, .. }) if *executed == expected)
}

/// Waits until the link is there again, and notes that effect.
fn note_when_connected(remote: &ActorRef<Recorder>, effect: u64) {
    eventually("a link", LINK_TIMEOUT, || match remote.note(effect).wait() {
        Ok(_) => true,
        Err(CallError::Disconnected { executed: Executed::No, .. }) => false,
        Err(other) => panic!("{other}"),
    });
}

/// As with an actor of Ray whose connection breaks.
#[test]
fn a_cut_link_says_whether_a_call_may_have_been_executed_and_comes_back() {
    alone(|| {
        let (manager, local) = serve();
        let cutter = Cutter::to(manager.addr());
        let remote =
            remote::connect(cutter.addr(), &secret()).unwrap().actor::<Recorder>("recorder").unwrap();
        assert_eq!(remote.note(0).wait(), Ok(1));

        // With a call in flight: it was executed, and its reply is lost.
        cutter.swallow_answers();
        let in_flight = remote.note(1);
        eventually("the effect", LINK_TIMEOUT, || local.effects().wait().unwrap() == [0, 1]);
        cutter.cut();
        let outcome = in_flight.wait();
        assert!(is_disconnected(&outcome, Executed::Unknown), "{outcome:?}");

        // Before a call: it never leaves.
        let outcome = remote.note(2).wait();
        assert!(is_disconnected(&outcome, Executed::No), "{outcome:?}");
        let outcome = remote.note_quietly(2);
        assert!(outcome.is_ok(), "a tell is not answered");

        // And again.
        cutter.mend();
        note_when_connected(&remote, 3);
        assert_eq!(local.effects().wait().unwrap(), [0, 1, 3]);
    });
}

#[test]
fn a_cut_is_known_to_the_next_call_without_waiting() {
    alone(|| {
        let (manager, local) = serve();
        let cutter = Cutter::to(manager.addr());
        let remote =
            remote::connect(cutter.addr(), &secret()).unwrap().actor::<Recorder>("recorder").unwrap();
        for round in 0..20 {
            note_when_connected(&remote, round);
            cutter.cut();
            let outcome = remote.note(1000).wait();
            assert!(is_disconnected(&outcome, Executed::No), "{outcome:?}");
            cutter.mend();
        }
        assert_eq!(local.effects().wait().unwrap(), (0..20).collect::<Vec<_>>());
    });
}

#[test]
fn all_calls_in_flight_are_told() {
    alone(|| {
        let (manager, _local) = serve();
        let cutter = Cutter::to(manager.addr());
        let remote =
            remote::connect(cutter.addr(), &secret()).unwrap().actor::<Recorder>("recorder").unwrap();
        cutter.swallow_answers();
        let calls: Vec<_> = (0..200).map(|effect| remote.note(effect)).collect();
        cutter.cut();
        for call in calls {
            let outcome = call.wait();
            assert!(matches!(outcome, Err(CallError::Disconnected { .. })), "{outcome:?}");
        }
    });
}

/// Neither side hangs up, but nothing comes any more.
#[test]
fn a_link_that_falls_silent_counts_as_lost() {
    alone(|| {
        let (manager, _local) = serve();
        let cutter = Cutter::to(manager.addr());
        let options = quick().silence(Duration::from_secs(1));
        let node = options.connect(cutter.addr(), &secret()).unwrap();
        let remote = node.actor::<Recorder>("recorder").unwrap();
        assert_eq!(remote.note(0).wait(), Ok(1));
        cutter.swallow_answers();
        let start = Instant::now();
        let outcome = remote.note(1).wait();
        assert!(is_disconnected(&outcome, Executed::Unknown), "{outcome:?}");
        assert!(start.elapsed() >= Duration::from_millis(500), "{:?}", start.elapsed());
        cutter.mend();
        note_when_connected(&remote, 2);
    });
}

#[test]
fn a_quiet_link_is_kept() {
    alone(|| {
        let options = quick().silence(Duration::from_millis(300));
        let (manager, _local) = super::serve_with(options.clone());
        let remote =
            options.connect(manager.addr(), &secret()).unwrap().actor::<Recorder>("recorder").unwrap();
        let latch = Latch::new("latch");
        let slow = remote.note_slowly(1, latch.clone());
        latch.await_mark("begun");
        // Several times what would count as gone.
        std::thread::sleep(Duration::from_millis(1500));
        latch.open();
        assert_eq!(slow.wait(), Ok(1));
        latch.remove();
    });
}

#[test]
fn a_listener_that_dies_ends_its_clients_calls_at_once_and_is_started_again() {
    alone(|| {
        let (manager, local) = serve();
        let remote =
            remote::connect(manager.addr(), &secret()).unwrap().actor::<Recorder>("recorder").unwrap();
        let latch = Latch::new("latch");
        let slow = remote.note_slowly(1, latch.clone());
        latch.await_mark("begun");
        let before = listener_process();
        let start = Instant::now();
        processes::kill(before);
        let outcome = slow.wait();
        assert!(is_disconnected(&outcome, Executed::Unknown), "{outcome:?}");
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
        latch.open();
        note_when_connected(&remote, 2);
        assert_ne!(listener_process(), before);
        assert_eq!(local.effects().wait().unwrap(), [1, 2]);
        // New ones find it at the same address, too.
        let another =
            remote::connect(manager.addr(), &secret()).unwrap().actor::<Recorder>("recorder").unwrap();
        assert_eq!(another.note(3).wait(), Ok(3));
        latch.remove();
    });
}

/// The whole program of the manager: at once, whatever its clients wait for.
#[test]
fn a_manager_that_is_killed_ends_its_clients_calls_at_once() {
    alone(|| {
        let mut program = Program::new(env!("CARGO_BIN_EXE_scenario")).args(["remote-manager"]).start();
        let address = program.line();
        let node = remote::connect(&address, &secret()).unwrap();
        let remote = node.actor::<Recorder>("recorder").unwrap();
        let latch = Latch::new("latch");
        let slow = remote.note_slowly(1, latch.clone());
        latch.await_mark("begun");
        let start = Instant::now();
        program.kill();
        let outcome = slow.wait();
        assert!(is_disconnected(&outcome, Executed::Unknown), "{outcome:?}");
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
        let outcome = remote.note(2).wait();
        assert!(is_disconnected(&outcome, Executed::No), "{outcome:?}");
        eventually("that nobody listens", LINK_TIMEOUT, || {
            matches!(remote::connect(&address, &secret()), Err(RemoteError::Unreachable { .. }))
        });
        assert_eq!(program.finish(), -9);
    });
}

/// The link leads to another manager when it comes back, which knows the secret and serves something else.
#[test]
fn a_name_that_has_changed_its_type_is_not_called() {
    alone(|| {
        let (manager, _local) = serve();
        let cutter = Cutter::to(manager.addr());
        let options = Options::default().backoff(Duration::from_millis(5), Duration::from_millis(5));
        let node = options.connect(cutter.addr(), &secret()).unwrap();
        let remote = node.actor::<Recorder>("recorder").unwrap();
        let other = quick().serve("127.0.0.1:0", &secret()).unwrap();
        cutter.cut();
        cutter.lead_to(other.addr());
        cutter.mend();
        eventually("the refusal", LINK_TIMEOUT, || {
            let outcome = remote.note(1).wait();
            assert!(is_disconnected(&outcome, Executed::No), "{outcome:?}");
            outcome.unwrap_err().to_string().contains("nothing is served as `recorder`")
        });
        other.actor("recorder", &recorder()).unwrap();
        note_when_connected(&remote, 1);
    });
}

/// What was told before the end of the program is with the manager.
#[test]
fn a_client_that_ends_delivers_what_it_was_told() {
    alone(|| {
        let (manager, local) = serve();
        let address = manager.addr().to_string();
        let program = Program::new(env!("CARGO_BIN_EXE_scenario")).args(["remote-teller", &address]).start();
        assert_eq!(program.finish(), 0);
        eventually("all that was told", LINK_TIMEOUT, || {
            local.effects().wait().unwrap() == (0..1000).collect::<Vec<_>>()
        });
    });
}

/// A proxy that is killed says so, like every actor that is killed.
#[test]
fn a_proxy_that_is_killed_ends_the_calls_that_go_through_it() {
    alone(|| {
        let (manager, _local) = serve();
        let node = remote::connect(manager.addr(), &secret()).unwrap();
        let remote = node.actor::<Recorder>("recorder").unwrap();
        let latch = Latch::new("latch");
        let slow = remote.note_slowly(1, latch.clone());
        latch.await_mark("begun");
        processes::kill(phalanx::ActorRef::pid(&remote).unwrap());
        let outcome = slow.wait();
        assert!(
            matches!(outcome, Err(CallError::Died(ExitReason::Signaled { signal: 9, .. }, _))),
            "{outcome:?}"
        );
        latch.open();
        assert_eq!(node.actor::<Recorder>("recorder").unwrap().note(2).wait(), Ok(2));
        latch.remove();
    });
}
