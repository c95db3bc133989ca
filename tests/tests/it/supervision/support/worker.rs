//! The actor of most cases.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use phalanx::StoppedBy;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, LATCH_TIMEOUT, eventually, processes};
use serde::{Deserialize, Serialize};

/// How a worker ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Way {
    /// `exit` with this code; 0 is a success.
    Exit(i32),
    /// In order.
    Leave,
    /// In order, and it must not be restarted.
    LeaveForGood,
    Panic,
    Sigkill,
}

impl Way {
    fn go(self) -> ! {
        match self {
            Way::Exit(code) => std::process::exit(code),
            Way::Leave => phalanx::exit_actor(),
            Way::LeaveForGood => phalanx::exit_actor_for_good(),
            Way::Panic => panic!("on purpose"),
            Way::Sigkill => processes::kill(std::process::id()),
        }
        forever()
    }

    /// Whether this is the reason of a process that ended so.
    pub(crate) fn is(self, reason: &ExitReason) -> bool {
        match self {
            Way::Exit(code) => *reason == ExitReason::Exited(code),
            Way::Leave | Way::LeaveForGood => *reason == ExitReason::Stopped(StoppedBy::Itself),
            Way::Panic => {
                matches!(reason, ExitReason::Panicked { message, .. } if message == "on purpose")
            }
            Way::Sigkill => reason.signal() == Some(9),
        }
    }
}

/// How the start of a worker goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Trouble {
    /// Its init returns an error.
    Refuses,
    Panics,
    Hangs,
    /// No trouble: it wants no process.
    Ignores,
}

/// What a worker does when it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Last {
    Nothing,
    Hangs,
    Takes(Duration),
    Panics,
}

pub(crate) fn forever() -> ! {
    loop {
        thread::park();
    }
}

/// What a worker is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) stage: PathBuf,
    pub(crate) name: String,
    pub(crate) last: Last,
}

/// Writes down its starts (`+name`), failed starts (`!name`) and stops (`-name`), and does what it is told.
#[actor]
pub(crate) struct Worker {
    part: Part,
    count: u64,
    /// As long as its process lives, no other can have it.
    _alone: File,
}

#[actor]
impl Worker {
    #[init]
    pub(crate) fn new(part: Part) -> Result<Worker, String> {
        let name = &part.name;
        let alone =
            File::create(part.stage.join(format!("{name}.lock"))).map_err(|error| error.to_string())?;
        if alone.try_lock().is_err() {
            part.say(&format!("two-{name}"));
        }
        if let Some(trouble) = part.trouble() {
            part.say(&format!("!{name}"));
            match trouble {
                Trouble::Refuses => return Err(format!("{name} is broken")),
                Trouble::Panics => panic!("{name} panics"),
                Trouble::Hangs => forever(),
                Trouble::Ignores => phalanx::ignore(),
            }
        }
        part.say(&format!("+{name}"));
        Ok(Worker { part, count: 0, _alone: alone })
    }

    /// How often it has been called since its process started.
    pub(crate) fn count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Counts the call; returns its number, the count and the incarnation of the process.
    pub(crate) fn number(&mut self, number: u64) -> (u64, u64, u64) {
        self.count += 1;
        (number, self.count, phalanx::current().incarnation())
    }

    pub(crate) fn end(&self, way: Way) {
        way.go()
    }

    /// Ends when a file is there.
    #[tell]
    pub(crate) fn end_at(&self, latch: PathBuf, way: Way) {
        eventually("the latch", LATCH_TIMEOUT, || latch.exists());
        way.go()
    }

    pub(crate) fn wait_for(&self, latch: PathBuf) {
        eventually("the latch", LATCH_TIMEOUT, || latch.exists());
    }

    pub(crate) fn hang(&self) {
        forever()
    }

    #[tell]
    pub(crate) fn note(&self, text: String) {
        self.part.say(&text);
    }

    pub(crate) fn length(&self, text: String) -> usize {
        text.len()
    }

    /// Leaves a process behind that is hard to get hold of.
    pub(crate) fn leave_a_stray(&self) -> u32 {
        processes::leave_a_stray()
    }

    pub(crate) fn parent(&self) -> u32 {
        processes::stat(std::process::id()).expect("this process").parent
    }

    pub(crate) fn stop_yourself(&self, me: ActorRef<Worker>) -> bool {
        matches!(me.stop(EVENT_TIMEOUT), Err(SendError::CallingSelf(_)))
    }

    #[on_stop]
    fn stop(&mut self) {
        self.part.say(&format!("-{}", self.part.name));
        match self.part.last {
            Last::Nothing => {}
            Last::Hangs => forever(),
            Last::Takes(time) => thread::sleep(time),
            Last::Panics => panic!("{} panics at its end", self.part.name),
        }
    }
}

impl Part {
    fn say(&self, text: &str) {
        say(&self.stage, text);
    }

    /// What goes wrong this time.
    fn trouble(&self) -> Option<Trouble> {
        let path = self.stage.join(format!("{}.trouble", self.name));
        let text = fs::read_to_string(&path).ok()?;
        let (times, trouble) = text.split_once(' ')?;
        let times: u32 = times.parse().expect("how often");
        // Only this process reads it now.
        let next = if times > 1 {
            fs::write(&path, format!("{} {trouble}", times - 1))
        } else {
            fs::remove_file(&path)
        };
        next.expect("the note can be changed");
        Some(match trouble {
            "Refuses" => Trouble::Refuses,
            "Panics" => Trouble::Panics,
            "Hangs" => Trouble::Hangs,
            _ => Trouble::Ignores,
        })
    }
}

fn say(stage: &Path, text: &str) {
    let log = OpenOptions::new().create(true).append(true).open(stage.join("log"));
    // In one piece: many write here.
    log.and_then(|mut log| log.write_all(format!("{text} ").as_bytes())).expect("the log can be written");
}
