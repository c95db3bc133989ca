//! The output of a command: reading it in lines, and passing them on.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::exit_race::Course;
use super::ready::Ready;
use super::spec::{CommandSpec, Level};
use crate::control::output::open;
use crate::ipc::user_code;
use crate::logging::lines::Lines;
use crate::logging::outbox;
use crate::sys::poll::{self, Event};
use crate::types::output::{Channel, Output};

const CHUNK: usize = 16 << 10;

/// One of the streams of a command, read by a thread of its own.
pub(super) struct Stream {
    channel: Channel,
    /// The command's name.
    command: String,
    sink: Sink,
    /// The text that means the command is ready.
    pattern: Option<String>,
    course: Arc<Course>,
    lines: Mutex<Lines>,
    /// Set when [`Course::catch_up`] asks whether the pipe is empty.
    bell: Event,
}

/// Where the lines go.
enum Sink {
    Log(Level),
    Inherit,
    File(File),
    Null,
}

impl Sink {
    /// # Errors
    /// In words, if the file cannot be opened.
    fn of(channel: Channel, spec: &CommandSpec) -> Result<Sink, String> {
        let stream = spec.stream(channel);
        Ok(match &stream.output {
            Output::Log => Sink::Log(stream.level.unwrap_or(usual_level(channel))),
            Output::Inherit => Sink::Inherit,
            Output::File(path) => Sink::File(open(&spec.directory().join(path))?),
            Output::Null | Output::Pipe => Sink::Null,
        })
    }
}

impl Stream {
    /// Starts to read.
    ///
    /// # Errors
    /// In words.
    pub(super) fn read(
        channel: Channel,
        spec: &CommandSpec,
        course: &Arc<Course>,
        pipe: File,
    ) -> Result<Arc<Stream>, String> {
        let failed = |error: io::Error| format!("cannot read the output: {error}");
        let pattern = if let Ready::Line(text) = &spec.ready { Some(text.clone()) } else { None };
        let stream = Arc::new(Stream {
            channel,
            command: crate::actor::current::current().name().to_owned(),
            sink: Sink::of(channel, spec)?,
            pattern,
            course: Arc::clone(course),
            lines: Mutex::default(),
            bell: Event::new().map_err(failed)?,
        });
        let reader = Arc::clone(&stream);
        let thread = thread::Builder::new().name(channel.name().to_owned());
        thread.spawn(move || reader.run(pipe)).map_err(failed)?;
        Ok(stream)
    }

    /// Makes this stream report to [`Course::catch_up`].
    pub(super) fn ring(&self) {
        self.bell.set();
    }

    fn run(&self, mut pipe: File) {
        let mut chunk = vec![0; CHUNK];
        loop {
            self.await_more(&pipe);
            match pipe.read(&mut chunk) {
                Ok(0) => break,
                Ok(len) => {
                    // The program's output has no reader any more, or the file is full: the command must see
                    // a closed pipe, too.
                    if self.pass_on(&chunk[..len]).is_err() {
                        break;
                    }
                    let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
                    lines.push(&chunk[..len], |line| self.deliver(line));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        drop(pipe);
        self.finish_line();
        self.course.has_read(self.channel);
    }

    /// Waits until there is something to read, or no writer is left; meanwhile reports an empty pipe to each
    /// [`Course::catch_up`].
    fn await_more(&self, pipe: &File) {
        loop {
            match poll::wait(&[(pipe.as_fd(), false), (self.bell.as_fd(), false)], None, None).as_deref() {
                Ok([false, true]) => {}
                Ok(_) => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // The read says what is wrong.
                Err(_) => return,
            }
            self.bell.clear();
            // Bytes written before the call of `catch_up` are in the pipe by now.
            let asked = self.course.asked();
            if !poll::readable(pipe.as_fd(), Some(Duration::ZERO)).unwrap_or(true) {
                self.course.has_caught_up(self.channel, asked);
            }
        }
    }

    fn pass_on(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out: Box<dyn Write> = match (&self.sink, self.channel) {
            (Sink::Log(_) | Sink::Null, _) => return Ok(()),
            (Sink::File(file), _) => Box::new(file),
            (Sink::Inherit, Channel::Stdout) => Box::new(io::stdout().lock()),
            (Sink::Inherit, Channel::Stderr) => Box::new(io::stderr().lock()),
        };
        out.write_all(bytes)?;
        out.flush()
    }

    /// Delivers an unfinished last line, unless the reading thread is in the middle of another.
    pub(super) fn finish_line(&self) {
        if let Ok(mut lines) = self.lines.try_lock() {
            lines.finish(|line| self.deliver(line));
        }
    }

    fn deliver(&self, line: &str) {
        if let Sink::Log(level) = self.sink {
            // A subscriber may panic, for instance when its own output has no reader any more. The command
            // does not depend on it.
            let _ = user_code::caught(|| self.log(level, line));
        }
        self.course.heard(self.channel, line, self.pattern.as_deref());
    }

    fn log(&self, level: Level, line: &str) {
        let (command, stream) = (&*self.command, self.channel.name());
        // The level of an event is a constant of its place.
        macro_rules! event {
            ($level:ident) => {
                if tracing::enabled!(target: TARGET, tracing::Level::$level) {
                    // A full pipe holds up the command meanwhile, but not its end.
                    outbox::await_room(|| self.course.is_stopping());
                    tracing::event!(target: TARGET, tracing::Level::$level, command, stream, "{line}");
                }
            };
        }
        match level {
            Level::Error => event!(ERROR),
            Level::Warn => event!(WARN),
            Level::Info => event!(INFO),
            Level::Debug => event!(DEBUG),
            Level::Trace => event!(TRACE),
        }
    }
}

/// The target of events about commands, to filter by.
pub(super) const TARGET: &str = "phalanx::command";

/// The level of a stream's lines, unless an option says otherwise.
fn usual_level(channel: Channel) -> Level {
    match channel {
        Channel::Stdout => Level::Info,
        Channel::Stderr => Level::Warn,
    }
}
