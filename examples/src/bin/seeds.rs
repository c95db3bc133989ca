//! Lists the programs of the sources, and runs one by its name.
//!
//! `cargo run --bin seeds [NAME [ARGUMENTS]]`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, Command};

/// Names, and the sources, whose first line says what they show.
macro_rules! programs {
    ($($name:literal in $file:literal,)*) => {
        const PROGRAMS: &[(&str, &str)] = &[$(($name, include_str!($file))),*];
    };
}

programs! {
    "fork_pid" in "fork_pid.rs",
    "process_join" in "process_join.rs",
    "process_args" in "process_args.rs",
    "process_struct" in "process_struct.rs",
    "process_many" in "process_many.rs",
    "process_control" in "process_control.rs",
    "process_table" in "process_table.rs",
    "process_vs_thread" in "process_vs_thread/main.rs",
    "two_workers" in "two_workers.rs",
    "memory_isolation" in "memory_isolation.rs",
    "daemon_exit" in "daemon_exit.rs",
    "daemon_heartbeat" in "daemon_heartbeat.rs",
    "ipc_socket" in "ipc_socket.rs",
    "ipc_file" in "ipc_file.rs",
    "queue_producer_consumer" in "queue_producer_consumer.rs",
    "queue_timeout" in "queue_timeout.rs",
    "pool_submit" in "pool_submit.rs",
    "pool_futures" in "pool_futures.rs",
    "pool_queue" in "pool_queue.rs",
    "pool_crawler" in "pool_crawler.rs",
    "pool_commands" in "pool_commands.rs",
    "pool_elastic" in "pool_elastic.rs",
    "pool_errors" in "pool_errors.rs",
    "remote_manager" in "remote_manager.rs",
    "remote_worker" in "remote_worker.rs",
}

fn main() {
    let mut args = env::args().skip(1);
    match args.next() {
        None => list(),
        Some(name) if PROGRAMS.iter().any(|&(known, _)| known == name) => run(&name, args),
        Some(name) => fail(&format!("there is no program `{name}`; without arguments, `seeds` lists them")),
    }
}

fn list() {
    for (name, source) in PROGRAMS {
        let header = source.lines().next().and_then(|line| line.strip_prefix("//! "));
        println!("{name:<24}{}", header.unwrap_or_default());
    }
}

/// Replaces this process by that program.
fn run(name: &str, args: impl Iterator<Item = String>) {
    let Ok(own) = env::current_exe() else { fail("cannot find my own executable") };
    let directory = own.parent().unwrap_or(Path::new("."));
    let mut command = match env::var("CARGO") {
        // Cargo has started this one, and builds that one if need be.
        Ok(cargo) if !cargo.is_empty() => by_cargo(&cargo, directory, name),
        _ => Command::new(directory.join(name)),
    };
    let error = command.args(args).exec();
    fail(&format!("cannot run `{name}`: {error}; `cargo build --bins` makes it"));
}

fn by_cargo(cargo: &str, directory: &Path, name: &str) -> Command {
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    if directory.ends_with("release") {
        command.arg("--release");
    }
    command.args(["--bin", name, "--"]);
    command
}

fn fail(error: &str) -> ! {
    eprintln!("seeds: {error}");
    process::exit(2)
}
