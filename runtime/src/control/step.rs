//! The steps from a program's first spawn to its root supervisor, on both sides, and the report of a failed
//! one.
//!
//! Each step has a description, so that an error of the operating system says what it prevented. The image
//! that is to become the supervisor can report only to the program. A failed step ends the image and is
//! reported through the control channel or, if that cannot be written, by the exit code.

use std::io;

use crate::status::cut;
use crate::types::escape::escaped;
use crate::types::spawn_error_kind::SpawnErrorKind;

/// Test hook: the number of a step, a colon, and the number of the error with which it is to fail.
const FAULT: &str = "PHALANX_FAULT_BOOT";

/// The exit code of an image whose first step failed and could not be reported; the other steps follow.
const FAILED: i32 = 100;

/// The first byte of an obstacle in the control channel, unlike the message that all is well.
const SIGN: u8 = b'!';

/// How much of an error's text is sent, in bytes.
const TOLD: usize = 400;

/// One step on the way to a root supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Step {
    // In the program.
    Place,
    Proc,
    Loader,
    Channel,
    Lines,
    Execute,
    Handle,
    Wait,
    Signals,
    Watch,
    // In the image.
    Identify,
    Parent,
    Control,
    Standard,
    Threads,
    TakeLines,
    Owner,
    Reaper,
    Subreaper,
    Own,
    Equipment,
    Word,
}

impl Step {
    /// All of them, in their order.
    pub(crate) const ALL: [Step; 22] = [
        Step::Place,
        Step::Proc,
        Step::Loader,
        Step::Channel,
        Step::Lines,
        Step::Execute,
        Step::Handle,
        Step::Wait,
        Step::Signals,
        Step::Watch,
        Step::Identify,
        Step::Parent,
        Step::Control,
        Step::Standard,
        Step::Threads,
        Step::TakeLines,
        Step::Owner,
        Step::Reaper,
        Step::Subreaper,
        Step::Own,
        Step::Equipment,
        Step::Word,
    ];

    /// What the step does.
    fn words(self) -> &'static str {
        match self {
            Step::Place => "find out whether a supervisor may be started here",
            Step::Proc => "look at the program in /proc",
            Step::Loader => "find the program's executable in /proc/self/exe",
            Step::Channel => "make the supervisor's control channel (socketpair)",
            Step::Lines => "make the lines for events and names (socketpair)",
            Step::Execute => "execute /proc/self/exe",
            Step::Handle => "open a handle on the reaper (pidfd_open)",
            Step::Wait => "wait for the supervisor's word",
            Step::Signals => "have signals noted (eventfd)",
            Step::Watch => "start the thread that watches the supervisor",
            Step::Identify => "the supervisor: find out what it was started for (getsockopt, recvmsg)",
            Step::Parent => "the supervisor: find the program",
            Step::Control => "the supervisor: take over its control channel (fcntl)",
            Step::Standard => "the supervisor: replace its standard descriptors (open, pipe2, dup2)",
            Step::Threads => "the supervisor: make sure that it has one thread",
            Step::TakeLines => "the supervisor: take over the lines for events and names (recvmsg)",
            Step::Subreaper => "the supervisor: become a subreaper (prctl)",
            Step::Owner => "the supervisor: open a handle on the program (pidfd_open)",
            Step::Reaper => "the supervisor: fork off its reaper (prctl, fork, pidfd_open)",
            Step::Own => "the supervisor: open a handle on itself (pidfd_open)",
            Step::Equipment => {
                "the supervisor: make its doorbell, its notification bits and its register \
                 (eventfd, mmap, memfd_create)"
            }
            Step::Word => "the supervisor: tell the program that it is there (sendmsg)",
        }
    }

    fn of(number: u8) -> Option<Step> {
        Step::ALL.get(usize::from(number)).copied()
    }

    /// Runs it, unless a test makes it fail.
    pub(crate) fn attempt<T>(self, act: impl FnOnce() -> io::Result<T>) -> Result<T, Obstacle> {
        let done = self.fault().map_or_else(act, Err);
        done.map_err(|error| self.failed(error))
    }

    pub(crate) fn failed(self, error: io::Error) -> Obstacle {
        Obstacle { step: self, error }
    }

    /// The exit code of an image in which this step failed.
    pub(crate) fn code(self) -> i32 {
        FAILED + self as i32
    }

    fn fault(self) -> Option<io::Error> {
        let wanted = std::env::var(FAULT).ok()?;
        let (step, error) = wanted.split_once(':')?;
        let meant = step.parse::<u8>() == Ok(self as u8);
        meant.then(|| error.parse().map_or_else(io::Error::other, io::Error::from_raw_os_error))
    }
}

