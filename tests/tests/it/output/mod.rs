//! Where the standard output and the standard error of actors, tasks and workers go.

mod clumsy;
mod destinations;
mod lines;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use phalanx::command::Output;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, processes, until_seen};

use crate::logging::{Heard, all};

/// Writes to its standard output and its standard error.
#[actor]
struct Writer;

#[actor]
impl Writer {
    fn write(&self, text: String) {
        write(text.as_bytes());
    }

    fn warn(&self, text: String) {
        eprint!("{text}");
    }

    fn write_bytes(&self, bytes: Vec<u8>) {
        write(&bytes);
    }

    /// The numbers below this one, each in a line.
    fn count(&self, most: u32) {
        count(most);
    }

    fn streams(&self) -> [String; 2] {
        streams(())
    }

    /// Writes, and is gone with its next instruction.
    fn abort(&self, text: String) {
        write(text.as_bytes());
        std::process::abort();
    }

    fn kill_itself(&self, text: String) {
        write(text.as_bytes());
        processes::kill(std::process::id());
    }

    /// Has another actor write, one level below.
    fn pass_on(&self, text: String) -> Result<(), String> {
        let next = Writer.builder().name("below").output(Output::Log).spawn();
        let next = next.map_err(|error| error.to_string())?;
        next.write(text).wait().map_err(|error| error.to_string())
    }

    /// Leaves a process behind that has its standard output, in a session of its own.
    fn leave_a_holder(&self) {
        let mut shell = std::process::Command::new("sh");
        assert!(shell.args(["-c", "setsid sleep 1000 &"]).status().unwrap().success());
    }

    /// Closes its streams, or puts others in their places.
    fn close(&self, numbers: Vec<i32>) {
        numbers.into_iter().for_each(|number| phalanx_clumsy::close(number).unwrap());
    }

    #[on_stop]
    fn stop(&mut self) {
        write(b"goodbye");
    }
}

/// Past the buffer of the standard library, so that nothing but the pipe has it.
fn write(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    out.write_all(bytes).unwrap();
    out.flush().unwrap();
}

fn count(most: u32) {
    let mut out = io::stdout().lock();
    for number in 0..most {
        writeln!(out, "{number}").unwrap();
    }
}

/// What this process has as its standard output and its standard error.
fn streams(_: ()) -> [String; 2] {
    [1, 2].map(|number| fs::read_link(format!("/proc/self/fd/{number}")).unwrap().display().to_string())
}

/// The lines that came so far, of one stream of an actor.
fn lines_of(actor: &str, stream: &str) -> Vec<String> {
    let is_it = |heard: &Heard| {
        heard.target == "phalanx::output" && heard.text("actor") == actor && heard.text("stream") == stream
    };
    all().into_iter().filter(is_it).map(|heard| heard.message().to_owned()).collect()
}

/// Waits until an actor has written exactly these lines to its standard output.
#[track_caller]
fn hear_lines(actor: &str, lines: &[&str]) {
    let what = format!("{lines:?} of `{actor}`");
    until_seen(&what, EVENT_TIMEOUT, || lines_of(actor, "stdout"), |seen| seen == lines);
}

/// A file in the directory of the case.
struct Paper(PathBuf);

impl Paper {
    fn new(name: &str) -> Paper {
        Paper(std::env::temp_dir().join(name))
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap_or_default()
    }
}

impl Drop for Paper {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
