//! The shim: the actor that runs a command as its child, and lives and dies as it does.
//!
//! A supervisor reads nothing that a child has written and has one wait, so it neither waits for a line of
//! output nor for a port. The shim stands between it and the command, as the command's parent, reader and
//! mirror. For the supervisor it is an actor like any other.
//!
//! **Threads.** The main thread starts the command, waits in its init until the command is ready, and from
//! then on in its mailbox. One thread for each stream reads lines, and one notifications, as far as they are
//! the shim's to read; another one waits for the command's end and, like an init, reaps the orphans that the
//! command leaves to the shim.
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

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::TICK;
use super::calls::{self, CommandCalls};
use super::error::CommandError;
use super::exit_race::{Course, End};
use super::notify::{self, Notifications};
use super::output::{Stream, TARGET};
use super::pipes::{self, InputWriter, OutputReader, Pipes};
use super::probe::Probe;
use super::ready::Ready;
use super::spec::CommandSpec;
use crate::actor::answer::Answer;
use crate::actor::call::Call;
use crate::actor::message::InitCodec;
use crate::actor::traits::{Actor, ActorStruct, InitFailure};
use crate::control::orphans;
use crate::reactor::last_words;
use crate::sys::process::{self, Wait};
use crate::sys::{procfs, signal};
use crate::types::exit::ExitReason;
use crate::types::method::Method;
use crate::types::options::Options;
use crate::types::output::Channel;

/// How long the shim reads on after the end of the command, while processes of its group hold the pipes.
const DRAIN: Duration = Duration::from_millis(500);

/// How long the shim tries to end the remaining processes. The supervisor tries too.
const LAST: Duration = Duration::from_secs(1);

/// How long the end of a command is held back until its readers have been handed out.
const LINGER: Duration = Duration::from_secs(5);

/// How long the reply to a message in progress may take.
const REPLY: Duration = Duration::from_secs(1);

/// The actor that keeps a [`Command`](crate::command::Command).
pub struct Shim {
    stop_signal: i32,
    course: Arc<Course>,
    streams: Vec<Arc<Stream>>,
    pipes: Arc<Pipes>,
}

impl fmt::Debug for Shim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shim").field("pid", &self.course.pid()).finish_non_exhaustive()
    }
}

impl ActorStruct for Shim {
    type Calls = CommandCalls;
    const OPTIONS: Options = Options::DEFAULT;
}

impl Actor for Shim {
    type Init = CommandSpec;
    const CODEC: InitCodec<CommandSpec> = InitCodec::NEW;
    const METHODS: &'static [Method] = calls::METHODS;

    fn init(spec: CommandSpec) -> Result<Shim, InitFailure> {
        let mut probe = Probe::of(&spec).map_err(InitFailure)?;
        let shim = Shim::start(&spec).map_err(InitFailure)?;
        shim.await_readiness(&spec, probe.as_mut()).map_err(InitFailure)?;
        Ok(shim)
    }

    fn handle(&mut self, call: Call<'_>) -> Answer {
        self.course.note_asked(true);
        match call.method() {
            calls::COMMAND_PID => call.ask(|(): ()| self.course.running_pid().map(i32::cast_unsigned)),
            calls::SIGNAL => call.ask_result(|number| self.signal(number)),
            calls::STDIN => call.ask_result(|(): ()| self.input()),
            calls::STDOUT => {
                call.ask_result(|(): ()| self.pipes.take(pipes::End::Stdout).map(OutputReader::of))
            }
            calls::STDERR => {
                call.ask_result(|(): ()| self.pipes.take(pipes::End::Stderr).map(OutputReader::of))
            }
            calls::READY_LINE => call.ask(|(): ()| self.course.ready_line()),
            calls::STATUS => call.ask(|(): ()| self.course.status()),
            _ => call.unknown(),
        }
    }

    fn on_start(&mut self) {
        self.course.go_on();
    }

    fn on_handled(&mut self) {
        self.course.note_asked(false);
    }

    fn on_stop(&mut self) {
        self.stop();
    }
}

