//! The shim: the actor that runs a command as its child, and lives and dies as it does.
//!
//! A supervisor reads nothing that a child has written and has one wait, so it neither waits for a line of
//! output nor for a port. The shim stands between it and the command, as the command's parent, reader and
//! mirror. For the supervisor it is an actor like any other.
//!
//! **Threads.** The main thread starts the command, waits in its init until the command is ready, and from
//! then on in its mailbox. One thread for each stream reads lines; another one waits for the command's end
//! and, like an init, reaps the orphans that the command leaves to the shim.
//!
//! **The end.** If the command ends by itself, the shim ends in the same way, without an exit notice, so that
//! its wait status says how. If a stop has been ordered, the shim ends the command and reports `Stopped`. The
//! decision falls once, under the lock of [`Course`]:
//!
//! * An end is noted at once. Bytes in the pipes at that moment are read before it counts, bytes that helpers
//!   still write are read after it.
//! * Before the start is announced, an end is only noted. The init reports it; if it comes after readiness,
//!   it is mirrored when the callers that wait for the start have been told ([`Actor::on_start`]). So a
//!   command that is ready and ends at once has always been started.
//! * Then the thread that has seen the end mirrors it, and never gives the lock back. A stop that is ordered
//!   meanwhile waits for that lock until the process is gone, and writes no exit notice.
//! * If SIGTERM has been sent by then, noted or not, the end is not mirrored: the main thread is, or will be,
//!   on its way to `on_stop`, which ends the command.
//! * `on_stop` takes the lock before it sends the stop signal. So an end that was ordered is never mirrored.
//!
//! The command is reaped last, under that lock, by the thread that ends the shim. Until then it is at least a
//! zombie, so no other process can have the number of its group.
//!
//! **Nothing is left.** The command has a process group of its own: signals to that group do not reach the
//! shim, and neither does the stop signal. When the shim is killed, the command dies by its death signal
//! (`PR_SET_PDEATHSIG`, of the main thread, which has started it), and its descendants go to the supervisor,
//! which kills orphans with their groups. The tree's mark is always in the command's environment, even after
//! `env_clear`.

use std::fmt;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, thread};

use super::TICK;
use super::exit_race::{Channel, Course, End};
use super::output::{Stream, TARGET};
use super::probe::Probe;
use super::spec::{CommandSpec, Ready};
use crate::actor::actor_ref::ActorRef;
use crate::actor::answer::Answer;
use crate::actor::call::Call;
use crate::actor::message::InitCodec;
use crate::actor::raw_ref::RawRef;
use crate::actor::traits::{Actor, ActorStruct, Calls, InitFailure};
use crate::control::orphans;
use crate::reactor::last_words;
use crate::sys::process::{self, Wait};
use crate::sys::{procfs, signal};
use crate::types::error::CallError;
use crate::types::exit::ExitReason;
use crate::types::method::Method;
use crate::types::options::Options;

/// How long the shim reads on after the end of the command, while processes of its group hold the pipes.
const DRAIN: Duration = Duration::from_millis(500);

/// How long the shim tries to end the remaining processes. The supervisor tries too.
const LAST: Duration = Duration::from_secs(1);

/// A command that runs: a ref to its [`Shim`], with everything that a ref offers of a process, and
/// [`command_pid`](CommandCalls::command_pid).
pub type CommandRef = ActorRef<Shim>;

/// The actor that keeps a [`Command`](crate::command::Command).
pub struct Shim {
    pid: i32,
    stop_signal: i32,
    course: Arc<Course>,
    streams: Vec<Arc<Stream>>,
}

impl fmt::Debug for Shim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shim").field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// The messages of a [`Shim`], as methods of the reference to it.
#[derive(Clone, Debug)]
pub struct CommandCalls(RawRef);

const COMMAND_PID: u32 = 0;

