//! Readiness by notification: sd_notify(3).

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::thread;
use std::time::{Duration, Instant};

use phalanx::command::{Command, Ready};
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes, until, until_seen};

use super::{Paper, SCENARIO, supervised};

/// A command that sends one message, and stays.
fn notifier(assignments: &[&str]) -> Command {
    Command::new(SCENARIO).arg("notifies").args(assignments).ready(Ready::notify())
}

#[test]
fn a_command_says_that_it_is_ready_and_how_it_is() {
    alone(|| {
        let command = notifier(&["STATUS=serving 3 clients", "MAINPID=1", "READY=1"]).spawn().unwrap();
        assert_eq!(command.status().unwrap().as_deref(), Some("serving 3 clients"));
        assert!(command.stop(EVENT_TIMEOUT).unwrap().is_orderly());
        let long = format!("STATUS={}", "x".repeat(5000));
        let command = notifier(&["READY=1", &long]).spawn().unwrap();
        assert_eq!(command.status().unwrap(), Some("x".repeat(512)));
        command.kill().unwrap();
    });
}

#[test]
fn a_descendant_may_say_it_for_the_command() {
    alone(|| {
        for line in ["notifies READY=1 & wait", "notifies READY=1 & exec sleep 1000"] {
            let start = Instant::now();
            let command = Command::shell(format!("sleep 0.2; \"$0\" {line}")).arg(SCENARIO);
            let command = command.ready(Ready::notify()).spawn().unwrap();
            assert!(start.elapsed() >= Duration::from_millis(200));
            assert_eq!(command.status().unwrap(), None);
            command.kill().unwrap();
        }
    });
}

#[test]
fn only_the_word_ready_counts_and_the_status_is_in_the_error() {
    alone(|| {
        let limit = Duration::from_secs(6);
        let said = ["READY=0", "READY=11", "XREADY=1", "STATUS=loading", "RELOADING=1"];
        match notifier(&said).start_timeout(limit).spawn() {
            Err(SpawnError::StartTimeout { awaited, .. }) => {
                assert_eq!(awaited, "a notification `READY=1`; its status was: loading");
            }
            other => panic!("{other:?}"),
        }
        eventually("the end of all", EVENT_TIMEOUT, || supervised().is_empty());
    });
}

/// Sends to the socket of a command whose pid is in that file, as a process that is none of its own.
fn forge(paper: &Paper, message: &[u8]) {
    let pid = paper.number();
    // In the middle of an `exec`, it is empty.
    let name = until("its socket", EVENT_TIMEOUT, || {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let text = String::from_utf8_lossy(&environment).into_owned();
        text.split('\0').find_map(|line| line.strip_prefix("NOTIFY_SOCKET=@")).map(str::to_owned)
    });
    let socket = UnixDatagram::unbound().unwrap();
    let to = SocketAddr::from_abstract_name(name).unwrap();
    for _ in 0..3 {
        socket.send_to_addr(message, &to).unwrap();
    }
}

#[test]
fn a_message_of_another_process_is_passed_over() {
    alone(|| {
        let paper = Paper::new("pid");
        let line = format!("echo $$ >{}; exec sleep 1000", paper.path());
        let limit = Duration::from_secs(6);
        let start = Instant::now();
        let command = Command::shell(line).start_timeout(limit).ready(Ready::notify());
        let starting = thread::spawn(|| command.spawn());
        forge(&paper, b"READY=1\nSTATUS=forged");
        match starting.join().unwrap() {
            Err(SpawnError::StartTimeout { awaited, .. }) => assert_eq!(awaited, "a notification `READY=1`"),
            other => panic!("{other:?}"),
        }
        assert!(start.elapsed() >= limit);
    });
}

/// Empty, too long, no text: the next one counts all the same.
#[test]
fn rubbish_holds_nothing_up() {
    alone(|| {
        let paper = Paper::new("pid");
        let line = format!("echo $$ >{}; sleep 1; exec \"$0\" notifies READY=1", paper.path());
        let command = Command::shell(line).arg(SCENARIO).ready(Ready::notify());
        let starting = thread::spawn(|| command.spawn());
        for rubbish in [&b""[..], &[0xff; 100], &[b'R'; 20_000]] {
            forge(&paper, rubbish);
        }
        starting.join().unwrap().unwrap().kill().unwrap();
    });
}

#[test]
fn a_restart_waits_for_its_own_notification() {
    alone(|| {
        let command = notifier(&["READY=1"]).restart(Restart::Permanent).spawn().unwrap();
        let first = command.command_pid().unwrap();
        command.signal(9).unwrap();
        let next = until_seen(
            "the next process",
            EVENT_TIMEOUT,
            || command.command_pid().ok(),
            |pid| pid.is_some_and(|pid| pid != first),
        );
        assert!(processes::runs(next.unwrap()));
        command.kill().unwrap();
    });
}

#[test]
fn a_command_that_ends_without_a_word_is_refused() {
    alone(|| match Command::shell("exit 2").ready(Ready::notify()).spawn() {
        Err(SpawnError::InitFailed { error, .. }) => {
            assert_eq!(error, "`/bin/sh` exited with code 2 before it was ready");
        }
        other => panic!("{other:?}"),
    });
}
