//! Actors that do to their streams what no program should.

use phalanx::ExitReason;
use phalanx::command::Output;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, until_seen};

use super::{Writer, hear_lines, lines_of};
use crate::logging::{hear_of, listen};

fn named(name: &str) -> ActorRef<Writer> {
    Writer.builder().name(name).output(Output::Log).spawn().unwrap()
}

#[test]
fn bytes_that_are_no_text_and_a_line_of_a_mebibyte_are_lines_too() {
    alone(|| {
        listen("info");
        let writer = named("writer");
        writer.write_bytes(b"a\xff\0b\n".to_vec()).wait().unwrap();
        writer.write_bytes([vec![b'x'; 1 << 20], b"\nend\n".to_vec()].concat()).wait().unwrap();
        let lines =
            until_seen("all lines", EVENT_TIMEOUT, || lines_of("writer", "stdout"), |seen| seen.len() == 3);
        let cut = format!("{} [cut here, 983040 bytes are missing]", "x".repeat(1 << 16));
        assert!(lines[1..] == [cut, "end".into()] && lines[0] == "a\u{fffd}\\u{0}b", "{:?}", lines[0]);
    });
}

#[test]
fn an_actor_that_closes_its_streams_harms_only_itself() {
    alone(|| {
        listen("info");
        let (clumsy, writer) = (named("clumsy"), named("writer"));
        clumsy.write("before\nunfinished".into()).wait().unwrap();
        clumsy.close(vec![1, 2]).wait().unwrap();
        // The end of a pipe is the end of its last line.
        hear_lines("clumsy", &["before", "unfinished"]);
        writer.write("still here\n".into()).wait().unwrap();
        hear_lines("writer", &["still here"]);
        clumsy.stop(EVENT_TIMEOUT).unwrap();
        assert_eq!(lines_of("clumsy", "stdout").len(), 2);
    });
}

#[test]
fn a_process_that_keeps_the_pipe_after_the_end_of_an_actor_holds_nothing_up() {
    alone(|| {
        listen("info");
        let writer = named("writer");
        writer.leave_a_holder().wait().unwrap();
        writer.abort("last".into()).wait().unwrap_err();
        assert!(matches!(writer.join(), ExitReason::Signaled { signal: 6, .. }));
        hear_of("writer", "crashed");
        assert_eq!(lines_of("writer", "stdout"), ["last"]);
    });
}

/// A copy of the actor, which writes and writes, also when the actor is gone.
#[actor]
struct Forker;

#[actor]
impl Forker {
    fn fork_and_die(&self) {
        phalanx_tests::forks::copy(|| {
            use std::io::Write;
            let mut out = std::io::stdout().lock();
            while writeln!(out, "the copy").is_ok() {}
        });
        std::process::abort();
    }
}

#[test]
fn a_copy_that_writes_on_and_on_holds_nothing_up() {
    alone(|| {
        listen("info");
        let forker = Forker.builder().name("forker").output(Output::Log).spawn().unwrap();
        forker.fork_and_die().wait().unwrap_err();
        hear_of("forker", "crashed");
        named("writer").write("hello\n".into()).wait().unwrap();
        hear_lines("writer", &["hello"]);
    });
}