impl CommandCalls {
    /// The process id of the command itself; that of its shim is [`pid`](ActorRef::pid). Blocks until the
    /// shim has replied. Never returns the pid of a command that had ended before the call.
    ///
    /// # Errors
    /// [`CallError::Died`], [`CallError::Gone`] or [`CallError::Stopped`] if the command has ended.
    pub fn command_pid(&self) -> Result<u32, CallError> {
        loop {
            // None: the command has ended, and its shim is about to.
            if let Some(pid) = self.0.ask::<_, Option<u32>>(COMMAND_PID, ()).wait()? {
                return Ok(pid);
            }
        }
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

impl ActorStruct for Shim {
    type Calls = CommandCalls;
    const OPTIONS: Options = Options::DEFAULT;
}

impl Actor for Shim {
    type Init = CommandSpec;
    const CODEC: InitCodec<CommandSpec> = InitCodec::NEW;
    const METHODS: &'static [Method] = &[Method::ask("command_pid")];

    fn init(spec: CommandSpec) -> Result<Shim, InitFailure> {
        let probe = Probe::of(&spec).map_err(InitFailure)?;
        let shim = Shim::start(&spec).map_err(InitFailure)?;
        shim.await_readiness(&spec, probe.as_ref()).map_err(InitFailure)?;
        Ok(shim)
    }

    fn handle(&mut self, call: Call<'_>) -> Answer {
        match call.method() {
            COMMAND_PID => call.ask(|(): ()| self.course.running_pid().map(i32::cast_unsigned)),
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

impl Shim {
    fn start(spec: &CommandSpec) -> Result<Shim, String> {
        let mut command = spec.command();
        process::prepare(&mut command, readiness_to_be_killed(spec)?);
        let mut child = command.spawn().map_err(|error| spec.explain(&error))?;
        let pid = child.id() as i32;
        let pipes = [
            (Channel::Stdout, child.stdout.take().map(OwnedFd::from)),
            (Channel::Stderr, child.stderr.take().map(OwnedFd::from)),
        ];
        let mut shim = Shim {
            pid,
            stop_signal: spec.stop_signal,
            course: Arc::new(Course::of(pid, spec.is_read())),
            streams: Vec::new(),
        };
        let pipes = pipes.into_iter().filter_map(|(channel, pipe)| Some((channel, File::from(pipe?))));
        // The command ends with this process, which ends now if this fails.
        shim.watch(spec, pipes).map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(shim)
    }

    /// Starts the threads.
    fn watch(&mut self, spec: &CommandSpec, pipes: impl Iterator<Item = (Channel, File)>) -> io::Result<()> {
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
        let mut said = None;
        loop {
            let facts = self.course.lock();
            let words = facts.last_words().map(|words| format!(": {words}")).unwrap_or_default();
            if facts.ready {
                last_words::expect("");
                return Ok(());
            }
            if let Some(end) = facts.ended.filter(|_| facts.drained) {
                drop(facts);
                process::reap(self.pid);
                let left = match end.left {
                    0 => String::new(),
                    left => format!(", and {}", leaves_behind(end.wait, left)),
                };
                let end = in_words(end.wait);
                return Err(format!("`{}` {end} before it was ready{left}{words}", spec.program()));
            }
            drop(self.course.wait(facts, TICK));
            if said.as_ref() != Some(&words) {
                // The supervisor reports this text if it ends the shim at the start limit.
                let last = words.strip_prefix(": ").map(|words| format!("; its last line was: {words}"));
                last_words::expect(&format!("{}{}", spec.awaited(), last.unwrap_or_default()));
                said = Some(words);
            }
            if signal::is_noted(process::SIGTERM) {
                self.stop();
                return Err(format!("`{}` was stopped before it was ready", spec.program()));
            }
            // The listener must be the command itself, not a process that it has left behind.
            if probe.is_some_and(Probe::is_open) && !process::has_ended(self.pid) {
                last_words::expect("");
                return Ok(());
            }
        }
    }

    /// Ends the command in order. If that takes too long, the supervisor ends both.
    fn stop(&self) {
        self.course.stop(self.stop_signal);
        // Processes that the command has started may need longer than itself.
        process::await_group(self.pid);
        catch_up(&self.course, &self.streams, Instant::now() + DRAIN);
        finish_lines(&self.streams);
        end_what_is_left(self.pid);
    }
}

/// The command's `oom_score_adj`, which is not that of its shim.
///
/// # Errors
/// In words, if the command may not have the value that was asked for.
fn readiness_to_be_killed(spec: &CommandSpec) -> Result<Option<i32>, String> {
    let Some(asked) = spec.oom_score_adj else {
        // The supervisor has the program's value.
        let of_program = fs::read_to_string(format!("/proc/{}/oom_score_adj", process::parent()));
        return Ok(of_program.ok().and_then(|text| text.trim().parse().ok()));
    };
    let own = fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    // Tried here, because the child between fork and exec cannot report an error in words.
    fs::write("/proc/self/oom_score_adj", asked.to_string())
        .map_err(|error| format!("the option `oom_score_adj` cannot be {asked}: {error}"))?;
    let _ = fs::write("/proc/self/oom_score_adj", own);
    Ok(Some(asked))
}

/// The thread that waits for the end of the command.
fn await_end(pid: i32, course: &Course, streams: &[Arc<Stream>]) {
    while let Some((ended, end)) = process::await_ended_child() {
        if ended != pid {
            process::reap(ended);
            continue;
        }
        // Output written before the end counts as the command's.
        catch_up(course, streams, Instant::now() + DRAIN);
        course.has_ended(End { wait: end, left: left_behind(pid).len() });
        read_on(pid, course, streams);
        let left = left_behind(pid).len();
        if left > 0 && !course.is_stopping() {
            tracing::warn!(target: TARGET, command = crate::actor::current::current().name(), "{}", leaves_behind(end, left));
        }
        if !course.is_stopping() {
            // Before the command can be started again: many servers cannot run beside remains of their last
            // incarnation.
            end_what_is_left(pid);
        }
        if let Wait::Signaled { core_dumped: true, .. } = end {
            // The shim dies of the same signal without a core, so its exit reason does not report one.
            tracing::warn!(target: TARGET, command = crate::actor::current::current().name(), "core dumped");
        }
        return course.has_drained();
    }
}

/// Reads everything that lies in the pipes now.
fn catch_up(course: &Course, streams: &[Arc<Stream>], deadline: Instant) {
    course.catch_up(|| streams.iter().for_each(|stream| stream.ring()), deadline);
}

/// Reads what helpers of the command still write, up to the last line, finished or not. Helpers are in the
/// command's group; a process that has put itself into the background is not waited for.
fn read_on(pid: i32, course: &Course, streams: &[Arc<Stream>]) {
    let deadline = Instant::now() + DRAIN;
    let is_helper = |&left: &i32| process::group(left) == Some(pid);
    while course.is_reading() && left_behind(pid).iter().any(is_helper) && Instant::now() < deadline {
        thread::sleep(TICK);
    }
    catch_up(course, streams, deadline);
    finish_lines(streams);
}

fn finish_lines(streams: &[Arc<Stream>]) {
    streams.iter().for_each(|stream| stream.finish_line());
}

/// Processes that became the shim's children by the end of the command, and still run.
fn left_behind(command: i32) -> Vec<i32> {
    let mut left = procfs::children_of_all_threads(process::pid());
    left.retain(|&pid| pid != command && !process::has_ended(pid));
    left
}

/// Ends the processes that became the shim's children by the end of the command.
fn end_what_is_left(command: i32) {
    let deadline = Instant::now() + LAST;
    loop {
        let left = left_behind(command);
        if left.is_empty() || Instant::now() > deadline {
            return;
        }
        for pid in left {
            orphans::kill_with_group(pid);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn leaves_behind(end: Wait, left: usize) -> String {
    let processes = if left == 1 { "process" } else { "processes" };
    let guess = match end {
        Wait::Exited(_) => "; does it put itself into the background?",
        Wait::Signaled { .. } => "",
    };
    format!("left {left} {processes} behind{guess}")
}

fn in_words(end: Wait) -> ExitReason {
    match end {
        Wait::Exited(code) => ExitReason::Exited(code),
        Wait::Signaled { signal, core_dumped } => ExitReason::Signaled { signal, core_dumped },
    }
}
