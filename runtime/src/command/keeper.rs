//! The keeper: the actor that runs a command as its child, and lives and dies as it does.
//!
//! A supervisor reads nothing that a child has written and has one wait, so it neither waits for a line of output nor for a port. The keeper stands
//! between it and the command: its parent, its reader, its mirror. For the supervisor it is an actor like any other.
//!
//! **Threads.** The main thread starts the command, waits in its init until it is ready, and from then on in its mailbox. One thread for each
//! stream reads lines; another one waits for the command's end and, like an init, reaps the orphans that the command leaves to
//! the keeper.
//!
//! **The end.** If the command ends by itself, the keeper ends in the same way, without a farewell, so that its wait status says how. If a stop has
//! been ordered, it ends the command and says `Stopped`. Which of the two it is, is decided once, under the lock of [`Course`]:
//!
//! * Before it is announced as ready, an end is only noted. The init reports it; or, where it comes after readiness, it is mirrored when those who
//!   wait for the start have been told ([`Actor::on_start`]). So a command that is ready and ends at once has always been started.
//! * Then the thread that has seen the end mirrors it, and never gives the lock back. A stop that is ordered meanwhile waits for that lock
//!   until the process is gone, and writes no farewell.
//! * Unless SIGTERM has been sent by then, noted or not: the main thread is, or will be, on its way to `on_stop`, and the end is left to that.
//! * `on_stop` takes the lock before it sends the stop signal. So an end that was ordered is never mirrored.
//!
//! The command is reaped last, by whoever ends the keeper under that lock. Until then it is a zombie at least, and the number of its group is
//! nobody else's.
//!
//! **Nothing is left.** The command has a process group of its own: what it sends to its group does not reach the keeper, nor is
//! the keeper hit by the stop signal. When the keeper is killed, the command dies by its death signal (`PR_SET_PDEATHSIG`, of the main thread,
//! which has started it), and what is left below goes to the supervisor, which kills strays with their groups. The tree's mark is in its
//! environment whatever was asked for.

use std::io::{self, Read};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::TICK;
use super::course::{Channel, Course};
use super::output::{Stream, TARGET};
use super::probe::Probe;
use super::spec::{CommandSpec, Ready};
use crate::actor::{Actor, ActorStruct, Answer, Call, Calls, InitFailure, Method, Options};
use crate::actor_ref::{ActorRef, RawRef};
use crate::error::CallError;
use crate::exit::ExitReason;
use crate::sys::process::{self, Wait};
use crate::sys::signal;

/// How long is read on when the command has ended, for as long as somebody has its pipes.
const DRAIN: Duration = Duration::from_millis(500);

/// A command that runs: a ref to its [`Keeper`], with everything that a ref offers of a process, and
/// [`command_pid`](CommandCalls::command_pid).
pub type CommandRef = ActorRef<Keeper>;

/// The actor that keeps a [`Command`](crate::Command).
pub struct Keeper {
    pid: i32,
    stop_signal: i32,
    course: Arc<Course>,
    streams: Vec<Arc<Stream>>,
}

/// The messages of a [`Keeper`], as methods of the reference to it.
#[derive(Clone)]
pub struct CommandCalls(RawRef);

const COMMAND_PID: u32 = 0;

impl CommandCalls {
    /// The process id of the command itself; that of its keeper is [`pid`](ActorRef::pid). Blocks until the keeper has answered.
    ///
    /// # Errors
    /// [`CallError::Died`], [`CallError::Gone`] or [`CallError::Stopped`] if the command has ended.
    pub fn command_pid(&self) -> Result<u32, CallError> {
        self.0.ask::<_, u32>(COMMAND_PID, ()).wait()
    }
}

impl Calls for CommandCalls {
    fn from_raw(raw: RawRef) -> CommandCalls {
        CommandCalls(raw)
    }

    fn raw(&self) -> &RawRef {
        &self.0
    }
}

impl ActorStruct for Keeper {
    type Calls = CommandCalls;
    const OPTIONS: Options = Options::DEFAULT;
}

impl Actor for Keeper {
    type Init = CommandSpec;
    const METHODS: &'static [Method] = &[Method::ask("command_pid")];

