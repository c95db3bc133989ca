//! Actors of other hosts. Both ends are on this one, with real sockets between them, and where it matters
//! with a wire that can be cut.

mod cutter;
mod handshakes;
mod hostile;
mod links;
mod queues;
mod types;

use std::time::Duration;

use phalanx::prelude::*;
use phalanx::remote;
use phalanx::remote::{Manager, Node, Options};
use phalanx_tests::recorder::{Recorder, secret};
use phalanx_tests::{Latch, alone, eventually, processes, until};

/// Longer than the silence after which a peer counts as gone (15 s by default); some cases depend on it.
const LINK_TIMEOUT: Duration = Duration::from_secs(20);

/// Sooner than a peer that has only fallen silent counts as gone.
const AT_ONCE: Duration = Duration::from_secs(5);

fn recorder() -> ActorRef<Recorder> {
    Recorder { effects: Vec::new() }.spawn().unwrap()
}

/// A recorder, served as `recorder`, with short times.
fn serve() -> (Manager, ActorRef<Recorder>) {
    serve_with(quick())
}

fn serve_with(options: Options) -> (Manager, ActorRef<Recorder>) {
    let recorder = recorder();
    let manager = options.serve("127.0.0.1:0", &secret()).unwrap();
    manager.actor("recorder", &recorder).unwrap();
    (manager, recorder)
}

/// A peer that falls silent is noticed within a case.
fn quick() -> Options {
    Options::default().silence(Duration::from_secs(10))
}

fn connect(manager: &Manager) -> Node {
    remote::connect(manager.addr(), &secret()).unwrap()
}

/// The recorder of a manager that gives its peers little time: a busy machine may need several attempts.
fn reach_recorder(manager: &Manager) -> ActorRef<Recorder> {
    until("a connection", LINK_TIMEOUT, || {
        let node = remote::connect(manager.addr(), &secret()).ok()?;
        node.actor::<Recorder>("recorder").ok()
    })
}

/// Waits until so many have been refused.
fn refusals(manager: &Manager, count: usize) -> Vec<remote::RemoteError> {
    until("refusals", LINK_TIMEOUT, || {
        Some(manager.refusals().unwrap()).filter(|refusals| refusals.len() >= count)
    })
}

/// The process of the manager that reads what others send.
fn listener_process() -> u32 {
    let family = processes::descendants(std::process::id());
    family.iter().find(|process| process.name == "remote-listener").unwrap().pid
}

#[test]
fn a_remote_ref_is_used_like_any_other() {
    alone(|| {
        let (manager, local) = serve();
        let remote = connect(&manager).actor::<Recorder>("recorder").unwrap();
        assert_eq!(remote.note(1).wait(), Ok(1));
        remote.note_quietly(2).unwrap();
        let replies: Vec<_> = (3..=100).map(|effect| remote.note(effect)).collect();
        for (reply, count) in replies.into_iter().zip(3..) {
            assert_eq!(reply.wait(), Ok(count));
        }
        assert_eq!(local.effects().wait().unwrap(), (1..=100).collect::<Vec<u64>>());
        assert_eq!(remote.fail().wait(), Err(CallError::App("as it should".to_owned())));
        let refused = remote.within(Duration::ZERO).note(101).wait();
        assert!(matches!(refused, Err(CallError::Timeout(_))), "{refused:?}");
        assert_eq!(manager.clients(), Ok(1));
    });
}

#[test]
fn the_limits_of_a_remote_call_end_its_handler() {
    alone(|| {
        let soon = Duration::from_millis(300);
        for is_deadline in [false, true] {
            let (manager, local) = serve();
            let remote = connect(&manager).actor::<Recorder>("recorder").unwrap();
            let calls = if is_deadline {
                remote.within_or_kill(soon)
            } else {
                remote.kill_after(soon).within(LINK_TIMEOUT)
            };
            let latch = Latch::new("never");
            let error = calls.note_slowly(1, latch.clone()).wait().unwrap_err();
            assert!(matches!(error, CallError::Died(..) | CallError::Timeout(_)), "{error}");
            let ended = local.join_timeout(LINK_TIMEOUT).unwrap();
            assert!(matches!(ended, phalanx::ExitReason::DeadlineExceeded { .. }), "{ended}");
            latch.await_mark("begun");
        }
    });
}

#[test]
fn calls_of_several_clients_and_refs_go_to_the_one_actor() {
    alone(|| {
        let (manager, local) = serve();
        let (one, other) = (connect(&manager), connect(&manager));
        let again = one.actor::<Recorder>("recorder").unwrap();
        let (one, other) =
            (one.actor::<Recorder>("recorder").unwrap(), other.actor::<Recorder>("recorder").unwrap());
        assert_eq!(one, again);
        assert_ne!(one, other);
        one.note(1).wait().unwrap();
        other.note(2).wait().unwrap();
        again.note(3).wait().unwrap();
        assert_eq!(local.effects().wait().unwrap(), [1, 2, 3]);
        assert_eq!(manager.clients(), Ok(2));
        one.stop(LINK_TIMEOUT).unwrap();
        eventually("the manager to see that it has gone", LINK_TIMEOUT, || manager.clients() == Ok(1));
        assert_eq!(other.note(4).wait(), Ok(4));
    });
}

