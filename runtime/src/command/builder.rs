//! A command that has not been spawned yet.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::shim::{CommandRef, Shim};
use super::spec::{CommandSpec, Output, Ready};
use crate::actor::builder::ActorBuilder;
use crate::actor::spawning::Spawning;
use crate::actor::traits::ActorStruct;
use crate::policy::{Restart, Shutdown};
use crate::supervision::declared::{Frame, Supervised};
use crate::supervision::{ChildSpec, IntoChild};
use crate::sys::process;
use crate::types::error::SpawnError;
use crate::types::options::Options;

/// Any executable as a supervised child, with the start, the stop and the end of an actor; options, then
/// [`spawn`](Self::spawn).
///
/// The setters are those of [`std::process::Command`], by value, and the options of an actor. A small
/// process, the shim, stands between the supervisor and the command and bears the command's name. It starts
/// the command, waits until the command is ready, reads its output, and ends as the command has ended: with
/// the same code, or of the same signal. So `join`, `monitor`, `exit_code` and
/// [`ExitReason`](crate::ExitReason) speak of the command. (They do not say whether the command dumped core;
/// a line in the log does.)
///
/// A stop (`stop`, `terminate`, the end of the program) sends the [stop signal](Self::stop_signal) to the
/// process group of the command, waits until every process of the group has ended, and is reported as
/// [`Stopped`](crate::ExitReason::Stopped). Processes that are left when the grace is over are killed.
/// However the command or its shim ends, the rest of its descendants is killed too, also in other groups or
/// sessions.
///
/// The command starts with the null device as standard input, with no other descriptors than its standard
/// output and error, with all signals at their defaults and none blocked, and with the environment and the
/// directory that the spawning process has at that moment.
///
/// ```
/// use std::time::Duration;
///
/// use phalanx::{ExitReason, command::{Command, Ready}};
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let server = Command::shell("echo listening; exec sleep 1000")
///     .name("server")
///     .ready(Ready::line("listening"))
///     .spawn()?;
/// assert!(server.command_pid()? != server.pid()?);
/// assert!(server.stop(Duration::from_secs(5))?.is_orderly());
///
/// let failed = Command::new("sh").args(["-c", "exit 3"]).spawn()?;
/// assert_eq!(failed.join(), ExitReason::Exited(3));
/// # Ok(())
/// # }
/// ```
#[must_use = "a command does nothing until `spawn`"]
pub struct Command {
    /// The options set so far; without the environment.
    spec: CommandSpec,
    inherits: bool,
    variables: BTreeMap<OsString, Option<OsString>>,
    shim: ActorBuilder<Shim>,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not its environment, which may hold secrets.
        f.debug_struct("Command").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl Command {
    /// The executable at this path or, if there is no slash in it, that of this name in `PATH` (the one in
    /// the environment of the command).
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        let spec = CommandSpec {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            environment: Vec::new(),
            directory: None,
            stop_signal: process::SIGTERM,
            oom_score_adj: None,
            output: Output::default(),
            ready: Ready::default(),
        };
        let name = Path::new(&spec.program).file_name().unwrap_or(OsStr::new("command")).to_string_lossy();
        let shim = ActorBuilder::new(&spec).name(name);
        Command { spec, inherits: true, variables: BTreeMap::new(), shim }
    }

