//! External commands as children.

mod attributes;
mod ends;
mod left;
mod notify;
mod output;
mod pipes;
mod probes;
mod servers;
mod signals;
mod starts;
mod stops;
mod surroundings;

use std::fs;
use std::path::PathBuf;

use phalanx::command::{Command, CommandRef, Ready};
use phalanx_tests::{EVENT_TIMEOUT, processes, until};

const SCENARIO: &str = env!("CARGO_BIN_EXE_scenario");

/// A shell line that says `begun`, and has said it.
#[track_caller]
fn begun(line: &str) -> CommandRef {
    Command::shell(line).ready(Ready::line("begun")).spawn().unwrap()
}

/// A file that commands write to.
struct Paper(PathBuf);

impl Paper {
    fn new(name: &str) -> Paper {
        Paper(std::env::temp_dir().join(name))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// What has been written by now.
    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap_or_default()
    }

    /// Waits for a number.
    #[track_caller]
    fn number(&self) -> u32 {
        until("a number", EVENT_TIMEOUT, || self.text().strip_suffix('\n')?.parse().ok())
    }
}

impl Drop for Paper {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The keepers of this program, and whatever else its root supervisor has.
fn supervised() -> Vec<processes::Stat> {
    let root = processes::root_supervisor(std::process::id());
    root.map(processes::children).unwrap_or_default()
}
