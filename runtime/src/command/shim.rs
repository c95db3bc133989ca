//! The shim: the actor that runs a command as its child, and lives and dies as it does.
//!
//! A supervisor reads nothing that a child has written and has one wait, so it neither waits for a line of output nor for a port. The shim stands
//! between it and the command: its parent, its reader, its mirror. For the supervisor it is an actor like any other.
//!
//! **Threads.** The main thread starts the command, waits in its init until it is ready, and from then on in its mailbox. One thread for each
//! stream reads lines; another one waits for the command's end and, like an init, reaps the orphans that the command leaves to
//! the shim.
//!
//! **The end.** If the command ends by itself, the shim ends in the same way, without an exit notice, so that its wait status says how. If a stop has
//! been ordered, it ends the command and says `Stopped`. Which of the two it is, is decided once, under the lock of [`Course`]:
//!
//! * An end is noted at once. What lies in the pipes at that moment is read before it counts, what helpers still write after it.
//! * Before it is announced as ready, an end is only noted. The init reports it; or, where it comes after readiness, it is mirrored when those who
//!   wait for the start have been told ([`Actor::on_start`]). So a command that is ready and ends at once has always been started.
//! * Then the thread that has seen the end mirrors it, and never gives the lock back. A stop that is ordered meanwhile waits for that lock
//!   until the process is gone, and writes no exit notice.
//! * Unless SIGTERM has been sent by then, noted or not: the main thread is, or will be, on its way to `on_stop`, and the end is left to that.
//! * `on_stop` takes the lock before it sends the stop signal. So an end that was ordered is never mirrored.
//!
//! The command is reaped last, by whoever ends the shim under that lock. Until then it is a zombie at least, and the number of its group is
//! nobody else's.
//!
//! **Nothing is left.** The command has a process group of its own: what it sends to its group does not reach the shim, nor is
//! the shim hit by the stop signal. When the shim is killed, the command dies by its death signal (`PR_SET_PDEATHSIG`, of the main thread,
//! which has started it), and what is left below goes to the supervisor, which kills orphans with their groups. The tree's mark is in its
//! environment whatever was asked for.

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

/// How long is read on when the command has ended, for as long as somebody of its group has its pipes.
const DRAIN: Duration = Duration::from_millis(500);

/// How long is tried to end what does not end. The supervisor tries too.
const LAST: Duration = Duration::from_secs(1);

/// A command that runs: a ref to its [`Shim`], with everything that a ref offers of a process, and
/// [`command_pid`](CommandCalls::command_pid).
pub type CommandRef = ActorRef<Shim>;

/// The actor that keeps a [`Command`](crate::Command).
pub struct Shim {
    pid: i32,
    stop_signal: i32,
    course: Arc<Course>,
    streams: Vec<Arc<Stream>>,
}

/// The messages of a [`Shim`], as methods of the reference to it.
#[derive(Clone)]
pub struct CommandCalls(RawRef);

const COMMAND_PID: u32 = 0;

impl CommandCalls {
    /// The process id of the command itself; that of its shim is [`pid`](ActorRef::pid). Blocks until the shim has answered. Never that of a command that had
    /// ended when it was asked for.
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
        // What has been started so far ends with this process, which ends now if this fails.
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
                // The supervisor says so when it ends this at the start limit.
                let last = words.strip_prefix(": ").map(|words| format!("; its last line was: {words}"));
                last_words::expect(&format!("{}{}", spec.awaited(), last.unwrap_or_default()));
                said = Some(words);
            }
            if signal::is_noted(process::SIGTERM) {
                self.stop();
                return Err(format!("`{}` was stopped before it was ready", spec.program()));
            }
            // Not somebody whom it has left behind.
            if probe.is_some_and(Probe::is_open) && !process::has_ended(self.pid) {
                last_words::expect("");
                return Ok(());
            }
        }
    }

    /// Ends the command in order. If that takes too long, the supervisor ends both.
    fn stop(&self) {
        self.course.stop(self.stop_signal);
        // What the command has started may need longer than itself.
        process::await_group(self.pid);
        catch_up(&self.course, &self.streams, Instant::now() + DRAIN);
        finish_lines(&self.streams);
        end_what_is_left(self.pid);
    }
}

/// The command's `oom_score_adj`, which is not that of its shim.
///
/// # Errors
/// In words, if it may not have the one that was asked for.
fn readiness_to_be_killed(spec: &CommandSpec) -> Result<Option<i32>, String> {
    let Some(asked) = spec.oom_score_adj else {
        // The supervisor has that of the program.
        let of_program = fs::read_to_string(format!("/proc/{}/oom_score_adj", process::parent()));
        return Ok(of_program.ok().and_then(|text| text.trim().parse().ok()));
    };
    let own = fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    // Tried here, since there are no words from where it is done.
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
        // It counts what was written before the end, and as the command's.
        catch_up(course, streams, Instant::now() + DRAIN);
        course.has_ended(End { wait: end, left: left_behind(pid).len() });
        read_on(pid, course, streams);
        let left = left_behind(pid).len();
        if left > 0 && !course.is_stopping() {
            tracing::warn!(target: TARGET, command = crate::actor::current::current().name(), "{}", leaves_behind(end, left));
        }
        if !course.is_stopping() {
            // Before the command can be started again: servers do not bear another one beside the rest of the last.
            end_what_is_left(pid);
        }
        if let Wait::Signaled { core_dumped: true, .. } = end {
            // The shim, which dies of the same signal, leaves none, and so its exit reason does not say it.
            tracing::warn!(target: TARGET, command = crate::actor::current::current().name(), "core dumped");
        }
        return course.has_drained();
    }
}

/// Reads what lies in the pipes now.
fn catch_up(course: &Course, streams: &[Arc<Stream>], deadline: Instant) {
    course.catch_up(|| streams.iter().for_each(|stream| stream.ring()), deadline);
}

/// Reads what helpers of the command still write, those who are in its group; for whoever has put itself into the background is not waited. To the last
/// line, whether that has an end or not.
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

/// What has come to the shim by the end of the command, and runs.
fn left_behind(command: i32) -> Vec<i32> {
    let mut left = procfs::children_of_all_threads(process::pid());
    left.retain(|&pid| pid != command && !process::has_ended(pid));
    left
}

/// Ends what has come to the shim by the end of the command.
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
