//! What children write to their standard output and standard error, if that goes to the log.
//!
//! The supervisor makes a pipe for each such stream before it forks, and is the only process with the end to
//! read from, so no child can make that end block. [`Outputs`] reads a chunk at a time, makes lines of it and
//! offers each as an event. It reads on when all lines of a chunk are sent: while the log has no room, the
//! pipe fills, and the child waits as at any pipe. After [`PATIENCE`] without room, lines are dropped and
//! counted. At the end of a process the rest of its pipe is read, whoever else still has the other end.
//!
//! The supervisor waits for none of this, and believes nothing of what it reads.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::{Supervisor, events};
use crate::control::output::Readers;
use crate::control::request::Spec;
use crate::logging::lines::Lines;
use crate::logging::outbox;
use crate::logging::record::Severity;
use crate::sys::signal::Mask;
use crate::sys::{clock, fd, poll};
use crate::types::output::Channel;

/// How much of a stream is read at a time, in bytes.
const CHUNK: usize = 8 << 10;

/// How many lines of a stream are sent before the rest of the loop has its turn.
const LINES_AT_A_TIME: usize = 16;

/// The most that is read of a pipe after the end of its process: the most that a pipe holds.
const REST: usize = 1 << 20;

/// The pause before the next try, when the log has no room (nanoseconds).
const PAUSE: u64 = 5_000_000;

/// After how long without room lines are dropped (nanoseconds).
const PATIENCE: u64 = 5_000_000_000;

/// For how long the end of a supervisor waits for room.
const AT_THE_END: Duration = Duration::from_secs(1);

/// Which process a line is of.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) actor: String,
    pub(super) pid: i32,
    pub(super) incarnation: u64,
    pub(super) channel: Channel,
    /// Which of the levels the program wants.
    wanted: [bool; 2],
}

impl Source {
    pub(super) fn of(spec: &Spec, pid: i32, incarnation: u64) -> Source {
        let is_wanted = |channel| spec.log.as_ref().is_some_and(|wish| wish.wants(level(channel)));
        let wanted = Channel::BOTH.map(is_wanted);
        Source { actor: spec.name.clone(), pid, incarnation, channel: Channel::Stdout, wanted }
    }

    pub(super) fn level(&self) -> Severity {
        level(self.channel)
    }
}

fn level(channel: Channel) -> Severity {
    match channel {
        Channel::Stdout => Severity::Info,
        Channel::Stderr => Severity::Warn,
    }
}

/// The streams of all children that go to the log, and of ended ones whose last lines are not sent yet.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    streams: Vec<Stream>,
}

impl Outputs {
    /// Adds the streams of a process that was forked.
    pub(super) fn add(&mut self, readers: Readers, source: &Source) {
        for (channel, pipe) in Channel::BOTH.into_iter().zip(readers) {
            if let Some(pipe) = pipe {
                self.streams.push(Stream::new(Source { channel, ..source.clone() }, pipe));
            }
        }
    }

    /// The pipes to wait for. [`turn`](Self::turn) takes what was found, in this order.
    pub(super) fn awaited(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.streams.iter().filter_map(Stream::awaited)
    }

    /// When there is something to do that no pipe announces.
    pub(super) fn due(&self) -> Option<u64> {
        self.streams.iter().filter_map(Stream::due).min()
    }

    pub(super) fn is_any_unsent(&self) -> bool {
        self.streams.iter().any(|stream| stream.due().is_some())
    }

    /// Reads the pipes of which `readable` says that there is something, and sends lines.
    pub(super) fn turn(&mut self, readable: &[bool], now: u64, mut send: impl FnMut(&Source, &str) -> bool) {
        let mut readable = readable.iter();
        for stream in &mut self.streams {
            if stream.awaited().is_some() && readable.next() == Some(&true) {
                stream.read(CHUNK);
            }
            if stream.due().is_some_and(|at| at <= now) {
                stream.send_lines(LINES_AT_A_TIME, now, &mut send);
            }
        }
        self.streams.retain(|stream| !stream.is_done());
    }

    /// Reads what is left in the pipes of a process that has ended, and sends it as far as there is room.
    pub(super) fn finish(&mut self, pid: i32, now: u64, mut send: impl FnMut(&Source, &str) -> bool) {
        for stream in self.streams.iter_mut().filter(|stream| stream.is_of(pid)) {
            stream.read(REST);
            stream.close();
            stream.send_lines(usize::MAX, now, &mut send);
        }
        self.streams.retain(|stream| !stream.is_done());
    }
}

/// One stream of one process.
#[derive(Debug)]
struct Stream {
    source: Source,
    /// `None`: nothing more is read of it.
    pipe: Option<OwnedFd>,
    text: Text,
    /// Set while the log has no room for its next line.
    full: Option<Full>,
}

