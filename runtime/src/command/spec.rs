//! The description of a command that travels to its shim, and is kept for a restart.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fmt, fs, io};

use serde::{Deserialize, Serialize};

use super::ready::Ready;
use super::streams::{Inherited, Input};
use crate::control::attributes::SpawnAttributes;
use crate::control::boot_env::TREE;
use crate::sys::attributes::{Attribute, User};
use crate::sys::process::{self, Preparation, Refusal};
use crate::types::output::{Channel, Output};

/// A command that any process can run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CommandSpec {
    pub(super) program: OsString,
    /// What it is told as its own name, if not `program`.
    pub(super) arg0: Option<OsString>,
    pub(super) args: Vec<OsString>,
    /// The complete environment: that of the defining process, with the changes asked for.
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) directory: Option<OsString>,
    pub(super) stop_signal: i32,
    /// `None`: the program's value.
    pub(super) oom_score_adj: Option<i32>,
    /// Niceness, cores and limits.
    pub(super) attributes: SpawnAttributes,
    pub(super) memory: Option<u64>,
    pub(super) user: User,
    pub(super) input: Input,
    /// The input, if it is inherited and there is one.
    pub(super) inherited: Option<Inherited>,
    pub(super) streams: [StreamSpec; 2],
    pub(super) ready: Ready,
}

/// What becomes of a stream.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct StreamSpec {
    pub(super) output: Output,
    /// The level of its lines in the log; `None`: the stream's own.
    pub(super) level: Option<Level>,
}

/// A level of `tracing`, which does not travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Level {
        match level {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::TRACE => Level::Trace,
        }
    }
}

impl CommandSpec {
    pub(super) fn new(program: OsString) -> CommandSpec {
        CommandSpec {
            program,
            arg0: None,
            args: Vec::new(),
            environment: Vec::new(),
            directory: None,
            stop_signal: process::SIGTERM,
            oom_score_adj: None,
            attributes: SpawnAttributes::default(),
            memory: None,
            user: User::default(),
            input: Input::default(),
            inherited: None,
            streams: Default::default(),
            ready: Ready::default(),
        }
    }

    pub(super) fn stream(&self, channel: Channel) -> &StreamSpec {
        &self.streams[channel as usize]
    }

    /// Whether the shim reads this stream, instead of handing the command a descriptor to write to.
    pub(super) fn is_read(&self, channel: Channel) -> bool {
        match self.stream(channel).output {
            Output::Log => true,
            Output::Pipe => false,
            _ => matches!(self.ready, Ready::Line(_)),
        }
    }

    /// The directory where it starts.
    pub(super) fn directory(&self) -> &Path {
        Path::new(self.directory.as_deref().unwrap_or_default())
    }

    /// The command, for the standard library to execute.
    ///
    /// # Errors
    /// In words, if a file for its output cannot be opened.
    pub(super) fn command(&self) -> Result<Command, String> {
        let mut command = self.bare(&self.program, &self.args);
        if let Some(name) = &self.arg0 {
            command.arg0(name);
        }
        let stdin = match (self.input, &self.inherited) {
            (Input::Pipe, _) => Stdio::piped(),
            (Input::Inherit, Some(inherited)) => {
                inherited.stdio().map_err(|error| format!("cannot inherit the input: {error}"))?
            }
            (Input::Null | Input::Inherit, _) => Stdio::null(),
        };
        let stream = |channel| match self.is_read(channel) {
            true => Ok(Stdio::piped()),
            false => self.stream(channel).output.stdio(self.directory()),
        };
        command.stdin(stdin).stdout(stream(Channel::Stdout)?).stderr(stream(Channel::Stderr)?);
        Ok(command)
    }

    /// A program with the environment and the directory of this command, without input and output.
    pub(super) fn bare(&self, program: &OsStr, args: &[OsString]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        // Also after `env_clear`: by this mark the tree finds remaining processes.
        command.envs(std::env::var_os(TREE).map(|tree| (TREE, tree)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Prepares a program that runs with the attributes of this command.
    ///
    /// # Errors
    /// In words.
    pub(super) fn prepare(&self, command: &mut Command) -> Result<Refusal, String> {
        let preparation = Preparation {
            oom_score_adj: self.readiness_to_be_killed()?,
            niceness: self.attributes.nice,
            cores: self.attributes.affinity.clone(),
            limits: self.attributes.limits.clone(),
            memory: self.memory,
            user: self.user.clone(),
        };
        process::prepare(command, preparation).map_err(|error| format!("cannot prepare a command: {error}"))
    }

    /// The command's `oom_score_adj`, which is not that of its shim.
    ///
    /// # Errors
    /// In words, if the command may not have the value that was asked for.
    fn readiness_to_be_killed(&self) -> Result<Option<i32>, String> {
        let Some(asked) = self.oom_score_adj else {
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

    pub(super) fn program(&self) -> impl fmt::Display {
        Path::new(&self.program).display()
    }

    /// In words why it could not be executed. The system reports the same error for a missing program and for
    /// a missing directory.
    pub(super) fn explain(&self, program: &OsStr, refused: Option<Attribute>, error: &io::Error) -> String {
        let program = Path::new(program).display();
        if let Some(attribute) = refused {
            return self.attributes.explain(attribute, error);
        }
        match self.directory.as_ref().map(Path::new).filter(|directory| !directory.is_dir()) {
            Some(directory) => {
                format!("cannot run `{program}` in the directory `{}`: {error}", directory.display())
            }
            None => format!("cannot run `{program}`: {error}"),
        }
    }
}
