//! A program whose executable is replaced on disk while it runs.

use std::fs;

use phalanx::Restart;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, processes, until};

use crate::actors::witness;

/// An actor that is not started before the replacement.
#[actor]
struct Latecomer;

#[actor]
impl Latecomer {
    fn answer(&self) -> u32 {
        42
    }
}

/// Puts another file where this program's executable is.
fn replace_executable() -> phalanx::Result<()> {
    let path = std::env::current_exe()?;
    let other = path.with_extension("other");
    fs::write(&other, "#!/bin/sh\necho an impostor\n")?;
    fs::set_permissions(&other, fs::metadata(&path)?.permissions())?;
    Ok(fs::rename(other, path)?)
}

#[phalanx::main]
pub(crate) fn replaced() -> phalanx::Result<()> {
    let early = witness("early")?;
    replace_executable()?;
    early.say("the early actor answers".into()).wait()?;
    println!("{}", Latecomer.spawn()?.answer().wait()?);

    let root =
        processes::root_supervisor(std::process::id()).ok_or_else(|| phalanx::Error::new("no root"))?;
    processes::kill(root);
    early.join();
    let late = until("a new tree", EVENT_TIMEOUT, || match Latecomer.spawn() {
        // It was not known yet; the next spawn starts a new tree.
        Err(SpawnError::SupervisorDied { .. }) => None,
        other => Some(other),
    });
    println!("{}", late?.answer().wait()?);
    Ok(())
}

/// An actor is restarted by its spawner's supervisor, one by a declared one, and that one itself.
#[phalanx::main]
pub(crate) fn replaced_restart() -> phalanx::Result<()> {
    let spawned = Latecomer.builder().restart(Restart::Permanent).spawn()?;
    let child = Latecomer.builder().reserve()?;
    let child_ref = child.actor_ref();
    let supervisor = Supervisor::one_for_one().restart(Restart::Permanent).child("child", child).start()?;
    replace_executable()?;
    for pid in [spawned.pid()?, child_ref.pid()?, supervisor.pid()?] {
        processes::kill(pid);
        until("its end", EVENT_TIMEOUT, || (!processes::runs(pid)).then_some(()));
    }
    println!("{} {}", spawned.answer().wait()?, child_ref.answer().wait()?);
    println!("{} {}", spawned.incarnation(), supervisor.incarnation());
    Ok(())
}

#[phalanx::main]
pub(crate) fn replaced_before() -> phalanx::Result<()> {
    replace_executable()?;
    println!("{}", Latecomer.spawn()?.answer().wait()?);
    Ok(())
}