impl Shim {
    fn start(spec: &CommandSpec) -> Result<Shim, String> {
        let failed = |error| format!("cannot hear notifications: {error}");
        let notifications = match spec.ready {
            Ready::Notify => Some(Notifications::open().map_err(failed)?),
            _ => None,
        };
        let mut command = spec.command()?;
        command.envs(notifications.as_ref().map(|socket| (notify::VARIABLE, socket.address())));
        let refusal = spec.prepare(&mut command)?;
        let started = command.spawn();
        let told = |error| spec.explain(OsStr::new(&spec.program), refusal.attribute(), &error);
        let mut child = started.map_err(told)?;
        let pid = child.id().cast_signed();
        let stdin = child.stdin.take().map(OwnedFd::from);
        let mut stdout = child.stdout.take().map(OwnedFd::from);
        let mut stderr = child.stderr.take().map(OwnedFd::from);
        let is_read = Channel::BOTH.map(|channel| spec.is_read(channel));
        let read = [
            (Channel::Stdout, stdout.take_if(|_| is_read[0])),
            (Channel::Stderr, stderr.take_if(|_| is_read[1])),
        ];
        let mut shim = Shim {
            stop_signal: spec.stop_signal,
            course: Arc::new(Course::of(pid, is_read, spec.ready == Ready::AtOnce)),
            streams: Vec::new(),
            pipes: Arc::new(Pipes::new([stdin, stdout, stderr])),
        };
        let read = read.into_iter().filter_map(|(channel, pipe)| Some((channel, File::from(pipe?))));
        // The command ends with this process, which ends now if this fails.
        shim.watch(spec, read, notifications)?;
        Ok(shim)
    }

    /// Starts the threads.
    fn watch(
        &mut self,
        spec: &CommandSpec,
        read: impl Iterator<Item = (Channel, File)>,
        notifications: Option<Notifications>,
    ) -> Result<(), String> {
        for (channel, pipe) in read {
            self.streams.push(Stream::read(channel, spec, &self.course, pipe)?);
        }
        let failed = |error| format!("cannot start a thread: {error}");
        if let Some(notifications) = notifications {
            notifications.listen(Arc::clone(&self.course)).map_err(failed)?;
        }
        let (course, streams) = (Arc::clone(&self.course), self.streams.clone());
        let pipes = Arc::clone(&self.pipes);
        let thread = thread::Builder::new().name("waiter".to_owned());
        thread.spawn(move || await_end(&course, &streams, &pipes)).map_err(failed)?;
        Ok(())
    }

    /// # Errors
    /// In words, if it has ended or is to be stopped before it is ready.
    fn await_readiness(&self, spec: &CommandSpec, mut probe: Option<&mut Probe>) -> Result<(), String> {
        let mut said = String::new();
        // The supervisor reports this text if it ends the shim at the start limit.
        last_words::expect(&spec.ready.awaited());
        loop {
            let facts = self.course.lock();
            if facts.ready {
                last_words::expect("");
                return Ok(());
            }
            if let Some(end) = facts.ended.filter(|_| facts.drained) {
                let words = facts.last_words().map(|words| format!(": {words}")).unwrap_or_default();
                drop(facts);
                process::reap(self.course.pid());
                let left = match end.left {
                    0 => String::new(),
                    left => format!(", and {}", leaves_behind(end.wait, left)),
                };
                let end = in_words(end.wait);
                return Err(format!("`{}` {end} before it was ready{left}{words}", spec.program()));
            }
            let told = facts.told();
            drop(self.course.wait(facts, TICK));
            if said != told {
                last_words::expect(&format!("{}{told}", spec.ready.awaited()));
                said = told;
            }
            if signal::is_noted(process::SIGTERM) {
                self.course.kill_helper();
                self.stop();
                return Err(format!("`{}` was stopped before it was ready", spec.program()));
            }
            if let Some(probe) = &mut probe
                && probe.says_ready(spec, &self.course)?
            {
                self.course.note_ready();
            }
        }
    }

    /// Returns `false` if the command has ended, and the shim is about to.
    fn signal(&self, number: i32) -> Result<bool, CommandError> {
        if !(1..=64).contains(&number) {
            return Err(CommandError::NoSignal(number));
        }
        match self.course.signal(number) {
            None => Ok(false),
            Some(Ok(())) => Ok(true),
            Some(Err(error)) => Err(CommandError::Refused(error.to_string())),
        }
    }

