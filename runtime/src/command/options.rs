//! The options of a command: how it is supervised, what it may use, where its input and output go.

use std::time::Duration;

use super::builder::Command;
use super::ready::Ready;
use super::streams::Input;
use crate::policy::{Restart, Shutdown};
use crate::sys::rlimit::Limit;
use crate::types::output::Output;

/// Options.
impl Command {
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

    /// How many restarts are allowed within which time; as for an [actor](crate::ActorBuilder::intensity).
    /// Default: 1 in 10 s, or that of the supervisor.
    pub fn intensity(mut self, restarts: u32, window: Duration) -> Command {
        self.shim = self.shim.intensity(restarts, window);
        self
    }

    /// How long to wait before a restart; as for an [actor](crate::ActorBuilder::backoff). Default: not at
    /// all, or the supervisor's setting.
    pub fn backoff(mut self, min: Duration, max: Duration) -> Command {
        self.shim = self.shim.backoff(min, max);
        self
    }

    /// How it is stopped: a [`Duration`] is how long its stop may take before it is killed. Default: 5 s.
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

    /// When it is ready. Default: [`Ready::AtOnce`].
    pub fn ready(mut self, ready: Ready) -> Command {
        self.spec.ready = ready;
        self
    }

    /// The name by which every process of the tree can find it, by
    /// [`lookup::<Shim>`](crate::names::lookup); as for an [actor](crate::ActorBuilder::registered).
    /// Default: none.
    ///
    /// ```
    /// use phalanx::command::{Command, Shim};
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let server = Command::new("sleep").arg("1000").registered("server").spawn()?;
    /// assert_eq!(phalanx::names::lookup::<Shim>("server")?.command_pid()?, server.command_pid()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn registered(mut self, name: impl Into<String>) -> Command {
        self.shim = self.shim.registered(name);
        self
    }

    /// Whether the program starts it again after a death of the program's root supervisor; as for an
    /// [actor](crate::ActorBuilder::outlives_root). Default: yes, if the program spawned it with a restart
    /// type other than [`Temporary`](Restart::Temporary).
    pub fn outlives_root(mut self, outlives: bool) -> Command {
        self.shim = self.shim.outlives_root(outlives);
        self
    }

    /// The user that it runs as, by number. Then it is in no supplementary groups, unless
    /// [`groups`](Self::groups) says so; its group stays that of the program, unless [`gid`](Self::gid) says
    /// otherwise. Default: that of the program.
    ///
    /// The program needs the rights to change to that user, and to send signals to its processes
    /// (`CAP_SETUID`, `CAP_SETGID` and `CAP_KILL` in capabilities(7)). The directory is entered, limits are
    /// set, and files for its output are opened before the user is changed.
    pub fn uid(mut self, user: u32) -> Command {
        self.spec.user.user = Some(user);
        self
    }

    /// The group that it runs as, by number. Default: that of the program.
    pub fn gid(mut self, group: u32) -> Command {
        self.spec.user.group = Some(group);
        self
    }

    /// Its supplementary groups, by number, see setgroups(2). Default: those of the program; none for another
    /// user.
    pub fn groups(mut self, groups: impl IntoIterator<Item = u32>) -> Command {
        self.spec.user.groups = Some(groups.into_iter().collect());
        self
    }

    /// Its niceness, from -20 (first) to 19 (last), see nice(2). A lower one than the program's needs the
    /// privilege. Default: that of the program.
    ///
    /// ```
    /// # use phalanx::{ExitReason, command::Command};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// assert_eq!(Command::shell("test $(nice) = 15").nice(15).spawn()?.join(), ExitReason::Exited(0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn nice(mut self, niceness: i32) -> Command {
        self.spec.attributes.nice = Some(niceness);
        self
    }

    /// The cores on which it may run, by their numbers; at least one of them must exist and be allowed, see
    /// sched_setaffinity(2). Default: those of the program.
    pub fn affinity(mut self, cores: impl IntoIterator<Item = usize>) -> Command {
        self.spec.attributes.set_affinity(cores);
        self
    }

    /// A limit of the operating system, see setrlimit(2), for each of its processes; they cannot raise it
    /// again. Default: those of the program.
    ///
    /// ```
    /// # use phalanx::{ExitReason, Limit, command::Command};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let few = Command::shell("test $(ulimit -n) = 32").limit(Limit::OpenFiles, 32).spawn()?;
    /// assert_eq!(few.join(), ExitReason::Exited(0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn limit(mut self, limit: Limit, value: u64) -> Command {
        self.spec.attributes.set_limit(limit, value);
        self
    }

    /// How many bytes of private memory (heap and private mappings, `RLIMIT_DATA`) each of its processes may
    /// have. An allocation beyond fails; what the command does then is its own affair. Default: no limit.
    pub fn memory(mut self, bytes: u64) -> Command {
        self.spec.memory = Some(bytes);
        self
    }

    /// Where its standard input comes from. Default: [`Input::Null`], it is empty.
    pub fn stdin(mut self, input: Input) -> Command {
        self.spec.input = input;
        self
    }

    /// Where its standard output goes. Default: [`Output::Log`].
    ///
    /// ```
    /// # use phalanx::command::{Command, Output};
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let file = std::env::temp_dir().join(format!("said-{}", std::process::id()));
    /// for word in ["one", "two"] {
    ///     Command::new("echo").arg(word).stdout(Output::file(&file)).spawn()?.join();
    /// }
    /// assert_eq!(std::fs::read_to_string(&file)?, "one\ntwo\n");
    /// # std::fs::remove_file(file)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn stdout(mut self, output: Output) -> Command {
        self.spec.streams[0].output = output;
        self
    }

    /// Where its standard error goes. Default: [`Output::Log`].
    pub fn stderr(mut self, output: Output) -> Command {
        self.spec.streams[1].output = output;
        self
    }

    /// Where both its standard output and its standard error go. Default: [`Output::Log`].
    pub fn output(self, output: Output) -> Command {
        self.stdout(output.clone()).stderr(output)
    }

    /// The level at which lines of its standard output are logged. Default: INFO.
    pub fn stdout_level(mut self, level: tracing::Level) -> Command {
        self.spec.streams[0].level = Some(level.into());
        self
    }

    /// The level at which lines of its standard error are logged. Default: WARN; many programs write there
    /// what is no warning.
    pub fn stderr_level(mut self, level: tracing::Level) -> Command {
        self.spec.streams[1].level = Some(level.into());
        self
    }
}
