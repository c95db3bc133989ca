//! Input by a pipe, output by a pipe or into a file.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use phalanx::command::{Command, CommandError, Input, InputWriter, Output, Ready, StreamError};
use phalanx::prelude::*;
use phalanx::{ExitReason, StoppedBy};
use phalanx_tests::{EVENT_TIMEOUT, Program, RESTART_WINDOW, alone, eventually, processes, until};

use super::{Paper, SCENARIO, begun};

/// For what must not happen.
const MOMENT: Duration = Duration::from_millis(100);

#[track_caller]
fn app<T: std::fmt::Debug>(result: Result<T, CallError<CommandError>>) -> CommandError {
    match result {
        Err(CallError::App(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_written_is_the_input_until_the_writer_is_dropped() {
    alone(|| {
        let cat = Command::new("cat").stdin(Input::Pipe).stdout(Output::Pipe).spawn().unwrap();
        let (mut input, mut output) = (cat.stdin().unwrap(), cat.stdout().unwrap());
        let mut line = [0; 6];
        for word in ["first\n", "other\n"] {
            input.write_all(word.as_bytes()).unwrap();
            output.read_exact(&mut line).unwrap();
            assert_eq!(line, word.as_bytes());
        }
        assert!(matches!(output.read_within(&mut line, MOMENT), Err(StreamError::Timeout { .. })));
        drop(input);
        assert_eq!(output.read_within(&mut line, EVENT_TIMEOUT), Ok(0));
        assert_eq!(cat.join_timeout(EVENT_TIMEOUT), Some(ExitReason::Exited(0)));
    });
}

#[test]
fn an_input_that_no_process_reads_holds_a_writer_up_for_as_long_as_it_wants() {
    alone(|| {
        let deaf = Command::new("sleep").arg("1000").stdin(Input::Pipe).spawn().unwrap();
        let mut input = deaf.stdin().unwrap();
        let much = vec![7; 1 << 20];
        match input.write_all_within(&much, MOMENT) {
            Err(StreamError::Timeout { done, after }) => {
                assert!(done > 0 && done < much.len() && after == MOMENT)
            }
            other => panic!("{other:?}"),
        }
        deaf.signal(9).unwrap();
        assert_eq!(input.write_all_within(&much, EVENT_TIMEOUT), Err(StreamError::Closed));
        assert_eq!(input.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(deaf.join_timeout(EVENT_TIMEOUT).unwrap().signal(), Some(9));
    });
}

#[test]
fn a_command_that_closes_its_input_ends_the_writer_and_runs_on() {
    alone(|| {
        let line = "exec 0<&-; echo begun; exec sleep 1000";
        let command = Command::shell(line).ready(Ready::line("begun")).stdin(Input::Pipe).spawn().unwrap();
        let mut input = command.stdin().unwrap();
        assert_eq!(input.write_all_within(b"x", EVENT_TIMEOUT), Err(StreamError::Closed));
        assert!(command.is_alive());
        command.kill().unwrap();
    });
}

/// Each process of a command has pipes of its own; a pipe is handed out once.
#[test]
fn a_restart_makes_another_pipe_and_ends_the_last_one() {
    alone(|| {
        let cat = Command::new("cat").stdin(Input::Pipe).stderr(Output::Null).restart(Restart::Transient);
        let cat = cat.intensity(5, RESTART_WINDOW).spawn().unwrap();
        let mut input = cat.stdin().unwrap();
        assert_eq!(app(cat.stdin()), CommandError::Taken("stdin".into()));
        assert_eq!(app(cat.stdout()), CommandError::NoPipe("stdout".into()));
        assert_eq!(app(cat.stderr()), CommandError::NoPipe("stderr".into()));
        cat.signal(9).unwrap();
        eventually("the next process", EVENT_TIMEOUT, || cat.incarnation() == 2);
        assert_eq!(input.write_all_within(b"x", EVENT_TIMEOUT), Err(StreamError::Closed));
        let next = until("the next pipe", EVENT_TIMEOUT, || cat.stdin().ok());
        drop(next);
        assert_eq!(cat.join_timeout(EVENT_TIMEOUT), Some(ExitReason::Exited(0)));
    });
}

#[test]
fn an_end_of_a_pipe_travels_and_its_owner_ends_with_it() {
    #[task]
    fn feed(mut input: InputWriter) -> phalanx::Result<()> {
        Ok(input.write_all(b"a word")?)
    }
    alone(|| {
        let cat = Command::new("cat").stdin(Input::Pipe).stdout(Output::Pipe).spawn().unwrap();
        let mut output = cat.stdout().unwrap();
        feed::spawn(cat.stdin().unwrap()).unwrap().join().unwrap();
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        assert_eq!((&*text, cat.join()), ("a word", ExitReason::Exited(0)));
    });
}

#[test]
fn the_input_of_the_program_can_be_inherited() {
    let run = Program::new("sh").args(["-c", r#"echo hello | "$0" command-inherits"#, SCENARIO]).start();
    assert_eq!((run.line(), run.line()), ("hello".into(), "exited with code 0".into()));
    assert_eq!(run.finish(), 0);
    let run = Program::new(SCENARIO).args(["command-inherits"]).start();
    assert_eq!(run.line(), "exited with code 0");
    assert_eq!(run.finish(), 0);
}

/// However soon it ends after its start.
#[test]
fn all_of_a_short_output_is_read() {
    alone(|| {
        for number in 0..20 {
            let echo = Command::new("echo").arg(number.to_string()).stdout(Output::Pipe).spawn().unwrap();
            let mut text = String::new();
            echo.stdout().unwrap().read_to_string(&mut text).unwrap();
            assert_eq!((text, echo.join()), (format!("{number}\n"), ExitReason::Exited(0)));
        }
    });
}

#[test]
fn both_streams_are_pipes_of_their_own() {
    alone(|| {
        let line = "head -c 1000000 /dev/zero; echo done >&2; exit 3";
        let both = Command::shell(line).output(Output::Pipe).spawn().unwrap();
        let (mut stdout, mut stderr) = (both.stdout().unwrap(), both.stderr().unwrap());
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).unwrap();
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        assert_eq!((bytes.len(), &*text, both.join()), (1_000_000, "done\n", ExitReason::Exited(3)));
    });
}

#[test]
fn a_reader_that_goes_away_ends_a_command_that_writes_without_end() {
    alone(|| {
        let yes = Command::new("yes").stdout(Output::Pipe).spawn().unwrap();
        let mut output = yes.stdout().unwrap();
        output.read_exact(&mut [0; 2]).unwrap();
        assert!(yes.is_alive());
        drop(output);
        assert_eq!(yes.join_timeout(EVENT_TIMEOUT).unwrap().signal(), Some(13));
    });
}

#[test]
fn a_command_whose_pipes_nobody_wants_ends_and_can_be_stopped() {
    alone(|| {
        let echo = Command::new("echo").output(Output::Pipe).spawn().unwrap();
        assert_eq!(echo.join_timeout(EVENT_TIMEOUT), Some(ExitReason::Exited(0)));
        // One that waits because the pipe is full, and one that has ended and is held back.
        let yes = Command::new("yes").output(Output::Pipe).spawn().unwrap();
        assert_eq!(yes.stop(EVENT_TIMEOUT).unwrap(), ExitReason::Stopped(StoppedBy::Ref));
        let echo = Command::new("echo").output(Output::Pipe).spawn().unwrap();
        let stopped = echo.stop(Duration::from_secs(4)).unwrap();
        assert!(
            stopped == ExitReason::Stopped(StoppedBy::Ref) || stopped == ExitReason::Exited(0),
            "{stopped}"
        );
    });
}

#[test]
fn streams_go_to_places_of_their_own_and_files_are_appended_to() {
    alone(|| {
        let [out, err] = ["out", "err"].map(Paper::new);
        fs::write(out.path(), "before\n").unwrap();
        for round in ["one", "two"] {
            let line = format!("echo {round}; echo {round}! >&2");
            let command = Command::shell(line).stdout(Output::file(out.path())).current_dir("/");
            let command = command.stderr(Output::file(err.path())).spawn().unwrap();
            assert_eq!(command.join(), ExitReason::Exited(0));
            assert_eq!(command.last_lines(), None);
        }
        assert_eq!((out.text(), err.text()), ("before\none\ntwo\n".into(), "one!\ntwo!\n".into()));
        // A relative one begins in the directory of the command.
        let command = Command::new("echo").output(Output::file("out")).current_dir(std::env::temp_dir());
        command.spawn().unwrap().join();
        assert_eq!(out.text(), "before\none\ntwo\n\n");
    });
}

#[test]
fn a_file_that_cannot_be_opened_is_refused() {
    alone(|| match Command::new("true").stdout(Output::file("/no/such/place")).spawn() {
        Err(SpawnError::InitFailed { error, .. }) => {
            assert_eq!(error, "cannot append to `/no/such/place`: No such file or directory (os error 2)");
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn a_line_says_ready_wherever_the_stream_goes_and_is_handed_out() {
    alone(|| {
        let paper = Paper::new("said");
        let line = "echo loading; echo port 4711 open; echo more; exec sleep 1000";
        for output in [Output::Log, Output::Null, Output::file(paper.path())] {
            let command = Command::shell(line).output(output).ready(Ready::line("port")).spawn().unwrap();
            assert_eq!(command.ready_line().unwrap().as_deref(), Some("port 4711 open"));
            eventually("all in the file", EVENT_TIMEOUT, || {
                paper.text().is_empty() || paper.text().ends_with("more\n")
            });
            command.kill().unwrap();
        }
        assert_eq!(paper.text(), "loading\nport 4711 open\nmore\n");
        assert_eq!(begun("echo begun; exec sleep 1000").ready_line().unwrap().as_deref(), Some("begun"));
        let none = Command::new("sleep").arg("1000").spawn().unwrap();
        assert_eq!(none.ready_line().unwrap(), None);
        // Standard output is its reader's, so the line is on the other stream.
        let line = "echo begun; sleep 0.1; echo begun on the other >&2; exec sleep 1000";
        let command = Command::shell(line).stdout(Output::Pipe).ready(Ready::line("begun")).spawn().unwrap();
        assert_eq!(command.ready_line().unwrap().as_deref(), Some("begun on the other"));
        let mut first = [0; 6];
        command.stdout().unwrap().read_exact(&mut first).unwrap();
        assert_eq!(&first, b"begun\n");
        processes::kill(command.command_pid().unwrap());
    });
}