/// A step that failed, and why.
#[derive(Debug)]
pub(crate) struct Obstacle {
    pub(crate) step: Step,
    pub(crate) error: io::Error,
}

impl Obstacle {
    /// The failed step that an exit code stands for, if the image could report nothing else.
    pub(crate) fn of_code(code: i32) -> Option<Obstacle> {
        let step =
            code.checked_sub(FAILED).and_then(|number| u8::try_from(number).ok()).and_then(Step::of)?;
        Some(step.failed(io::Error::other("it failed, and the reason could not be told")))
    }

    /// The form for the control channel.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![SIGN, self.step as u8];
        bytes.extend(self.error.raw_os_error().unwrap_or(0).to_ne_bytes());
        bytes.extend(cut(&self.error.to_string(), TOLD).as_bytes());
        bytes
    }

    /// Reads an obstacle, if the bytes are one.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Obstacle> {
        let (&[SIGN, step], rest) = bytes.split_first_chunk::<2>()? else { return None };
        let (number, text) = rest.split_first_chunk::<4>()?;
        let error = match i32::from_ne_bytes(*number) {
            0 => io::Error::other(String::from_utf8_lossy(text).into_owned()),
            number => io::Error::from_raw_os_error(number),
        };
        Some(Step::of(step)?.failed(error))
    }
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The text comes from the image that failed to become a supervisor.
        escaped(f, |f| {
            write!(f, "there is no root supervisor; what failed is to {}: {}", self.step.words(), self.error)
        })
    }
}

/// Why a process has no supervisor to spawn with.
#[derive(Debug)]
pub(crate) enum NoTree {
    /// The runtime is not in the program's executable, from which a supervisor would be made.
    NotInExecutable,
    /// This process has other credentials now than when its supervisor was made.
    Credentials(String),
    /// This process is a forked copy of one that has a supervisor.
    Copy,
    Obstacle(Obstacle),
}

impl From<Obstacle> for NoTree {
    fn from(obstacle: Obstacle) -> NoTree {
        NoTree::Obstacle(obstacle)
    }
}

impl From<NoTree> for io::Error {
    fn from(none: NoTree) -> io::Error {
        io::Error::other(match none {
            NoTree::NotInExecutable => {
                "phalanx lies in a shared library, not in the program's executable".to_owned()
            }
            NoTree::Credentials(error) => error,
            NoTree::Copy => "this process is a copy, made by fork, of an actor or a task: \
                             only the original has a supervisor"
                .to_owned(),
            NoTree::Obstacle(obstacle) => obstacle.to_string(),
        })
    }
}

impl From<NoTree> for SpawnErrorKind {
    fn from(none: NoTree) -> SpawnErrorKind {
        match none {
            NoTree::NotInExecutable => SpawnErrorKind::NotInExecutable,
            NoTree::Credentials(error) => SpawnErrorKind::Credentials(error),
            NoTree::Copy => io::Error::from(none).into(),
            NoTree::Obstacle(obstacle) => SpawnErrorKind::system(&obstacle.error, obstacle.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_failed_step_is_what_failed() {
        let (step, errno) = (Step::Equipment, 24);
        let told = step.failed(io::Error::from_raw_os_error(errno)).to_bytes();
        let heard = Obstacle::parse(&told).unwrap();
        assert_eq!((heard.step, heard.error.raw_os_error()), (step, Some(errno)));
        let told = Step::Threads.failed(io::Error::other("two of them")).to_bytes();
        let heard = Obstacle::parse(&told).unwrap();
        assert_eq!((heard.step, heard.error.to_string()), (Step::Threads, "two of them".to_owned()));
    }

    #[test]
    fn other_words_are_no_obstacle() {
        for bytes in [&b""[..], b"!", b"!\x01", b"!\xff\x00\x00\x00\x00", b"?\x01\x00\x00\x00\x00"] {
            assert!(Obstacle::parse(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn an_exit_code_says_which_step_failed() {
        for step in Step::ALL {
            assert_eq!(Obstacle::of_code(step.code()).unwrap().step, step);
            assert!(step.code() < 128);
        }
        assert!(Obstacle::of_code(1).is_none() && Obstacle::of_code(137).is_none());
    }
}
