//! Starting a command: when it is ready, and when it cannot be.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use phalanx::command::{Command, Ready};
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, alone, eventually, processes};

use super::{Paper, SCENARIO, supervised};

/// The text of an init that failed.
#[track_caller]
fn refusal(command: Command) -> String {
    match command.spawn() {
        Err(SpawnError::InitFailed { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_command_is_the_child_of_a_keeper_that_bears_its_name() {
    alone(|| {
        let command = Command::new("sleep").arg("1000").name("napper").daemon(true).spawn().unwrap();
        let (keeper, pid) = (command.pid().unwrap(), command.command_pid().unwrap());
        let stat = processes::stat(pid).unwrap();
        assert_eq!((&*stat.name, stat.parent, stat.group), ("sleep", keeper, pid));
        assert_eq!(processes::stat(keeper).unwrap().name, "napper");
        assert_eq!((command.name(), command.daemon(), command.is_alive()), ("napper", true, true));
        assert_eq!((command.exit_code(), command.exit_reason()), (None, None));
        assert_eq!(command.within(EVENT_TIMEOUT).command_pid().unwrap(), pid);
        command.kill().unwrap();
        assert_eq!(Command::new("/bin/true").spawn().unwrap().name(), "true");
    });
}

#[test]
fn a_ref_to_a_command_travels() {
    #[task]
    fn ask(command: phalanx::command::CommandRef) -> u32 {
        command.command_pid().unwrap()
    }
    alone(|| {
        let command = Command::new("sleep").arg("1000").spawn().unwrap();
        assert_eq!(ask::spawn(command.clone()).unwrap().join().unwrap(), command.command_pid().unwrap());
        command.kill().unwrap();
    });
}

#[test]
fn what_cannot_be_executed_is_refused_with_its_name_and_the_systems_words() {
    alone(|| {
        for program in ["no-such-program", "/no/such/program", ""] {
            let error = refusal(Command::new(program));
            assert_eq!(error, format!("cannot run `{program}`: No such file or directory (os error 2)"));
        }
        let plain = Paper::new("plain");
        fs::write(plain.path(), "text").unwrap();
        let error = refusal(Command::new(plain.path()));
        assert_eq!(error, format!("cannot run `{}`: Permission denied (os error 13)", plain.path()));
        let error = refusal(Command::new("true").arg("a\0b"));
        assert!(error.starts_with("cannot run `true`: "), "{error}");
        assert_eq!(supervised(), []);
    });
}

#[test]
fn a_directory_that_is_not_there_is_told_from_a_program_that_is_not() {
    alone(|| {
        let error = refusal(Command::new("true").current_dir("/no/such/place"));
        let expected =
            "cannot run `true` in the directory `/no/such/place`: No such file or directory (os error 2)";
        assert_eq!(error, expected);
        let file = Paper::new("file");
        fs::write(file.path(), "text").unwrap();
        let error = refusal(Command::new("true").current_dir(file.path()));
        assert!(error.contains("Not a directory"), "{error}");
    });
}

#[test]
fn a_command_that_ends_before_it_is_ready_is_refused_with_its_end_and_its_last_words() {
    alone(|| {
        let refusal = |line: &str| refusal(Command::shell(line).ready(Ready::line("listening")));
        let cases = [
            ("exit 3", "exited with code 3 before it was ready"),
            ("echo out; echo err >&2; echo; exit 0", "exited with code 0 before it was ready: err"),
            ("echo first; printf last; exit 1", "exited with code 1 before it was ready: last"),
            ("echo no >&2; kill -SEGV $$", "killed by SIGSEGV before it was ready: no"),
        ];
        for (line, expected) in cases {
            assert_eq!(refusal(line).replace(" (core dumped)", ""), format!("`/bin/sh` {expected}"));
        }
        assert_eq!(supervised(), []);
    });
}

/// What it has started goes on, listens, and says that it is ready. That is not the command, and is ended.
#[test]
fn a_command_that_puts_itself_into_the_background_is_refused_and_nothing_of_it_is_left() {
    alone(|| {
        let address = free_port();
        let daemon = format!("setsid {SCENARIO} listens {address} & ");
        let left = "exited with code 0 before it was ready, and left 1 process behind; does it put itself into the background?";
        let line = Command::shell(format!("{daemon} exit 0")).ready(Ready::port(&address));
        assert_eq!(refusal(line), format!("`/bin/sh` {left}"));
        let line = "setsid sh -c 'sleep 0.3; echo listening; sleep 1000' & echo started; exit 0";
        let line = Command::shell(line).ready(Ready::line("listening"));
        assert_eq!(refusal(line), format!("`/bin/sh` {left}: started"));
        eventually("the end of all", EVENT_TIMEOUT, || supervised().is_empty());
        TcpStream::connect(&address).unwrap_err();
    });
}

/// Never sometimes the one and sometimes the other.
#[test]
fn a_command_that_is_ready_and_ends_at_once_has_been_started() {
    alone(|| {
        for _ in 0..25 {
            let command = Command::new("true").spawn().unwrap();
            assert_eq!((command.join(), command.exit_code()), (ExitReason::Exited(0), Some(0)));
            let line = Command::shell("echo ready; exit 4").ready(Ready::line("ready"));
            assert_eq!(line.spawn().unwrap().join(), ExitReason::Exited(4));
        }
    });
}

#[test]
fn a_line_on_either_stream_says_that_it_is_ready() {
    alone(|| {
        for stream in ["", " >&2"] {
            let (pause, start) = (Duration::from_millis(300), Instant::now());
            let line = format!("echo almost; sleep 0.3; echo 'now listening on 80'{stream}; sleep 1000");
            let command = Command::shell(line).ready(Ready::line("listening")).spawn().unwrap();
            assert!(start.elapsed() >= pause);
            command.kill().unwrap();
        }
    });
}

#[test]
fn a_line_that_never_comes_is_a_start_timeout_and_leaves_nothing() {
    alone(|| {
        let paper = Paper::new("pid");
        let line = format!(
            "trap '' TERM; sleep 1000 & setsid sleep 1000 & echo loading; echo $$ >{}; wait",
            paper.path()
        );
        let limit = Duration::from_millis(1500);
        let (start, command) = (Instant::now(), Command::shell(line).name("mute").start_timeout(limit));
        let error = command.ready(Ready::line("listening")).spawn().unwrap_err();
        assert!(start.elapsed() >= limit);
        let awaited = "a line with `listening`; its last line was: loading".to_owned();
        assert_eq!(error, SpawnError::StartTimeout { actor: "mute".into(), after: limit, awaited });
        let said = "cannot start `mute`: not ready after 1.5s; it waited for a line with `listening`; its last line was: loading";
        assert_eq!(error.to_string(), said);
        let pid = paper.number();
        eventually("the end of the command", EVENT_TIMEOUT, || {
            !processes::exists(pid) && supervised().is_empty()
        });
    });
}

/// A port at which no server listens.
fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_port_says_that_it_is_ready() {
    alone(|| {
        let address = free_port();
        let listener = Command::new(SCENARIO).args(["listens", &address]);
        let command = listener.ready(Ready::port(&address)).spawn().unwrap();
        TcpStream::connect(&address).unwrap();
        let second = Command::new("sleep").arg("1000").ready(Ready::port(&address));
        assert_eq!(refusal(second), format!("another process listens at `{address}`"));
        command.stop(EVENT_TIMEOUT).unwrap();
        TcpStream::connect(&address).unwrap_err();
    });
}

#[test]
fn a_socket_says_that_it_is_ready() {
    alone(|| {
        let paper = Paper::new("socket");
        let listener = Command::new(SCENARIO).args(["listens", "./socket"]).current_dir(std::env::temp_dir());
        let command = listener.ready(Ready::path("socket")).spawn().unwrap();
        UnixStream::connect(paper.path()).unwrap();
        // It stays where it was, and no server listens.
        command.kill().unwrap();
        command.join();
        let limit = Duration::from_millis(500);
        let late = Command::new("sleep").arg("1000").start_timeout(limit).ready(Ready::path(paper.path()));
        match late.spawn() {
            Err(SpawnError::StartTimeout { awaited, .. }) => {
                assert_eq!(awaited, format!("a listener at `{}`", paper.path()));
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn an_address_that_there_is_not_is_refused() {
    alone(|| {
        let error = refusal(Command::new("true").ready(Ready::port("no host:80")));
        assert!(error.starts_with("cannot resolve `no host:80`: "), "{error}");
    });
}

#[test]
fn an_option_that_cannot_be_is_refused_by_name() {
    alone(|| {
        let command = || Command::new("true").name("command");
        let cases = [
            (command().stop_signal(0), "`stop_signal`"),
            (command().stop_signal(65), "`stop_signal`"),
            (command().ready(Ready::port("localhost")), "`ready`"),
            (command().ready(Ready::port("localhost:http")), "`ready`"),
            (command().start_timeout(Duration::ZERO), "`start_timeout`"),
            (command().oom_score_adj(1001), "`oom_score_adj`"),
        ];
        let services = Supervisor::one_for_one().name("services").start().unwrap();
        for (command, option) in cases {
            match command.spawn() {
                Err(SpawnError::Option { actor, error }) => {
                    assert!(actor == "command" && error.contains(option), "{actor}: {error}");
                }
                other => panic!("{option}: {other:?}"),
            }
        }
        // As a child, too.
        let refused = services.start_child("child", command().stop_signal(65));
        assert!(matches!(refused, Err(SpawnError::Option { error, .. }) if error.contains("`stop_signal`")));
        assert_eq!(services.count_children().unwrap().specs, 0);
        assert!(matches!(Command::new("true").name("").spawn(), Err(SpawnError::Option { .. })));
    });
}

#[test]
fn a_start_can_be_called_off() {
    alone(|| {
        let [pid, paper] = ["pid", "stopped"].map(Paper::new);
        let trap = format!("trap 'echo yes >{}; exit' TERM; echo $$ >{}", paper.path(), pid.path());
        let command = Command::shell(format!("{trap}; while :; do sleep 0.01; done"));
        let command = command.name("slow").start_timeout(FOREVER).ready(Ready::line("listening"));
        let starting = thread::spawn(|| command.spawn());
        let keeper = processes::stat(pid.number()).unwrap().parent;
        processes::signal("TERM", i64::from(keeper));
        let expected = "`/bin/sh` was stopped before it was ready".to_owned();
        let error = starting.join().unwrap().unwrap_err();
        assert_eq!(error, SpawnError::InitFailed { actor: "slow".into(), error: expected });
        assert_eq!(paper.text(), "yes\n");
    });
}
