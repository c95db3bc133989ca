//! Another command that says whether the command is ready: run again and again, and each time for a while.

use std::ffi::OsString;
use std::thread;
use std::time::{Duration, Instant};

use super::exit_race::Course;
use super::spec::CommandSpec;
use crate::control::orphans;
use crate::sys::process::{self, Wait};
use crate::sys::procfs;

/// How long a run may take.
const LIMIT: Duration = Duration::from_secs(5);

/// How long to wait after a run that has failed.
const PAUSE: Duration = Duration::from_millis(100);

/// How often to look for what a run has left: a process in the middle of `execve` has no environment, and one
/// whose parent is about to end is not here yet.
const LOOKS: usize = 3;

/// By this variable of its environment, what a run leaves behind is told from what the command starts.
const MARK: &str = "PHALANX_PROBE";

pub(super) struct Check {
    words: Vec<OsString>,
    /// The value of [`MARK`]: each shim has one of its own.
    mark: String,
    stage: Stage,
}

enum Stage {
    /// Waits until it is time for a run.
    Pausing(Instant),
    /// A run has begun, and may take until then.
    Running(Instant),
}

impl Check {
    pub(super) fn new(words: &[OsString]) -> Check {
        let mark = format!("{:016x}", process::random());
        Check { words: words.to_vec(), mark, stage: Stage::Pausing(Instant::now()) }
    }

    /// Does what is to be done now, and returns whether a run has ended with code 0. Does not block, but for
    /// a start and some milliseconds after a run.
    ///
    /// # Errors
    /// In words, if it cannot be executed.
    pub(super) fn passes(&mut self, spec: &CommandSpec, course: &Course) -> Result<bool, String> {
        match self.stage {
            Stage::Pausing(until) if Instant::now() < until => Ok(false),
            Stage::Pausing(_) => {
                self.end_what_is_left(course);
                course.start_helper(|| self.start(spec))?;
                self.stage = Stage::Running(Instant::now() + LIMIT);
                Ok(false)
            }
            Stage::Running(until) => {
                if Instant::now() >= until {
                    course.kill_helper();
                }
                let Some(end) = course.helper_end() else { return Ok(false) };
                self.end_what_is_left(course);
                self.stage = Stage::Pausing(Instant::now() + PAUSE);
                Ok(end == Wait::Exited(0))
            }
        }
    }

    fn start(&self, spec: &CommandSpec) -> Result<i32, String> {
        let failed = |error: String| format!("the option `ready`: {error}");
        let Some((program, args)) = self.words.split_first() else { return Err(failed("no program".into())) };
        let mut command = spec.bare(program, args);
        command.env(MARK, &self.mark);
        let refusal = spec.prepare(&mut command).map_err(failed)?;
        let started = command.spawn();
        let told = |error| failed(spec.explain(program, refusal.attribute(), &error));
        // Its handle is dropped: the thread that waits for children reaps it.
        started.map(|child| child.id().cast_signed()).map_err(told)
    }

    /// Kills what has come to the shim from a run that has ended, as far as it can be told.
    fn end_what_is_left(&self, course: &Course) {
        let mark = format!("{MARK}={}", self.mark);
        for _ in 0..LOOKS {
            let mut left = procfs::children_of_all_threads(process::pid());
            left.retain(|&pid| pid != course.pid());
            left.into_iter().for_each(|pid| orphans::kill_marked(pid, &mark));
            thread::sleep(Duration::from_millis(1));
        }
    }
}