#[derive(Clone, Copy, Debug)]
struct Full {
    since: u64,
    /// When to try again.
    again: u64,
}

impl Stream {
    fn new(source: Source, pipe: OwnedFd) -> Stream {
        Stream { source, pipe: Some(pipe), text: Text::default(), full: None }
    }

    fn is_of(&self, pid: i32) -> bool {
        self.pipe.is_some() && self.source.pid == pid
    }

    fn is_done(&self) -> bool {
        self.pipe.is_none() && !self.text.is_any()
    }

    /// The pipe, unless there are lines to send first.
    fn awaited(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| !self.text.is_any()).map(AsFd::as_fd)
    }

    /// When the next line is to be sent.
    fn due(&self) -> Option<u64> {
        self.text.is_any().then(|| self.full.map_or(0, |full| full.again))
    }

    /// Reads what is there, up to `most` bytes. At the end of the pipe, closes it.
    fn read(&mut self, most: usize) {
        let mut read = 0;
        let mut chunk = [0; CHUNK];
        while read < most
            && let Some(pipe) = &self.pipe
        {
            match fd::read(pipe.as_fd(), &mut chunk) {
                Ok(len @ 1..) => {
                    read += len;
                    // What nobody wants is read all the same: the child must not wait for a reader.
                    if self.source.wanted[self.source.channel as usize] {
                        self.text.add(&chunk[..len]);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => self.close(),
            }
        }
    }

    fn close(&mut self) {
        self.pipe = None;
        self.text.end();
    }

    /// Sends lines, `most` at most, until there is no room.
    fn send_lines(&mut self, most: usize, now: u64, send: &mut impl FnMut(&Source, &str) -> bool) {
        for _ in 0..most {
            let Some(line) = self.text.next_line() else { return };
            if !send(&self.source, &line) {
                self.text.put_back(line);
                return self.await_room(now);
            }
            self.full = None;
        }
    }

    fn await_room(&mut self, now: u64) {
        let since = self.full.map_or(now, |full| full.since);
        self.full = Some(Full { since, again: now.saturating_add(PAUSE) });
        if now.saturating_sub(since) >= PATIENCE {
            outbox::count_lost(self.text.drop_all());
        }
    }
}

/// Bytes that are on their way to be lines, and the line that comes next.
#[derive(Debug, Default)]
struct Text {
    /// The unfinished line before `bytes`.
    lines: Lines,
    bytes: Vec<u8>,
    /// How much of `bytes` is taken.
    taken: usize,
    /// A line for which there was no room.
    kept: Option<String>,
    has_ended: bool,
}

impl Text {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// No more bytes follow: an unfinished line is one.
    fn end(&mut self) {
        self.has_ended = true;
    }

    /// Whether there is anything to take.
    fn is_any(&self) -> bool {
        self.kept.is_some() || !self.bytes.is_empty() || self.has_ended && !self.lines.is_empty()
    }

    fn next_line(&mut self) -> Option<String> {
        if self.kept.is_some() {
            return self.kept.take();
        }
        let mut line = None;
        let mut deliver = |text: &str| line = Some(text.to_owned());
        let rest = &self.bytes[self.taken..];
        let end = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
        self.lines.push(&rest[..end], &mut deliver);
        self.taken += end;
        if self.taken == self.bytes.len() {
            (self.bytes, self.taken) = (Vec::new(), 0);
        }
        if line.is_none() && self.has_ended {
            self.lines.finish(|text| line = Some(text.to_owned()));
        }
        line
    }

    fn put_back(&mut self, line: String) {
        self.kept = Some(line);
    }

    /// Takes all lines, and returns how many there were.
    fn drop_all(&mut self) -> u64 {
        std::iter::from_fn(|| self.next_line()).count() as u64
    }
}

impl Supervisor {
    /// Takes a turn of [`Outputs`].
    pub(super) fn pass_output_on(&mut self, readable: &[bool]) {
        if readable.contains(&true) {
            // While a child writes and writes, the one wait does not let the signals in.
            let _ = poll::wait(&[], Some(Duration::ZERO), Some(&Mask::of(&[])));
        }
        self.outputs.turn(readable, clock::now(), events::line);
    }

    /// At the end of this supervisor, after that of its children: sends what could not be sent yet, as far
    /// as there is room within a second.
    pub(super) fn pass_rest_of_output_on(&mut self) {
        let until = clock::after(AT_THE_END);
        while self.outputs.is_any_unsent() && clock::now() < until {
            self.outputs.turn(&[], clock::now(), events::line);
            if self.outputs.due().is_some_and(|at| at > clock::now()) {
                poll::pause(Duration::from_nanos(PAUSE));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream, and the end to write to.
    fn stream(outputs: &mut Outputs, pid: i32, wanted: bool) -> OwnedFd {
        let (reader, writer) = fd::pipe().unwrap();
        let source =
            Source { actor: "a".into(), pid, incarnation: 1, channel: Channel::Stdout, wanted: [wanted; 2] };
        outputs.add([Some(reader), None], &source);
        writer
    }

    fn write(end: &OwnedFd, text: &str) {
        assert_eq!(fd::write(end.as_fd(), text.as_bytes()).unwrap(), text.len());
    }

    /// Takes turns, each later than any pause, until nothing is left to send. Returns the lines, and how many
    /// turns it took.
    fn lines(outputs: &mut Outputs) -> (Vec<String>, usize) {
        let (mut said, mut turns) = (Vec::new(), 0);
        loop {
            let readable: Vec<bool> =
                outputs.awaited().map(|pipe| poll::readable(pipe, Some(Duration::ZERO)).unwrap()).collect();
            if !readable.contains(&true) && outputs.due().is_none() {
                return (said, turns);
            }
            outputs.turn(&readable, u64::MAX, |_, line| {
                said.push(line.to_owned());
                true
            });
            turns += 1;
        }
    }

    #[test]
    fn lines_come_in_order_and_a_chatty_stream_leaves_turns_to_others() {
        let mut outputs = Outputs::default();
        let (chatty, quiet) = (stream(&mut outputs, 1, true), stream(&mut outputs, 2, true));
        write(&chatty, &"x\n".repeat(4 * LINES_AT_A_TIME));
        write(&quiet, "hello\nunfinished");
        let mut first = Vec::new();
        outputs.turn(&[true, true], 0, |_, line| {
            first.push(line.to_owned());
            true
        });
        assert_eq!((first.len(), first.last().unwrap().as_str()), (LINES_AT_A_TIME + 1, "hello"));
        let (rest, turns) = lines(&mut outputs);
        assert_eq!((rest.len(), turns), (3 * LINES_AT_A_TIME, 3));
        outputs.finish(2, 0, |_, line| {
            assert_eq!(line, "unfinished");
            true
        });
        assert_eq!(outputs.streams.len(), 1);
    }

    #[test]
    fn without_room_nothing_more_is_read_until_it_is_tried_again() {
        let mut outputs = Outputs::default();
        let writer = stream(&mut outputs, 1, true);
        write(&writer, "one\ntwo\n");
        outputs.turn(&[true], 100, |_, _| false);
        assert_eq!((outputs.awaited().count(), outputs.due()), (0, Some(100 + PAUSE)));
        outputs.turn(&[], 101, |_, _| panic!("it is too early"));
        let mut said = Vec::new();
        outputs.turn(&[], 100 + PAUSE, |_, line| {
            said.push(line.to_owned());
            true
        });
        assert_eq!(
            (said, outputs.awaited().count(), outputs.due()),
            (vec!["one".into(), "two".into()], 1, None)
        );
    }

    #[test]
    fn after_a_time_without_room_lines_are_dropped() {
        let mut outputs = Outputs::default();
        let writer = stream(&mut outputs, 1, true);
        write(&writer, "one\ntwo\nthr");
        outputs.turn(&[true], 0, |_, _| false);
        outputs.turn(&[], PATIENCE - 1, |_, _| false);
        assert!(outputs.is_any_unsent());
        outputs.turn(&[], PATIENCE + PAUSE, |_, _| false);
        assert!(!outputs.is_any_unsent());
        write(&writer, "ee\n");
        assert_eq!(lines(&mut outputs).0, ["three"]);
    }

    #[test]
    fn the_last_lines_of_a_process_are_kept_until_there_is_room_and_then_it_is_forgotten() {
        let mut outputs = Outputs::default();
        let writer = stream(&mut outputs, 1, true);
        write(&writer, "one\ntwo");
        outputs.finish(1, 0, |_, _| false);
        assert_eq!((outputs.awaited().count(), outputs.due()), (0, Some(PAUSE)), "although it is still open");
        let mut said = Vec::new();
        outputs.turn(&[], PAUSE, |_, line| {
            said.push(line.to_owned());
            true
        });
        assert_eq!(said, ["one", "two"]);
        assert!(outputs.streams.is_empty());
        drop(writer);
    }

    #[test]
    fn a_stream_that_is_closed_is_forgotten() {
        let mut outputs = Outputs::default();
        let writer = stream(&mut outputs, 1, true);
        write(&writer, "last");
        drop(writer);
        assert_eq!(lines(&mut outputs).0, ["last"]);
        assert!(outputs.streams.is_empty());
    }

    #[test]
    fn what_nobody_wants_is_read_and_dropped() {
        let mut outputs = Outputs::default();
        let writer = stream(&mut outputs, 1, false);
        write(&writer, "one\n");
        assert_eq!(lines(&mut outputs), (vec![], 1));
        assert!(!poll::readable(outputs.awaited().next().unwrap(), Some(Duration::ZERO)).unwrap());
    }
}