    /// A line for the shell: `/bin/sh -c line`. Its name is `sh` unless it is given another one.
    ///
    /// The command is the shell: it ends when the shell ends, and processes that the line has left in the
    /// background end with it. With `exec` in front of the last command of a line, that command takes the
    /// place of the shell.
    ///
    /// ```
    /// # use phalanx::{ExitReason, command::Command};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let line = Command::shell("true && kill -KILL $$").spawn()?;
    /// assert_eq!(line.join().signal(), Some(9));
    /// # Ok(())
    /// # }
    /// ```
    pub fn shell(line: impl AsRef<OsStr>) -> Command {
        Command::new("/bin/sh").arg("-c").arg(line)
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Command {
        self.spec.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        self.spec.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Command {
        self.variables.insert(name.as_ref().to_owned(), Some(value.as_ref().to_owned()));
        self
    }

    /// Takes a variable out of its environment.
    ///
    /// ```
    /// # use phalanx::{ExitReason, command::Command};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let command = Command::shell("test -z \"$HOME\" && test $LEVEL = 3 && test $PWD = /")
    ///     .env_remove("HOME");
    /// assert_eq!(command.env("LEVEL", "3").current_dir("/").spawn()?.join(), ExitReason::Exited(0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Command {
        self.variables.insert(name.as_ref().to_owned(), None);
        self
    }

    /// Empties the environment, except for variables set after this call and the mark of the tree
    /// (`PHALANX_TREE`), which every process has.
    pub fn env_clear(mut self) -> Command {
        self.inherits = false;
        self.variables.clear();
        self
    }

    /// The directory in which it starts; a relative one begins in that of the spawning process. A relative
    /// path of an executable begins in this directory.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Command {
        self.spec.directory = Some(directory.as_ref().as_os_str().to_owned());
        self
    }

    /// The name of shim and command in logs and errors; that of the shim in `ps` and `top` too. Default: the
    /// file name of the executable.
    pub fn name(mut self, name: impl Into<String>) -> Command {
        self.shim = self.shim.name(name);
        self
    }

    /// A daemon is terminated first when the program ends. Default: no.
    pub fn daemon(mut self, daemon: bool) -> Command {
        self.shim = self.shim.daemon(daemon);
        self
    }

    /// When it is started again after its end; an end with code 0 does not count as a crash. Default:
    /// [`Temporary`](Restart::Temporary), never, for a spawned command; [`Permanent`](Restart::Permanent),
    /// always, for the child of a supervisor.
    pub fn restart(mut self, restart: Restart) -> Command {
        self.shim = self.shim.restart(restart);
        self
    }

    /// How many restarts are allowed within which time; as for an [actor](ActorBuilder::intensity). Default:
    /// 1 in 10 s, or that of the supervisor.
    pub fn intensity(mut self, restarts: u32, window: Duration) -> Command {
        self.shim = self.shim.intensity(restarts, window);
        self
    }

    /// How long to wait before a restart; as for an [actor](ActorBuilder::backoff). Default: not at all, or
    /// the supervisor's setting.
    pub fn backoff(mut self, min: Duration, max: Duration) -> Command {
        self.shim = self.shim.backoff(min, max);
        self
    }

    /// How it is stopped. Default: [`Timeout`](Shutdown::Timeout) after the `grace`.
    pub fn shutdown(mut self, shutdown: impl Into<Shutdown>) -> Command {
        self.shim = self.shim.shutdown(shutdown);
        self
    }

    /// Its end by itself may end its supervisor. Default: no.
    pub fn significant(mut self, significant: bool) -> Command {
        self.shim = self.shim.significant(significant);
        self
    }

    /// How long it may take until it is [ready](Self::ready), before it is killed. Default: 10 s.
    pub fn start_timeout(mut self, limit: Duration) -> Command {
        self.shim = self.shim.start_timeout(limit);
        self
    }

    /// The number of the signal that asks it to end, 1 to 64: 2 for SIGINT, 3 for SIGQUIT. Default: 15,
    /// SIGTERM.
    pub fn stop_signal(mut self, signal: i32) -> Command {
        self.spec.stop_signal = signal;
        self
    }

