//! A host for dynamic libraries that misbehave: each is loaded in an actor, in a process of its own.
//!
//! `cargo build -p phalanx-plugins --examples`, then `cargo run --bin plugins -- [LIBRARY..]`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

mod library;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use library::Plugged;
use phalanx::prelude::*;

/// One plugin. It is loaded when its process starts, and again whenever it has taken its process with it.
#[actor(deadline = "2s", memory = "256MiB", restart = permanent, intensity = "10 in 10s")]
struct Plugin {
    plugged: Plugged,
}

#[actor]
impl Plugin {
    #[init]
    fn load(path: OsString) -> Result<Self, String> {
        Ok(Plugin { plugged: library::load(Path::new(&path))? })
    }

    fn run(&self, input: String) -> Result<String, String> {
        self.plugged.run(&input)
    }
}

/// The plugins of this example: the first is well, and the others do what their names say when they are told
/// `trouble`.
const EXAMPLES: [&str; 9] =
    ["upcase", "segfault", "overrun", "abort", "exit", "hang", "leak", "scribble", "close"];

#[phalanx::main]
fn main() -> ExitCode {
    let given: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let paths = if given.is_empty() { examples() } else { given };
    if let Some(missing) = paths.iter().find(|path| !path.exists()) {
        eprintln!("plugins: there is no {}", missing.display());
        eprintln!("plugins: `cargo build -p phalanx-plugins --examples` builds those of this example");
        return ExitCode::from(2);
    }
    let plugins: Vec<_> = paths.into_iter().filter_map(start).collect();
    for input in ["hello", "trouble", "again"] {
        println!("{input}:");
        // All at once: one that hangs holds none of the others up.
        let replies: Vec<_> = plugins.iter().map(|plugin| plugin.run(input.to_owned())).collect();
        for (plugin, reply) in plugins.iter().zip(replies) {
            println!("  {:8} {}", plugin.name(), outcome(reply.wait()));
        }
    }
    for plugin in &plugins {
        println!("{:8} processes: {}", plugin.name(), plugin.incarnation());
    }
    ExitCode::SUCCESS
}

/// Where cargo puts them: in the folder `examples` beside the program.
fn examples() -> Vec<PathBuf> {
    let program = env::current_exe().unwrap_or_default();
    let folder = program.parent().unwrap_or(Path::new(".")).join("examples");
    EXAMPLES.iter().map(|name| folder.join(format!("lib{name}.so"))).collect()
}

/// Starts the process of a plugin. One that cannot be loaded, or dies while it is loaded, is named.
fn start(path: PathBuf) -> Option<ActorRef<Plugin>> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = stem.strip_prefix("lib").unwrap_or(&stem).to_owned();
    // A library that is named without a folder would be looked for in those of the system.
    let path = path.canonicalize().unwrap_or(path);
    match Plugin::builder(path.into_os_string()).name(name).spawn() {
        Ok(plugin) => Some(plugin),
        Err(error) => {
            println!("{error}");
            None
        }
    }
}

fn outcome(result: Result<String, CallError<String>>) -> String {
    match result {
        Ok(text) => format!("-> {text}"),
        Err(CallError::Died(ExitReason::DeadlineExceeded { .. }, _)) => "killed at its deadline".to_owned(),
        Err(CallError::Died(reason, _)) => format!("died: {reason}"),
        Err(error) => format!("no result: {error}"),
    }
}
