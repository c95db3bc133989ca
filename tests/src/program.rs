//! Whole programs, for cases that are about the end of one.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;

use crate::processes::{self, MARK};
use crate::tempdir::TempDir;
use crate::wait::{PROGRAM_TIMEOUT, until};

/// Names a directory with programs that another profile has built. Tests are built to unwind whatever their
/// profile says; programs are not.
const PROGRAMS: &str = "PHALANX_TEST_PROGRAMS";

/// The program at this path, or the one of its name in that directory, if it has been built there. A path
/// that is not absolute stays as it is.
fn built(path: &str) -> String {
    let elsewhere = std::env::var_os(PROGRAMS).filter(|_| path.starts_with('/'));
    let elsewhere =
        elsewhere.and_then(|directory| Some(Path::new(&directory).join(Path::new(path).file_name()?)));
    let elsewhere = elsewhere.and_then(|path| path.canonicalize().ok());
    elsewhere.map_or(path.to_owned(), |path| path.to_string_lossy().into_owned())
}

/// A program to be run, with its temporary directory and its mark.
#[derive(Debug)]
pub struct Program {
    command: Command,
    directory: TempDir,
}

impl Program {
    /// The executable at this path.
    pub fn new(path: &str) -> Program {
        let directory = TempDir::new();
        let mut command = with_default_signals(&built(path));
        command
            .env(MARK, directory.mark())
            .env("TMPDIR", directory.temporary())
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        Program { command, directory }
    }

    /// Adds arguments.
    pub fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Program {
        self.command.args(args.into_iter().map(built));
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Program {
        self.command.env(name, value);
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it cannot be started.
    #[track_caller]
    pub fn start(mut self) -> Run {
        let mut child = self.command.spawn().expect("the program starts");
        let stdout = lines(child.stdout.take().expect("a pipe"));
        let stderr = lines(child.stderr.take().expect("a pipe"));
        Run { child, stdout, stderr, directory: self.directory }
    }
}

/// A command that does not ignore Ctrl-C, even if we do: a shell has its background jobs ignore it, and that
/// is inherited.
fn with_default_signals(path: &str) -> Command {
    if !processes::ignores_interrupts() {
        return Command::new(path);
    }
    // Replaces itself by the program.
    let mut command = Command::new("env");
    command.args(["--default-signal=INT,QUIT", path]);
    command
}

/// The lines of a pipe, read by a thread so that no wait for one is without a deadline.
fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A program that runs, or has run.
#[derive(Debug)]
pub struct Run {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    directory: TempDir,
}

impl Run {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its root supervisor.
    ///
    /// # Panics
    /// If none appears.
    #[track_caller]
    pub fn root_supervisor(&self) -> u32 {
        until("a root supervisor", PROGRAM_TIMEOUT, || processes::root_supervisor(self.pid()))
    }

    /// Its reaper.
    ///
    /// # Panics
    /// If none appears.
    #[track_caller]
    pub fn reaper(&self) -> u32 {
        until("a reaper", PROGRAM_TIMEOUT, || processes::reaper(self.pid()))
    }

    /// Every process that carries its mark.
    pub fn processes(&self) -> Vec<processes::Stat> {
        processes::marked(&self.directory.mark())
    }

    /// The next line of its standard output.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn line(&self) -> String {
        match self.stdout.recv_timeout(PROGRAM_TIMEOUT) {
            Ok(line) => line,
            Err(error) => panic!("no line: {error}; on standard error: {:?}", self.rest_of_stderr()),
        }
    }

    /// The next line of its standard error.
    ///
    /// # Panics
    /// If none comes.
    #[track_caller]
    pub fn line_of_stderr(&self) -> String {
        self.stderr.recv_timeout(PROGRAM_TIMEOUT).expect("a line of standard error")
    }

    /// The lines of standard output that have not been read yet, to the end.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn rest(&self) -> Vec<String> {
        rest(&self.stdout)
    }

    /// The lines of standard error, to the end.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn rest_of_stderr(&self) -> Vec<String> {
        rest(&self.stderr)
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        processes::signal(name, i64::from(self.pid()));
    }

    /// SIGKILL, without the detour by a shell.
    ///
    /// # Panics
    /// If it cannot be sent.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child of ours");
    }

    /// Waits for its end; returns the exit code, or minus the signal.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let code = |status: ExitStatus| {
            status.code().unwrap_or_else(|| -status.signal().expect("a program ends by code or by signal"))
        };
        code(until("the end of the program", PROGRAM_TIMEOUT, || {
            self.child.try_wait().expect("a child of ours")
        }))
    }

    /// Waits for its end, and makes sure that it leaves nothing behind.
    ///
    /// # Panics
    /// If it does.
    #[track_caller]
    pub fn finish(mut self) -> i32 {
        let code = self.wait();
        if let Err(left) = self.directory.nothing_left() {
            panic!("{left}");
        }
        code
    }
}

#[track_caller]
fn rest(lines: &Receiver<String>) -> Vec<String> {
    let mut rest = Vec::new();
    loop {
        match lines.recv_timeout(PROGRAM_TIMEOUT) {
            Ok(line) => rest.push(line),
            Err(RecvTimeoutError::Disconnected) => return rest,
            Err(RecvTimeoutError::Timeout) => panic!("the output does not end; so far: {rest:?}"),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A case that failed in the middle leaves nothing running either.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.processes().iter().for_each(|process| processes::kill(process.pid));
    }
}
