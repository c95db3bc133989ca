//! A command that has not been spawned yet.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use super::calls::CommandRef;
use super::ready::Ready;
use super::shim::Shim;
use super::spec::{CommandSpec, StreamSpec};
use super::streams::{Inherited, Input};
use crate::actor::builder::ActorBuilder;
use crate::actor::spawning::Spawning;
use crate::actor::traits::ActorStruct;
use crate::supervision::declared::{Frame, Supervised};
use crate::supervision::{ChildSpec, IntoChild};
use crate::types::error::SpawnError;
use crate::types::options::Options;
use crate::types::output::Output;

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
/// The command starts with an empty standard input unless [`stdin`](Self::stdin) says otherwise, with no
/// other descriptors than the three standard ones, with all signals at their defaults and none blocked, and
/// with the environment and the directory that the spawning process has at that moment.
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
    pub(super) spec: CommandSpec,
    inherits: bool,
    variables: BTreeMap<OsString, Option<OsString>>,
    pub(super) shim: ActorBuilder<Shim>,
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
        let spec = CommandSpec::new(program.as_ref().to_owned());
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

    /// What it is told as its own name (`argv[0]`). Default: the program.
    pub fn arg0(mut self, name: impl AsRef<OsStr>) -> Command {
        self.spec.arg0 = Some(name.as_ref().to_owned());
        self
    }

    /// Sets variables of its environment.
    pub fn envs(
        self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Command {
        variables.into_iter().fold(self, |command, (name, value)| command.env(name, value))
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

    /// Starts the command, and waits until it is ready, has ended or is over its start limit.
    ///
    /// # Errors
    /// See [`SpawnError`]; a failed start leaves no process behind. In particular:
    /// * [`InitFailed`](SpawnError::InitFailed), with the program and the system's words, if the program
    ///   cannot be executed;
    /// * [`InitFailed`](SpawnError::InitFailed), with its end and its last line on standard error (or else on
    ///   standard output, where they are read: [`Output::Log`], [`Ready::Line`]), if it ended before it was
    ///   ready, as a server does that puts itself into the background;
    /// * [`InitFailed`](SpawnError::InitFailed), with the option, if the system refuses one: a niceness, a
    ///   limit, a user, a file for its output;
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

    /// Checks the options that only a command has, or has in its spec.
    fn fault(&self) -> Option<&'static str> {
        let spec = &self.spec;
        if spec.attributes.nice.is_some_and(|nice| !(-20..=19).contains(&nice)) {
            return Some("the option `nice` is between -20 and 19");
        }
        if spec.attributes.check().is_err() {
            return Some("the option `affinity` takes at least one core");
        }
        if spec.memory == Some(0) {
            return Some("the option `memory` is at least 1 byte");
        }
        let ids = [spec.user.user, spec.user.group].into_iter().flatten();
        if ids.chain(spec.user.groups.iter().flatten().copied()).any(|id| id == u32::MAX) {
            return Some("the options `uid`, `gid` and `groups` are numbers below 4294967295");
        }
        let is_pipe = |stream: &StreamSpec| stream.output == Output::Pipe;
        if matches!(spec.ready, Ready::Line(_)) && spec.streams.iter().all(is_pipe) {
            return Some("no stream can have the line of the option `ready`: both are pipes");
        }
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
        let environment = environment.into_iter().collect();
        let inherited = (self.spec.input == Input::Inherit).then(Inherited::here).flatten();
        CommandSpec { environment, directory, inherited, ..self.spec.clone() }
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