    fn input(&self) -> Result<InputWriter, CommandError> {
        let end = self.pipes.take(pipes::End::Stdin)?;
        InputWriter::of(end).map_err(|error| CommandError::Refused(error.to_string()))
    }

    /// Ends the command in order. If that takes too long, the supervisor ends both.
    fn stop(&self) {
        self.course.stop(self.stop_signal);
        // Processes that the command has started may need longer than itself.
        process::await_group(self.course.pid());
        catch_up(&self.course, &self.streams, Instant::now() + DRAIN);
        finish_lines(&self.streams);
        end_what_is_left(&self.course);
        self.course.lock().leave_last_lines();
    }
}

/// The thread that waits for the end of the command.
fn await_end(course: &Course, streams: &[Arc<Stream>], pipes: &Pipes) {
    while let Some((ended, end)) = process::await_ended_child() {
        if ended != course.pid() {
            course.reap_other(ended);
            continue;
        }
        // Output written before the end counts as the command's.
        catch_up(course, streams, Instant::now() + DRAIN);
        course.has_ended(End { wait: end, left: left_behind(course).len() });
        read_on(course, streams);
        let left = left_behind(course).len();
        if left > 0 && !course.is_stopping() {
            tracing::warn!(target: TARGET, command = crate::actor::current::current().name(), "{}", leaves_behind(end, left));
        }
        if !course.is_stopping() {
            // Before the command can be started again: many servers cannot run beside remains of their last
            // incarnation.
            course.kill_helper();
            end_what_is_left(course);
        }
        if let Wait::Signaled { core_dumped: true, .. } = end {
            // The shim dies of the same signal without a core, so its exit reason does not report one.
            tracing::warn!(target: TARGET, command = crate::actor::current::current().name(), "core dumped");
        }
        linger(course, pipes);
        return course.has_drained();
    }
}

/// Waits until the pipes of a command that has ended are in the hands of their readers, and the caller of a
/// message in progress has its reply.
fn linger(course: &Course, pipes: &Pipes) {
    let is_over = |start: Instant, limit| {
        start.elapsed() >= limit
            || course.is_stopping()
            || course.is_waited_for()
            || course.has_failed_to_start()
    };
    let start = Instant::now();
    while pipes.has_unread() && !is_over(start, LINGER) {
        thread::sleep(TICK);
    }
    // A message in progress may be the signal that has ended the command, or a reply with a pipe.
    let start = Instant::now();
    while course.is_asked() && !is_over(start, REPLY) {
        thread::sleep(TICK);
    }
}

/// Reads everything that lies in the pipes now.
fn catch_up(course: &Course, streams: &[Arc<Stream>], deadline: Instant) {
    course.catch_up(|| streams.iter().for_each(|stream| stream.ring()), deadline);
}

/// Reads what helpers of the command still write, up to the last line, finished or not. Helpers are in the
/// command's group; a process that has put itself into the background is not waited for.
fn read_on(course: &Course, streams: &[Arc<Stream>]) {
    let deadline = Instant::now() + DRAIN;
    let is_helper = |&left: &i32| process::group(left) == Some(course.pid());
    while course.is_reading() && left_behind(course).iter().any(is_helper) && Instant::now() < deadline {
        thread::sleep(TICK);
    }
    catch_up(course, streams, deadline);
    finish_lines(streams);
}

fn finish_lines(streams: &[Arc<Stream>]) {
    streams.iter().for_each(|stream| stream.finish_line());
}

/// Processes that became the shim's children by the end of the command, and still run.
fn left_behind(course: &Course) -> Vec<i32> {
    let own = [Some(course.pid()), course.helper()];
    let mut left = procfs::children_of_all_threads(process::pid());
    left.retain(|&pid| !own.contains(&Some(pid)) && !process::has_ended(pid));
    left
}

/// Ends the processes that became the shim's children by the end of the command.
fn end_what_is_left(course: &Course) {
    let deadline = Instant::now() + LAST;
    loop {
        let left = left_behind(course);
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