    /// How readily the kernel kills it when memory runs out, -1000 (never) to 1000 (first of all):
    /// `oom_score_adj` in proc(5). A value below the program's own needs a privilege. Default: the program's
    /// value; actors have 300.
    ///
    /// ```
    /// # use phalanx::{ExitReason, command::Command};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let batch = Command::shell("test $(cat /proc/self/oom_score_adj) = 900").oom_score_adj(900).spawn()?;
    /// assert_eq!(batch.join(), ExitReason::Exited(0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn oom_score_adj(mut self, value: i32) -> Command {
        self.spec.oom_score_adj = Some(value);
        self
    }

    /// What becomes of its output. Default: [`Output::Log`].
    pub fn output(mut self, output: Output) -> Command {
        self.spec.output = output;
        self
    }

    /// When it is ready. Default: [`Ready::AtOnce`].
    pub fn ready(mut self, ready: Ready) -> Command {
        self.spec.ready = ready;
        self
    }

    /// Starts the command, and waits until it is ready, has ended or is over its start limit.
    ///
    /// # Errors
    /// See [`SpawnError`]; a failed start leaves no process behind. In particular:
    /// * [`InitFailed`](SpawnError::InitFailed), with the program and the system's words, if the program
    ///   cannot be executed;
    /// * [`InitFailed`](SpawnError::InitFailed), with its end and its last line on standard error (or else on
    ///   standard output, where they are read: [`Output::Log`], [`Ready::Line`]), if it ended before it was
    ///   ready, as a server does that puts itself into the background;
    /// * [`InitFailed`](SpawnError::InitFailed), if another process already listens at the command's address;
    /// * [`StartTimeout`](SpawnError::StartTimeout), with what was waited for and the last line, if it was
    ///   not ready in time.
    ///
    /// ```
    /// # use phalanx::{SpawnError, command::{Command, Ready}};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let error = Command::shell("echo no database >&2; exit 1")
    ///     .ready(Ready::port("127.0.0.1:9"))
    ///     .spawn()
    ///     .unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "cannot start `sh`: init failed: `/bin/sh` exited with code 1 before it was ready: no database",
    /// );
    /// assert!(matches!(Command::new("no such program").spawn(), Err(SpawnError::InitFailed { .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn(self) -> Result<CommandRef, SpawnError> {
        self.into_keeper().spawn()
    }

    /// Like [`spawn`](Self::spawn), as a future: see [`Spawning`](crate::Spawning).
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub fn spawn_async(self) -> Spawning<CommandRef> {
        self.into_keeper().spawn_async()
    }

    fn into_keeper(self) -> ActorBuilder<Shim> {
        let (spec, fault) = (self.completed(), self.fault());
        let mut shim = self.shim.with_init(&spec);
        shim.plan.fault = shim.plan.fault.or(fault);
        shim
    }

    /// Checks the options that only a command has.
    fn fault(&self) -> Option<&'static str> {
        if !(1..=64).contains(&self.spec.stop_signal) {
            return Some("the option `stop_signal` is the number of a signal, 1 to 64");
        }
        if self.spec.oom_score_adj.is_some_and(|value| !(-1000..=1000).contains(&value)) {
            return Some("the option `oom_score_adj` is a number from -1000 to 1000");
        }
        let has_port =
            |address: &str| address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let has_no_port = matches!(&self.spec.ready, Ready::Port(address) if !has_port(address));
        has_no_port.then_some("the option `ready` names a port as `host:port`, for instance `127.0.0.1:80`")
    }

    /// The spec with everything that the command takes from this process, so that each start is the same, by
    /// whichever process.
    fn completed(&self) -> CommandSpec {
        let mut environment: BTreeMap<OsString, OsString> = BTreeMap::new();
        if self.inherits {
            environment.extend(env::vars_os());
        }
        for (name, value) in self.variables.clone() {
            match value {
                Some(value) => environment.insert(name, value),
                None => environment.remove(&name),
            };
        }
        let (own, asked) = (env::current_dir().ok(), self.spec.directory.clone());
        let directory = match (own, asked) {
            (Some(own), Some(asked)) => Some(own.join(asked).into_os_string()),
            (own, asked) => asked.or(own.map(PathBuf::into_os_string)),
        };
        CommandSpec { environment: environment.into_iter().collect(), directory, ..self.spec.clone() }
    }
}

/// A fault in the options is reported when the command is started, like a refusal by the executable.
impl IntoChild for Command {
    type Handle = CommandRef;

    fn into_child(self) -> ChildSpec {
        self.into_keeper().into_child()
    }
}

impl Supervised for Command {
    type Args = Command;
    type Ref = CommandRef;
    const OPTIONS: Options = <Shim as ActorStruct>::OPTIONS;

    fn frame() -> Frame {
        Frame::actor::<Shim>()
    }

    fn filled(command: Command) -> ChildSpec {
        command.into_child()
    }
}