#[test]
fn payloads_of_all_sizes_arrive() {
    alone(|| {
        let (manager, _local) = serve();
        let remote = connect(&manager).actor::<Recorder>("recorder").unwrap();
        for size in [0, 1, 32 * 1024, 65_500, 65_519, 65_520, 300_000] {
            let bytes: Vec<u8> = (0..size).map(|at| at as u8).collect();
            assert!(remote.echo(bytes.clone()).wait().unwrap() == bytes, "{size} bytes");
        }
    });
}

#[test]
fn what_is_over_the_limit_is_refused_and_the_link_works_on() {
    alone(|| {
        let (manager, _local) = serve_with(quick().message(100_000));
        let node = Options::default().message(1 << 20).connect(manager.addr(), &secret()).unwrap();
        let small = Options::default().message(100_000).connect(manager.addr(), &secret()).unwrap();

        // By the client, which has the same limit.
        let remote = small.actor::<Recorder>("recorder").unwrap();
        let refused = remote.echo(vec![1; 200_000]).wait();
        assert!(
            matches!(&refused, Err(CallError::Codec(error, _)) if error.contains("100000")),
            "{refused:?}"
        );
        assert_eq!(remote.echo(vec![1; 50_000]).wait().unwrap().len(), 50_000);

        // By the manager, if the client does not know: then the link is ended.
        let remote = node.actor::<Recorder>("recorder").unwrap();
        let lost = remote.echo(vec![1; 200_000]).wait();
        assert!(matches!(lost, Err(CallError::Disconnected { .. })), "{lost:?}");
        let refusals = refusals(&manager, 1);
        assert!(
            matches!(refusals[..], [remote::RemoteError::TooLarge { limit: 100_000, .. }]),
            "{refusals:?}"
        );
    });
}

#[test]
fn an_actor_that_dies_is_told_of_as_at_home() {
    alone(|| {
        let (manager, _local) = serve();
        let node = connect(&manager);
        let remote = node.actor::<Recorder>("recorder").unwrap();
        let died = remote.die().wait();
        let Err(CallError::Died(ExitReason::Signaled { signal: 6, .. }, at)) = died else {
            panic!("{died:?}");
        };
        assert_eq!(at.method(), "die");
        let gone = remote.note(1).wait();
        let Err(CallError::Gone(at)) = gone else { panic!("{gone:?}") };
        assert!(matches!(at.ended(), Some(ExitReason::Signaled { signal: 6, .. })));

        // Its name can be given to another one, which a new ref reaches.
        manager.actor("recorder", &recorder()).unwrap();
        assert_eq!(connect(&manager).actor::<Recorder>("recorder").unwrap().note(2).wait(), Ok(1));
    });
}

#[test]
fn refs_do_not_travel_to_other_hosts() {
    alone(|| {
        let (manager, local) = serve();
        let remote = connect(&manager).actor::<Recorder>("recorder").unwrap();
        let refused = remote.meet(local).wait();
        assert!(
            matches!(&refused, Err(CallError::Codec(error, _)) if error.contains("another host")),
            "{refused:?}"
        );
        let refused = remote.find_you().wait();
        assert!(
            matches!(&refused, Err(CallError::Codec(error, _)) if error.contains("another host")),
            "{refused:?}"
        );
        assert_eq!(remote.note(1).wait(), Ok(1));
    });
}

#[test]
fn a_shutdown_answers_what_has_come_and_leaves_what_was_served() {
    alone(|| {
        let (manager, local) = serve();
        let remote = connect(&manager).actor::<Recorder>("recorder").unwrap();
        let latch = Latch::new("latch");
        let slow = remote.note_slowly(1, latch.clone());
        latch.await_mark("begun");
        latch.open();
        manager.stop(LINK_TIMEOUT).unwrap();
        assert_eq!(slow.wait(), Ok(1));
        assert!(matches!(manager.join(), phalanx::ExitReason::Stopped(_)));
        assert_eq!(manager.stop(LINK_TIMEOUT), Err(remote::RemoteError::Ended));
        assert!(matches!(remote.note(2).wait(), Err(CallError::Disconnected { .. })));
        assert_eq!(local.effects().wait().unwrap(), [1]);
        latch.remove();
    });
}

/// A process that is stopped and continued finds its waits interrupted.
#[test]
fn signals_disturb_neither_who_listens_nor_who_asks() {
    alone(|| {
        let (manager, local) = serve();
        let remote = connect(&manager).actor::<Recorder>("recorder").unwrap();
        let (listener, proxy, program) = (listener_process(), remote.pid().unwrap(), std::process::id());
        let script = format!(
            "i=0; while [ $i -lt 200 ]; do for s in URG WINCH CHLD CONT; do kill -$s {listener} {proxy} {program}; done; \
             kill -STOP {listener} {proxy}; kill -CONT {listener} {proxy}; i=$((i+1)); done 2>/dev/null"
        );
        let mut shower = std::process::Command::new("sh").args(["-c", &script]).spawn().unwrap();
        let mut count = 0;
        while count < 100 || shower.try_wait().unwrap().is_none() {
            count += 1;
            assert_eq!(remote.note(count).wait(), Ok(count as usize));
            if count.is_multiple_of(20) {
                let other = connect(&manager).actor::<Recorder>("recorder").unwrap();
                count += 1;
                assert_eq!(other.note(count).wait(), Ok(count as usize));
            }
        }
        assert_eq!(local.effects().wait().unwrap(), (1..=count).collect::<Vec<u64>>());
        assert_eq!(manager.refusals().unwrap(), []);
    });
}
