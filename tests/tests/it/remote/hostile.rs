//! Strangers that mean ill: dropped at the deadline or at once, while others are served.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::remote;
use phalanx::remote::{Options, RemoteError};
use phalanx_tests::recorder::{Recorder, secret};
use phalanx_tests::{alone, eventually, processes};

use super::{LINK_TIMEOUT, listener_process, quick, reach_recorder, refusals, serve, serve_with};

fn stranger(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LINK_TIMEOUT)).unwrap();
    // The manager may hang up before it has all of it.
    let _ = stream.write_all(bytes);
    stream
}

/// Waits until the manager hangs up.
fn until_dropped(mut stream: &TcpStream) {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return,
            Err(error) => panic!("not dropped: {error}"),
        }
    }
}

/// Calls all the time, in a thread of its own; every reply must come within a second.
fn served_all_the_time(remote: &ActorRef<Recorder>, during: impl FnOnce()) {
    let remote = remote.clone();
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let caller = thread::spawn(move || {
        let mut calls = 0;
        while is_done.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            remote.within(Duration::from_secs(5)).note(calls).wait().unwrap();
            calls += 1;
        }
        calls
    });
    during();
    drop(done);
    assert!(caller.join().unwrap() > 0);
}

#[test]
fn rubbish_half_handshakes_and_silence_are_dropped_while_others_are_served() {
    alone(|| {
        let (manager, _local) = serve_with(Options::default().handshake(Duration::from_millis(500)));
        let remote = reach_recorder(&manager);
        let mut half = b"phalanx-remote 1\n".to_vec();
        half.extend([32, 0, 1, 2, 3]);
        let mut wrong_key = b"phalanx-remote 1\n".to_vec();
        wrong_key.extend([32, 0]);
        wrong_key.extend([9; 32]);
        served_all_the_time(&remote, || {
            // At once: what these have done is not that they took too long.
            for rubbish in [&[0xff; 100][..], b"GET / HTTP/1.1\r\n\r\n", b"\n", &[0; 100]] {
                until_dropped(&stranger(manager.addr(), rubbish));
            }
            // At the deadline.
            for unfinished in [&b""[..], b"phalanx", b"phalanx-remote 1\n", &half, &wrong_key] {
                let start = Instant::now();
                let stream = stranger(manager.addr(), unfinished);
                until_dropped(&stream);
                let took = start.elapsed();
                assert!(took >= Duration::from_millis(400), "{took:?} {unfinished:?}");
                assert!(took < Duration::from_secs(5), "{took:?} {unfinished:?}");
            }
        });
        let refusals = refusals(&manager, 9);
        let timed_out = refusals.iter().filter(|error| matches!(error, RemoteError::TimedOut { .. })).count();
        let garbage = refusals.iter().filter(|error| matches!(error, RemoteError::Garbage { .. })).count();
        assert!(timed_out >= 5 && garbage == 4, "{refusals:?}");
    });
}

/// A byte now and then, so that no single read takes too long.
#[test]
fn a_slow_loris_is_dropped_at_the_deadline() {
    alone(|| {
        let (manager, _local) = serve_with(Options::default().handshake(Duration::from_secs(1)));
        let remote = reach_recorder(&manager);
        served_all_the_time(&remote, || {
            let start = Instant::now();
            let mut slow = stranger(manager.addr(), b"");
            for byte in b"phalanx-remote 1\n".iter().cycle() {
                if slow.write_all(&[*byte]).is_err() {
                    break;
                }
                assert!(start.elapsed() < Duration::from_secs(10), "not dropped");
                thread::sleep(Duration::from_millis(100));
            }
            assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
        });
    });
}

/// How many kilobytes of memory a process has now.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_length_of_four_gigabytes_is_refused_and_nothing_is_allocated() {
    alone(|| {
        let (manager, _local) = serve();
        let remote = reach_recorder(&manager);
        let listener = listener_process();
        let before = resident(listener);
        let mut lie = b"phalanx-remote 1\n".to_vec();
        lie.extend([0xff; 8]);
        served_all_the_time(&remote, || {
            for lie in [&[0xff; 8][..], &lie] {
                for _ in 0..20 {
                    until_dropped(&stranger(manager.addr(), lie));
                }
            }
        });
        assert!(resident(listener) < before + 8 * 1024, "{before} KiB, {} KiB", resident(listener));
        assert_eq!(listener_process(), listener);
    });
}

/// The limits hold, the listener lives, and peers that know the secret get through.
#[test]
fn a_thousand_connections_are_bounded_and_those_who_know_the_secret_get_in() {
    alone(|| {
        let (manager, _local) = serve_with(quick().strangers(32));
        let remote = reach_recorder(&manager);
        let listener = listener_process();
        served_all_the_time(&remote, || {
            let crowd: Vec<TcpStream> =
                (0..1000).map(|_| stranger(manager.addr(), b"phalanx-remote 1\n")).collect();
            assert!(reach_recorder(&manager).effects().wait().is_ok());
            let threads = std::fs::read_dir(format!("/proc/{listener}/task")).unwrap().count();
            assert!(threads < 32 + 20, "{threads} threads");
            for stream in &crowd {
                until_dropped(stream);
            }
        });
        assert_eq!(listener_process(), listener);
        let threads = || std::fs::read_dir(format!("/proc/{listener}/task")).unwrap().count();
        eventually("the threads to end", LINK_TIMEOUT, || threads() < 16);
        assert!(processes::runs(listener));
    });
}

#[test]
fn more_clients_than_there_is_room_for_are_told_so() {
    alone(|| {
        let (manager, _local) = serve_with(quick().clients(2));
        let node = remote::connect(manager.addr(), &secret()).unwrap();
        let one = node.actor::<Recorder>("recorder").unwrap();
        let other = remote::connect(manager.addr(), &secret()).unwrap();
        let other = other.actor::<Recorder>("recorder").unwrap();
        let refused = remote::connect(manager.addr(), &secret()).unwrap_err();
        assert_eq!(refused, RemoteError::Busy { peer: manager.addr().to_string() });
        one.note(1).wait().unwrap();
        other.note(2).wait().unwrap();
        eventually("the manager's side of it", LINK_TIMEOUT, || {
            manager.refusals().unwrap().iter().any(|error| matches!(error, RemoteError::Busy { .. }))
        });
        one.stop(LINK_TIMEOUT).unwrap();
        eventually("room", LINK_TIMEOUT, || remote::connect(manager.addr(), &secret()).is_ok());
    });
}

/// A client that knows the secret and does not read its replies.
#[test]
fn more_calls_than_may_wait_are_refused_and_no_others() {
    alone(|| {
        let (manager, _local) = serve_with(quick().in_flight(4));
        let remote = reach_recorder(&manager);
        let latch = phalanx_tests::Latch::new("latch");
        let slow = remote.note_slowly(0, latch.clone());
        latch.await_mark("begun");
        let calls: Vec<_> = (1..=10).map(|effect| remote.note(effect)).collect();
        let (mut full, mut waiting) = (0, Vec::new());
        for mut call in calls {
            match call.wait_timeout(Duration::from_millis(300)) {
                Err(CallError::Full(_)) => full += 1,
                Err(CallError::Timeout(_)) => waiting.push(call),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((full, waiting.len()), (7, 3));
        latch.open();
        assert_eq!(slow.wait(), Ok(1));
        for (call, count) in waiting.into_iter().zip(2..) {
            assert_eq!(call.wait(), Ok(count));
        }
        latch.remove();
    });
}
