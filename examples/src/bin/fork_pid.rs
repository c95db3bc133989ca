//! Own pid and parents' pids, in the program and in a child (000-P1, 003-P1, 004-P1, 004-P2).
//!
//! `cargo run --bin fork_pid`
//!
//! A process has two parents: the spawner (here the program), and its supervisor, which forked it and is its
//! parent for the system.

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use phalanx::prelude::*;

/// A process's own view: its pid, its spawner, its supervisor.
#[task]
fn introduce() -> (u32, Option<u32>, Option<u32>) {
    let me = phalanx::current();
    println!("child: process {}, spawned by {:?}, forked by {:?}", me.pid(), me.parent(), me.supervisor());
    (me.pid(), me.parent(), me.supervisor())
}

// No guard around it: a child never runs the body of main.
#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let main = phalanx::current();
    println!("main: process {}, spawned by {:?}", main.pid(), main.parent());

    let child = introduce::spawn()?;
    println!("main: has spawned process {}", child.pid());
    let (pid, parent, supervisor) = child.join()?;
    println!("main: the child has ended with code {:?}", child.exit_code());

    println!("both mean the same process: {}", pid == child.pid());
    println!("main has spawned it: {}", parent == Some(main.pid()));
    let root = phalanx::tree().ok_or(phalanx::Error::new("no tree"))?;
    println!("the root supervisor has forked it: {}", supervisor == root.pid);
    println!("and main has started the root supervisor: {}", root.parent == Some(main.pid()));
    Ok(())
}