    fn init(spec: CommandSpec) -> Result<Keeper, InitFailure> {
        let probe = Probe::of(&spec).map_err(InitFailure)?;
        let keeper = Keeper::start(&spec).map_err(InitFailure)?;
        keeper.await_readiness(&spec, probe.as_ref()).map_err(InitFailure)?;
        Ok(keeper)
    }

    fn handle(&mut self, call: Call<'_>) -> Answer {
        match call.method() {
            COMMAND_PID => call.ask(|(): ()| self.pid as u32),
            _ => call.unknown(),
        }
    }

    fn on_start(&mut self) {
        self.course.go_on();
    }

    fn on_stop(&mut self) {
        self.stop();
    }
}

impl Keeper {
    fn start(spec: &CommandSpec) -> Result<Keeper, String> {
        let mut command = spec.command();
        process::prepare(&mut command);
        let mut child = command.spawn().map_err(|error| spec.explain(&error))?;
        let pid = child.id() as i32;
        let pipes = [
            (Channel::Stdout, child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)),
            (Channel::Stderr, child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)),
        ];
        let reading = pipes.iter().filter(|(_, pipe)| pipe.is_some()).count();
        let mut keeper = Keeper {
            pid,
            stop_signal: spec.stop_signal,
            course: Arc::new(Course::of(pid, reading)),
            streams: Vec::new(),
        };
        let pipes = pipes.into_iter().filter_map(|(channel, pipe)| Some((channel, pipe?)));
        // What has been started so far ends with this process, which ends now if this fails.
        keeper.watch(spec, pipes).map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(keeper)
    }

    /// Starts the threads.
    fn watch(
        &mut self,
        spec: &CommandSpec,
        pipes: impl Iterator<Item = (Channel, Box<dyn Read + Send>)>,
    ) -> io::Result<()> {
        for (channel, pipe) in pipes {
            self.streams.push(Stream::read(channel, spec, &self.course, pipe)?);
        }
        let (pid, course, streams) = (self.pid, Arc::clone(&self.course), self.streams.clone());
        thread::Builder::new().name("waiter".to_owned()).spawn(move || await_end(pid, &course, &streams))?;
        Ok(())
    }

    /// # Errors
    /// In words, if it has ended or is to be stopped before it is ready.
    fn await_readiness(&self, spec: &CommandSpec, probe: Option<&Probe>) -> Result<(), String> {
        if spec.ready == Ready::AtOnce {
            return Ok(());
        }
        loop {
            let facts = self.course.lock();
            if facts.ready {
                return Ok(());
            }
            if let Some(end) = facts.ended {
                let words = facts.last_words().map(|words| format!(": {words}")).unwrap_or_default();
                drop(facts);
                process::reap(self.pid);
                return Err(format!("`{}` {} before it was ready{words}", spec.program(), in_words(end)));
            }
            drop(self.course.wait(facts, TICK));
            if signal::is_noted(process::SIGTERM) {
                self.stop();
                return Err(format!("`{}` was stopped before it was ready", spec.program()));
            }
            if probe.is_some_and(Probe::is_open) {
                return Ok(());
            }
        }
    }

    /// Ends the command in order. If that takes too long, the supervisor ends both.
    fn stop(&self) {
        self.course.stop(self.stop_signal);
        // What the command has started may need longer than itself.
        process::await_group(self.pid);
        read_on(&self.course, &self.streams);
    }
}

/// The thread that waits for the end of the command.
fn await_end(pid: i32, course: &Course, streams: &[Arc<Stream>]) {
    while let Some((ended, end)) = process::await_ended_child() {
        if ended != pid {
            process::reap(ended);
            continue;
        }
        read_on(course, streams);
        if let Wait::Signaled { core_dumped: true, .. } = end {
            // The keeper, which dies of the same signal, leaves none, and so its exit reason does not say it.
            tracing::warn!(target: TARGET, command = crate::current().name(), "core dumped");
        }
        return course.has_ended(end);
    }
}

/// Reads what the command has left in its pipes, to the last line, whether that has an end or not.
fn read_on(course: &Course, streams: &[Arc<Stream>]) {
    if !course.await_output(DRAIN) {
        streams.iter().for_each(|stream| stream.finish_line());
    }
}

fn in_words(end: Wait) -> ExitReason {
    match end {
        Wait::Exited(code) => ExitReason::Exited(code),
        Wait::Signaled { signal, core_dumped } => ExitReason::Signaled { signal, core_dumped },
    }
}
